"""The Data & embodiment panel: both domains, pictures, datasets, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from plugins.formats.robomimic import Robomimic
from plugins.panels import data_embodiment
from plugins.panels.data_embodiment import PANEL, DataEmbodimentPanel
from studio.contracts import Episodes, Problem
from studio.errors import DataError, ExperimentError
from studio.experiment.instructions import Instructions
from tests.studio.data.broken_files import write_file
from tests.widgets.shell import fakes
from widgets.data.dataset_view import THUMBNAILS
from widgets.shell.app_state import AppState
from widgets.style import theme

ROBOT = """<mujoco><worldbody>
  <camera name="head" pos="0 -1 1"/><camera name="side" pos="1 0 1"/>
  <body pos="0 0 1"><joint name="j" axis="0 1 0" range="-1 1" limited="true"/>
    <geom type="capsule" size=".05 .2"/></body>
</worldbody></mujoco>"""


def write_dataset(path: Path, episodes: int = 5, frames: int = 6) -> Path:
    total = episodes * frames
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (total, 3)).astype(np.float32)
    actions[:, 1] = 0.25
    observations = {
        "image": rng.integers(0, 255, (total, 32, 32, 3), dtype=np.uint8),
        "joint_pos": np.zeros((total, 6), np.float32),
    }
    Robomimic().write(Episodes(observations, actions, np.full(episodes, frames)), path)
    return path


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppState]:
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path / "cache"))
    drawn: list[str] = []

    def render(domain: Any, registry: Any) -> QImage:
        drawn.append(domain.embodiment)
        if domain.embodiment.endswith(".xml"):
            raise DataError("The model does not compile: no joints.", domain.embodiment, "Fix the MJCF or URDF file.")
        image = QImage(32, 20, QImage.Format.Format_RGB888)
        image.fill(0x336699)
        return image

    monkeypatch.setattr(data_embodiment, "render", render)
    made = AppState(tmp_path, registry=fakes.registry(formats=[Robomimic]), engine=fakes.FakeEngine().functions())
    made.drawn = drawn
    yield made
    made.close()


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> DataEmbodimentPanel:
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    made.resize(340, 700)
    made.show()
    with qtbot.waitSignals([app_state.registry_ready, app_state.problems_changed], timeout=3000):
        app_state.load_plugins()
    qtbot.waitUntil(lambda: all(c.preview.image is not None for c in made.columns.values()), timeout=3000)
    return made


def test_both_domains_are_shown_and_each_robot_drawn_once(
    qtbot: Any, app_state: AppState, panel: DataEmbodimentPanel
) -> None:
    source, target = panel.columns["source"], panel.columns["target"]
    assert source.editors["embodiment"].currentText() == "Franka arm"
    assert target.editors["embodiment"].currentText() == "UR5e arm"
    assert (source.editors["episodes"].value(), target.editors["episodes"].value()) == (400, 50)
    app_state.edit(**{"target.embodiment": "franka_7dof"})
    app_state.edit(**{"target.episodes": 7})
    qtbot.wait(450)
    assert sorted(app_state.drawn) == ["franka_7dof", "ur5_6dof"]
    assert source.title.text() == "Source"
    sources = [app_state.experiment.source] * 16
    app_state.set_experiment(app_state.experiment.model_copy(update={"sources": sources}))
    assert source.title.text() == "Source 1 of 16" and "other 15 sources" in source.title.toolTip()


def test_a_task_of_usual_length_is_not_cut_in_its_column(qtbot: Any, panel: DataEmbodimentPanel) -> None:
    theme.apply(QApplication.instance())
    panel.resize(358, 440)  # as in a window of 1440 × 900
    qtbot.wait(20)
    for column in panel.columns.values():
        task = column.editors["task"]
        for title in ("Point navigation", "Point mass on a disc"):
            task.addItem(title, title)
            task.set_value(title)
            assert task.shown_text() == title
        task.addItem("A title that is longer than any column", "long")
        task.set_value("long")
        assert task.shown_text().endswith("…")


def test_editing_a_field_edits_its_domain_only(app_state: AppState, panel: DataEmbodimentPanel) -> None:
    column = panel.columns["target"]
    column.editors["control"].setCurrentIndex(1)
    column.editors["control"].activated.emit(1)
    column.editors["episodes"].setValue(20)
    assert (app_state.experiment.target.control, app_state.experiment.target.episodes) == ("joint", 20)
    assert (app_state.experiment.source.control, app_state.experiment.source.episodes) == ("end_effector", 400)


def test_a_dataset_is_read_and_its_numbers_and_frames_shown(
    qtbot: Any, app_state: AppState, panel: DataEmbodimentPanel, tmp_path: Path
) -> None:
    view = panel.views["target"]
    qtbot.waitUntil(lambda: "No episodes yet" in view.words.text(), timeout=10_000)
    assert not view.bars.isVisible()
    path = write_dataset(tmp_path / "d.hdf5")
    panel.columns["target"].editors["dataset"].take(path)
    qtbot.waitUntil(lambda: "5 episodes" in view.words.text(), timeout=3000)
    assert "30 frames" in view.words.text() and "6–6 frames each" in view.words.text()
    assert view.bars.isVisible() and "action 2: 0.25 to 0.25, mean 0.25" in view.bars.accessibleDescription()
    assert len(view.thumbnails.images) == min(5, THUMBNAILS)
    with h5py.File(path) as file:
        first = file["data/demo_0/obs/agentview_image"][3]
    color = view.thumbnails.images[0].pixelColor(0, 0)
    assert (color.red(), color.green(), color.blue()) == tuple(first[0, 0])


def test_splits_and_cameras_of_the_dataset_are_offered(
    qtbot: Any, app_state: AppState, panel: DataEmbodimentPanel, tmp_path: Path
) -> None:
    column, view = panel.columns["target"], panel.views["target"]
    split, camera = column.editors["dataset_split"], column.editors["dataset_camera"]
    assert not split.isVisible() and not camera.isVisible()
    path = write_file(tmp_path / "two.hdf5", "gray")
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            demo["obs/wrist_rgb"] = demo["obs/agentview_image"][()]
    column.editors["dataset"].take(path)
    qtbot.waitUntil(split.isVisible, timeout=3000)
    assert [split.itemData(i) for i in range(split.count())] == ["", "train", "valid"]
    assert [camera.itemData(i) for i in range(camera.count())] == ["", "agentview_image", "wrist_rgb"]
    assert "'wrist_rgb' are gray" in view.words.text() and not view.thumbnails.images
    for editor, value in ((split, "valid"), (camera, "wrist_rgb")):
        editor.set_value(value)
        editor.edited.emit()
    target = app_state.experiment.target
    assert (target.dataset_split, target.dataset_camera) == ("valid", "wrist_rgb")
    qtbot.waitUntil(lambda: view.words.text().startswith("1 episodes"), timeout=3000)
    assert len(view.thumbnails.images) == 1
    column.editors["dataset"]._clear()
    qtbot.waitUntil(lambda: not split.isVisible(), timeout=3000)
    assert app_state.experiment.target.dataset_split == app_state.experiment.target.dataset_camera == ""


def test_a_strategy_that_needs_no_episodes_is_not_said_to_wait_for_them(
    qtbot: Any, app_state: AppState, panel: DataEmbodimentPanel
) -> None:
    words = panel.views["target"].words
    assert app_state.edit(**{"strategy.id": "lora"}) is None
    qtbot.waitUntil(lambda: "scripted expert records them" in words.text(), timeout=3000)
    assert app_state.edit(**{"strategy.id": "full_finetuning"}) is None
    qtbot.waitUntil(lambda: "collects its own experience" in words.text(), timeout=3000)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "does not exist"), (b"not hdf5 at all", "not HDF5"), ("empty", "no /data group")]
)
def test_a_bad_dataset_is_told_at_its_field(
    qtbot: Any, panel: DataEmbodimentPanel, tmp_path: Path, content: Any, words: str
) -> None:
    path = tmp_path / "bad.hdf5"
    if content == "empty":
        h5py.File(path, "w").close()
    elif content is not None:
        path.write_bytes(content)
    panel.columns["target"].editors["dataset"].take(path)
    label = panel.columns["target"].problems["dataset"]
    qtbot.waitUntil(label.isVisible, timeout=3000)
    assert words in label.text() and not panel.columns["source"].problems["dataset"].isVisible()
    panel.columns["target"].editors["dataset"]._clear()
    qtbot.waitUntil(lambda: not label.isVisible(), timeout=3000)


def test_a_model_that_does_not_compile_is_told_at_the_robot(qtbot: Any, panel: DataEmbodimentPanel) -> None:
    column = panel.columns["target"]
    column.preview.dropped.emit(Path("/tmp/broken_robot.xml"))
    label = column.problems["embodiment"]
    qtbot.waitUntil(label.isVisible, timeout=3000)
    assert "does not compile" in label.text() and column.editors["embodiment"].currentText() == "broken_robot.xml"
    assert column.preview.image is None


def test_problems_and_refusals_stand_at_their_fields(app_state: AppState, panel: DataEmbodimentPanel) -> None:
    app_state.problems = [
        Problem("source.task", "This robot cannot reach.", "Choose an arm."),
        Problem("budget.x", "?"),
    ]
    app_state.problems_changed.emit(app_state.problems)
    assert panel.columns["source"].problems["task"].text() == "This robot cannot reach. Choose an arm."
    panel.columns["target"].edited.emit("target.episodes", 0)
    assert "out of range" in panel.columns["target"].problems["episodes"].text()
    panel.columns["target"].edited.emit("target.episodes", 5)
    assert panel.columns["target"].problems["episodes"].text() == ""
    assert panel.show_field("source.task") and not panel.show_field("budget.x")


def test_the_picture_of_a_real_robot_is_drawn() -> None:
    from plugins.embodiments.ur5_6dof import EMBODIMENT
    from plugins.tasks import reach
    from studio.contracts import Task
    from studio.experiment import Domain
    from widgets.data.robot_preview import HEIGHT, WIDTH, render

    tasks = [t for t in vars(reach).values() if isinstance(t, type) and issubclass(t, Task) and t is not Task]
    registry = fakes.FakeRegistry(embodiments=[EMBODIMENT], tasks=tasks)
    image = render(Domain(embodiment="ur5_6dof"), registry)
    assert (image.width(), image.height()) == (WIDTH, HEIGHT)
    colors = {image.pixel(x, y) for x in range(0, WIDTH, 8) for y in range(0, HEIGHT, 8)}
    assert len(colors) > 50


def test_a_camera_is_chosen_where_images_are_seen_and_a_robot_brings_its_own(qtbot: Any, tmp_path: Path) -> None:
    """With the real registry, as above."""
    app_state = AppState(tmp_path)
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    made.show()
    with qtbot.waitSignal(app_state.registry_ready, timeout=60_000):
        app_state.load_plugins()
    column = made.columns["target"]
    camera, robot = column.editors["camera"], column.editors["embodiment"]
    assert [camera.itemData(i) for i in range(camera.count())] == ["front", "top", "wrist"] and not camera.isVisible()
    assert made.show_field("target.camera") and camera.isVisible()
    camera.setFocus()
    qtbot.keyClicks(camera, "w")
    column.editors["image_size"].setValue(96)
    column.editors["hidden_dynamics"].set_value("heavy")
    column.editors["hidden_dynamics"].edited.emit()
    target = app_state.experiment.target
    assert (target.camera, target.image_size, str(target.hidden_dynamics)) == ("wrist", 96, "heavy")
    robot.set_value("mobile_3dof")
    robot.edited.emit()
    assert app_state.experiment.target.camera == "top"
    app_state.edit(**{"target.observation": "goal"})
    assert camera.isVisible() and not camera.isEnabled(), "the source sees images"
    app_state.edit(**{"source.observation": "goal"})
    assert not camera.isVisible() and not made.labels["camera"].isVisible()
    assert not column.editors["contexts"].isVisible()
    column.edited.emit("target.observation", "image")
    file = tmp_path / "robot.xml"
    file.write_text(ROBOT)
    robot.set_value(str(file))
    robot.edited.emit()
    qtbot.waitUntil(lambda: [camera.itemData(i) for i in range(camera.count())][:2] == ["head", "side"], timeout=20_000)
    app_state.close()


def test_controls_and_observations_follow_the_task_and_contexts_the_family(qtbot: Any, tmp_path: Path) -> None:
    """With the real registry: what a task does not have is not offered, and choosing it takes its usual."""
    app_state = AppState(tmp_path)
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    with qtbot.waitSignal(app_state.registry_ready, timeout=60_000):
        app_state.load_plugins()
    column = made.columns["target"]

    def offered(name: str) -> list[Any]:
        return [column.editors[name].itemData(i) for i in range(column.editors[name].count())]

    def choose(name: str, value: Any) -> None:
        column.editors[name].set_value(value)
        column.editors[name].edited.emit()

    assert offered("control") == ["end_effector", "joint"] and not column.editors["contexts"].isEnabled()
    choose("task", "half_cheetah_velocity")
    assert offered("control") == ["motor"] and offered("observation") == ["state", "goal", "image"]
    target = app_state.experiment.target
    assert (target.control, target.observation_kind) == ("motor", "state")
    assert column.editors["contexts"].isEnabled() and column.editors["contexts"].text() == ""
    choose("contexts", [[0.5], [1.5]])
    assert app_state.experiment.target.contexts == [[0.5], [1.5]]
    choose("observation", "goal")
    choose("task", "bit_flip")
    target = app_state.experiment.target
    assert (target.control, target.observation_kind, target.contexts) == ("discrete", "goal", [])
    assert not column.editors["contexts"].isEnabled() and column.editors["contexts"].text() == ""
    choose("task", "reach")
    assert (app_state.experiment.target.control, offered("observation")) == ("end_effector", ["image", "goal"])
    choose("observation", "image")
    choose("task", "language_push")  # an image is offered too, but nothing then says what is asked for
    assert app_state.experiment.target.observation == ["image", "instruction"]
    choose("instructions.wording", "held_out")
    choose("task", "reach")
    target = app_state.experiment.target
    assert target.observation == ["image"] and target.instructions == Instructions()
    app_state.close()


def test_an_unknown_task_is_a_problem_of_the_task_and_not_of_the_robot(
    qtbot: Any, panel: DataEmbodimentPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> QImage:
        raise ExperimentError("'reachh' is not among the tasks.", "task", "Did you mean 'reach'?")

    monkeypatch.setattr(data_embodiment, "render", unknown)
    panel._app_state.edit(**{"source.camera": "another"})
    problem = Problem("source.task", "'reachh' is not among the tasks.")
    column = panel.columns["source"]
    qtbot.waitUntil(lambda: column.preview._words == "No preview")
    panel._app_state.problems = [problem]
    panel._app_state.problems_changed.emit([problem])
    assert column.problems["embodiment"].text() == "" and "reachh" in column.problems["task"].text()
