"""The help window: pages, links, search, keys."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction

from studio import help_pages
from studio.contracts import PanelInfo
from widgets.help.keys import KEYS
from widgets.help.window import HelpWindow

PANELS = [
    PanelInfo(
        "runs", "Runs", "All runs.", "right", 1, object, help="comparisons-and-queue", shortcuts={"Del": "Trash"}
    ),
    PanelInfo("mine", "Mine", "A plugin's.", "right", 2, object, shortcuts={"A|B": "Do <both> of *them*"}),
]


@pytest.fixture
def window(qtbot: Any) -> HelpWindow:
    action = QAction("Run")
    action.setShortcut("F5")
    action.setStatusTip("Run it")
    made = HelpWindow(PANELS, [action])
    qtbot.addWidget(made)
    made.show()
    return made


def test_each_page_shows_its_headings_and_tables_as_such(window: HelpWindow) -> None:
    for page in help_pages.pages().values():
        window.show_page(page.id)
        text = window.view.toPlainText()
        assert text.startswith("Help" if page.id == help_pages.INDEX else page.title)
        assert "](" not in text and "| --- |" not in text


def test_links_lead_to_a_page_its_heading_and_to_experiments(qtbot: Any, window: HelpWindow) -> None:
    window.show_page(help_pages.INDEX)
    window.view.link_clicked.emit("meta-learning.md#figures")
    assert window.page == "meta-learning" and window.view.verticalScrollBar().value() > 0
    assert window.list.currentItem().text() == "Meta-learning"
    with qtbot.waitSignal(window.experiment_wanted) as wanted:
        window.view.link_clicked.emit("../experiments/demo.yaml")
    assert wanted.args[0].is_file() and wanted.args[0].name == "demo.yaml"
    window.back.click()
    assert window.page == help_pages.INDEX and not window.back.isEnabled()
    window.forward.click()
    assert window.page == "meta-learning" and not window.forward.isEnabled()


def test_search_leaves_pages_that_have_all_words_and_marks_them(qtbot: Any, window: HelpWindow) -> None:
    window.show_page(help_pages.INDEX)
    qtbot.keyClicks(window.search, "robomimic grippers")
    shown = [i.text() for row in range(window.list.count()) if not (i := window.list.item(row)).isHidden()]
    assert shown == ["Data and embodiments"] and window.page == "data-and-embodiments"
    assert {cursor.selectedText().casefold() for cursor in window.view.found} >= {"robomimic", "grippers"}
    window.search.clear()
    assert not window.view.found and not window.list.item(0).isHidden()


def test_a_panels_page_has_its_keys_and_one_without_a_page_shows_keys_alone(window: HelpWindow) -> None:
    window.show_panel(PANELS[0])
    assert window.page == "comparisons-and-queue" and "Trash" in window.view.toPlainText()
    window.view.link_clicked.emit("#keys-runs")
    assert window.page == "comparisons-and-queue" and window.view.verticalScrollBar().value() > 0
    window.show_panel(PANELS[1])
    text = window.view.toPlainText()
    assert window.page == KEYS and "Run it" in text and "A|B" in text and "Do <both> of *them*" in text


def test_escape_closes_the_help(qtbot: Any, window: HelpWindow) -> None:
    qtbot.keyClick(window.view, Qt.Key.Key_Escape)
    assert not window.isVisible()
