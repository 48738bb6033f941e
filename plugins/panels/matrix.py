"""The Matrix panel: strategies × episodes × seeds of the experiment's comparison, filled in as its runs end."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAction, QGuiApplication, QHideEvent, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from studio.contracts import PanelInfo
from widgets.forms.content_stack import ContentStack
from widgets.runs.disk import fingerprint
from widgets.shell.app_state import AppState
from widgets.style import theme

if TYPE_CHECKING:
    from studio.analysis.matrix_table import MatrixTable
    from widgets.matrix.view import MatrixView

POLL_MS = 3_000  # runs of other programs
COPY = QKeySequence.StandardKey.Copy
SOON_MS = 400  # after an edit, or a run's news


class MatrixPanel(QWidget):
    """See the module. Reads in the background, and only while it is shown."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        from widgets.matrix.model import MatrixModel
        from widgets.matrix.view import MatrixView

        self._app_state = app_state
        self._is_reading = self._read_again = False
        self._fingerprint: tuple[Any, ...] | None = None
        self.model = MatrixModel(partial(app_state.title_of, "strategies"), self)
        self.view: MatrixView = MatrixView(self.model, app_state.runs_selected.emit)
        self.summary, self.note = QLabel(), QLabel()
        for label in (self.summary, self.note):
            label.setProperty("role", "muted")
        self.note.setWordWrap(True)
        self.note.setFont(theme.small_font())
        self.export = QToolButton()
        self.export.setText(self.tr("Export"))
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.export.setMenu(self._menu())
        self.stack = ContentStack(self.view, self.tr("Reading the runs …"))
        head = QHBoxLayout()
        head.addWidget(self.summary, 1)
        head.addWidget(self.export)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        column.addLayout(head)
        column.addWidget(self.stack, 1)
        column.addWidget(self.note)
        self._soon, self._poll = QTimer(self), QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(SOON_MS)
        self._soon.timeout.connect(self.refresh)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._look)
        self.view.installEventFilter(self)
        self.view.selectionModel().selectionChanged.connect(lambda *_: self._show_note(self.model.table))
        for signal in (app_state.runs_changed, app_state.experiment_changed, app_state.registry_ready):
            signal.connect(lambda *_: self._soon.start() if self.isVisible() else None)

    def refresh(self) -> None:
        """Read the comparison's runs again, in the background; a request during a reading is served after it."""
        if not self._app_state.registry_is_ready:
            return
        if self._is_reading:
            self._read_again = True
            return
        self._is_reading = True
        state = self._app_state
        experiment, folder = state.experiment, state.runs_folder

        def work() -> tuple[tuple[Any, ...], MatrixTable]:
            return fingerprint(folder), state.engine.matrix_table(experiment, state.registry, folder)

        state.background(work, self._take, self._fail)

    def _take(self, found: tuple[tuple[Any, ...], MatrixTable]) -> None:
        self._fingerprint, table = found
        self._over()
        self.model.set_table(table)
        cells = list(table.cells.values())
        planned, finished = sum(len(cell.runs) for cell in cells), sum(len(cell.finished) for cell in cells)
        words = self.tr("%1 of %2 runs are finished").replace("%1", str(finished)).replace("%2", str(planned))
        for state, each in (("running", self.tr("running")), ("failed", self.tr("failed"))):
            count = sum(cell.state == state for cell in cells)
            words += f"  ·  {count} {each}" if count else ""
        decided, pairs = self.model.decided()
        if pairs:
            more = self.tr("%1 of %2 pairs are decided ✓").replace("%1", str(decided)).replace("%2", str(pairs))
            words += f"  ·  {more}"
        single = planned < 2
        self.summary.setText("" if single else words)
        self._show_note(table)
        self.note.setVisible(bool(finished))
        self.export.setEnabled(bool(cells))
        if single:
            words = self.tr("Choose strategies, episodes and seeds under Strategy, Comparison; then press Compare.")
            self.stack.say(words)
        else:
            self.stack.show_content()

    def _show_note(self, table: MatrixTable) -> None:
        """Say in short what the marks mean, and in full in the tooltip."""
        from studio.analysis.matrix_table import ALPHA, note

        color = self.tr("Color: mean score on the target. The strip below has a piece for each seed.")
        short = color
        if table.tests:
            short = self.tr("▲ ▼ beyond chance against %1 (Holm over %2, %3)")
            short = short.replace("%1", self.model.title(table.reference)).replace("%2", str(table.tests))
            short = short.replace("%3", f"{ALPHA:.0%}")
        chosen = [index for index in self.view.selectionModel().selectedIndexes() if self.model.cell(index) is not None]
        if len(chosen) == 1 and (cell := self.model.cell(chosen[0])) is not None and cell.decision is not None:
            short = self.model.decision_words(chosen[0], cell)
        self.note.setText(short)
        self.note.setToolTip(f"{color} {note(table, self.model.title)}".strip())

    def _fail(self, error: Exception) -> None:
        self._over()
        self.stack.say(str(error))

    def _over(self) -> None:
        self._is_reading = False
        if self._read_again:
            self._read_again = False
            self._soon.start()

    def _look(self) -> None:
        """Read the runs again where anything changed on disk."""
        folder, known = self._app_state.runs_folder, self._fingerprint

        def done(found: tuple[Any, ...]) -> None:
            if found != known:
                self.refresh()

        if not self._is_reading:
            self._app_state.background(lambda: fingerprint(folder), done)

    # -- copies

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        copy = QAction(self.tr("Copy as &Markdown"), menu)
        copy.setShortcut(COPY)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self.copy_markdown)
        menu.addAction(copy)
        menu.addAction(self.tr("Copy i&mage"), lambda: QGuiApplication.clipboard().setImage(self.view.image()))
        menu.addSeparator()
        menu.addAction(self.tr("&PNG image…"), partial(self._ask, "png"))
        menu.addAction(self.tr("&CSV data…"), partial(self._ask, "csv"))
        menu.addAction(self.tr("Mark&down table…"), partial(self._ask, "md"))
        return menu

    def copy_markdown(self) -> None:
        """Copy the matrix as a Markdown table."""
        QGuiApplication.clipboard().setText(self.text("md"))
        self._app_state.toast.emit("info", self.tr("Copied the matrix as a Markdown table."), "")

    def text(self, kind: str) -> str:
        """Return the matrix as CSV or as Markdown (``md``)."""
        from studio.analysis.matrix_table import as_csv, as_markdown

        return as_csv(self.model.table) if kind == "csv" else as_markdown(self.model.table, self.model.title) + "\n"

    def _ask(self, kind: str) -> None:
        names = {"png": self.tr("PNG image"), "csv": self.tr("CSV data"), "md": self.tr("Markdown table")}
        folders = self._app_state.folders
        start = folders.start("exports", f"{self._app_state.experiment.name}-matrix.{kind}")
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Export the matrix"), start, f"{names[kind]} (*.{kind})")
        if path:
            folders.remember("exports", Path(path).parent)
            self.save(Path(path).with_suffix(f".{kind}"))

    def save(self, path: Path) -> None:
        """Write the matrix in the format of the suffix; a toast says where."""
        from widgets.curves.export import png_bytes, write

        kind = path.suffix[1:]
        data = png_bytes(self.view.image()) if kind == "png" else self.text(kind).encode()
        said = self.tr("Saved %1")

        def done(made: Path) -> None:
            self._app_state.toast.emit("info", said.replace("%1", str(made)), "")

        self._app_state.background(lambda: write(path, data), done)

    # -- Qt's side

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.matches(COPY):
            self.copy_markdown()
            return True
        return super().eventFilter(watched, event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._poll.start()
        self._soon.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._poll.stop()


PANEL = PanelInfo(
    id="matrix",
    title="Matrix",
    summary="Strategies × episodes × seeds of the comparison, as a heat map with intervals.",
    area="center",
    order=55,
    factory=MatrixPanel,
    help="comparisons-and-queue",
    shortcuts={
        "Arrow keys": "Move through the cells",
        "Enter": "Show the selected cells' runs in Runs and Curves",
        "Click": "Show the cell's runs in Runs and Curves",
        "Ctrl+C": "Copy the matrix as a Markdown table",
    },
)
