"""The rows of a domain's randomization in their groups, and its curriculum under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from studio.contracts import Problem
from studio.errors import StudioError
from studio.experiment import Curriculum, RandomizationTerm
from widgets.forms.form import Form
from widgets.forms.section import Section
from widgets.randomization.choice import Choice
from widgets.randomization.quantities import groups
from widgets.randomization.quantity import Quantity
from widgets.randomization.range_details import DETAILS
from widgets.randomization.range_row import RangeRow
from widgets.style import theme


class RandomizationRows(QScrollArea):
    """One row for each quantity, and further ones where a quantity has several terms."""

    changed = Signal()
    value_changed = Signal()
    names_wanted = Signal()  # a row with parts was opened
    curriculum_changed = Signal(str, object)  # field, value

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, RangeRow] = {}
        self._places: dict[str, QVBoxLayout] = {}
        self._names: Mapping[str, Sequence[str]] = {}
        inner = QWidget()
        inner.setObjectName("scrolled")
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 10, 0)
        column.setSpacing(theme.SMALL)
        self.problem = QLabel()
        self.problem.setProperty("role", "problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        column.addWidget(self.problem)
        for title, quantities in groups(self.tr):
            name = QLabel(title)
            name.setProperty("role", "title")
            line = QFrame()
            line.setProperty("role", "line")
            line.setFixedHeight(1)
            column.addWidget(name)
            column.addWidget(line)
            for quantity in quantities:
                place = QVBoxLayout()
                place.setSpacing(theme.SMALL)
                self._places[quantity.field] = place
                column.addLayout(place)
                self._add(quantity)
            column.addSpacing(theme.MEDIUM)
        self._settings = Curriculum()
        self._form: Form | None = None
        self._inside = QWidget()
        self.curriculum = Section(self.tr("Curriculum"), self._inside)
        self.curriculum.head.setToolTip(
            self.tr("Ranges that start at the nominal values and widen as the policy succeeds in training")
        )
        self.curriculum.head.toggled.connect(lambda on: self.form if on else None)
        self.curriculum_problem = QLabel()
        self.curriculum_problem.setProperty("role", "problem")
        self.curriculum_problem.setWordWrap(True)
        self.curriculum_problem.hide()
        column.addWidget(self.curriculum)
        column.addWidget(self.curriculum_problem)
        column.addStretch(1)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(inner)

    # -- terms ---------------------------------------------------------------------------------------------------------

    def terms(self) -> list[dict[str, Any]]:
        """The terms of the rows that are on, as the experiment file has them."""
        return [row.choice().term(row.quantity.field) for row in self._on()]

    def show_terms(self, terms: Sequence[RandomizationTerm]) -> None:
        """Show terms without emitting. Terms of one quantity go to rows of their own, in order."""
        given: dict[str, list[RandomizationTerm]] = {}
        for term in terms:
            given.setdefault(term.field, []).append(term)
        for field in self._places:
            mine = given.get(field, [])
            rows = self._of(field)
            while len(rows) < len(mine):
                rows.append(self._add(rows[0].quantity))
            for row in rows[max(1, len(mine)) :]:
                self._drop(row)
            for row, term in zip(rows, mine):
                row.set_choice(_choice(term))
            if not mine and rows[0].choice().on:
                rows[0].set_choice(rows[0].preset_choice(on=False))

    def show_term(self, index: int, field: str) -> None:
        """Give an editor of the term the focus."""
        rows = self._on()
        if index < len(rows):
            row = rows[index]
            editor = row.editor_of(field) or row.low
            if field in DETAILS:
                row.more.setChecked(True)
            self.ensureWidgetVisible(row)
            editor.setFocus()

    def show_problems(self, problems: Sequence[tuple[str, str]]) -> None:
        """Show problems, (``2.low``, words), at their rows; those of no row above all rows."""
        rows, found, left = self._on(), {}, []
        for place, words in problems:
            index, _, field = place.partition(".")
            if index.isdigit() and int(index) < len(rows):
                found[rows[int(index)]] = (words, field)
            else:
                left.append(words)
        for row in self.rows.values():
            row.set_problem(*found.get(row, ("", "")))
        self.problem.setText("\n".join(left))
        self.problem.setVisible(bool(left))

    @property
    def is_settling(self) -> bool:
        """Whether an edit is pending that has not been emitted yet."""
        return any(row.is_settling for row in self.rows.values())

    def set_names(self, names: Mapping[str, Sequence[str]]) -> None:
        """Field → the model's parts, as completions."""
        self._names = names
        for row in self.rows.values():
            row.set_names(names.get(row.quantity.field, ()))

    # -- values to look at ---------------------------------------------------------------------------------------------

    def preview_values(self) -> dict[str, Any]:
        """What all rows' pointers show, by key; fields whose rows are of some parts are nominal as a whole."""
        values: dict[str, Any] = {field: self._of(field)[0].quantity.nominal for field in self._places}
        return values | {row.key: row.preview_value for row in self.rows.values()}

    def set_preview(self, values: Mapping[str, Any]) -> None:
        """Put pointers to values by key, all others to nominal, without emitting."""
        for row in self.rows.values():
            row.set_preview(values.get(row.key, row.quantity.nominal))

    def show_reached(self, metrics: Mapping[str, float]) -> None:
        """How far a curriculum's ranges are open, from a run's metrics; none: as if there were no curriculum."""
        for row in self.rows.values():
            low, high = (metrics.get(f"range/{row.key}/{end}") for end in ("low", "high"))
            row.slider.set_reached((low, high) if low is not None and high is not None else None)

    # -- the curriculum ------------------------------------------------------------------------------------------------

    @property
    def form(self) -> Form:
        """The curriculum's settings; made when they are first opened."""
        if self._form is None:
            self._form = Form(Curriculum, self._settings)
            self._form.changed.connect(self.curriculum_changed)
            box = QVBoxLayout(self._inside)
            box.setContentsMargins(0, 0, 0, 0)
            box.addWidget(self._form)
        return self._form

    def show_settings(self, settings: Curriculum) -> None:
        """Show the curriculum's settings without emitting."""
        self._settings = settings
        if self._form is not None:
            self._form.set_values(settings)

    def show_curriculum(self, field: str) -> bool:
        """Give a field of the curriculum the focus."""
        self.curriculum.set_open(True)
        self.ensureWidgetVisible(self.curriculum)
        return self.form.show_field(field) or True

    def show_curriculum_problems(self, problems: Sequence[Problem | StudioError]) -> None:
        """Show problems (``target.curriculum.widen_return``) at their fields."""
        inside = [Problem(p.field.partition("curriculum")[2].lstrip("."), p.message, p.remedy) for p in problems]
        self.curriculum.set_alarm(bool(inside))
        left = self.form.set_problems(inside) if inside or self._form is not None else []
        words = "\n".join(f"{p.message} {p.remedy}".strip() for p in left)
        self.curriculum_problem.setText(words)
        self.curriculum_problem.setVisible(bool(words))

    # -- inside --------------------------------------------------------------------------------------------------------

    def _of(self, field: str) -> list[RangeRow]:
        return [row for row in self.rows.values() if row.quantity.field == field]

    def _on(self) -> list[RangeRow]:
        """Return the rows that are on, in the order of the terms."""
        return [row for field in self._places for row in self._of(field) if row.choice().on]

    def _add(self, quantity: Quantity) -> RangeRow:
        count = len(self._of(quantity.field)) + 1
        row = RangeRow(quantity, further=count > 1)
        row.changed.connect(self.changed)
        row.value_changed.connect(self.value_changed)
        row.another_asked.connect(lambda: self._begin_another(quantity))
        row.removal_asked.connect(lambda: self._remove(row))
        if quantity.parted:
            row.more.toggled.connect(lambda on: self.names_wanted.emit() if on else None)
            row.set_names(self._names.get(quantity.field, ()))
        while count > 1 and f"{quantity.field}#{count}" in self.rows:
            count += 1
        self.rows[quantity.field if count == 1 else f"{quantity.field}#{count}"] = row
        self._places[quantity.field].addWidget(row)
        return row

    def _begin_another(self, quantity: Quantity) -> None:
        row = self._add(quantity)
        row.set_choice(row.preset_choice())
        row.show()  # now, so that it can take the focus
        row.more.setChecked(True)
        row.details.parts.setFocus()
        self.changed.emit()

    def _remove(self, row: RangeRow) -> None:
        self._drop(row)
        self.changed.emit()

    def _drop(self, row: RangeRow) -> None:
        key = next(key for key, held in self.rows.items() if held is row)
        del self.rows[key]
        self._places[row.quantity.field].removeWidget(row)
        row.hide()
        row.deleteLater()


def _choice(term: RandomizationTerm) -> Choice:
    return Choice(on=True, **term.model_dump(exclude={"field"}))
