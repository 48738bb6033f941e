"""Forms from pydantic models: every kind of field, its unit, range, default, problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel

from studio.contracts import Problem
from studio.experiment import Budget, Experiment, Pretraining
from tests.widgets.shell.fakes import Lora
from widgets.forms.choices import Choice, Switch
from widgets.forms.form import Form
from widgets.forms.numbers import Real, RealBox, Whole
from widgets.forms.path_field import PathField
from widgets.forms.texts import Listing


@pytest.fixture
def form(qtbot: Any) -> Form:
    made = Form(Lora.Params, {"rank": 4}, "strategy.params.")
    qtbot.addWidget(made)
    made.show()
    return made


def test_each_type_gets_its_editor_and_shows_its_value(form: Form) -> None:
    kinds = {name: type(row.editor) for name, row in form.rows.items()}
    assert kinds == {
        "rank": Whole,
        "alpha": Real,
        "targets": Listing,
        "bias": Choice,
        "merge": Switch,
        "weights": PathField,
    }
    assert form.values() == {
        "rank": 4,
        "alpha": 16.0,
        "targets": ["q_proj", "v_proj"],
        "bias": "none",
        "merge": True,
        "weights": None,
    }


def test_values_of_every_field_of_the_experiment_survive_the_form(qtbot: Any) -> None:
    experiment = Experiment()
    for model in (experiment.budget, experiment.pretraining, experiment.evaluation, experiment.target):
        form = Form(type(model), model)
        qtbot.addWidget(form)
        assert type(model).model_validate(form.values()) == model


def test_units_ranges_help_and_accessible_names_come_from_the_model(qtbot: Any) -> None:
    form = Form(Budget)
    qtbot.addWidget(form)
    editor = form.rows["iterations"].editor
    assert (editor.minimum(), editor.maximum()) == (1, 10_000_000)
    assert editor.accessibleName() == "Iterations"
    assert "Gradient steps" in editor.toolTip()
    assert "steps" in [label.text() for label in form.findChildren(QLabel)]
    assert form.rows["iterations"].label.buddy() is editor


def test_editing_emits_the_dotted_name_and_the_value_once(qtbot: Any, form: Form) -> None:
    heard: list[tuple[str, Any]] = []
    form.changed.connect(lambda name, value: heard.append((name, value)))
    form.rows["rank"].editor.setValue(32)
    form.rows["merge"].editor.click()
    line = form.rows["targets"].editor
    line.setText("q_proj, o_proj")
    line.editingFinished.emit()
    line.editingFinished.emit()  # the focus goes: nothing changed
    assert heard == [
        ("strategy.params.rank", 32),
        ("strategy.params.merge", False),
        ("strategy.params.targets", ["q_proj", "o_proj"]),
    ]


def test_showing_new_values_emits_nothing(form: Form) -> None:
    heard: list[Any] = []
    form.changed.connect(lambda *what: heard.append(what))
    form.set_values({"rank": 64, "bias": "all"})
    assert form.values()["rank"] == 64 and form.values()["bias"] == "all" and heard == []


def test_reset_is_offered_only_where_a_value_differs_and_goes_back(qtbot: Any, form: Form) -> None:
    assert form.rows["rank"].reset.isVisible() and not form.rows["alpha"].reset.isVisible()
    assert form.changed_values() == {"rank": 4}
    with qtbot.waitSignal(form.changed) as heard:
        form.rows["rank"].reset.click()
    assert heard.args == ["strategy.params.rank", 8]
    assert not form.rows["rank"].reset.isVisible() and form.changed_values() == {}


def test_a_problem_stands_under_its_field_and_others_are_given_back(form: Form) -> None:
    mine = Problem("strategy.params.rank", "The rank is too large.", "Take at most 64.")
    other = Problem("target.dataset", "Missing.")
    assert form.set_problems([mine, other]) == [other]
    row = form.rows["rank"]
    assert row.problem.isVisible() and row.problem.text() == "The rank is too large. Take at most 64."
    assert row.editor.property("problem") is True and not form.rows["alpha"].problem.isVisible()
    form.set_problems([])
    assert not row.problem.isVisible() and row.editor.property("problem") is False


def test_a_field_that_says_nothing_is_hidden_until_a_problem_lies_there(form: Form) -> None:
    row = form.rows["rank"]
    form.set_left_out(("rank",))
    assert not row.editor.isVisible() and not row.label.isVisible() and not row.reset.isVisible()
    form.set_problems([Problem("strategy.params.rank", "The rank is too large.")])
    assert row.editor.isVisible() and row.label.isVisible() and row.reset.isVisible()
    form.set_problems([])
    assert not row.editor.isVisible() and not row.reset.isVisible()
    form.set_left_out(())
    assert row.editor.isVisible() and row.reset.isVisible()


@pytest.mark.parametrize(
    ("start", "steps", "end"),
    [
        (1e-3, 1, 2e-3),
        (1e-3, -1, 5e-4),
        (3e-4, 1, 5e-4),
        (0.1, 1, 0.2),
        (16.0, 1, 17.0),
        (0.5, 1, 0.55),
        (250.0, -1, 240.0),
        (1e-6, -2, 2e-7),
    ],
)
def test_small_numbers_step_by_their_own_size(qtbot: Any, start: float, steps: int, end: float) -> None:
    editor = Real(0, 1000)
    qtbot.addWidget(editor)
    editor.set_value(start)
    editor.stepBy(steps)
    assert editor.value() == pytest.approx(end)


def test_a_learning_rate_may_be_typed_in_scientific_notation(qtbot: Any) -> None:
    form = Form(Pretraining)
    qtbot.addWidget(form)
    form.show()
    editor = form.rows["learning_rate"].editor
    assert editor.text() == "0.001"
    editor.selectAll()
    with qtbot.waitSignal(form.changed) as heard:
        qtbot.keyClicks(editor, "3e-6")
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert heard.args[1] == pytest.approx(3e-6)
    assert editor.text() == "3e-06"


def type_into(qtbot: Any, editor: Any, text: str) -> None:
    editor.selectAll()
    qtbot.keyClicks(editor, text)
    qtbot.keyClick(editor, Qt.Key.Key_Return)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("rank", "500", "500 is out of range. It must be at least 1 and at most 256. The value is still 4."),
        ("rank", "0", "0 is out of range. It must be at least 1 and at most 256. The value is still 4."),
        ("alpha", "-2", "-2 is out of range. It must be above 0. The value is still 16."),
        ("alpha", "1e999", "1e999 is out of range. It must be above 0. The value is still 16."),
        ("alpha", "3e-", "'3e-' is not a number. The value is still 16."),
    ],
)
def test_a_number_that_is_not_taken_is_explained_at_its_field(
    qtbot: Any, form: Form, name: str, text: str, words: str
) -> None:
    heard: list[Any] = []
    form.changed.connect(lambda *what: heard.append(what))
    row, before = form.rows[name], form.values()
    type_into(qtbot, row.editor, text)
    assert row.problem.isVisible() and row.problem.text() == words and row.editor.property("problem") is True
    assert form.values() == before and heard == []
    form.set_problems([])  # a check of the experiment knows nothing of it
    assert row.problem.text() == words
    qtbot.keyClicks(row.editor, "5")
    assert not row.problem.isVisible()
    type_into(qtbot, row.editor, "7")
    assert row.editor.value() == 7 and len(heard) == 1 and not row.problem.isVisible()


def test_a_special_text_and_decimals_survive_being_typed(qtbot: Any) -> None:
    box = RealBox()
    qtbot.addWidget(box)
    box.setSpecialValueText("auto")
    box.setPrefix("σ ")
    box.setRange(0, 5)
    box.setDecimals(2)
    box.show()
    heard: list[str] = []
    box.refused.connect(heard.append)
    type_into(qtbot, box, "1.2345")
    assert box.value() == 1.23 and box.text() == "σ 1.23"
    type_into(qtbot, box, "0")
    assert box.value() == 0 and box.text() == "auto" and not any(heard)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 0 and not any(heard)


def test_the_wheel_passes_over_a_field_without_focus(qtbot: Any, form: Form) -> None:
    editor = form.rows["rank"].editor
    editor.clearFocus()
    at = QPointF(5, 5)
    event = QWheelEvent(
        at,
        editor.mapToGlobal(at),
        QPoint(0, 120),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(editor, event)
    assert editor.value() == 4 and not event.isAccepted()


def test_a_path_is_taken_shown_and_cleared(qtbot: Any, form: Form, tmp_path: Path) -> None:
    field = form.rows["weights"].editor
    with qtbot.waitSignal(form.changed) as heard:
        field.take(tmp_path / "a.bin")
    assert heard.args == ["strategy.params.weights", str(tmp_path / "a.bin")]
    with qtbot.waitSignal(form.changed) as heard:
        field._clear()
    assert heard.args[1] is None
