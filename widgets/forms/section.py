"""A section that folds: a heading that opens and closes what stands under it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from widgets.style import theme


class Section(QWidget):
    """A heading button over one widget. Closed at first."""

    def __init__(self, title: str, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.content = content
        self._title = title
        self.head = QToolButton()
        self.head.setText(title)
        self.head.setCheckable(True)
        self.head.setObjectName("section")
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.head.setAccessibleName(title)
        self.head.toggled.connect(self._toggle)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SMALL)
        layout.addWidget(self.head)
        layout.addWidget(content)
        self._toggle(False)

    def set_open(self, wanted: bool) -> None:
        """Open or close the section."""
        self.head.setChecked(wanted)

    def set_title(self, title: str) -> None:
        """Give the section another heading."""
        self._title = title
        self.head.setText(title)
        self.head.setAccessibleName(title)

    def set_alarm(self, wanted: bool) -> None:
        """Mark the heading where something inside is wrong, so that it is seen while closed."""
        self.head.setText(f"{self._title}  ⚠" if wanted else self._title)

    def _toggle(self, shown: bool) -> None:
        self.content.setVisible(shown)
        theme.set_icon(self.head, "down" if shown else "right", "muted")
