"""The sliders and numbers of a context that is a whole number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt

from studio.experiment import Domain
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.viewer.steering import components
from widgets.adaptation.context_editor import ContextEditor
from widgets.adaptation.job import TaskFacts

FRAME = 3  # px that a line's text keeps from its ends, and the cursor's


@pytest.mark.parametrize("name", ["maze", "tabular_mdp"])
def test_a_whole_number_is_turned_and_typed_in_full(qtbot: Any, name: str) -> None:
    plan = Domain(embodiment="point", task=name, control="discrete", observation="state")
    domain = resolve(plan, shared_registry())
    task, editor = domain.task, ContextEditor()
    facts = TaskFacts(domain, components(task), task.ranges, np.zeros((0, 1)), 0, [], [], (123456.0,), 0)
    qtbot.addWidget(editor)
    editor.set_facts(facts)
    editor.resize(400, 100)
    editor.show()
    (slider,), (box,) = editor.sliders, editor.numbers
    assert box.text() == "123,456" and box.toolTip() == "number: training draws 0 … 2,147,483,647"
    place = QPoint(slider.width() // 3, slider.height() // 2)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=place)
    assert editor.context[0] > 1e8 and task.check_context(editor.context) == []
    assert box.text() == f"{editor.context[0]:,.0f}" and box.value() == editor.context[0]
    box.setValue(2_000_000_001)
    assert editor.context == (2_000_000_001.0,)
    line = box.lineEdit()
    free = line.width() - line.textMargins().left() - 2 * FRAME
    assert free >= line.fontMetrics().horizontalAdvance("2,147,483,647")
