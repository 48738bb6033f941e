"""Unsaved changes: marked in the title, and asked about before they are lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QMessageBox

from studio import paths
from studio.experiment import Experiment
from tests.widgets.shell import fakes
from widgets.shell.app_state import AppState
from widgets.shell.document import Document
from widgets.shell.main_window import MainWindow

Button = QMessageBox.StandardButton


class Answers:
    """What a person answers to the questions of a window, and how often they were asked."""

    def __init__(self) -> None:
        self.next = Button.Cancel
        self.asked = 0

    def __call__(self, box: QMessageBox) -> int:
        self.asked += 1
        return self.next


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    made = Answers()
    monkeypatch.setattr(QMessageBox, "exec", lambda box: made(box))
    return made


@pytest.fixture
def window(qtbot: Any, tmp_path: Path, engine: fakes.FakeEngine, answers: Answers) -> Iterator[MainWindow]:
    """A window that asks."""
    made = MainWindow(AppState(tmp_path, registry=fakes.registry(), engine=engine.functions()))
    qtbot.addWidget(made)
    made.show()
    yield made
    answers.next = Button.Discard
    made.close()


def test_closing_asks_only_where_changes_would_be_lost(window: MainWindow, answers: Answers, tmp_path: Path) -> None:
    path, document = tmp_path / "mine.yaml", window.app_state.document
    document.open(Experiment(name="mine"), path)
    assert not window.isWindowModified() and window.windowTitle() == "mine[*] – Transfer Studio"
    window.app_state.edit(seed=3)
    assert window.isWindowModified()
    window.app_state.edit(seed=Experiment().seed)
    assert not window.isWindowModified()  # edited back
    window.app_state.edit(seed=3)
    window.close()
    assert answers.asked == 1 and window.isVisible() and not path.exists()
    answers.next = Button.Save
    window.close()
    assert answers.asked == 2 and not window.isVisible()
    assert Experiment.load(path) == window.app_state.experiment and not document.is_modified


def test_discarding_changes_closes_and_writes_nothing(window: MainWindow, answers: Answers, tmp_path: Path) -> None:
    window.app_state.document.open(Experiment(name="mine"), tmp_path / "mine.yaml")
    window.app_state.edit(seed=3)
    answers.next = Button.Discard
    window.close()
    assert answers.asked == 1 and not window.isVisible() and not (tmp_path / "mine.yaml").exists()


def test_an_untouched_example_asks_nothing_and_is_never_replaced(
    window: MainWindow, answers: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example, document = paths.assets() / "experiments" / "demo.yaml", window.app_state.document
    document.open(Experiment.load(example), example)
    document.open(Experiment(name="other"))
    assert answers.asked == 0 and window.app_state.experiment.name == "other"
    document.open(Experiment.load(example), example)
    window.app_state.edit(seed=3)
    before, offered = example.read_bytes(), list[str]()

    def choose(_parent: Any, _title: str, start: str, _filter: str) -> tuple[str, str]:
        offered.append(start)
        return str(tmp_path / "copy.yaml"), ""

    monkeypatch.setattr("widgets.shell.commands.QFileDialog.getSaveFileName", choose)
    answers.next = Button.Save
    window.commands.new.trigger()
    assert len(offered) == 1 and Path(offered[0]).name == "demo.yaml" and Path(offered[0]) != example
    assert Experiment.load(tmp_path / "copy.yaml").seed == 3 and example.read_bytes() == before
    assert window.app_state.experiment == Experiment()


def test_opening_another_experiment_asks_too(qtbot: Any, window: MainWindow, answers: Answers, tmp_path: Path) -> None:
    window.app_state.edit(seed=3)
    kept = window.app_state.experiment
    window.commands.new.trigger()
    folder = fakes.kept_run(tmp_path, "old")
    window.open_path(folder)
    qtbot.waitUntil(lambda: answers.asked == 2, timeout=3000)
    assert window.app_state.experiment is kept
    answers.next = Button.Discard
    window.open_path(folder)
    qtbot.waitUntil(lambda: window.app_state.experiment.name == "old", timeout=3000)
    assert not window.isWindowModified()


def test_a_failed_save_keeps_the_window(window: MainWindow, answers: Answers, tmp_path: Path) -> None:
    window.app_state.document.open(Experiment(name="mine"), tmp_path / "gone" / "mine.yaml")
    window.app_state.edit(seed=3)
    answers.next = Button.Save
    window.close()
    assert window.isVisible() and "cannot be written" in window.toasts.visible()[0].text


def test_document_saves_over_no_run_and_no_example(tmp_path: Path) -> None:
    document = Document()
    run = fakes.kept_run(tmp_path, "run")
    (run / "run.json").write_text("{}")
    for path, own in ((run / "experiment.yaml", False), (tmp_path / "own.yaml", True)):
        document.open(Experiment(), path)
        assert (document.own_path == path) is own
