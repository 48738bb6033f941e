"""The Preflight panel: what would make a loss fall and the robot fail all the same, with buttons that fix it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.contracts import CheckResult, PanelInfo
from widgets.forms.scroll_column import ScrollColumn
from widgets.shell.app_state import AppState
from widgets.shell.problem_list import edits
from widgets.style import theme

ICONS = {"ok": ("check", "success"), "warning": ("warning", "warning"), "problem": ("error", "error")}
SKIPPED = ("info", "muted")
SEVERITY = ("problem", "warning", "skipped", "ok")


class ResultRow(QWidget):
    """What one check found, and a button where the experiment can be edited to fix it."""

    fixed = Signal()  # the button was pressed

    def __init__(self, result: CheckResult, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.result = result
        self.fix: QPushButton | None = None
        sign = QLabel()
        sign.setPixmap(theme.icon(*ICONS.get(result.state, SKIPPED)).pixmap(theme.ICON))
        sign.setAccessibleName(result.state)
        title, words = QLabel(result.check), QLabel(f"{result.message} {result.remedy}".strip())
        title.setFont(theme.small_font(self.font(), bold=True))
        words.setWordWrap(True)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(title)
        column.addWidget(words)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)
        if result.changes:
            self.fix = QPushButton(self.tr("Fix"))
            self.fix.setToolTip(self.tr("Sets {changes}").format(changes=edits(result.changes)))
            self.fix.setAccessibleName(self.tr("Fix: {check}").format(check=result.check))
            self.fix.clicked.connect(self.fixed)
            row.addWidget(self.fix, 0, Qt.AlignmentFlag.AlignTop)


class PreflightPanel(QWidget):
    """A button, a sentence of summary, and a row for each check: what is wrong comes first."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._is_busy = False
        self.rows: list[ResultRow] = []
        self.start = QPushButton(self.tr("&Check now"))
        theme.set_icon(self.start, "check")
        self.summary = QLabel(self.tr("Checks recordings, normalization, gripper, cameras and adapter before a run."))
        self.summary.setWordWrap(True)
        content = QWidget()
        self._list = QVBoxLayout(content)
        self._list.setContentsMargins(0, 0, theme.SMALL, 0)
        self._list.setSpacing(theme.MEDIUM)
        self._list.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.summary, 1)
        row.addWidget(self.start, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.MEDIUM)
        column.setSpacing(theme.MEDIUM)
        column.addLayout(row)
        column.addWidget(ScrollColumn(content), 1)
        self.start.clicked.connect(self.check)
        app_state.registry_ready.connect(self._enable)
        app_state.running_changed.connect(lambda _: self._enable())
        app_state.experiment_changed.connect(lambda _: self._grow_old())
        self._enable()

    def check(self) -> None:
        """Run the preflight of the present experiment in the background."""
        self._is_busy = True
        self._enable()
        self.summary.setText(self.tr("Checking …"))
        experiment, registry, look = (
            self._app_state.experiment,
            self._app_state.registry,
            self._app_state.engine.preflight,
        )
        self._app_state.background(lambda: look(experiment, registry), self._show, self._failed)

    def _show(self, results: list[CheckResult]) -> None:
        self._is_busy = False
        for old in self.rows:
            self._list.removeWidget(old)
            old.deleteLater()
        self.rows = [ResultRow(result) for result in sorted(results, key=lambda r: SEVERITY.index(r.state))]
        for place, row in enumerate(self.rows):
            self._list.insertWidget(place, row)
            row.fixed.connect(partial(self._apply, row.result))
        count = {state: sum(r.state == state for r in results) for state in ("problem", "warning")}
        words = self.tr("Nothing stands in the way of this run.")
        if any(count.values()):
            words = self.tr("{problem} to fix, {warning} to look at.").format(**count)
        self.summary.setText(words)
        self._enable()

    def _apply(self, result: CheckResult) -> None:
        error = self._app_state.edit(**result.changes)
        if error is not None:
            self._app_state.report(error)
        else:
            self.check()

    def _failed(self, error: Exception) -> None:
        self._is_busy = False
        self.summary.setText(self.tr("The preflight could not be finished."))
        self._app_state.report(error)
        self._enable()

    def _grow_old(self) -> None:
        if self.rows and not self._is_busy:
            self.summary.setText(self.tr("The experiment has changed since these checks."))

    def _enable(self) -> None:
        running = self._app_state.is_running
        self.start.setEnabled(self._app_state.registry_is_ready and not running and not self._is_busy)
        idle = self.tr("Reads the demonstrations and takes one gradient step on a copy of the policy; nothing is kept")
        self.start.setToolTip(self.tr("A training runs; check again when it has ended") if running else idle)


PANEL = PanelInfo(
    id="preflight",
    title="Preflight",
    summary="Checks recordings, normalization, gripper, cameras and adapter before an imitation run.",
    area="right",
    order=55,
    factory=PreflightPanel,
    help="data-and-embodiments",
)
