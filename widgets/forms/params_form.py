"""Edits a contribution's own parameters: a form, and a section for each group of settings within them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.contracts import Problem
from studio.errors import StudioError
from studio.experiment import PresetSettings, plain_validation
from studio.experiment.presets import NONE
from widgets.forms.form import Form
from widgets.forms.section import Section
from widgets.style import theme


class ParamsForm(QWidget):
    """Shows the fields of one ``Params`` at a time, or nothing.

    Args:
        prefix: what stands before the field names, ``"strategy.params."``.
    """

    edited = Signal(dict)  # the parameters, valid, without what stands at its default
    refused = Signal(list)  # errors, by field: what was typed does not fit, and is not taken

    def __init__(self, prefix: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.prefix = prefix
        self.form: Form | None = None
        self.parts: dict[str, Form] = {}  # of parameters that are settings themselves
        self.sections: dict[str, Section] = {}  # of those
        self._model: type[BaseModel] | None = None
        self._chosen: set[str] = set()  # the parts that a choice beside them names
        self._preset = NONE  # that sets what is shown
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.MEDIUM)
        self.hide()

    def set_model(self, model: type[BaseModel] | None) -> None:
        """Make the forms of other parameters, at their defaults; None: there are none."""
        if model is self._model:
            return
        for widget in (*self.sections.values(), *([self.form] if self.form is not None else [])):
            self._column.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._model, self.form, self.parts, self.sections, self._chosen = model, None, {}, {}, set()
        fields = {} if model is None else model.model_fields
        self.setVisible(bool(fields))
        if model is None:
            return
        inner = {name: kind for name, field in fields.items() if (kind := _settings(field.annotation)) is not None}
        self.form = Form(model, {}, self.prefix, leave_out=inner)
        self._column.addWidget(self.form)
        for name, kind in inner.items():
            self.parts[name] = Form(kind, {}, f"{self.prefix}{name}.")
            self.sections[name] = Section(fields[name].title or name, self.parts[name])
            self._column.addWidget(self.sections[name])
        for form in self.forms():
            form.changed.connect(self._edit)

    def set_values(self, params: Mapping[str, Any]) -> None:
        """Show parameters; nothing is emitted. The section that a choice has come to name opens."""
        if self.form is None:
            return
        self._preset = str(params.get("preset", NONE))
        self.form.set_values({**self._preset_values(), **params})
        before, self._chosen = self._chosen, {name for name in self.parts if name in self.form.values().values()}
        for name, form in self.parts.items():
            form.set_values(params.get(name) or {})
            if (name in self._chosen) != (name in before):
                self.sections[name].set_open(name in self._chosen)

    def set_problems(self, problems: Sequence[Problem | StudioError]) -> list[Problem | StudioError]:
        """Show each problem under its field and return those that belong to none of them."""
        left = [*problems]
        for name, form in self.parts.items():
            before = len(left)
            left = form.set_problems(left)
            self.sections[name].set_alarm(len(left) < before)
        return left if self.form is None else self.form.set_problems(left)

    def show_field(self, dotted: str) -> bool:
        """Open the section that has the field and give it the focus; False where it is not here."""
        for name, form in self.parts.items():
            if form.show_field(dotted):
                self.sections[name].set_open(True)
                return True
        return self.form is not None and self.form.show_field(dotted)

    def forms(self) -> list[Form]:
        """All forms."""
        return [*([] if self.form is None else [self.form]), *self.parts.values()]

    def _edit(self, _dotted: str, _value: object) -> None:
        assert self.form is not None and self._model is not None
        changed = {name: form.changed_values() for name, form in self.parts.items()}
        params = self.form.changed_values(self._preset_values()) | {
            name: values for name, values in changed.items() if values
        }
        try:
            self._model.model_validate(params)
        except ValidationError as error:
            self.refused.emit(plain_validation(error, self._model, self.prefix))
        else:
            self.edited.emit(params)

    def _preset_values(self) -> Mapping[str, Any]:
        """Return what the preset sets, of parameters that have presets."""
        kind = self._model
        return kind.presets.get(self._preset, {}) if kind is not None and issubclass(kind, PresetSettings) else {}


def _settings(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
