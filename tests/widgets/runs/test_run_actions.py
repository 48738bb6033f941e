"""What can be done with runs: load, resume, continue, score, export, delete, copy."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from plugins.panels.runs import RunsPanel
from studio.experiment import Experiment
from tests.widgets.runs.fake_disk import choose, names
from tests.widgets.shell.fakes import kept_run
from widgets.curves.overlay import Overlay, key_of
from widgets.shell.app_state import AppState


def test_experiment_is_loaded_into_the_forms(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any]
) -> None:
    folder = disk["runs"][0].folder
    folder.mkdir(parents=True)
    wanted = Experiment().changed(**{"target.episodes": 7, "name": "kept"})
    (folder / "experiment.yaml").write_text(wanted.to_yaml())
    choose(panel, "a")
    with qtbot.waitSignal(app_state.experiment_changed):
        panel.actions_.by_id["load"].trigger()
    assert app_state.experiment == wanted


def test_a_missing_experiment_is_told(qtbot: Any, app_state: AppState, panel: RunsPanel) -> None:
    choose(panel, "b")
    with qtbot.waitSignal(app_state.toast) as toast:
        panel.actions_.by_id["load"].trigger()
    assert toast.args[0] == "error" and "does not exist" in toast.args[1]


def test_only_stopped_runs_can_be_resumed(app_state: AppState, panel: RunsPanel, monkeypatch: Any) -> None:
    resumed: list[Path] = []
    monkeypatch.setattr(app_state, "resume", resumed.append)
    choose(panel, "a")
    assert not panel.actions_.by_id["resume"].isEnabled()
    choose(panel, "d")
    panel.actions_.by_id["resume"].trigger()
    assert [folder.name for folder in resumed] == ["d"]


def test_a_run_is_continued_with_more_iterations(
    qtbot: Any, app_state: AppState, panel: RunsPanel, monkeypatch: Any
) -> None:
    folder = kept_run(app_state.runs_folder, "b", **{"budget.iterations": 300})
    asked: list[Any] = []
    resumed: list[Any] = []

    def ask(*arguments: Any) -> tuple[int, bool]:
        asked.append(arguments[3:])
        return 900, True

    monkeypatch.setattr(QInputDialog, "getInt", ask)
    monkeypatch.setattr(app_state, "resume", lambda *what: resumed.append(what))
    choose(panel, "b")
    panel.actions_.by_id["lengthen"].trigger()
    qtbot.waitUntil(lambda: resumed == [(folder, 900)])
    assert asked == [(600, 301, 2**31 - 1)]


def test_a_run_is_scored_on_the_edited_target(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any]
) -> None:
    app_state.edit(**{"target.task": "half_cheetah"})
    choose(panel, "d")
    assert not panel.actions_.by_id["score"].isEnabled()  # it has no policy yet
    choose(panel, "b")
    said: list[str] = []
    app_state.toast.connect(lambda _level, text, _details: said.append(text))
    panel.actions_.by_id["score"].trigger()
    qtbot.waitUntil(lambda: len(said) == 2)
    assert disk["scored"] == ("b", "half_cheetah", True)
    assert said[1] == "b, half cheetah on ur5 6dof: success 0.50 [0.40, 0.60] over 200 episodes."


def test_export_goes_into_a_folder_for_each_run(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any], monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *a: str(tmp_path))
    choose(panel, "d")
    assert not panel.actions_.by_id["export"].isEnabled()  # it has no result
    choose(panel, "c")
    assert "policy" in panel.actions_.by_id["export"].text()  # it has no adapter
    choose(panel, "b")
    assert "adapter" in panel.actions_.by_id["export"].text()
    with qtbot.waitSignal(app_state.toast) as toast:
        panel.actions_.by_id["export"].trigger()
    assert disk["exported"] == [(["b"], tmp_path)] and toast.args[0] == "info"


def test_delete_asks_first_and_takes_the_curves_away(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any], monkeypatch: Any
) -> None:
    Overlay.of(app_state).select([app_state.runs_folder / "a", app_state.runs_folder / "b"])
    choose(panel, "a", "c")
    monkeypatch.setattr(QMessageBox, "question", lambda *a: QMessageBox.StandardButton.No)
    panel.actions_.by_id["delete"].trigger()
    assert disk["trash"] == []
    monkeypatch.setattr(QMessageBox, "question", lambda *a: QMessageBox.StandardButton.Yes)
    disk["runs"] = [run for run in disk["runs"] if run.folder.name in "bd"]
    panel.actions_.by_id["delete"].trigger()
    qtbot.waitUntil(lambda: names(panel) == ["d", "b"])
    assert sorted(disk["trash"]) == ["a", "c"]
    assert Overlay.of(app_state).shown == [key_of(app_state.runs_folder / "b")]


def test_tables_on_the_clipboard(panel: RunsPanel) -> None:
    choose(panel, "a", "c")
    panel.actions_.by_id["markdown"].trigger()
    text = QGuiApplication.clipboard().text()
    assert "| lora | franka_7dof → ur5_6dof | 50 | 0 | 0.30 [0.28, 0.41] | 0.90 | 12,000 | 2:05 |" in text
    panel.actions_.by_id["csv"].trigger()
    rows = list(csv.DictReader(io.StringIO(QGuiApplication.clipboard().text())))
    assert [row["strategy"] for row in rows] == ["from_scratch", "lora"] and rows[1]["success"] == "0.3"
    panel.actions_.by_id["path"].trigger()
    assert QGuiApplication.clipboard().text().count("\n") == 1
