"""What the viewport keeps and opens: pictures, films, models, recordings; and what others draw into it."""

from __future__ import annotations

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from studio import paths
from studio.contracts import Ball, Ghost
from studio.data.collect import collect
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from tests.widgets.viewport.hands import DOMAIN, LEFT, Held
from widgets.viewport import ghost_legend

K = Qt.Key


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    registry = Registry()
    episodes = collect(DOMAIN, task_of(DOMAIN, registry), embodiment_of(DOMAIN, registry), 3, seed=0)
    path = tmp_path_factory.mktemp("data") / "demo.hdf5"
    registry.get("formats", "robomimic")().write(episodes, path)
    return path


# -- keeping -----------------------------------------------------------------------------------


def test_a_film_is_recorded_and_shown_to_be(held: Held, tmp_path: Path) -> None:
    held.until(lambda: held.frame.playing)
    held.key(K.Key_V)
    held.until(lambda: held.frame.filmed is not None and held.frame.filmed > 1.0)
    assert held.bar.film.isChecked()
    held.key(K.Key_V)
    held.until(lambda: any("film is saved" in text for _, text in held.toasts))
    held.until(lambda: held.frame.filmed is None)
    (film,) = tmp_path.glob("viewport-*.mp4")
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(film))
    assert seconds > 0.9 and frames == pytest.approx(30 * seconds, abs=2)
    reader = imageio_ffmpeg.read_frames(str(film))
    assert next(reader)["size"] == (held.view.width() // 2 * 2, held.view.height() // 2 * 2)
    pixels = np.frombuffer(next(reader), np.uint8)
    assert pixels.std() > 10
    reader.close()


def test_a_film_on_a_full_disk_ends_with_one_sentence(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    from collections import namedtuple

    from studio.sim.render import video

    held.until(lambda: held.frame.playing)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(video.shutil, "disk_usage", lambda path: usage(1, 1, 0))
    held.bar.film.click()
    held.until(lambda: any("the disk is full" in text for level, text in held.toasts if level == "error"))
    held.until(lambda: not held.bar.film.isChecked() and held.frame.filmed is None)
    assert held.frame.playing and not held.frame.message


def test_a_film_is_completed_when_the_window_closes(held: Held, tmp_path: Path) -> None:
    held.until(lambda: held.frame.playing)
    held.key(K.Key_V)
    held.until(lambda: held.frame.filmed is not None and held.frame.filmed > 0.3)
    held.panel.shut_down()
    (film,) = [path for path in tmp_path.iterdir() if path.suffix == ".mp4"]
    assert imageio_ffmpeg.count_frames_and_secs(str(film))[0] > 8


def test_a_picture_by_key(held: Held, tmp_path: Path) -> None:
    held.key(K.Key_P)
    held.until(lambda: list(tmp_path.glob("viewport-*.png")))


# -- files and recordings ----------------------------------------------------------------------


def drop(held: Held, path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)
    held.view.dropEvent(event)
    assert event.isAccepted()


def test_a_dropped_model_is_looked_at_and_escape_comes_back(held: Held) -> None:
    experiment = held.app_state.experiment
    drop(held, paths.assets() / "embodiments" / "mobile_3dof.xml")
    held.until(lambda: held.frame.sheet.kind == "model")
    assert held.view.overlays.looking_at == "mobile_3dof.xml"
    held.until(lambda: held.frame.info["time"] > 0.1)
    assert held.app_state.experiment == experiment
    held.app_state.edit(**{"budget.iterations": 7})
    held.key(K.Key_Escape)
    held.until(lambda: held.frame.sheet.kind == "world")
    assert not held.view.overlays.looking_at and len(held.players) == 2


def test_a_broken_model_is_said(held: Held, tmp_path: Path) -> None:
    broken = tmp_path / "broken.xml"
    broken.write_text("<mujoco><worldbody><geom type='none'/></worldbody></mujoco>")
    drop(held, broken)
    held.until(lambda: "does not compile" in held.frame.message)
    held.key(K.Key_Escape)
    held.until(lambda: not held.frame.message and held.frame.playing)


def test_what_cannot_be_looked_at_is_left_to_the_window(held: Held, tmp_path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "experiment.yaml"))])
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, LEFT, Qt.KeyboardModifier.NoModifier)
    event.ignore()
    held.view.dropEvent(event)
    assert not event.isAccepted()


def test_a_recording_plays_with_scrubber_and_traces(held: Held, recording: Path) -> None:
    drop(held, recording)
    held.until(lambda: held.frame.traces is not None)
    history, traces = held.panel.history, held.panel.traces
    assert history.episode.isVisible() and history.episode.maximum() == 3
    assert traces.isVisible() and [caption for caption, _ in traces.traces.lanes][:2] == ["Action", "Reward"]
    names = [traces.choice.itemText(i) for i in range(traces.choice.count())]
    assert {"joint_pos", "eef_pos", "goal"} <= set(names)
    held.until(lambda: held.frame.moment[0] > 1)
    held.pause()
    history.slider.setValue(2)
    held.until(lambda: held.frame.moment[0] == 2 and traces.traces.frame == 2)
    first = held.frame.traces
    history.episode.setValue(3)
    held.until(lambda: held.frame.info["episode"] == 2 and held.frame.traces is not first)
    assert held.frame.moment[0] == 0
    width = traces.traces.width()
    held.qtbot.mouseClick(traces.traces, LEFT, pos=QPoint(width - 9, 10))
    held.until(lambda: held.frame.moment[0] == held.frame.moment[1] - 1)
    held.key(K.Key_Left)
    held.until(lambda: held.frame.moment[0] == held.frame.moment[1] - 2)
    held.panel.sources.choose_policy("expert")
    held.until(lambda: held.frame.traces is None and held.frame.sheet.kind == "world")
    assert traces.isHidden() and not history.episode.isVisible()


