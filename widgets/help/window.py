"""The help: pages at the left, one of them at the right, words to search above. F1 opens it at the active panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio import help_pages
from studio.contracts import PanelInfo
from widgets.help.keys import KEYS, keys_page, window_keys, with_keys
from widgets.help.page_view import PageView
from widgets.style import theme

SIZE = (980, 720)
LIST_WIDTH = 210  # px
ID = Qt.ItemDataRole.UserRole


class HelpWindow(QDialog):
    """Stands beside the window while one works there: a window of its own, which its owner closes.

    Args:
        panels: whose keys are listed, in that order.
        commands: of the window; those with a shortcut are listed.
    """

    experiment_wanted = Signal(Path)  # a link to an example was clicked

    def __init__(self, panels: Sequence[PanelInfo], commands: Iterable[QAction]) -> None:
        super().__init__()
        self.setWindowTitle(self.tr("Help"))
        self.setWindowIcon(theme.icon("app"))
        self.setWindowFlag(Qt.WindowType.WindowMaximizeButtonHint)
        self.resize(*SIZE)
        self._panels = panels
        self._pages = help_pages.pages() | {KEYS: keys_page(panels, window_keys(commands))}
        self._history: list[str] = []
        self._place = -1  # in the history
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search the help"))
        self.search.setAccessibleName(self.tr("Search the help"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._search)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Help pages"))
        self.list.currentItemChanged.connect(self._choose)
        self.view = PageView()
        self.view.link_clicked.connect(self._follow)
        self.back = self._button("left", self.tr("Back"), -1, QKeySequence.StandardKey.Back)
        self.forward = self._button("right", self.tr("Forward"), 1, QKeySequence.StandardKey.Forward)
        self._lay_out()
        for page in self._pages.values():
            item = QListWidgetItem(page.title)
            item.setData(ID, page.id)
            item.setToolTip(page.about)
            self.list.addItem(item)

    @property
    def page(self) -> str:
        """The id of the page that is shown; empty before the first."""
        return self._history[self._place] if self._history else ""

    def show_page(self, id: str, anchor: str = "") -> None:
        """Show a page, at one of its headings if one is named."""
        if id != self.page:
            self._history[self._place + 1 :] = [id]
            self._place = len(self._history) - 1
            self._draw()
        if anchor.startswith("keys-"):
            anchor = self._keys_heading(anchor.removeprefix("keys-"))
        if anchor:
            self.view.go_to(anchor)

    def show_panel(self, panel: PanelInfo) -> None:
        """Show the page that explains a panel; of one without a page, its keys."""
        if panel.help in self._pages:
            self.show_page(panel.help)
        else:
            self.show_page(KEYS, help_pages.anchor(panel.title))

    def _lay_out(self) -> None:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.back)
        buttons.addWidget(self.forward)
        buttons.addStretch(1)
        text = QWidget()
        right = QVBoxLayout(text)
        right.setContentsMargins(0, 0, 0, 0)
        right.addLayout(buttons)
        right.addWidget(self.view, 1)
        split = QSplitter()
        split.addWidget(side)
        split.addWidget(text)
        split.setSizes([LIST_WIDTH, SIZE[0] - LIST_WIDTH])
        split.setStretchFactor(1, 1)
        split.setCollapsible(0, False)
        split.setCollapsible(1, False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, theme.MEDIUM, theme.MEDIUM, theme.MEDIUM)
        layout.addWidget(split)
        self.view.setFocus()

    def _button(self, icon: str, words: str, by: int, keys: QKeySequence.StandardKey) -> QToolButton:
        button = QToolButton()
        button.setAccessibleName(words)
        button.setToolTip(f"{words} ({QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)})")
        button.setAutoRaise(True)
        button.setShortcut(QKeySequence(keys))
        theme.set_icon(button, icon)
        button.clicked.connect(lambda: self._move(by))
        return button

    def _move(self, by: int) -> None:
        self._place = min(max(self._place + by, 0), len(self._history) - 1)
        self._draw()

    def _draw(self) -> None:
        page = self._pages[self.page]
        self.view.show_text(with_keys(page, self._panels))
        self.back.setEnabled(self._place > 0)
        self.forward.setEnabled(self._place < len(self._history) - 1)
        for row in range(self.list.count()):
            if self.list.item(row).data(ID) == page.id:
                self.list.setCurrentRow(row)
        self.view.mark(self.search.text())

    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.show_page(item.data(ID))

    def _search(self, words: str) -> None:
        """Leave the pages in the list that have all of the words, and show the first where the present one has not."""
        found = {page.id for page, _ in help_pages.search(words)} if words.strip() else set(self._pages)
        first = ""
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setHidden(item.data(ID) not in found)
            first = first or (item.data(ID) if item.data(ID) in found else "")
        if first and self.page not in found:
            self.show_page(first)
        self.view.mark(words)

    def _follow(self, link: str) -> None:
        url = QUrl(link)
        name = Path(url.path())
        if url.scheme():
            QDesktopServices.openUrl(url)
        elif name.suffix == ".yaml":
            self.experiment_wanted.emit((help_pages.folder() / name).resolve())
        else:
            self.show_page(name.stem or self.page, url.fragment())

    def _keys_heading(self, panel: str) -> str:
        return next(help_pages.anchor(f"{self._pages[KEYS].title}: {p.title}") for p in self._panels if p.id == panel)
