"""Runs that differ in their seeds alone share a row."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import pytest
from PySide6.QtCore import Qt

from plugins.panels.runs import RunsPanel
from tests.widgets.runs.fake_disk import choose, names
from widgets.curves.overlay import Overlay
from widgets.runs.group import RunGroup
from widgets.runs.row_text import SEED, SHOWN, STATE, SUCCESS
from widgets.runs.table import INFO
from widgets.shell.app_state import AppState


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


def test_a_row_of_returns_is_one_also_where_the_newest_run_has_no_score(disk: dict[str, Any]) -> None:
    """A return has no natural scale, so no bar is drawn for it."""
    first = replace(disk["runs"][0], measure="return", success=-27.0, low=-30.0, high=-24.0, created=1.0)
    nan = math.nan
    newest = replace(first, measure="success", state="stopped", success=nan, low=nan, high=nan, created=2.0)
    found = RunGroup([first, newest])
    assert found.newest is newest and found.mean.measure == "return" and found.mean.success == -27.0
