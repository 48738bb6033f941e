"""A choice of few: buttons joined side by side, one of them down."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QToolButton, QWidget

from widgets.style import theme


class Segmented(QWidget):
    """Options as (key, label, help line). Arrow keys move the choice."""

    chosen = Signal(str)  # by a person

    def __init__(self, options: Sequence[tuple[str, str, str]], name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._keys = [key for key, _, _ in options]
        self._group = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for index, (_, label, words) in enumerate(options):
            button = QToolButton()
            button.setText(label)
            button.setToolTip(words)
            button.setAccessibleName(f"{name}: {label}")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._group.addButton(button, index)
            layout.addWidget(button)
        self._group.button(0).setChecked(True)
        self._group.idClicked.connect(lambda index: self.chosen.emit(self._keys[index]))
        self._restyle()
        theme.on_change(self, self._restyle)

    @property
    def key(self) -> str:
        """The key of the option that is down."""
        return self._keys[self._group.checkedId()]

    def button(self, key: str) -> QAbstractButton:
        """Return the option's button."""
        return self._group.button(self._keys.index(key))

    def set_key(self, key: str) -> None:
        """Choose an option without emitting."""
        self.button(key).setChecked(True)

    def _restyle(self) -> None:
        paint = {name: theme.color(name).name() for name in ("raised", "border", "hover", "accent", "accent_soft")}
        last = len(self._keys) - 1
        for index in range(len(self._keys)):
            left, right = (theme.RADIUS if index == end else 0 for end in (0, last))
            corners = f"border-top-left-radius: {left}px; border-bottom-left-radius: {left}px;"
            corners += f"border-top-right-radius: {right}px; border-bottom-right-radius: {right}px;"
            seam = "border-left: none;" if index else ""
            self._group.button(index).setStyleSheet(
                f"QToolButton {{ background: {paint['raised']}; border: 1px solid {paint['border']}; {seam} {corners}"
                " padding: 3px 8px; min-height: 16px; }"
                f"QToolButton:hover {{ background: {paint['hover']}; }}"
                f"QToolButton:checked {{ background: {paint['accent_soft']}; }}"
                f"QToolButton:focus {{ border: 1px solid {paint['accent']}; }}"
            )
