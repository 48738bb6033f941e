"""Editors of text: a line, a list separated by commas, and any value as YAML."""

from __future__ import annotations

from typing import Any

import yaml
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit


class Text(QLineEdit):
    """A line of text."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.editingFinished.connect(self._finish)
        self._before = ""

    def value(self) -> Any:
        return self.text()

    def set_value(self, value: Any) -> None:
        self.setText("" if value is None else str(value))
        self._before = self.text()

    def _finish(self) -> None:
        if self.text() != self._before:
            self._before = self.text()
            self.edited.emit()


class Listing(Text):
    """A list, its items separated by commas."""

    def __init__(self, item: type) -> None:
        super().__init__()
        self._item = item
        self.setPlaceholderText(self.tr("separated by commas"))

    def value(self) -> list[Any]:
        parts = [part.strip() for part in self.text().split(",") if part.strip()]
        try:
            return [self._item(part) for part in parts]
        except ValueError:
            return list(parts)  # the model's validation reports what does not fit

    def set_value(self, value: Any) -> None:
        super().set_value(", ".join(str(item) for item in value or []))


class Anything(Text):
    """Any other value, written as YAML.

    Args:
        empty: the value that is shown as nothing.
    """

    def __init__(self, empty: Any = None) -> None:
        super().__init__()
        self._empty = empty

    def value(self) -> Any:
        try:
            found = yaml.safe_load(self.text())
        except yaml.YAMLError:
            return self.text()
        return self._empty if found is None else found

    def set_value(self, value: Any) -> None:
        text = yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
        super().set_value("" if value == self._empty else text)
