"""The choice between light, dark and the system's scheme: three commands, and a setting that keeps the choice."""

from __future__ import annotations

from PySide6.QtCore import QObject, QSettings
from PySide6.QtGui import QAction, QActionGroup

from widgets.style import theme

KEY = "window/scheme"  # of the setting: system, light or dark
SCHEMES: dict[str, theme.Scheme | None] = {"system": None, "light": "light", "dark": "dark"}


class Appearance(QObject):
    """Offers the schemes as actions of which exactly one is checked, and applies the one that was kept.

    Args:
        parent: owns the actions.
        settings: where the choice is kept; None keeps nothing and leaves the present scheme alone.
    """

    def __init__(self, parent: QObject, settings: QSettings | None) -> None:
        super().__init__(parent)
        self._settings = settings
        words = {
            "system": (self.tr("&Follow the system"), self.tr("Appearance: light or dark, following the desktop")),
            "light": (self.tr("&Light"), self.tr("Appearance: light colors, whatever the desktop uses")),
            "dark": (self.tr("&Dark"), self.tr("Appearance: dark colors, whatever the desktop uses")),
        }
        group = QActionGroup(self)
        self.actions: dict[str, QAction] = {}
        for key, (text, help) in words.items():
            action = QAction(text, self)
            action.setStatusTip(help)
            action.setToolTip(help)
            action.setCheckable(True)
            action.setData(key)
            group.addAction(action)
            self.actions[key] = action
        kept = str(settings.value(KEY, "system")) if settings is not None else "system"
        chosen = kept if kept in SCHEMES else "system"  # a settings file may come from another version
        self.actions[chosen].setChecked(True)
        if settings is not None:
            theme.force(SCHEMES[chosen])
        group.triggered.connect(self._choose)

    def _choose(self, action: QAction) -> None:
        key = str(action.data())
        if self._settings is not None:
            self._settings.setValue(KEY, key)
        theme.force(SCHEMES[key])
