"""Floating panels, alone and with their tabs, and those that a kept layout floats: framed, above the main window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QRect, QSettings, Qt
from PySide6.QtWidgets import QWidget

from tests.widgets.shell import fakes
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow

BARE = Qt.WindowType.FramelessWindowHint


def is_framed_over(floating: QWidget, window: MainWindow) -> bool:
    """Whether a shown window has the window manager's frame and is kept above the main window."""
    if not floating.isVisible() or floating.windowFlags() & BARE:
        return False
    return floating.windowHandle().transientParent() is window.windowHandle()


def test_a_floating_panel_has_a_frame_and_keeps_its_place(qtbot: Any, window: MainWindow) -> None:
    dock = window.docks["curves"]
    dock.setFloating(True)
    dock.setGeometry(QRect(300, 200, 320, 240))
    qtbot.waitUntil(lambda: is_framed_over(dock, window))
    assert dock.isFloating() and dock.geometry() == QRect(300, 200, 320, 240)
    assert dock.windowTitle() == "Curves" and dock.windowFlags() & Qt.WindowType.WindowTitleHint
    dock.setFloating(False)
    qtbot.wait(20)
    assert dock.isVisible() and not dock.isFloating() and dock.window() is window


def test_a_kept_layout_floats_panels_over_the_window(qtbot: Any, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)

    def opened() -> MainWindow:
        state = AppState(tmp_path, registry=fakes.registry(fakes.PANELS), engine=fakes.FakeEngine().functions())
        made = MainWindow(state, settings)
        qtbot.addWidget(made)
        return made

    first = opened()
    first.show()
    first.docks["curves"].setFloating(True)
    first.close()
    second = opened()
    dock = second.docks["curves"]
    qtbot.wait(20)
    assert dock.isFloating() and dock.windowFlags() & BARE, "not before the main window is shown"
    second.show()
    qtbot.waitUntil(lambda: is_framed_over(dock, second))
    second.close()
