"""Where the panels stand: three columns, their rows, and what is tabbed.

All docks live in one dock area, split and split again. With several areas and no central widget Qt hands a few pixels
from one to the other at every new layout, and the columns drift.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow

from widgets.shell.dock import PanelDock

COLUMNS = (("left",), ("center", "bottom"), ("right",))  # the areas of each column, from above
WIDTHS = (0.25, 0.5, 0.25)
ROWS = {"left": 2, "center": 2, "bottom": 1, "right": 2}  # further panels of an area become tabs of its last row
HEIGHTS = {"left": (57, 43), "center": (50, 39), "bottom": (11,), "right": (58, 42)}
AREA = Qt.DockWidgetArea.LeftDockWidgetArea


def place(window: QMainWindow, docks: Iterable[PanelDock]) -> None:
    """Put every dock to its place, shown and not floating."""
    found = list(docks)
    for dock in found:
        dock.setFloating(False)
        window.removeDockWidget(dock)
    columns = [_rows(found, areas) for areas in COLUMNS]
    before: PanelDock | None = None
    for rows in columns:  # the columns' heads side by side first: a split takes the whole height it finds
        if rows:
            _beside(window, before, rows[0][0], Qt.Orientation.Horizontal)
            before = rows[0][0]
    for rows in columns:
        above: PanelDock | None = None
        for tabs in rows:
            if above is not None:
                _beside(window, above, tabs[0], Qt.Orientation.Vertical)
            above = tabs[0]
    for rows in columns:  # tabs last: what is split from a dock with tabs would become one of them
        for tabs in rows:
            for dock in tabs[1:]:
                window.tabifyDockWidget(tabs[0], dock)
            for dock in tabs:
                dock.show()
            tabs[0].raise_()


def size(window: QMainWindow, docks: Iterable[PanelDock]) -> None:
    """Share out the window's width and height; the shares hold once the window is shown."""
    found = list(docks)
    heads, widths = [], []
    for areas, width in zip(COLUMNS, WIDTHS, strict=True):
        rows = _rows(found, areas)
        if rows:
            heads.append(rows[0][0])
            widths.append(round(window.width() * width))
            parts = [part for area in areas for part in HEIGHTS[area][: len(_rows(found, (area,)))]]
            heights = [round(window.height() * part / sum(parts)) for part in parts]
            window.resizeDocks([tabs[0] for tabs in rows], heights, Qt.Orientation.Vertical)
    if heads:
        window.resizeDocks(heads, widths, Qt.Orientation.Horizontal)


def _beside(window: QMainWindow, first: PanelDock | None, second: PanelDock, along: Qt.Orientation) -> None:
    if first is None:
        window.addDockWidget(AREA, second, along)
    else:
        window.splitDockWidget(first, second, along)


def _rows(docks: Sequence[PanelDock], areas: Sequence[str]) -> list[list[PanelDock]]:
    """Return the rows of a column, each a list of tabs. A panel of an unknown area goes to the right."""
    rows: list[list[PanelDock]] = []
    for area in areas:
        own = [d for d in docks if d.info.area == area or (area == "right" and d.info.area not in ROWS)]
        rows += [[dock] for dock in own[: ROWS[area]]]
        if len(own) > ROWS[area]:
            rows[-1] += own[ROWS[area] :]
    return rows
