"""Files in the window: dropped, opened, saved, copied as text."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication

from studio.experiment import Experiment
from widgets.shell import opening
from widgets.shell.folders import Folders
from widgets.shell.main_window import MainWindow


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's documents."""
    made = tmp_path / "Documents"
    made.mkdir()
    monkeypatch.setattr("widgets.shell.folders.QStandardPaths.writableLocation", lambda _: str(made))
    return made


def drop(window: MainWindow, path: Path) -> bool:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), Qt.DropAction.CopyAction, mime, buttons, keys)
    enter.ignore()
    window.dragEnterEvent(enter)
    if enter.isAccepted():
        window.dropEvent(QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, mime, buttons, keys))
    return enter.isAccepted()


def test_dropped_files_find_their_place(qtbot: Any, window: MainWindow, tmp_path: Path) -> None:
    app_state = window.app_state
    (tmp_path / "e.yaml").write_text(Experiment(name="dropped", seed=9).to_yaml())
    (tmp_path / "d.hdf5").write_bytes(b"")
    (tmp_path / "r.xml").write_text("<mujoco/>")
    for name, seen in (
        ("e.yaml", lambda: app_state.experiment.name == "dropped" and app_state.experiment.seed == 9),
        ("d.hdf5", lambda: app_state.experiment.target.dataset == tmp_path / "d.hdf5"),
        ("r.xml", lambda: app_state.experiment.target.embodiment == str(tmp_path / "r.xml")),
    ):
        assert drop(window, tmp_path / name)
        qtbot.waitUntil(seen, timeout=3000)
    assert not drop(window, tmp_path / "picture.png")


def test_a_broken_file_is_told_in_one_sentence_and_changes_nothing(
    qtbot: Any, window: MainWindow, tmp_path: Path
) -> None:
    before = window.app_state.experiment
    (tmp_path / "bad.yaml").write_text("target: {episodez: 5}")
    with qtbot.waitSignal(window.app_state.toast, timeout=3000) as heard:
        window.open_path(tmp_path / "bad.yaml")
    assert heard.args[1] == "target.episodez: There is no such setting. Did you mean 'episodes'?"
    assert window.app_state.experiment is before


def test_saving_writes_whole_or_not_at_all(qtbot: Any, window: MainWindow, tmp_path: Path) -> None:
    window.app_state.edit(**{"target.episodes": 20})
    window.commands.save_to(tmp_path / "mine.yaml")
    qtbot.waitUntil((tmp_path / "mine.yaml").exists, timeout=3000)
    assert Experiment.load(tmp_path / "mine.yaml") == window.app_state.experiment
    with qtbot.waitSignal(window.app_state.toast, timeout=3000) as heard:
        window.commands.save_to(tmp_path / "nowhere" / "mine.yaml")
    assert "cannot be written" in heard.args[1] and "Choose another folder" in heard.args[1]
    assert [f.name for f in tmp_path.iterdir()] == ["mine.yaml"]


def test_the_copied_command_line_gives_the_same_experiment(tmp_path: Path) -> None:
    base = Experiment(name="demo")
    mine = base.changed(
        **{"target.episodes": 20, "strategy": {"id": "lora", "params": {"rank": 4, "targets": ["q_proj"]}}, "seed": 2}
    )
    path = tmp_path / "with space.yaml"
    opening.write(base, path)
    arguments = opening.command_line(mine, base, path).removeprefix("transfer-studio run ")
    script = f'for word in {arguments}; do echo "$word"; done'
    words = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    assert Experiment.load(words[0], [w for w in words[1:] if w != "--set"]) == mine
    assert "<<'EXPERIMENT'" in opening.command_line(mine, base, None)


def test_copy_as_yaml_is_the_experiment(window: MainWindow) -> None:
    window.commands.copy_yaml.trigger()
    assert Experiment.from_yaml(QGuiApplication.clipboard().text()) == window.app_state.experiment


def test_an_example_is_opened_from_its_menu_and_saved_elsewhere(
    qtbot: Any, window: MainWindow, tmp_path: Path, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = next(file for file in window.commands.examples if file.stem == "half_cheetah_sac")
    action = window.commands.examples[file]
    wanted = Experiment.load(file)
    window.app_state.load_plugins()
    qtbot.waitUntil(lambda: wanted.description[:20] in action.toolTip(), timeout=5000)
    assert action.text() == "SAC: a cheetah under other dynamics"
    assert all(
        " " in other.text() and other.text() != example.stem for example, other in window.commands.examples.items()
    )
    action.trigger()
    qtbot.waitUntil(lambda: window.app_state.experiment == wanted, timeout=5000)
    assert window.windowTitle().startswith(wanted.title) and wanted.description[:20] in window.pipeline_bar.toolTip()
    offered: list[str] = []

    def chosen(_parent: Any, _title: str, start: str, _filter: str) -> tuple[str, str]:
        offered.append(start)
        return "", ""

    monkeypatch.setattr("widgets.shell.commands.QFileDialog.getSaveFileName", chosen)
    window.commands.save.trigger()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    own = tmp_path / "own.yaml"
    for path in (tmp_path / "run" / "experiment.yaml", Path(os.path.relpath(file)), own):
        window.app_state.document.open(wanted, path)
        window.commands.save.trigger()
    kept = str(documents / "half_cheetah_sac.yaml")  # neither a shipped file nor a run's is offered to be written over
    assert offered == [kept, kept, kept, str(own)]


def test_file_dialogs_start_in_documents_and_then_where_they_ended(
    qtbot: Any, window: MainWindow, tmp_path: Path, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "e.yaml").write_text(Experiment(name="mine").to_yaml())
    started: list[Path] = []

    def choose(_parent: Any, _title: str, start: str, _filter: str) -> tuple[str, str]:
        started.append(Path(start))
        return str(tmp_path / "e.yaml"), ""

    monkeypatch.setattr("widgets.shell.commands.QFileDialog.getOpenFileName", choose)
    for _ in range(2):
        window.commands.open.trigger()
    qtbot.waitUntil(lambda: window.app_state.experiment.name == "mine", timeout=3000)
    assert started == [documents, tmp_path]
    folders = Folders()
    folders.settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    folders.remember("exports", tmp_path)
    later = Folders()
    later.settings = folders.settings
    assert later.start("exports", "curves.png") == str(tmp_path / "curves.png")
    assert later.start("experiments") == str(documents)
