"""The main window: one dock for each panel, the pipeline bar above them, and the commands."""

from __future__ import annotations

from functools import partial
from html import escape
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QByteArray, QChildEvent, QSettings, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QMessageBox, QTabBar, QTabWidget, QToolBar, QWidget

from studio import help_pages
from studio.contracts import ShowsFields, ShutsDown
from studio.events import Event, Failed
from widgets.help.keys import KEYS
from widgets.help.window import HelpWindow
from widgets.shell import dock_layout, menus, opening
from widgets.shell.app_state import AppState
from widgets.shell.commands import Commands
from widgets.shell.dock import PanelDock
from widgets.shell.notice_list import NoticeList
from widgets.shell.offers import Offers
from widgets.shell.pipeline_bar import PipelineBar
from widgets.shell.problem_list import ProblemList
from widgets.shell.status import DeviceStatus
from widgets.shell.toasts import Notice, Toasts
from widgets.style import theme

LAYOUT_VERSION = 2
SIZE = QSize(1440, 900)


class MainWindow(QMainWindow):
    """The studio's window.

    Args:
        app_state: what the panels share; the window closes it when it is closed.
        settings: where the layout and the choice of light or dark are kept; None keeps nothing (tests, screenshots).
        goes_on: whether the queue goes on where it was left, and what was interrupted is offered.
    """

    def __init__(self, app_state: AppState, settings: QSettings | None = None, goes_on: bool = True) -> None:
        super().__init__()
        self.app_state = app_state
        self._settings = settings
        self._closing = False
        self._placed = False
        self.setWindowTitle("Transfer Studio")
        self.setWindowIcon(theme.icon("app"))
        self.setDockNestingEnabled(True)
        self.setDockOptions(self.dockOptions() | QMainWindow.DockOption.GroupedDragging)
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.setContentsMargins(theme.SMALL, 0, theme.SMALL, 0)
        self.setAcceptDrops(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.toasts = Toasts(self, settings)
        app_state.folders.settings = settings
        app_state.toast.connect(self.toasts.show_toast)
        self.docks: dict[str, PanelDock] = {}
        self._make_docks()
        self.commands = Commands(self, app_state, self.docks, self.open_path, self.reset_layout, settings)
        self._help: HelpWindow | None = None
        self._active_dock: PanelDock | None = None  # the panel that has the focus, or whose tab was clicked
        cast(QApplication, QApplication.instance()).focusChanged.connect(self._set_active_dock)
        self.commands.help.triggered.connect(self.show_help)
        self.commands.contents.triggered.connect(lambda: self.help_window().show_page(help_pages.INDEX))
        self.commands.keys.triggered.connect(lambda: self.help_window().show_page(KEYS))
        self._make_bars()
        self.resize(SIZE)
        self._restore_layout()
        app_state.events.connect(self._take_events)
        app_state.registry_ready.connect(self._report_broken)
        self.offers = Offers(app_state, self.toasts) if goes_on else None
        app_state.running_changed.connect(self._close_when_stopped)
        app_state.document.changed.connect(self._show_title)
        app_state.document.ask = self._ask_to_save
        self._show_title()

    # -- docks ---------------------------------------------------------------------------------------------------

    def reset_layout(self) -> None:
        """Put every panel back to its place."""
        dock_layout.place(self, self.docks.values())
        dock_layout.size(self, self.docks.values())

    def save_layout(self) -> None:
        """Keep geometry and docks for the next start."""
        if self._settings is not None:
            self._settings.setValue("window/geometry", self.saveGeometry())
            self._settings.setValue("window/docks", self.saveState(LAYOUT_VERSION))
            self._settings.setValue("window/panels", self._panel_ids())

    def show_help(self) -> None:
        """Show the help of the active panel; the contents where there is none."""
        if self._active_dock is None:
            self.help_window().show_page(help_pages.INDEX)
        else:
            self.help_window().show_panel(self._active_dock.info)

    def help_window(self) -> HelpWindow:
        """Return the help, raised."""
        if self._help is None:
            self._help = HelpWindow([dock.info for dock in self.docks.values()], self.commands.all())
            self._help.experiment_wanted.connect(self.open_path)
        self._help.show()
        self._help.raise_()
        self._help.activateWindow()
        return self._help

    def _set_active_dock(self, before: QWidget | None, focus: QWidget | None) -> None:
        if before is None and self._active_dock is not None:
            return  # the window was activated, and the focus is where it was
        for dock in self.docks.values():
            if focus is not None and dock.isAncestorOf(focus):
                self._active_dock = dock

    def childEvent(self, event: QChildEvent) -> None:
        """Listen to the tabs of stacked panels, which Qt makes when it needs them: a click leaves the focus alone."""
        super().childEvent(event)
        bar = event.child()
        if event.polished() and isinstance(bar, QTabBar):
            bar.tabBarClicked.connect(partial(self._tab_clicked, bar))

    def _tab_clicked(self, bar: QTabBar, index: int) -> None:
        title = bar.tabText(index).replace("&&", "&")
        self._active_dock = next((d for d in self.docks.values() if d.windowTitle() == title), self._active_dock)

    def show_field(self, dotted: str) -> bool:
        """Raise the panel that has the field and give the field the focus; return False where no panel has it."""
        for dock in self.docks.values():
            if isinstance(dock.panel, ShowsFields) and dock.panel.show_field(dotted):
                dock.show()
                dock.raise_()
                return True
        return False

    def _make_docks(self) -> None:
        panels = sorted(self.app_state.registry.all("panels").values(), key=lambda p: (p.order, p.title))
        for info in panels:
            dock = PanelDock(info, self.app_state)
            dock.setParent(self)
            self.docks[info.id] = dock
            if dock.broken is not None:
                self.app_state.toast.emit("error", str(dock.broken), dock.broken.traceback)
        dock_layout.place(self, self.docks.values())

    def _restore_layout(self) -> None:
        if self._settings is None:
            return
        geometry, docks = self._settings.value("window/geometry"), self._settings.value("window/docks")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        # a layout of other panels says nothing of the new ones: Qt would stack them below the rest
        if isinstance(docks, QByteArray) and self._settings.value("window/panels") == self._panel_ids():
            self._placed = self.restoreState(docks, LAYOUT_VERSION)

    def _panel_ids(self) -> str:
        return " ".join(sorted(self.docks))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        for dock in self.docks.values():
            QTimer.singleShot(0, dock, dock.frame_window)
        if not self._placed:  # sizes hold only once the window has its own
            self._placed = True
            QTimer.singleShot(0, self, lambda: dock_layout.size(self, self.docks.values()))

    # -- bars ----------------------------------------------------------------------------------------------------

    def _make_bars(self) -> None:
        commands = self.commands
        menus.fill_menus(self.menuBar(), commands)
        bar = self._bar("commands", self.tr("Commands"))
        menus.fill_tool_bar(bar, commands)
        problems = ProblemList(self.app_state)
        problems.field_wanted.connect(self.show_field)
        # a tool bar hides what it hides through the action it wraps the widget in
        wrapped = bar.addWidget(problems)
        self.app_state.problems_changed.connect(lambda found: wrapped.setVisible(bool(found)))
        wrapped.setVisible(bool(self.app_state.problems))
        self.addToolBarBreak()
        self.pipeline_bar = PipelineBar(self.app_state)
        self._bar("pipeline", self.tr("Stages of the experiment")).addWidget(self.pipeline_bar)
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addPermanentWidget(DeviceStatus(self.app_state))
        self.statusBar().addPermanentWidget(NoticeList(self.toasts))

    def _bar(self, name: str, title: str) -> QToolBar:
        bar = QToolBar(title, self)
        bar.setObjectName(f"bar.{name}")
        bar.setMovable(False)
        bar.setFloatable(False)
        bar.setIconSize(QSize(theme.ICON, theme.ICON))
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
        return bar

    def _show_title(self) -> None:
        experiment = self.app_state.experiment
        self.setWindowTitle(f"{experiment.heading}[*] – Transfer Studio")
        self.setWindowModified(self.app_state.document.is_modified)
        self.pipeline_bar.setToolTip(f"<p>{escape(experiment.description)}</p>" if experiment.description else "")

    # -- news ----------------------------------------------------------------------------------------------------

    def _take_events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Failed):
                where = f"{event.field}: " if event.field else ""
                self.toasts.show_toast("error", f"{where}{event.message} {event.remedy}".strip(), event.traceback)

    def _report_broken(self) -> None:
        broken = self.app_state.registry.broken()
        if broken:
            names = ", ".join(sorted({b.name for b in broken}))
            words = self.tr("{count} plugins could not be loaded: {names}. Everything else works.")
            words = words.format(count=len(broken), names=names) if len(broken) > 1 else str(broken[0])
            details = "\n\n".join(f"{b}\n{b.traceback}" for b in broken)
            self.toasts.show_notice(Notice("warning", words, details, key=f"plugins: {words}"))

    # -- files ---------------------------------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open any file that the studio can read, in the background."""
        self.app_state.background(partial(opening.read, path), partial(self._opened, path))

    def _opened(self, path: Path, found: tuple[opening.Opened, Any]) -> None:
        kind, content = found
        error = None
        if kind in ("experiment", "run"):
            self.app_state.document.open(content, path if kind == "experiment" else path / "experiment.yaml")
            if kind == "run":
                self.app_state.runs_selected.emit([path])
        elif kind == "dataset":
            error = self.app_state.edit(**{"target.dataset": str(content)})
        else:
            error = self.app_state.edit(**{"target.embodiment": str(content)})
        if error is not None:
            self.app_state.report(error)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(opening.kind_of(Path(url.toLocalFile())) for url in event.mimeData().urls() if url.isLocalFile()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for url in event.mimeData().urls():
            if url.isLocalFile():
                self.open_path(Path(url.toLocalFile()))
        event.acceptProposedAction()

    # -- the end -------------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        running = self.app_state.is_running
        if not self._closing and not (self.app_state.document.may_leave() and (not running or self._ask_to_stop())):
            event.ignore()
            return
        if running:
            if not self._closing:
                self._closing = True
                self.setEnabled(False)
                self.app_state.sessions.leave()
            event.ignore()  # the session writes its checkpoint; the window closes when the thread has ended
            return
        self.save_layout()
        if self._help is not None:
            self._help.close()
        for widget in self.findChildren(QWidget):
            if isinstance(widget, ShutsDown):
                widget.shut_down()
        self.app_state.close()
        event.accept()

    def _close_when_stopped(self, running: bool) -> None:
        if self._closing and not running:
            QTimer.singleShot(0, self, self.close)

    def _ask_to_save(self) -> bool:
        """Ask what to do with unsaved changes. Return whether they are saved, or may be lost."""
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(self.tr("Unsaved changes"))
        box.setText(self.tr("Save the changes to {name}?").format(name=self.app_state.experiment.name))
        box.setInformativeText(self.tr("They are lost if you don't save them."))
        button = QMessageBox.StandardButton
        box.setStandardButtons(button.Save | button.Discard | button.Cancel)
        box.setDefaultButton(button.Save)
        answer = box.exec()
        return answer == button.Discard or (answer == button.Save and self.commands.save_before_leaving())

    def _ask_to_stop(self) -> bool:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(self.tr("A run is in progress"))
        box.setText(self.tr("Stop the run and close the studio?"))
        words = self.tr("A checkpoint is saved first. The studio goes on with the run when it is opened again.")
        waiting = len(self.app_state.queue.waiting)
        if waiting:
            words = self.tr(
                "A checkpoint is saved first. The studio goes on with the run, and with the {count} that wait, when it "
                "is opened again."
            )
        box.setInformativeText(words.format(count=waiting))
        stop = box.addButton(self.tr("Stop and close"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(self.tr("Keep running"), QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return box.clickedButton() is stop
