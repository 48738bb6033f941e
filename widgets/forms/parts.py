"""The parts of a panel: side by side where there is room, else one at a time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from widgets.forms.segmented import Segmented


class Parts(QWidget):
    """Parts as (key, label, help line, widget, share of the width).

    Args:
        narrow: px of width below which one part is shown at a time.
        choice: of that part; its owner gives it a place.
    """

    arranged = Signal()  # which parts are shown may have changed

    def __init__(self, parts: Sequence[tuple[str, str, str, QWidget, int]], name: str, narrow: int) -> None:
        super().__init__()
        self._narrow = narrow
        self._widgets = {key: widget for key, _, _, widget, _ in parts}
        self._offered = dict.fromkeys(self._widgets, True)
        self.choice = Segmented([(key, label, words) for key, label, words, _, _ in parts], name)
        self.choice.chosen.connect(lambda _: self._arrange())
        self._split = QSplitter(Qt.Orientation.Horizontal)
        for widget in self._widgets.values():
            self._split.addWidget(widget)
        self._split.setChildrenCollapsible(False)
        self._split.setSizes([share for *_, share in parts])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._split)
        self._arrange()

    def is_shown(self, key: str) -> bool:
        """Return whether a part is shown, or will be with the panel."""
        return self._offered[key] and (not self.is_narrow or self.choice.key == key)

    def is_offered(self, key: str) -> bool:
        """Return whether there is something to show in a part."""
        return self._offered[key]

    def offer(self, key: str, offered: bool) -> None:
        """Say whether there is something to show in a part."""
        self._offered[key] = offered
        self.choice.button(key).setVisible(offered)
        if not self._offered[self.choice.key]:
            self.choice.set_key(next(key for key, offered in self._offered.items() if offered))
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        self.choice.setVisible(self.is_narrow and sum(self._offered.values()) > 1)
        for key, widget in self._widgets.items():
            widget.setVisible(self.is_shown(key))
        self.arranged.emit()

    @property
    def is_narrow(self) -> bool:
        """Whether one part is shown at a time."""
        return self.width() < self._narrow
