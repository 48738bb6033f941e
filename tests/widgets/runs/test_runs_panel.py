"""The Runs panel: listing off the UI thread, sorting, searching, overlay, and what can be done with a run."""

from __future__ import annotations

import csv
import io
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from plugins.panels.runs import RunsPanel
from studio.errors import DataError
from studio.events import Progress, StateChanged
from studio.experiment import Experiment
from tests.widgets.shell.fakes import kept_run
from widgets.curves.overlay import Overlay, key_of
from widgets.runs.disk import fingerprint
from widgets.runs.report import summary
from widgets.runs.row_text import CREATED, EPISODES, ON_SOURCE, SEED, SHOWN, STATE, SUCCESS, TRAINABLE
from widgets.runs.table import INFO
from widgets.runs.view import RunView
from widgets.shell.app_state import AppState
from widgets.shell.engine import Engine
from widgets.style import theme


@dataclass(frozen=True)
class Info:
    """The fields of studio.store.runs.RunInfo that the panel may rely on."""

    folder: Path
    strategy: str = "lora"
    seed: int = 0
    success: float = 0.34
    state: str = "finished"
    episodes: int = 50
    name: str = "demo"
    source: str = "franka_7dof"
    target: str = "ur5_6dof"
    created: float = 0.0
    seconds: float = 125.0
    low: float = 0.28
    high: float = 0.41
    source_success: float = 0.9
    trainable_parameters: int = 12_000
    has_adapter: bool = True
    measure: str = "success"
    configuration: str = ""
    evaluation_episodes: int = 200


@pytest.fixture
def disk(tmp_path: Path) -> dict[str, Any]:
    """What lies on disk, who listed it, what was exported and what was moved to the trash."""
    folder = key_of(tmp_path / "runs")
    nan = math.nan
    now = time.time()
    made = {
        "runs": [
            Info(folder / "a", "lora", 0, 0.30, created=now - 400),
            Info(folder / "b", "lora", 1, 0.40, created=now - 300, source_success=0.5),
            Info(folder / "c", "from_scratch", 0, 0.06, created=now - 200, has_adapter=False, episodes=5),
            Info(folder / "d", "full_finetuning", 0, nan, "stopped", created=now - 100, low=nan, high=nan),
        ],
        "threads": [],
        "error": None,
        "exported": [],
        "trash": [],
    }
    return made


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path, disk: dict[str, Any]) -> Iterator[AppState]:
    made = AppState(tmp_path / "runs", engine=functions(disk))
    yield made
    made.close()


def functions(disk: dict[str, Any]) -> Engine:
    """The engine's functions over a fake disk."""

    def list_runs(asked: Path) -> list[Info]:
        disk["threads"].append(threading.current_thread())
        if disk["error"]:
            raise disk["error"]
        return list(disk["runs"])

    def export_runs(folders: list[Path], to: Path) -> list[Path]:
        disk["exported"].append(([folder.name for folder in folders], to))
        return [to / folder.name for folder in folders]

    def trash(folders: list[Path]) -> None:
        disk["trash"] += [folder.name for folder in folders]

    def score_run(folder: Path, experiment: Experiment, registry: Any, keep_on: Any) -> Any:
        disk["scored"] = (folder.name, experiment.target.task, keep_on())
        return SimpleNamespace(success=0.5, low=0.4, high=0.6, measure="success", episodes=200)

    return Engine(list_runs=list_runs, export_runs=export_runs, trash=trash, score_run=score_run)


@pytest.fixture
def panel(qtbot: Any, app_state: AppState, disk: dict[str, Any]) -> RunsPanel:
    made = RunsPanel(app_state)
    qtbot.addWidget(made)
    made.resize(1100, 300)
    made.show()
    qtbot.waitUntil(lambda: made.table.rowCount() == 4)
    return made


def names(panel: RunsPanel) -> list[str]:
    return [panel.proxy.index(row, 0).data(INFO).folder.name for row in range(panel.proxy.rowCount())]


def choose(panel: RunsPanel, *wanted: str) -> None:
    panel.view.select([panel.table.rows[0].folder.parent / name for name in wanted])
    assert {run.folder.name for run in panel.view.selected()} == set(wanted)


