"""A panel's content, or a sentence in its place where there is nothing to show."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QStackedWidget, QWidget

from widgets.style import theme


class ContentStack(QStackedWidget):
    """Shows the sentence ``words`` until :meth:`show_content`."""

    def __init__(self, content: QWidget, words: str = "") -> None:
        super().__init__()
        self.sentence = QLabel(words)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sentence.setWordWrap(True)
        self.sentence.setMargin(theme.MEDIUM)
        self.sentence.setProperty("role", "muted")
        self.addWidget(self.sentence)
        self.addWidget(content)

    @property
    def has_content(self) -> bool:
        """Whether the content is shown."""
        return self.currentIndex() == 1

    def show_content(self, shown: bool = True) -> None:
        """Show the content, or else the sentence as it was last."""
        self.setCurrentIndex(int(shown))

    def say(self, words: str) -> None:
        """Show a sentence in the place of the content."""
        self.sentence.setText(words)
        self.setCurrentIndex(0)


class ElasticStack(ContentStack):
    """As high as there is room, and at least ``lowest`` px: a panel that scrolls does so where it is lower.

    Plots, and sentences that wrap, would ask a scroll area for more.
    """

    def __init__(self, content: QWidget, lowest: int) -> None:
        super().__init__(content)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(lowest)

    def hasHeightForWidth(self) -> bool:
        return False