def test_what_was_recorded_is_not_touched(held: Held, recording: Path) -> None:
    drop(held, recording)
    held.until(lambda: held.frame.traces is not None)
    held.pause()
    held.bar.side.click()
    held.side.sections["joints"].set_open(True)
    held.until(lambda: held.frame.joints is not None)
    assert not held.side.joints.isEnabled() and not held.bar.keyframes.actions()
    thread = held.panel.thread_
    thread.select(0.5, 0.5)
    thread.grab("pull")
    thread.drag(0.1, 0.1)
    thread.pose(0, 1.0)
    thread.set_ctrl(0, 1.0)
    thread.keyframe(0)
    held.panel.history.slider.setValue(3)
    held.until(lambda: held.frame.moment[0] == 3)
    assert not held.frame.message and not held.frame.selected


def test_traces_show_where_the_curves_are(held: Held, recording: Path) -> None:
    drop(held, recording)
    held.until(lambda: held.frame.traces is not None)
    held.pause()
    strip = held.panel.traces.traces
    held.panel.history.slider.setValue(0)
    held.until(lambda: strip.frame == 0)
    early = strip.grab().toImage()
    held.panel.history.slider.setValue(held.panel.history.slider.maximum())
    held.until(lambda: strip.frame == held.panel.history.slider.maximum())
    assert strip.grab().toImage() != early, "the cursor moves"


def test_a_broken_dataset_becomes_a_toast_and_play_goes_on(held: Held, tmp_path: Path) -> None:
    (tmp_path / "bad.h5").write_text("no HDF5")
    drop(held, tmp_path / "bad.h5")
    held.until(lambda: any("not HDF5" in text for level, text in held.toasts if level == "error"))
    assert not held.view.overlays.looking_at and held.frame.sheet.kind == "world"


def test_ghosts_and_overlays_reach_the_picture(held: Held) -> None:
    held.pause()
    held.qtbot.wait(500)
    before = held.frame.image.copy()
    pose = held.player.data.qpos.copy()
    pose[0] += 0.7
    held.panel.thread_.set_ghosts([Ghost(pose, (0.2, 0.6, 1.0, 0.4))])
    held.until(lambda: held.frame.image != before and len(held.frame.ghosts) == 1)
    ghosted = held.frame.image.copy()
    held.panel.thread_.set_overlays([Ball((0.4, 0.0, 0.4), 0.05)])
    held.until(lambda: held.frame.image != ghosted)


def test_ghosts_are_shown_beside_the_robot_they_are_of(held: Held) -> None:
    held.pause()
    own, other = held.app_state.experiment.target, held.app_state.experiment.source
    ghosts = [Ghost(held.player.data.qpos.copy(), (0.2, 0.6, 1.0, 0.4), "1: mass 0.8 ×")]
    held.app_state.ghosts_changed.emit(ghosts, own)
    held.until(lambda: [ghost.label for ghost in held.frame.ghosts] == ["1: mass 0.8 ×"])
    held.app_state.ghosts_changed.emit(ghosts, other)
    held.until(lambda: not held.frame.ghosts)


def test_the_legend_of_ghosts_fits_its_room(qapp: object) -> None:
    entries = [(name, (0.2, 0.6, 1.0, 0.4)) for name in ("1: mass 0.8 ×", "2: " + 20 * "mass ")]
    legend, without = (ghost_legend.picture(some, 200, 1.0) for some in (entries, []))
    assert legend is not None and 150 < legend.width() <= 200 and without is None


def test_everything_has_a_name_for_a_screen_reader(held: Held) -> None:
    from PySide6.QtWidgets import (
        QAbstractButton,
        QAbstractSlider,
        QCheckBox,
        QComboBox,
        QLineEdit,
        QScrollBar,
        QSpinBox,
    )

    held.bar.side.click()
    for section in held.side.sections.values():
        section.set_open(True)
    held.until(lambda: held.side.joints.sliders)
    kinds = (QAbstractButton, QAbstractSlider, QCheckBox, QComboBox, QLineEdit, QSpinBox)
    for kind in kinds:
        for widget in held.panel.findChildren(kind):
            inner = isinstance(widget, QScrollBar) or isinstance(widget.parent(), (QComboBox, QSpinBox))
            if not inner and widget.objectName() not in ("qt_toolbar_ext_button", "qt_menubar_ext_button"):
                assert widget.accessibleName(), widget
    assert "Ctrl+right-drag" in held.view.accessibleDescription()
    assert "Ctrl+right-drag" in held.bar.side.toolTip() and not held.view.toolTip()