# -- listing


def test_runs_are_listed_newest_first_and_off_the_ui_thread(panel: RunsPanel, disk: dict[str, Any]) -> None:
    assert names(panel) == ["d", "c", "b", "a"]
    assert disk["threads"] and threading.main_thread() not in disk["threads"]
    row = [panel.proxy.index(3, column).data() for column in range(panel.proxy.columnCount())]
    assert row[1:] == [
        "lora", "0.30", "finished", "50", "0", "demo", "franka 7dof → ur5 6dof", "0.90", "2:05", "12,000",
        "7 min ago",
    ]  # fmt: skip


def test_the_engines_own_runs_are_listed(qtbot: Any, tmp_path: Path) -> None:
    """Without a fake: what the engine writes to disk is what the table shows."""
    from studio.store.runs import new_folder, write_status

    app_state = AppState(tmp_path / "runs")
    experiment = Experiment().changed(**{"strategy.id": "lora", "target.episodes": 20})
    folder = new_folder(app_state.runs_folder, experiment)
    (folder / "experiment.yaml").write_text(experiment.to_yaml())
    scores = {"success": 0.34, "low": 0.28, "high": 0.41, "seconds": 65.0, "trainable_parameters": 12}
    write_status(folder, {"created": time.time(), "state": "finished", "summary": scores})
    panel = RunsPanel(app_state)
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: panel.table.rowCount() == 1, timeout=15_000)
    row = [panel.proxy.index(0, column).data() for column in range(panel.proxy.columnCount())]
    assert row[1:6] == ["lora", "0.34", "finished", "20", "0"] and row[9:] == ["65 s", "12", "just now"]
    app_state.close()


def test_an_empty_folder_says_what_to_do(qtbot: Any, app_state: AppState, disk: dict[str, Any]) -> None:
    disk["runs"] = []
    panel = RunsPanel(app_state)
    qtbot.addWidget(panel)
    qtbot.waitUntil(lambda: app_state.is_idle)
    assert not panel.stack.has_content and "Press Run" in panel.stack.sentence.text()


def test_a_selection_outlives_a_refresh(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any]
) -> None:
    choose(panel, "a", "c")
    old = disk["runs"]
    disk["runs"] = [
        Info(old[0].folder.parent / "e", created=time.time()),
        replace(old[0], success=0.99),
        old[2],
        old[3],
    ]
    app_state.runs_changed.emit()
    qtbot.waitUntil(lambda: names(panel) == ["e", "d", "c", "a"])
    assert {run.folder.name for run in panel.view.selected()} == {"a", "c"}
    assert panel.proxy.index(3, SUCCESS).data() == "0.99"


def test_what_other_programs_do_is_seen(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any], tmp_path: Path
) -> None:
    before = len(disk["threads"])
    panel.listing.look()
    qtbot.waitUntil(lambda: app_state.is_idle)
    assert len(disk["threads"]) == before  # nothing changed on disk: nothing is read
    (tmp_path / "runs" / "new").mkdir(parents=True)
    (tmp_path / "runs" / "new" / "run.json").write_text("{}")
    disk["runs"] = disk["runs"][:1]
    panel.listing.look()
    qtbot.waitUntil(lambda: panel.table.rowCount() == 1)
    assert fingerprint(tmp_path / "nowhere") == ()


def test_a_listing_that_fails_is_told_and_the_next_one_works(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any]
) -> None:
    disk["error"] = DataError("The folder cannot be read.", "runs")
    with qtbot.waitSignal(app_state.toast) as toast:
        app_state.runs_changed.emit()
    assert toast.args[0] == "error" and "cannot be read" in toast.args[1]
    disk["error"], disk["runs"] = None, disk["runs"][:2]
    app_state.runs_changed.emit()
    qtbot.waitUntil(lambda: panel.table.rowCount() == 2)


