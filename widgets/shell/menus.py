"""Where the window's commands stand: in the menus and in the tool bar."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QMenuBar, QSizePolicy, QToolBar, QToolButton, QWidget

from widgets.shell.commands import Commands
from widgets.style import theme


def fill_menus(bar: QMenuBar, commands: Commands) -> None:
    """Make the menus."""
    file = bar.addMenu(commands.tr("&File"))
    file.addActions([commands.new, commands.open, commands.open_run])
    file.addMenu(commands.examples_menu)
    file.addSeparator()
    file.addActions([commands.save, commands.copy_line, commands.copy_yaml])
    file.addSeparator()
    file.addAction(commands.quit)
    run = bar.addMenu(commands.tr("&Run"))
    run.addActions([commands.run, commands.pause, commands.stop])
    run.addSeparator()
    run.addAction(commands.compare)
    view = bar.addMenu(commands.tr("&View"))
    view.addActions(commands.toggles)
    view.addSeparator()
    view.addMenu(commands.tr("A&ppearance")).addActions([*commands.appearance.actions.values()])
    view.addActions([commands.palette, commands.reset_layout])
    bar.addMenu(commands.tr("&Help")).addActions([commands.help, commands.contents, commands.keys])


def fill_tool_bar(bar: QToolBar, commands: Commands) -> None:
    """Put the daily commands into the tool bar."""
    bar.addActions([commands.run, commands.pause, commands.stop])
    button = bar.widgetForAction(commands.run)
    button.setObjectName("run")  # the stylesheet paints it in the accent
    bar.addSeparator()
    bar.addAction(commands.compare)
    bar.addSeparator()
    bar.addActions([commands.open, commands.save])
    copy = QToolButton()
    copy.setText(commands.tr("Copy as"))
    copy.setToolTip(commands.tr("Copy the experiment as a command line or as YAML"))
    copy.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    copy.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    theme.set_icon(copy, "copy")
    menu = QMenu(copy)
    menu.addActions([commands.copy_line, commands.copy_yaml])
    copy.setMenu(menu)
    bar.addWidget(copy)
    for action, name in ((commands.open, commands.tr("Open")), (commands.save, commands.tr("Save"))):
        action.setIconText(name)
    spring = QWidget()
    spring.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    bar.addWidget(spring)
