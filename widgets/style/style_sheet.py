"""The stylesheet's text. ``@name`` stands for a semantic color of :mod:`widgets.style.theme`."""

from __future__ import annotations

STYLE = """
QMainWindow, QMainWindow > QWidget { background: @window; }
QMainWindow::separator { background: @window; width: 4px; height: 4px; }
QMainWindow::separator:hover { background: @accent; }
QToolTip { background: @raised; color: @text; border: 1px solid @border; padding: 4px 6px; }

QDockWidget { color: @muted; titlebar-close-icon: none; titlebar-normal-icon: none; }
QDockWidget > QWidget { background: @surface; }

QToolBar { background: @window; border: none; padding: 4px 0; spacing: 4px; }
QToolBar::separator { background: @border; width: 1px; margin: 5px 4px; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 5px; padding: 3px 6px;
  color: @text; }
QToolButton:hover { background: @hover; }
QToolButton:pressed, QToolButton:checked { background: @accent_soft; }
QToolButton:focus { border-color: @accent; }
QToolButton:disabled { color: @disabled; }
QToolButton[popupMode="1"] { padding-right: 16px; }
QToolButton::menu-button { border: none; width: 14px; }
QToolButton::menu-indicator { image: none; width: 0; }
QToolButton#run { background: @accent; color: @accent_text; font-weight: 600; padding: 3px 14px 3px 10px; }
QToolButton#run:hover { background: @accent; border-color: @text; }
QToolButton#run:disabled { background: @hover; color: @disabled; }

QToolButton#section { font-weight: 600; padding: 3px 2px; text-align: left; }
QToolButton#section:checked { background: transparent; }

QPushButton { background: @raised; border: 1px solid @border; border-radius: 5px; padding: 3px 10px;
  min-height: 18px; color: @text; }
QPushButton:hover { background: @hover; }
QPushButton:pressed { background: @accent_soft; }
QPushButton:focus { border-color: @accent; }
QPushButton:disabled { color: @disabled; background: @surface; }
QPushButton:checked { background: @accent_soft; border-color: @accent; }
QPushButton[accent="true"] { background: @accent; border-color: @accent; color: @accent_text; font-weight: 600; }
QPushButton[accent="true"]:disabled { background: @hover; border-color: @border; color: @disabled; }

QPushButton[small="true"] { padding: 0 8px; min-height: 16px; }

QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox {
  background: @raised; border: 1px solid @border; border-radius: 4px; color: @text;
  selection-background-color: @accent; selection-color: @accent_text; }
QLineEdit, QAbstractSpinBox, QComboBox { padding: 1px 6px; min-height: 20px; }
QLineEdit:hover, QAbstractSpinBox:hover, QComboBox:hover { border-color: @disabled; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QAbstractSpinBox:focus, QComboBox:focus {
  border-color: @accent; }
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled { background: @surface; color: @disabled; }
QLineEdit[problem="true"], QAbstractSpinBox[problem="true"], QComboBox[problem="true"] { border-color: @error; }
QAbstractSpinBox QLineEdit, QComboBox QLineEdit { border: none; background: transparent; min-height: 0; }
QAbstractSpinBox QLineEdit { padding: 0 4px; }
QComboBox QLineEdit { padding: 0; }
QComboBox[tight="true"] { padding-right: 1px; }
QComboBox::drop-down { border: none; width: 18px; }
QComboBox::down-arrow { image: url("@icons/arrow-down.svg"); width: 12px; height: 12px; }
QAbstractSpinBox { padding: 1px 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { border: none; background: transparent; width: 16px; }
QAbstractSpinBox::up-button { subcontrol-origin: border; subcontrol-position: top right; margin: 2px 2px 0 0; }
QAbstractSpinBox::down-button { subcontrol-origin: border; subcontrol-position: bottom right; margin: 0 2px 2px 0; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: @hover; border-radius: 2px; }
QAbstractSpinBox[buttonSymbols="NoButtons"]::up-button, QAbstractSpinBox[buttonSymbols="NoButtons"]::down-button {
  width: 0; }
QAbstractSpinBox::up-arrow { image: url("@icons/arrow-up.svg"); width: 9px; height: 9px; }
QAbstractSpinBox::down-arrow { image: url("@icons/arrow-down.svg"); width: 9px; height: 9px; }
QAbstractSpinBox[buttonSymbols="NoButtons"]::up-arrow, QAbstractSpinBox[buttonSymbols="NoButtons"]::down-arrow,
QAbstractSpinBox[buttonSymbols="2"]::up-arrow, QAbstractSpinBox[buttonSymbols="2"]::down-arrow { image: none;
  width: 0; }
RangeRow QAbstractSpinBox::up-arrow, RangeRow QAbstractSpinBox::down-arrow { image: none; width: 0; }
QComboBox QAbstractItemView { background: @raised; border: 1px solid @border; outline: none; padding: 2px;
  selection-background-color: @accent_soft; selection-color: @text; }

QCheckBox, QRadioButton { spacing: 6px; }
QCheckBox::indicator, QAbstractItemView::indicator {
  width: 13px; height: 13px; background: @raised; border: 1px solid @disabled; border-radius: 3px; }
QCheckBox::indicator:hover, QCheckBox::indicator:focus { border-color: @accent; }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked { image: url("@icons/tick.svg");
  border-color: @accent; }
QCheckBox::indicator:disabled { border-color: @border; background: @surface; }
QGroupBox { border: none; margin-top: 20px; font-weight: 600; }
QGroupBox::title { subcontrol-origin: margin; left: 0; padding: 0; color: @text; }

QAbstractScrollArea { border: none; }
QScrollArea, QScrollArea > QWidget > QWidget#scrolled { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: @border; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: @disabled; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }

QTabWidget::pane { border: none; }
QTabBar { background: transparent; }
QTabBar::tab { background: transparent; color: @muted; padding: 5px 12px; border: none;
  border-bottom: 2px solid transparent; }
QTabBar::tab:hover { color: @text; }
QTabBar::tab:selected { color: @text; border-bottom: 2px solid @accent; }

QAbstractItemView { background: @surface; alternate-background-color: @raised; color: @text; outline: none;
  border: none;
  selection-background-color: @accent_soft; selection-color: @text; }
QAbstractItemView::item { padding: 2px 4px; }
QAbstractItemView::item:hover { background: @hover; }
QAbstractItemView::item:selected { background: @accent_soft; color: @text; }
QTableView { gridline-color: @grid; }
QHeaderView { background: @surface; }
QHeaderView::section { background: @surface; color: @muted; border: none; border-bottom: 1px solid @border;
  padding: 4px 6px; }
QTableCornerButton::section { background: @surface; border: none; }

QMenuBar { background: @window; color: @text; padding: 2px 4px; }
QMenuBar::item { background: transparent; padding: 3px 8px; border-radius: 4px; }
QMenuBar::item:selected { background: @hover; }
QMenu { background: @raised; color: @text; border: 1px solid @border; border-radius: 5px; padding: 4px; }
QMenu::item { padding: 4px 24px 4px 22px; border-radius: 4px; }
QMenu::item:selected { background: @accent_soft; }
QMenu::item:disabled { color: @disabled; }
QMenu::separator { background: @border; height: 1px; margin: 4px 6px; }
QMenu::icon { padding-left: 4px; }

QStatusBar { background: @window; color: @muted; }
QStatusBar::item { border: none; }
QProgressBar { background: @hover; border: none; border-radius: 3px; text-align: center; color: @text;
  max-height: 6px; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }
QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: @accent; }

QLabel[role="title"] { font-weight: 600; }
QLabel[role="muted"] { color: @muted; }
QLabel[role="problem"] { color: @error; }
QLabel[role="warning"] { color: @warning; }
QFrame[role="card"] { background: @raised; border: 1px solid @border; border-radius: 5px; }
QFrame[role="line"] { background: @border; border: none; max-height: 1px; }
"""
