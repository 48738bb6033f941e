"""One of what a dataset's file offers: its splits, its cameras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from widgets.forms.choices import Choice


class DatasetChoice(Choice):
    """A name out of the file, or the first line for no choice; enabled only while the file offers any.

    Args:
        usual: the first line's words.
    """

    def __init__(self, usual: str) -> None:
        super().__init__([])
        self._usual = usual
        self._offered: dict[str, str] = {}
        self.offer({})

    def offer(self, choices: Mapping[str, str]) -> None:
        """Take name → words; nothing is emitted, and what is shown stays."""
        present = self.value() or ""
        self._offered = dict(choices)
        self.clear()
        self.addItem(self._usual, "")
        for name, words in choices.items():
            self.addItem(words, name)
        self.set_value(present)

    def set_value(self, value: Any) -> None:
        super().set_value(value or "")
        self.setEnabled(bool(self._offered or value))
