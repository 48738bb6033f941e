"""The Log panel: what the session and the studio say, filtered, searched and copied; tracebacks behind a click."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.contracts import PanelInfo
from studio.events import (
    CheckpointSaved,
    DeviceSample,
    Evaluated,
    Event,
    Exported,
    Failed,
    Logged,
    MetricsLogged,
    StageChanged,
    StateChanged,
)
from widgets.shell.app_state import AppState
from widgets.style import theme

CAPACITY = 5_000
LEAST_HEIGHT = 48  # px of the list: about three lines, where the window is low
LEVELS = ("debug", "info", "warning", "error")
TINTS = {"debug": "muted", "info": "text", "warning": "warning", "error": "error"}
ROLE_LEVEL = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Line:
    """One line of the log; ``details`` is a traceback or empty."""

    time: float
    level: str
    text: str
    details: str = ""

    def __str__(self) -> str:
        stamp = time.strftime("%H:%M:%S", time.localtime(self.time))
        return f"{stamp}  {self.level:<7}  {self.text}"


class LogModel(QAbstractListModel):
    """The last lines, at most :data:`CAPACITY`."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[Line] = deque()

    def append(self, lines: list[Line]) -> None:
        """Add lines and let the oldest go."""
        lines = lines[-CAPACITY:]
        surplus = len(self.lines) + len(lines) - CAPACITY
        if surplus > 0:
            self.beginRemoveRows(QModelIndex(), 0, surplus - 1)
            for _ in range(surplus):
                self.lines.popleft()
            self.endRemoveRows()
        if lines:
            self.beginInsertRows(QModelIndex(), len(self.lines), len(self.lines) + len(lines) - 1)
            self.lines.extend(lines)
            self.endInsertRows()

    def clear(self) -> None:
        """Forget every line."""
        self.beginResetModel()
        self.lines.clear()
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.lines)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        line = self.lines[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return str(line) + (self.tr("   [details]") if line.details else "")
        if role == Qt.ItemDataRole.ForegroundRole:
            return theme.color(TINTS.get(line.level, "text"))
        if role == Qt.ItemDataRole.ToolTipRole:
            return line.text
        if role == ROLE_LEVEL:
            return line
        return None


class LogFilter(QSortFilterProxyModel):
    """Lines of at least a level that hold some words."""

    def __init__(self, model: LogModel) -> None:
        super().__init__()
        self.setSourceModel(model)
        self.level = "info"
        self.words = ""

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        model = self.sourceModel()
        assert isinstance(model, LogModel)
        line = model.lines[row]
        level = LEVELS.index(line.level) if line.level in LEVELS else 1
        return level >= LEVELS.index(self.level) and self.words in f"{line.text} {line.details}".casefold()


class LogPanel(QWidget):
    """See the module."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self.model = LogModel()
        self.filter = LogFilter(self.model)
        self.view = QListView()
        self.view.setMinimumHeight(LEAST_HEIGHT)
        self.view.setModel(self.filter)
        self.view.setUniformItemSizes(True)  # thousands of lines are laid out without being measured
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.view.setFont(theme.fixed_font())
        self.view.setAccessibleName(self.tr("Log"))
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setFont(theme.fixed_font())
        self.details.setAccessibleName(self.tr("Details of the selected line"))
        self.details.hide()
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.view)
        split.addWidget(self.details)
        split.setSizes([600, 400])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, theme.MEDIUM)
        layout.setSpacing(theme.SMALL)
        layout.addLayout(self._tools())
        layout.addWidget(split, 1)
        self.view.selectionModel().currentChanged.connect(self._show_details)
        copy = QAction(self.tr("Copy the selected lines"), self.view)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self.copy)
        self.view.addAction(copy)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        app_state.events.connect(self._take_events)
        app_state.toast.connect(self._take_toast)
        app_state.registry_ready.connect(self._report_plugins)
        theme.on_change(self, self.view.viewport().update)

    def add(self, lines: list[Line]) -> None:
        """Add lines; the view follows unless a person has scrolled up."""
        bar = self.view.verticalScrollBar()
        follow = bar.value() >= bar.maximum() - 2
        self.model.append(lines)
        if follow:
            self.view.scrollToBottom()

    def copy(self) -> None:
        """Put the chosen lines, or all shown ones, on the clipboard with their details."""
        chosen = sorted(self.view.selectionModel().selectedRows(), key=lambda index: index.row())
        rows = chosen or [self.filter.index(row, 0) for row in range(self.filter.rowCount())]
        lines = [index.data(ROLE_LEVEL) for index in rows]
        QGuiApplication.clipboard().setText("\n".join(f"{x}\n{x.details}" if x.details else str(x) for x in lines))

    def set_filter(self, level: str | None = None, words: str | None = None) -> None:
        """Show lines of at least ``level`` that hold ``words``."""
        self.filter.level = level or self.filter.level
        self.filter.words = self.filter.words if words is None else words.casefold()
        self.filter.invalidate()
        self.view.scrollToBottom()

    def _tools(self) -> QHBoxLayout:
        level = QComboBox()
        level.setAccessibleName(self.tr("Minimum level"))
        level.setToolTip(self.tr("Show lines of this level and above"))
        for name in LEVELS:
            level.addItem(name.capitalize(), name)
        level.setCurrentIndex(LEVELS.index("info"))
        level.currentIndexChanged.connect(lambda _: self.set_filter(level=level.currentData()))
        search = QLineEdit()
        search.setPlaceholderText(self.tr("Search the log"))
        search.setAccessibleName(self.tr("Search the log"))
        search.setClearButtonEnabled(True)
        search.textChanged.connect(lambda words: self.set_filter(words=words))
        row = QHBoxLayout()
        row.setSpacing(theme.SMALL)
        row.addWidget(level)
        row.addWidget(search, 1)
        for icon, words, call in (
            ("copy", self.tr("Copy the selected lines, or all visible ones"), self.copy),
            ("trash", self.tr("Clear the log"), self.model.clear),
        ):
            button = QToolButton()
            button.setToolTip(words)
            button.setAccessibleName(words)
            theme.set_icon(button, icon, "muted")
            button.clicked.connect(call)
            row.addWidget(button)
        return row

    def _show_details(self, index: QModelIndex) -> None:
        line = index.data(ROLE_LEVEL) if index.isValid() else None
        self.details.setVisible(bool(line and line.details))
        self.details.setPlainText(line.details if line else "")

    def _take_events(self, events: list[Event]) -> None:
        lines = [line for event in events if (line := self._line(event)) is not None]
        if lines:  # most events are numbers: they have their place in the curves
            self.add(lines)

    def _take_toast(self, level: str, text: str, details: str) -> None:
        self.add([Line(time.time(), level, text, details)])

    def _report_plugins(self) -> None:
        self.add([Line(time.time(), "error", str(b), b.traceback) for b in self._app_state.registry.broken()])

    def _line(self, event: Event) -> Line | None:
        if isinstance(event, MetricsLogged | DeviceSample):
            return None
        if isinstance(event, Logged):
            return Line(event.time, event.level, event.text)
        if isinstance(event, Failed):
            where = f"{event.field}: " if event.field else ""
            return Line(event.time, "error", f"{where}{event.message} {event.remedy}".strip(), event.traceback)
        if isinstance(event, StateChanged):
            return Line(event.time, "info", f"{event.run.rsplit('/', 1)[-1]}: {event.state}")
        if isinstance(event, StageChanged):
            return Line(event.time, "info", f"{event.stage}" + (self.tr(" (cached)") if event.cached else ""))
        if isinstance(event, CheckpointSaved):
            return Line(event.time, "debug", self.tr("checkpoint at step {step}").format(step=event.step))
        if isinstance(event, Exported):
            return Line(event.time, "info", self.tr("exported to {path}").format(path=event.path))
        if isinstance(event, Evaluated):
            words = self.tr(
                "{domain}: success {value:.3f} ({low:.3f} to {high:.3f}) over {count} episodes, step {step}"
            )
            if event.measure == "return":
                words = self.tr(
                    "{domain}: return {value:.4g} ({low:.4g} to {high:.4g}) over {count} episodes, step {step}"
                )
            text = words.format(
                domain=event.domain,
                value=event.success,
                low=event.low,
                high=event.high,
                count=event.episodes,
                step=event.step,
            )
            return Line(event.time, "info", text)
        return None


PANEL = PanelInfo(
    id="log",
    title="Log",
    summary="Messages of the run and the studio, to filter, search and copy.",
    area="bottom",
    order=10,
    factory=LogPanel,
    help="getting-started",
    shortcuts={"Ctrl+C": "Copy the selected lines", "Click on a line": "Show its details, if it has any"},
)
