"""A form made from a pydantic model: a row for each field, with its unit, its range, its help and a way back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QToolButton, QWidget

from studio.contracts import Problem
from studio.errors import StudioError
from widgets.forms.choices import Choice
from widgets.forms.editors import editor_for
from widgets.forms.numbers import RealBox, WholeBox
from widgets.forms.path_field import PathField
from widgets.forms.texts import Anything, Listing, Text
from widgets.style import theme

LABEL_WIDTH = 106  # so that the forms of one panel are aligned, px


@dataclass
class Row:
    """The widgets of one field."""

    field: FieldInfo
    label: QLabel
    editor: Any
    caption: QLabel | None  # the unit, where it stands beside the editor
    reset: QToolButton
    problem: QLabel
    default: Any
    left_out: bool = False  # it has no effect at present, and is hidden unless it has a problem
    fault: str = ""  # of the experiment, at this field
    refusal: str = ""  # why what was typed is not taken

    @property
    def hidden(self) -> bool:
        return self.left_out and not self.problem.text()


class Form(QWidget):
    """Edits the fields of one model.

    Args:
        model: the pydantic class; titles, help lines, units, ranges and choices come from it.
        values: present values by field name; what is left out shows its default.
        prefix: what stands before the field names in :attr:`changed` and in problems, ``"budget."``.
        leave_out: fields that are not shown.
        editors: editors to use instead of the ones that the types ask for.
    """

    changed = Signal(str, object)  # dotted name, new value

    def __init__(
        self,
        model: type[BaseModel],
        values: Mapping[str, Any] | BaseModel | None = None,
        prefix: str = "",
        leave_out: Collection[str] = (),
        editors: Mapping[str, QWidget] | None = None,
        label_width: int = LABEL_WIDTH,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.prefix = prefix
        self.rows: dict[str, Row] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.SMALL)
        grid.setVerticalSpacing(theme.SMALL)
        grid.setColumnMinimumWidth(0, label_width)
        grid.setColumnStretch(1, 1)
        self._grid = grid
        for name, field in model.model_fields.items():
            if name not in leave_out and not _extra(field).get("derived"):
                self._add(name, field, (editors or {}).get(name) or editor_for(field))
        self.set_values(values or {})

    def set_values(self, values: Mapping[str, Any] | BaseModel) -> None:
        """Show new values; nothing is emitted. A field that is being typed into is left alone."""
        given = values.model_dump() if isinstance(values, BaseModel) else dict(values)
        for name, row in self.rows.items():
            value = given.get(name, row.default)
            if not _same(row.editor.value(), value):
                row.editor.blockSignals(True)
                row.editor.set_value(value)
                row.editor.blockSignals(False)
                self._refuse(row, "")
            self._mark(row)

    def values(self) -> dict[str, Any]:
        """Return what the form shows."""
        return {name: row.editor.value() for name, row in self.rows.items()}

    def changed_values(self, usual: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what the form shows, without the fields at their defaults, or at what is ``usual`` instead."""
        usual = usual or {}
        return {
            name: value
            for name, value in self.values().items()
            if not _same(value, usual.get(name, self.rows[name].default))
        }

    def set_problems(self, problems: Sequence[Problem | StudioError]) -> list[Problem | StudioError]:
        """Show each problem under its field, and return those that belong to none of them."""
        texts: dict[str, str] = {}
        left = []
        for problem in problems:
            name = self._name_of(problem.field)
            if name is None:
                left.append(problem)
                continue
            words = f"{problem.message} {problem.remedy}".strip()
            texts[name] = f"{texts[name]}\n{words}" if name in texts else words
        for name, row in self.rows.items():
            row.fault = texts.get(name, "")
            self._show_problem(row)
        return left

    def set_left_out(self, names: Collection[str]) -> None:
        """Hide fields that have no effect at present and no problem, and show the others."""
        for name, row in self.rows.items():
            row.left_out = name in names
            self._show(row)

    def show_field(self, dotted: str) -> bool:
        """Give the field the focus; return False where the form does not have it."""
        name = self._name_of(dotted)
        if name is None:
            return False
        self.rows[name].editor.setFocus(Qt.FocusReason.OtherFocusReason)
        return True

    def _name_of(self, dotted: str) -> str | None:
        if not dotted.startswith(self.prefix):
            return None
        name = dotted[len(self.prefix) :].split(".")[0]
        return name if name in self.rows else None

    def _add(self, name: str, field: FieldInfo, editor: Any) -> None:
        title = field.title or name.replace("_", " ").capitalize()
        unit = str(_extra(field).get("unit", ""))
        help = field.description or ""
        if unit:
            help = f"{help} ({unit})" if help else unit
        label = QLabel(title)
        label.setBuddy(editor)
        label.setWordWrap(True)
        problem = QLabel()
        problem.setWordWrap(True)
        problem.setProperty("role", "problem")
        problem.setFont(theme.small_font())
        problem.hide()
        reset = QToolButton()
        reset.setAutoRaise(True)
        reset.setFixedSize(20, 20)
        reset.setAccessibleName(self.tr("Reset {field} to its default").format(field=title))
        theme.set_icon(reset, "reset", "muted")
        keep = reset.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        reset.setSizePolicy(keep)
        default = field.get_default(call_default_factory=True)
        wide = isinstance(editor, (Text, Listing, Anything, PathField)) or not unit
        caption = None if wide else QLabel(unit)
        row = Row(field, label, editor, caption, reset, problem, default)
        shown = "none" if default is None or default == "" else default
        reset.setToolTip(self.tr("Reset to default: {value}").format(value=shown))
        reset.clicked.connect(lambda: self._reset(name))
        for widget in (label, editor):
            widget.setToolTip(help)
        editor.setAccessibleName(title)
        editor.setAccessibleDescription(help)
        editor.edited.connect(lambda: self._edited(name))
        if isinstance(editor, WholeBox | RealBox):
            editor.refused.connect(partial(self._refuse, row))
        line = 2 * len(self.rows)
        self._grid.addWidget(label, line, 0)
        self._grid.addWidget(editor, line, 1, 1, 2 if wide else 1)
        if caption is not None:
            caption.setProperty("role", "muted")
            caption.setFont(theme.small_font())
            self._grid.addWidget(caption, line, 2)
        self._grid.addWidget(reset, line, 3)
        self._grid.addWidget(problem, line + 1, 1, 1, 3)
        self.rows[name] = row

    def _reset(self, name: str) -> None:
        row = self.rows[name]
        row.editor.blockSignals(True)
        row.editor.set_value(row.default)
        row.editor.blockSignals(False)
        self._edited(name)
        row.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def _edited(self, name: str) -> None:
        row = self.rows[name]
        self._mark(row)
        self._refuse(row, "")
        self.changed.emit(f"{self.prefix}{name}", row.editor.value())

    def _show(self, row: Row) -> None:
        for widget in (row.label, row.editor, row.caption):
            if widget is not None:
                widget.setVisible(not row.hidden)
        keep = row.reset.sizePolicy()
        keep.setRetainSizeWhenHidden(not row.hidden)
        row.reset.setSizePolicy(keep)
        self._mark(row)

    def _mark(self, row: Row) -> None:
        offered = not isinstance(row.editor, Choice) or row.editor.findData(row.default) >= 0
        row.reset.setVisible(offered and not row.hidden and not _same(row.editor.value(), row.default))

    def _refuse(self, row: Row, words: str) -> None:
        row.refusal = words
        self._show_problem(row)

    def _show_problem(self, row: Row) -> None:
        words = "\n".join(part for part in (row.refusal, row.fault) if part)
        row.problem.setText(words)
        row.problem.setVisible(bool(words))
        if row.left_out:
            self._show(row)
        target = row.editor.line if isinstance(row.editor, PathField) else row.editor
        if bool(target.property("problem")) != bool(words):
            target.setProperty("problem", bool(words))
            target.style().unpolish(target)  # the stylesheet looks at the property again
            target.style().polish(target)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, (int, float)):
        return abs(one - other) <= 1e-9 * max(abs(one), abs(other))
    if one in (None, "") and other in (None, ""):
        return True
    return bool(one == other or (str(one) == str(other) and not isinstance(one, (list, dict))))
