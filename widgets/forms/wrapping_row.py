"""A row of widgets that goes on in a second line where it is narrow: no dock has to be as wide as all of them."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget

from widgets.style import theme


class WrappingRow(QLayout):
    """Widgets that may grow sideways share what is left of their line; the others keep their size."""

    def __init__(self, *widgets: QWidget, spacing: int = theme.SMALL) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing)
        for widget in widgets:
            self.addWidget(widget)

    # -- what Qt asks of a layout --------------------------------------------------------------------------------

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    # Qt ends its own loops at a null item; PySide's types leave that out
    def itemAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation.Horizontal

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def minimumSize(self) -> QSize:
        shown = [item.minimumSize() for item in self._items if not item.isEmpty()]
        return QSize(max((s.width() for s in shown), default=0), max((s.height() for s in shown), default=0))

    def sizeHint(self) -> QSize:
        shown = [item.sizeHint() for item in self._items if not item.isEmpty()]
        width = sum(s.width() for s in shown) + self.spacing() * max(0, len(shown) - 1)
        return QSize(width, max((s.height() for s in shown), default=0))

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    # -- inside --------------------------------------------------------------------------------------------------

    def _lines(self, width: int) -> list[list[QLayoutItem]]:
        """Return the items of each line, none empty; one that may grow counts with the least that it needs."""
        lines: list[list[QLayoutItem]] = [[]]
        used = 0
        for item in self._items:
            if item.isEmpty():
                continue
            needed = self._least(item)
            if lines[-1] and used + self.spacing() + needed > width:
                lines.append([])
                used = 0
            used += needed + (self.spacing() if lines[-1] else 0)
            lines[-1].append(item)
        return lines

    def _least(self, item: QLayoutItem) -> int:
        return (item.minimumSize() if _grows(item) else item.sizeHint()).width()

    def _arrange(self, rect: QRect, move: bool) -> int:
        """Return how high the lines are in all; place the widgets where that is wanted."""
        top = rect.y()
        for line in self._lines(rect.width()):
            height = max((item.sizeHint().height() for item in line), default=0)
            growing = [item for item in line if _grows(item)]
            left = rect.width() - sum(map(self._least, line)) - self.spacing() * max(0, len(line) - 1)
            x = rect.x()
            for item in line:
                width = self._least(item) + (left // len(growing) if item in growing else 0)
                if move:
                    item.setGeometry(QRect(QPoint(x, top), QSize(min(width, rect.width()), height)))
                x += width + self.spacing()
            top += height + self.spacing()
        return max(0, top - self.spacing() - rect.y())


def _grows(item: QLayoutItem) -> bool:
    return bool(item.expandingDirections() & Qt.Orientation.Horizontal)