def test_search_finds_a_few_of_600_runs(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any]
) -> None:
    parent = disk["runs"][0].folder.parent
    disk["runs"] = [Info(parent / f"r{i}", seed=i, success=i / 600, created=float(i)) for i in range(600)]
    app_state.runs_changed.emit()
    qtbot.waitUntil(lambda: panel.proxy.rowCount() == 600)
    panel.search.setText("r59 lora")
    qtbot.waitUntil(lambda: panel.proxy.rowCount() == 11)


# -- sorting and searching


def test_every_column_sorts_and_unknown_numbers_come_last(panel: RunsPanel) -> None:
    panel.view.sortByColumn(SUCCESS, Qt.SortOrder.DescendingOrder)
    assert names(panel) == ["b", "a", "c", "d"]
    panel.view.sortByColumn(EPISODES, Qt.SortOrder.AscendingOrder)
    assert names(panel)[0] == "c"
    panel.view.sortByColumn(ON_SOURCE, Qt.SortOrder.AscendingOrder)
    assert names(panel)[0] == "b"
    for column in range(panel.proxy.columnCount()):
        panel.view.sortByColumn(column, Qt.SortOrder.AscendingOrder)
        assert sorted(names(panel)) == ["a", "b", "c", "d"]


def test_search_looks_into_every_column_for_every_word(panel: RunsPanel) -> None:
    panel.search.setText("LORA 0.40")
    assert names(panel) == ["b"] and panel.summary.text() == "1 of 4 runs"
    panel.search.setText("stopped")
    assert names(panel) == ["d"]
    panel.search.setText("nonsense")
    assert names(panel) == []
    panel.search.clear()
    assert len(names(panel)) == 4


# -- overlay


def test_a_click_on_the_square_draws_the_run(qtbot: Any, app_state: AppState, panel: RunsPanel) -> None:
    square = panel.view.visualRect(panel.proxy.index(0, SHOWN)).center()
    with qtbot.waitSignal(app_state.runs_selected) as drawn:
        qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=square)
    assert drawn.args[0] == [key_of(app_state.runs_folder / "d")]
    index = panel.proxy.index(0, SHOWN)
    assert Qt.CheckState(index.data(Qt.ItemDataRole.CheckStateRole)) == Qt.CheckState.Checked
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "shown in the curves"
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=square)
    assert Overlay.of(app_state).shown == []


def test_the_square_has_the_color_of_the_curve(qtbot: Any, app_state: AppState, panel: RunsPanel) -> None:
    choose(panel, "a", "b")
    panel.actions_.by_id["show"].trigger()
    overlay = Overlay.of(app_state)
    assert len(overlay.shown) == 2
    image = panel.view.viewport().grab().toImage()
    for row, name in enumerate(names(panel)):
        place = panel.view.visualRect(panel.proxy.index(row, SHOWN)).center() + QPoint(1, 1)
        if name in "ab":
            assert image.pixelColor(place) == overlay.color(app_state.runs_folder / name)
    assert overlay.color(app_state.runs_folder / "a") != overlay.color(app_state.runs_folder / "b")


def test_space_turns_the_selected_over(qtbot: Any, app_state: AppState, panel: RunsPanel) -> None:
    choose(panel, "a", "c")
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Space)
    assert set(Overlay.of(app_state).shown) == {key_of(app_state.runs_folder / n) for n in "ac"}
    qtbot.keyClick(panel.view, Qt.Key.Key_Space)
    assert Overlay.of(app_state).shown == []


def test_a_run_keeps_its_color_when_others_come_and_go(app_state: AppState) -> None:
    overlay = Overlay.of(app_state)
    a, b, c = (app_state.runs_folder / n for n in "abc")
    overlay.select([a, b])
    blue, orange = overlay.color(a), overlay.color(b)
    overlay.select([b, c])
    assert overlay.color(b) == orange and overlay.color(c) == blue  # the free one is given out again
    assert overlay is Overlay.of(app_state)


def test_a_running_session_is_drawn_and_shows_its_progress(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any]
) -> None:
    live = disk["runs"][3].folder
    disk["runs"][3] = replace(disk["runs"][3], state="running")
    app_state.events.emit([StateChanged(str(live), "running")])
    app_state.runs_changed.emit()
    app_state.progress.emit(Progress("adapt", 420, 800, 0.525, 0.6, 30.0))
    qtbot.waitUntil(lambda: panel.proxy.index(0, STATE).data() == "adapt 52%")
    assert Overlay.of(app_state).shown == [live]
    choose(panel, "d")
    assert not panel.actions_.by_id["delete"].isEnabled()


