"""Shows one help page: Markdown in the window's colors, its headings reached by links, searched words marked."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import (
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
    QTextFrameFormat,
    QTextTable,
)
from PySide6.QtWidgets import QTextBrowser, QTextEdit, QWidget

from studio.help_pages import anchor
from widgets.style import theme

LINE_HEIGHT = 125.0  # percent
MARGIN = 20  # px around the text
ADJUSTMENTS = {1: 2, 2: 1}  # of headings, in Qt's steps: 1.5 and 1.2 times the size of the text
CODE_SCALE = 0.92  # of code, of the size of the text


class PageView(QTextBrowser):
    """See the module. A click on a link changes nothing by itself: ``link_clicked`` says which it was."""

    link_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = self._words = ""
        self.found: list[QTextCursor] = []  # what is marked, from top to bottom
        self.setOpenLinks(False)
        self.setAccessibleName(self.tr("Help page"))
        self.document().setDocumentMargin(MARGIN)
        self.anchorClicked.connect(lambda url: self.link_clicked.emit(url.toString()))
        theme.on_change(self, self._draw_again)

    def show_text(self, text: str) -> None:
        """Show a page from its beginning."""
        self._text = text
        self._draw()

    def mark(self, words: str) -> None:
        """Mark every place that has one of these words, and go to the first."""
        self._words = words
        self._mark()
        if self.found:
            cursor = QTextCursor(self.found[0])
            cursor.clearSelection()
            self.setTextCursor(cursor)
            self.ensureCursorVisible()

    def go_to(self, name: str) -> None:
        """Scroll to the heading that a link names so."""
        for block in self._blocks():
            if block.blockFormat().headingLevel() and anchor(block.text()) == name:
                self._scroll_to(block)
                return

    def _scroll_to(self, block: QTextBlock) -> None:
        top = self.document().documentLayout().blockBoundingRect(block).top()
        self.verticalScrollBar().setValue(int(top) - MARGIN // 2)

    def _draw_again(self) -> None:
        place = self.verticalScrollBar().value()
        self._draw()
        self.verticalScrollBar().setValue(place)

    def _draw(self) -> None:
        self.setMarkdown(self._text)
        for block in self._blocks():
            self._format(block)
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                self._format_table(frame)
        self._mark()

    def _format(self, block: QTextBlock) -> None:
        shape, letters, cursor = QTextBlockFormat(), QTextCharFormat(), QTextCursor(block)
        shape.setTopMargin(0)
        shape.setBottomMargin(theme.MEDIUM)
        level = block.blockFormat().headingLevel()
        if _is_code(block):
            shape.setBackground(theme.color("hover"))
            shape.setLeftMargin(theme.MEDIUM)
            shape.setBottomMargin(0 if _is_code(block.next()) else theme.MEDIUM)
            letters.setFontPointSize(self.font().pointSizeF() * CODE_SCALE)
        else:
            shape.setLineHeight(LINE_HEIGHT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        if level:
            shape.setTopMargin(theme.LARGE if level > 1 else 0)
            letters.setProperty(QTextFormat.Property.FontSizeAdjustment, ADJUSTMENTS.get(level, 0))
        elif cursor.currentTable() is not None:
            shape.setBottomMargin(0)
        elif block.textList() is not None:
            shape.setBottomMargin(theme.HAIR)
        cursor.mergeBlockFormat(shape)
        cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(letters)

    def _format_table(self, table: QTextTable) -> None:
        shape = table.format()
        shape.setBorderCollapse(True)
        shape.setBorder(1)
        shape.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        shape.setBorderBrush(theme.color("border"))
        shape.setCellPadding(theme.SMALL)
        shape.setCellSpacing(0)
        shape.setTopMargin(theme.SMALL)
        shape.setBottomMargin(theme.MEDIUM)
        table.setFormat(shape)

    def _mark(self) -> None:
        self.found, marks = [], []
        for word in self._words.split():
            cursor = self.document().find(word)
            while not cursor.isNull():
                self.found.append(cursor)
                cursor = self.document().find(word, cursor)
        self.found.sort(key=QTextCursor.position)
        shade = theme.blend(theme.color("warning"), theme.color("raised"), 0.35)
        for cursor in self.found:
            mark = QTextEdit.ExtraSelection()  # whose two fields PySide's types leave out
            mark.cursor = cursor  # type: ignore[attr-defined]
            mark.format.setBackground(shade)  # type: ignore[attr-defined]
            marks.append(mark)
        self.setExtraSelections(marks)

    def _blocks(self) -> list[QTextBlock]:
        blocks, block = [], self.document().begin()
        while block.isValid():
            blocks.append(block)
            block = block.next()
        return blocks


def _is_code(block: QTextBlock) -> bool:
    return block.isValid() and block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeFence)
