"""A list whose lines can be ticked gives one value, or several in the order of ticking."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from widgets.forms.several import Several


def test_click_chooses_one_and_a_tick_adds_another(qtbot: Any) -> None:
    editor = Several(["front", "top", "wrist"])
    qtbot.addWidget(editor)
    editor.set_value("top")
    editor.show()
    editor.showPopup()
    seen: list[Any] = []
    editor.edited.connect(lambda: seen.append(editor.value()))

    def click(row: int, x: int) -> None:
        place = editor.view().visualRect(editor.model().index(row, 0))
        QTest.mouseClick(editor.view().viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, place.center().y()))

    click(2, 8)
    click(0, 8)
    assert seen == [["top", "wrist"], ["top", "wrist", "front"]] and editor.text() == "top, wrist, front"
    click(1, 8)
    click(2, 8)
    click(0, 8)  # the last one stays
    assert seen[-1] == "front" and editor.value() == "front"
    editor.set_choices(["front", "side"])
    assert editor.value() == "front"
    editor.set_value(["front", "onboard"])
    assert editor.value() == ["front", "onboard"] and editor.findData("onboard") >= 0
