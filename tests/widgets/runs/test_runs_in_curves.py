"""Runs in the curves: which are drawn, in which color, and the one that runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import QPoint, Qt

from plugins.panels.runs import RunsPanel
from studio.events import Progress, StateChanged
from tests.widgets.runs.fake_disk import choose, names
from widgets.curves.overlay import Overlay, key_of
from widgets.runs.row_text import SHOWN, STATE
from widgets.shell.app_state import AppState


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
