"""A row that goes on in a second line."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtWidgets import QComboBox, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from widgets.forms.wrapping_row import WrappingRow


@pytest.fixture
def panel(qtbot: Any) -> tuple[QWidget, list[QWidget]]:
    widgets: list[QWidget] = [QComboBox(), *(QPushButton(f"A button {n}") for n in range(3))]
    widgets[0].setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    outer = QWidget()
    column = QVBoxLayout(outer)
    column.setContentsMargins(0, 0, 0, 0)
    column.addLayout(WrappingRow(*widgets))
    column.addWidget(QWidget(), 1)
    qtbot.addWidget(outer)
    outer.show()
    return outer, widgets


def test_a_wide_row_is_one_line_whose_growing_widget_takes_the_rest(panel: tuple[QWidget, list[QWidget]]) -> None:
    outer, widgets = panel
    outer.resize(700, 200)
    tops = [widget.y() for widget in widgets]
    assert max(tops) - min(tops) < 5  # one that is lower is centered
    assert widgets[0].width() > 2 * widgets[0].sizeHint().width()
    assert widgets[-1].geometry().right() == outer.width() - 1


def test_a_narrow_row_has_several_lines_that_do_not_overlap(panel: tuple[QWidget, list[QWidget]]) -> None:
    outer, widgets = panel
    least = max(widget.sizeHint().width() for widget in widgets)
    outer.resize(least + 10, 200)
    assert outer.minimumSizeHint().width() <= least
    assert len({widget.y() for widget in widgets}) == len(widgets)
    for one, following in pairwise(widgets):
        assert one.geometry().bottom() < following.geometry().top() and one.geometry().right() < outer.width()


def test_hidden_widgets_take_no_place(panel: tuple[QWidget, list[QWidget]]) -> None:
    outer, widgets = panel
    outer.resize(700, 200)
    before = widgets[0].width()
    widgets[1].hide()
    outer.layout().activate()
    assert widgets[0].width() > before and widgets[2].x() < 700 - 2 * widgets[2].width() + 1
