"""A narrow window: nothing is cut off, and the viewport's bar folds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QSettings
from PySide6.QtWidgets import QApplication, QLabel, QVBoxLayout, QWidget

from plugins.panels.randomization import RandomizationPanel
from plugins.panels.viewport import ViewportPanel
from widgets.forms.scroll_column import ScrollColumn
from widgets.randomization.plot import EffectPlot
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow
from widgets.style import theme
from widgets.viewport.bar import ViewportBar

SIDE = 292  # px: a column of panels that scroll, with its scroll bar
BORDERS = 16  # px: between the columns, and of the window


@pytest.fixture(autouse=True)
def themed(qapp: QApplication) -> None:
    """Measure with the window's own style, whose scroll bars are narrower than Qt's."""
    theme.apply(qapp)


def test_a_column_is_as_wide_as_its_content_even_where_that_grows(qtbot: Any) -> None:
    content, outer = QWidget(), QWidget()
    column, layout, words = ScrollColumn(content), QVBoxLayout(outer), QLabel("short")
    QVBoxLayout(content).addWidget(words)
    layout.addWidget(column)
    qtbot.addWidget(outer)
    outer.resize(1, 100)
    outer.show()
    words.setText("a long line that does not wrap")
    qtbot.waitUntil(lambda: column.viewport().width() >= content.minimumSizeHint().width())
    right = words.mapTo(column.viewport(), QPoint(words.width(), 0)).x()
    assert right <= column.viewport().width() and words.width() >= words.sizeHint().width()


def test_one_long_name_does_not_push_the_window_off_the_screen(qtbot: Any) -> None:
    content = QWidget()
    column = ScrollColumn(content)
    qtbot.addWidget(column)
    QVBoxLayout(content).addWidget(QLabel("a_name_without_any_place_to_break_it_" * 30))
    column.resize(300, 100)
    column.show()
    assert content.minimumSizeHint().width() > 2000 and column.minimumSizeHint().width() <= SIDE
    qtbot.waitUntil(lambda: column.horizontalScrollBar().isVisible())  # nothing is out of reach
    plot = EffectPlot("mass:panda_link1,panda_link2,panda_link3,panda_link4,panda_link5,panda_link6,panda_link7")
    qtbot.addWidget(plot)
    assert plot.minimumSizeHint().width() < 300


def test_a_window_of_1000_px_has_room_for_the_inspector(qtbot: Any, app_state: AppState) -> None:
    viewport, randomization = ViewportPanel(app_state), RandomizationPanel(app_state)
    qtbot.addWidget(viewport)
    qtbot.addWidget(randomization)
    viewport.bar.set_keyframes(("home",))
    viewport.show()
    viewport.bar.side.click()
    assert not viewport.side.isHidden()
    right = max(randomization.minimumSizeHint().width(), SIDE)
    assert SIDE + viewport.minimumSizeHint().width() + right + BORDERS <= 1000
    viewport.shut_down()


def test_the_window_with_all_its_panels_fits_1000_by_700_px(qtbot: Any, tmp_path: Path) -> None:
    window = MainWindow(AppState(tmp_path), goes_on=False)
    qtbot.addWidget(window)
    window.show()
    window.resize(1000, 700)
    QApplication.processEvents()
    assert (window.width(), window.height()) == (1000, 700), {n: d.minimumSizeHint() for n, d in window.docks.items()}
    window.close()


@pytest.fixture
def bar(qtbot: Any) -> Iterator[ViewportBar]:
    window = QWidget()
    qtbot.addWidget(window)
    window.resize(1000, 200)
    made = ViewportBar(window)
    window.show()
    yield made


def tops(bar: ViewportBar) -> list[int]:
    """Where the play button, the policy and the inspector's button stand."""
    return [widget.mapTo(bar, QPoint(0, widget.height() // 2)).y() // 20 for widget in (bar.play, bar.policy, bar.side)]


def test_the_viewports_bar_folds_where_it_is_narrow_and_unfolds(qtbot: Any, bar: ViewportBar) -> None:
    bar.resize(900, bar.sizeHint().height())
    qtbot.waitUntil(lambda: len(set(tops(bar))) == 1)
    bar.resize(bar.minimumSizeHint().width(), 80)
    qtbot.waitUntil(lambda: tops(bar)[0] == tops(bar)[2] < tops(bar)[1])
    rows = (bar.time_row, bar.what_row, bar.tools_row)
    assert all(row.width() >= row.minimumSizeHint().width() for row in rows), "nothing is squeezed"
    inside = [row.geometry() for row in rows]
    assert all(bar.rect().contains(part) for part in inside) and not inside[0].intersects(inside[2])
    bar.resize(900, 80)
    qtbot.waitUntil(lambda: len(set(tops(bar))) == 1)


def test_another_control_in_the_bar_makes_it_fold(qtbot: Any, bar: ViewportBar) -> None:
    parts = (bar.time_row, bar.what_row, bar.tools_row)
    for width in range(900, 300, -1):
        bar.resize(width, 80)
        if tops(bar)[0] != tops(bar)[1]:
            break
    bar.resize(width + 8, 80)  # a little wider than what folds it
    qtbot.waitUntil(lambda: len(set(tops(bar))) == 1)
    bar.simulation.show()
    qtbot.waitUntil(lambda: tops(bar)[0] < tops(bar)[1])
    assert all(bar.rect().contains(part.geometry()) for part in parts)


def test_layout_of_other_panels_is_not_restored(qtbot: Any, app_state: AppState, tmp_path: Path) -> None:
    """An older program's layout has no place for a newer one's panels."""
    settings = QSettings(str(tmp_path / "layout.ini"), QSettings.Format.IniFormat)
    first = MainWindow(app_state, settings)
    qtbot.addWidget(first)
    first.save_layout()
    settings.setValue("window/panels", "curves viewport")
    second = MainWindow(app_state, settings)
    qtbot.addWidget(second)
    assert not second._placed
    first.save_layout()
    third = MainWindow(app_state, settings)
    qtbot.addWidget(third)
    assert third._placed