# -- what can be done


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


def test_runs_of_one_strategy_are_averaged(panel: RunsPanel) -> None:
    choose(panel, "a", "b", "d")
    assert panel.summary.text() == "3 selected  ·  lora ×2  0.35 (0.30 to 0.40)"
    chosen = [Info(Path("x"), episodes=5, success=0.1), Info(Path("y"), episodes=50, success=0.3)]
    assert [row[:3] for row in summary(chosen)] == [("lora · 50 ep", 1, 0.3), ("lora · 5 ep", 1, 0.1)]


def test_buttons_have_names_and_need_a_selection(panel: RunsPanel) -> None:
    panel.view.clearSelection()
    assert not any(action.isEnabled() for action in panel.actions_.by_id.values())
    assert all(action.toolTip() for action in panel.actions_.by_id.values())


def test_both_schemes_paint(panel: RunsPanel) -> None:
    try:
        for scheme in ("light", "dark"):
            theme.force(scheme)
            assert not panel.grab().isNull()
    finally:
        theme.force(None)


def test_the_poll_stops_with_the_window(
    qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any]
) -> None:
    assert panel.listing.is_polling
    panel.hide()
    assert not panel.listing.is_polling
    other = RunsPanel(app_state)
    with qtbot.waitSignal(other.destroyed):  # while its first listing is still on the way
        other.deleteLater()
    qtbot.waitUntil(lambda: app_state.is_idle)
    assert panel.proxy.columnCount() - 1 == CREATED


def test_columns_are_chosen_and_remembered(qtbot: Any, app_state: AppState, panel: RunsPanel, tmp_path: Path) -> None:
    def opened() -> RunView:
        settings = QSettings(str(tmp_path / "kept.ini"), QSettings.Format.IniFormat)
        made = RunView(panel.proxy, Overlay.of(app_state), settings=settings)
        qtbot.addWidget(made)
        return made

    view = opened()
    titles = {action.text(): action for action in view.column_menu().actions()}
    assert titles["Seed"].isChecked() and not titles["Trainable"].isChecked() and "Strategy" not in titles
    titles["Seed"].trigger()
    titles["Trainable"].trigger()
    later = opened()
    assert later.isColumnHidden(SEED) and not later.isColumnHidden(TRAINABLE)


def test_search_by_field_keeps_the_runs_that_match(panel: RunsPanel) -> None:
    panel.search.setText("strategy:lora state:finished")
    rows = [panel.proxy.index(row, 0).data(INFO) for row in range(panel.proxy.rowCount())]
    assert rows and all(run.strategy == "lora" and run.state == "finished" for run in rows)
    panel.search.setText("strategy:lora -strategy:lora")
    assert panel.proxy.rowCount() == 0


# -- seeds under one row


@pytest.fixture
def seeds(qtbot: Any, app_state: AppState, panel: RunsPanel, disk: dict[str, Any]) -> RunsPanel:
    """The panel after two more seeds of run a have come: e finished, f running."""
    parent = disk["runs"][0].folder.parent
    first = replace(disk["runs"][0], configuration="one")
    now, nan = time.time(), math.nan
    disk["runs"] = [
        first,
        *disk["runs"][1:],
        replace(first, folder=parent / "e", seed=1, success=0.5, created=now),
        replace(first, folder=parent / "f", seed=2, state="running", success=nan, low=nan, high=nan, created=now - 1),
    ]
    app_state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(panel.table.rows) == 6)
    return panel


def cell(panel: RunsPanel, row: int, column: int, child: int | None = None) -> Any:
    top = panel.proxy.index(row, column if child is None else 0)
    return (top if child is None else panel.proxy.index(child, column, top)).data()


