"""A panel's dock: its title bar, and the placeholder where a panel could not be made."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.contracts import PanelInfo
from studio.registry import Broken, describe_failure
from widgets.shell.app_state import AppState
from widgets.style import theme

# Of a floating panel: a tool window of the main one, which window managers keep above it, with their frame and title
FRAMED = Qt.WindowType.Tool | Qt.WindowType.CustomizeWindowHint | Qt.WindowType.WindowTitleHint
FRAMED |= Qt.WindowType.WindowSystemMenuHint | Qt.WindowType.WindowCloseButtonHint


class DockTitle(QWidget):
    """The bar over a panel: its name, and what floats or closes it. It may be dragged, as Qt's own."""

    def __init__(self, dock: QDockWidget, summary: str) -> None:
        super().__init__(dock)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        name = QLabel(dock.windowTitle())
        name.setFont(theme.small_font(bold=True))
        name.setProperty("role", "muted")
        name.setToolTip(summary)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 3, theme.SMALL, 1)
        layout.setSpacing(0)
        layout.addWidget(name, 1)
        for icon, words, act in (
            ("float", self.tr("Detach this panel, or dock it again"), lambda: dock.setFloating(not dock.isFloating())),
            ("close", self.tr("Close this panel; reopen it from the View menu"), dock.close),
        ):
            button = QToolButton()
            button.setFixedSize(22, 20)
            button.setAutoRaise(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # by keyboard, the View menu does this
            button.setAccessibleName(words)
            button.setToolTip(words)
            theme.set_icon(button, icon, "disabled")
            button.clicked.connect(act)
            layout.addWidget(button)


class PanelDock(QDockWidget):
    """The dock of one contribution of kind ``panels``. ``broken`` is why it shows a placeholder, if it does."""

    def __init__(self, info: PanelInfo, app_state: AppState) -> None:
        super().__init__(info.title)
        self.info = info
        self.broken: Broken | None = None
        self.setObjectName(f"panel.{info.id}")
        self.setAccessibleName(info.title)
        self.setTitleBarWidget(DockTitle(self, info.summary))
        try:
            panel: Any = info.factory(app_state)
            if not isinstance(panel, QWidget):
                raise TypeError(f"the factory gave {type(panel).__name__}, not a QWidget")
        except Exception as error:  # whatever a plugin does, the window lives
            self.broken = describe_failure("panels", info.id, error)
            panel = Placeholder(self.broken)
        panel.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)  # the stylesheet gives panels their ground
        self.panel: QWidget = panel
        self.setWidget(panel)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        QTimer.singleShot(0, self, self.frame_window)

    def frame_window(self) -> None:
        """Give the window that this panel floats in, alone or with its tabs, a frame above the main window.

        Qt floats panels that have title bars of their own as bare windows. Those of a kept layout it shows before the
        main window, and so behind it. Nothing happens while a window is dragged or the main one is hidden.
        """
        window = self.window()
        main = window.parentWidget()  # none: the panel is docked
        bare = bool(window.windowFlags() & Qt.WindowType.FramelessWindowHint)
        dragged = bool(window.windowFlags() & Qt.WindowType.X11BypassWindowManagerHint)
        if main is None or not main.isVisible() or window.isHidden() or not bare or dragged:
            return
        geometry = window.geometry()
        window.setWindowFlags(FRAMED)  # hides it
        window.setGeometry(geometry)
        window.show()


class Placeholder(QWidget):
    """Stands where a panel's factory raised: which plugin, which line, and the traceback."""

    def __init__(self, broken: Broken) -> None:
        super().__init__()
        head = QLabel(self.tr("This panel could not be created"))
        head.setProperty("role", "title")
        sentence = QLabel(str(broken))
        sentence.setWordWrap(True)
        sentence.setProperty("role", "problem")
        sentence.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        remedy = QLabel(self.tr("Fix the plugin at that line and restart the studio. The other panels work."))
        remedy.setWordWrap(True)
        trace = QPlainTextEdit(broken.traceback)
        trace.setReadOnly(True)
        trace.setFont(theme.fixed_font())
        trace.setAccessibleName(self.tr("Traceback"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, theme.MEDIUM, 12, 12)
        layout.setSpacing(theme.MEDIUM)
        for widget in (head, sentence, remedy):
            layout.addWidget(widget)
        layout.addWidget(trace, 1)
