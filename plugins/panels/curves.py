"""The Curves panel: loss, success and load as they come, and the selected runs laid over each other."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QGuiApplication
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QMenu,
    QSizePolicy,
    QSlider,
    QStackedWidget,
    QToolBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from studio.contracts import PanelInfo
from studio.events import CheckpointSaved, DeviceSample, Evaluated, Event, MetricsLogged, StateChanged
from studio.experiment import Experiment
from widgets.curves import export
from widgets.curves.content import EVALUATION, LOAD, MEMORY
from widgets.curves.data import DEVICES, SEPARATOR, RunData, label_of, load_run
from widgets.curves.metric_chooser import MetricChooser
from widgets.curves.overlay import ENDED, Overlay, key_of
from widgets.curves.view import CurveView
from widgets.shell.app_state import AppState
from widgets.style import theme

DEFAULT_SMOOTHING = 90  # percent


class CurvesPanel(QWidget):
    """See the module."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self.app_state = app_state
        self.overlay = Overlay.of(app_state)
        self.view = CurveView(self.overlay.color)
        self.live: RunData | None = None
        self.loaded: dict[Path, RunData] = {}
        self._stamps: dict[Path, int] = {}  # when the log was last written, for those that were read
        self._reading: set[Path] = set()
        self._unreadable: set[Path] = set()  # reported once; read again when the run is selected again
        self._label = ""  # of the session that begins
        self._resumed: Path | None = None
        self.stack = QStackedWidget()
        self.stack.addWidget(self._empty_page())
        self.stack.addWidget(self.view)
        self.bar = self._tool_bar()
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.HAIR, theme.MEDIUM, theme.MEDIUM)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.bar)
        column.addWidget(self.stack)
        self.view.checkpoint_clicked.connect(app_state.checkpoint_chosen)
        self.view.menu_asked.connect(self._plot_menu)
        self.view.set_options(smoothing=DEFAULT_SMOOTHING / 100)
        app_state.events.connect(self._take)
        app_state.job_changed.connect(self._job)
        app_state.runs_changed.connect(self._reread)
        self.overlay.changed.connect(self._show)
        self._show()

    # -- making

    def _empty_page(self) -> QWidget:
        page = QLabel(
            self.tr("Press Run to see loss and success here,\nor check runs in the Runs panel to compare them.")
        )
        page.setAlignment(Qt.AlignmentFlag.AlignCenter)
        page.setProperty("role", "muted")
        page.setWordWrap(True)
        return page

    def _tool_bar(self) -> QToolBar:
        bar = QToolBar()
        bar.setObjectName("curves_bar")
        bar.setStyleSheet(
            "QToolBar#curves_bar { background: transparent; padding: 0; spacing: 2px; }"
            "QToolButton#qt_toolbar_ext_button { padding: 0; border: none; }"
        )
        self.chooser = MetricChooser()
        self.chooser.ask.connect(self._fill_chooser)
        self.chooser.chosen.connect(self.view.set_shown)
        bar.addWidget(self.chooser)
        bar.addSeparator()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 99)
        self.slider.setValue(DEFAULT_SMOOTHING)
        self.slider.setFixedWidth(96)
        self.slider.setAccessibleName(self.tr("Smoothing"))
        tip = self.tr(
            "Smoothing by an exponentially weighted moving average; the raw curve stays visible behind it. 0 turns "
            "it off."
        )
        self.slider.setToolTip(tip)
        name, self.slider_value = QLabel(self.tr("S&moothing")), QLabel(f"{DEFAULT_SMOOTHING / 100:.2f}")
        name.setBuddy(self.slider)
        name.setToolTip(tip)
        name.setContentsMargins(theme.SMALL, 0, theme.SMALL, 0)
        self.slider_value.setProperty("role", "muted")
        self.slider_value.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.00") + theme.MEDIUM)
        self.slider.valueChanged.connect(self._smooth)
        for widget in (name, self.slider, self.slider_value):
            bar.addWidget(widget)
        bar.addSeparator()
        self.by_step = self._toggle(bar, self.tr("Step"), self.tr("Horizontal axis: gradient steps"), True)
        self.by_time = self._toggle(bar, self.tr("Time"), self.tr("Horizontal axis: training time"), False)
        group = QActionGroup(self)
        for action in (self.by_step, self.by_time):
            group.addAction(action)
        group.triggered.connect(lambda a: self.view.set_options(axis="time" if a is self.by_time else "step"))
        bar.addSeparator()
        self.log_y = self._toggle(bar, self.tr("Log y"), self.tr("Logarithmic vertical axis for metrics"), False)
        self.log_y.toggled.connect(lambda on: self.view.set_options(log_y=on))
        self.link_x = self._toggle(bar, self.tr("Link x"), self.tr("Zoom and pan the plots together"), True)
        self.link_x.toggled.connect(lambda on: self.view.set_options(link_x=on))
        self.fit = QAction(self.tr("Fit"), self)
        self.fit.setToolTip(self.tr("Zoom out to all data (or double-click a plot)"))
        self.fit.triggered.connect(self.view.fit)
        bar.addAction(self.fit)
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar.addWidget(space)
        self.export_button = QToolButton()
        self.export_button.setAccessibleName(self.tr("Export"))
        self.export_button.setToolTip(self.tr("Export the plots as PNG, SVG or CSV"))
        self.export_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        theme.set_icon(self.export_button, "save")
        menu = QMenu(self.export_button)
        self._fill_export(menu)
        self.export_button.setMenu(menu)
        bar.addWidget(self.export_button)
        more = bar.findChild(QToolButton, "qt_toolbar_ext_button")  # what a narrow dock has no room for
        if more is not None:
            more.setAccessibleName(self.tr("More"))
            theme.set_icon(more, "right")
        return bar

    def _toggle(self, bar: QToolBar, text: str, help: str, checked: bool) -> QAction:
        action = QAction(text, self)
        action.setCheckable(True)
        action.setChecked(checked)
        action.setToolTip(help)
        bar.addAction(action)
        return action

    def _fill_export(self, menu: QMenu) -> None:
        menu.addAction(self.tr("&PNG image…"), partial(self._ask, "png"))
        menu.addAction(self.tr("&SVG image…"), partial(self._ask, "svg"))
        menu.addAction(self.tr("&CSV data…"), partial(self._ask, "csv"))
        menu.addSeparator()
        menu.addAction(self.tr("Copy i&mage"), self.copy_picture)

    # -- what comes

    def _job(self, _number: int, _count: int, job: Any) -> None:
        self._label = label_of(job) if isinstance(job, Experiment) else ""
        self._resumed = None if isinstance(job, Experiment) else key_of(job)

    def _take(self, events: list[Event]) -> None:
        touched: set[str] = set()
        for event in events:
            if isinstance(event, MetricsLogged):
                self._live().add_metrics(event.stage, event.step, event.seconds, event.values, event.units)
                touched.update(event.values)
            elif isinstance(event, DeviceSample):
                self._live().add_device(event.time, {name: getattr(event, name) for name in DEVICES})
                touched.update((LOAD, MEMORY))
            elif isinstance(event, Evaluated):
                self._live().add_score(
                    event.stage, event.domain, event.step, event.success, event.low, event.high, event.measure
                )
                touched.add(EVALUATION + event.measure)
            elif isinstance(event, CheckpointSaved):
                self._live().add_checkpoint(event.stage, event.step)
                touched.update(name for _, name in self._live().metrics)
            elif isinstance(event, StateChanged):
                self._state(self.overlay.run_of(event.run), event.state)
        if touched and self.live is not None and self.live in self.view.runs:
            self.view.touch(touched)

    def _live(self) -> RunData:
        if self.live is None:  # numbers without a state before them: the window came later than the session
            self.live = RunData(self.overlay.live, self._label or self.tr("this run"))
            self._show()
        return self.live

    def _state(self, folder: Path, state: str) -> None:
        if state in ENDED or (self.live is not None and self.live.folder == folder):
            return
        self.live = RunData(folder, self._label or folder.name)
        self.loaded[folder] = self.live
        if folder == self._resumed:  # what it did before is in its log
            self._read(folder)
        self._show()

    # -- what is shown

    def _show(self) -> None:
        folders = list(self.overlay.shown)
        running = self.live is not None and self.overlay.live_state not in ENDED
        runs = [self.loaded[f] for f in folders if f in self.loaded]
        if self.live is not None and running and self.live not in runs:
            runs.append(self.live)
        for folder in folders:
            going = folder == self.overlay.live and self.overlay.live_state not in ENDED
            if folder not in self.loaded and folder not in self._unreadable and not going:  # its numbers come as events
                self._read(folder)
        self._unreadable &= set(folders)
        for folder in [f for f in self.loaded if f not in folders and self.loaded[f] is not self.live]:
            del self.loaded[folder]  # twenty runs are enough to keep
        tell_apart(runs)
        self.view.set_runs(runs)
        self.stack.setCurrentIndex(1 if runs else 0)
        self.bar.setEnabled(bool(runs))

    def _read(self, folder: Path) -> None:
        if folder in self._reading:
            return
        self._reading.add(folder)

        def work() -> tuple[int, RunData]:
            stamp = _stamp(folder)
            return stamp, load_run(folder)

        def done(result: tuple[int, RunData]) -> None:
            if not isValid(self):
                return
            self._reading.discard(folder)
            self._stamps[folder], read = result
            present = self.loaded.get(folder)
            if present is not None and present is self.live:
                present.prepend(read)
            else:
                self.loaded[folder] = read
            self._show()

        def failed(error: Exception) -> None:
            if isValid(self):
                self._reading.discard(folder)
                self._unreadable.add(folder)
                self.app_state.report(error, self.tr("The run cannot be plotted"))

        self.app_state.background(work, done, failed)

    def _reread(self) -> None:
        """Runs of other programs grow too: what was written since is read again."""
        known = {f: self._stamps.get(f, 0) for f, run in self.loaded.items() if run is not self.live}
        if not known:
            return

        def done(changed: list[Path]) -> None:
            for folder in changed if isValid(self) else ():
                self._read(folder)

        self.app_state.background(lambda: [f for f, stamp in known.items() if _stamp(f) not in (0, stamp)], done)

    # -- what is asked

    def _smooth(self, percent: int) -> None:
        self.slider_value.setText(f"{percent / 100:.2f}" if percent else self.tr("off"))
        self.view.set_options(smoothing=percent / 100)

    def _fill_chooser(self) -> None:
        entries = []
        for key in self.view.candidates:
            name, stage = self.view.words(key)
            entries.append((key, f"{name} · {stage}" if stage else name, self.view.is_shown(key)))
        self.chooser.set_entries(entries)

    def _plot_menu(self, key: Any, place: Any) -> None:
        menu = QMenu(self)
        menu.addAction(self.fit)
        menu.addAction(self.tr("&Hide this plot"), partial(self.view.set_shown, key, False))
        menu.addSeparator()
        self._fill_export(menu)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)

    def _ask(self, kind: str) -> None:
        names = {
            "png": self.tr("PNG image (*.png)"),
            "svg": self.tr("SVG image (*.svg)"),
            "csv": self.tr("CSV data (*.csv)"),
        }
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Export the curves"), f"curves.{kind}", names[kind])
        if path:
            self.export(Path(path).with_suffix(f".{kind}"))

    def export(self, path: Path) -> None:
        """Writes what is shown, in the kind the suffix says; a toast tells when it is done."""
        self.view.contents()
        if path.suffix == ".csv":
            rows = export.take_rows(self.view.plots, self.view.runs)

            def work() -> Path:
                return export.write(path, export.csv_text(rows).encode())
        else:
            with export.Figure(self.view.plots.values(), self.view.columns) as figure:
                drawn: Any = figure.svg() if path.suffix == ".svg" else figure.image()

            def work() -> Path:
                return export.write(path, drawn if isinstance(drawn, bytes) else export.png_bytes(drawn))

        said = self.tr("Saved %1")
        self.app_state.background(
            work, lambda made: self.app_state.toast.emit("info", said.replace("%1", str(made)), "")
        )

    def copy_picture(self) -> None:
        """Puts the picture on the clipboard."""
        self.view.contents()
        with export.Figure(self.view.plots.values(), self.view.columns) as figure:
            QGuiApplication.clipboard().setImage(figure.image())


def tell_apart(runs: list[RunData]) -> None:
    """Gives each run the shortest label that tells it from the others: what all have in common goes without saying."""
    parts = [run.name.split(SEPARATOR) for run in runs]
    common = set(parts[0]).intersection(*parts[1:]) if len(runs) > 1 else set()
    for run, own in zip(runs, parts, strict=True):
        run.label = SEPARATOR.join(p for p in own if p not in common) or run.name
    counted = Counter(run.label for run in runs)
    for run in runs:
        if counted[run.label] > 1 and run.folder is not None:
            run.label = f"{run.label}{SEPARATOR}{run.folder.name}"


def _stamp(folder: Path) -> int:
    try:
        return (folder / "log.h5").stat().st_mtime_ns
    except OSError:
        return 0


PANEL = PanelInfo(
    id="curves",
    title="Curves",
    summary="Live loss, success and load, with the selected runs overlaid.",
    area="center",
    order=50,
    factory=CurvesPanel,
)