def test_seeds_share_a_row_with_their_mean(seeds: RunsPanel) -> None:
    assert seeds.proxy.rowCount() == 4 and seeds.summary.text() == "6 runs"  # the newest of its runs sorts it
    found = seeds.proxy.index(0, 0).data(INFO)
    assert found.success == pytest.approx((0.30 + 0.50) / 2)
    assert found.low < 0.32 and found.high > 0.48  # the seeds differ by more than their episodes
    assert [cell(seeds, 0, column) for column in (1, SUCCESS, STATE, SEED)] == [
        "lora ×3", "0.40", "1/3 running", "0–2",
    ]  # fmt: skip
    assert [cell(seeds, 0, SEED, child) for child in range(3)] == ["1", "2", "0"]  # sorted as all rows: newest first
    assert [cell(seeds, 0, SUCCESS, child) for child in range(3)] == ["0.50", "–", "0.30"]


def test_row_of_seeds_is_chosen_opened_and_shown(qtbot: Any, app_state: AppState, seeds: RunsPanel) -> None:
    view, overlay = seeds.view, Overlay.of(app_state)
    view.setFocus()
    view.setCurrentIndex(seeds.proxy.index(0, 1))
    assert [run.folder.name for run in view.selected()] == ["e", "f", "a"]
    assert not seeds.actions_.by_id["load"].isEnabled() and not seeds.actions_.by_id["delete"].isEnabled()
    qtbot.keyClick(view, Qt.Key.Key_Space)
    assert {folder.name for folder in overlay.shown} == {"a", "e", "f"}
    assert not view.isExpanded(seeds.proxy.index(0, 0))
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.isExpanded(seeds.proxy.index(0, 0))
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert [run.folder.name for run in view.selected()] == ["e"]
    square = view.visualRect(seeds.proxy.index(0, SHOWN, seeds.proxy.index(0, 0))).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=square)
    assert {folder.name for folder in overlay.shown} == {"a", "f"}
    state = seeds.proxy.index(0, SHOWN).data(Qt.ItemDataRole.CheckStateRole)
    assert Qt.CheckState(state) == Qt.CheckState.PartiallyChecked and not seeds.grab().isNull()


def test_selection_and_open_rows_outlive_another_seed(
    qtbot: Any, app_state: AppState, seeds: RunsPanel, disk: dict[str, Any]
) -> None:
    choose(seeds, "e", "b")
    assert seeds.view.isExpanded(seeds.proxy.index(0, 0))
    disk["runs"].append(replace(disk["runs"][4], folder=disk["runs"][4].folder.parent / "g", seed=3))
    app_state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(seeds.table.rows) == 7)
    assert {run.folder.name for run in seeds.view.selected()} == {"e", "b"}
    assert seeds.view.isExpanded(seeds.proxy.index(0, 0)) and cell(seeds, 0, 1) == "lora ×4"
    disk["runs"] = [run for run in disk["runs"] if run.folder.name not in "afg"]
    app_state.runs_changed.emit()
    qtbot.waitUntil(lambda: len(seeds.table.rows) == 4)
    assert cell(seeds, 0, 1) == "lora" and {run.folder.name for run in seeds.view.selected()} == {"e", "b"}


def test_search_finds_seeds_under_their_row(seeds: RunsPanel) -> None:
    seeds.search.setText("strategy:lora seed:1")
    assert names(seeds) == ["e", "b"] and seeds.summary.text() == "2 of 6 runs"
    top = seeds.proxy.index(0, 0)
    assert seeds.view.isExpanded(top) and seeds.proxy.rowCount(top) == 1
    seeds.view.setCurrentIndex(top)
    assert [run.folder.name for run in seeds.view.selected()] == ["e"]  # what is not found is not acted on
    seeds.search.clear()
    assert not seeds.view.isExpanded(seeds.proxy.index(0, 0))


def test_progress_is_shown_on_the_row_of_seeds(app_state: AppState, seeds: RunsPanel) -> None:
    folder = app_state.runs_folder / "f"
    seeds.table.set_progress(folder, "adapt", 0.5)
    assert cell(seeds, 0, STATE) == cell(seeds, 0, STATE, 1) == "adapt 50%" and cell(seeds, 0, STATE, 2) == "finished"
