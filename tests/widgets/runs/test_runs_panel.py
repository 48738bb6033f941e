"""The Runs panel: listing off the UI thread, sorting, searching, its columns."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings, Qt

from plugins.panels.runs import RunsPanel
from studio.errors import DataError
from studio.experiment import Experiment
from tests.widgets.runs.fake_disk import Info, choose, names
from widgets.curves.overlay import Overlay
from widgets.runs.disk import fingerprint
from widgets.runs.report import summary
from widgets.runs.row_text import CREATED, EPISODES, ON_SOURCE, SEED, SUCCESS, TRAINABLE
from widgets.runs.table import INFO
from widgets.runs.view import RunView
from widgets.shell.app_state import AppState
from widgets.style import theme


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
