"""The look: palette, semantic colors, series colors, spacing and the stylesheet, for light and dark.

The scheme follows the system while the program runs, unless one is forced. Widgets that paint themselves ask
:func:`color` when they paint, and repaint on :data:`changed`; nothing keeps a color of one scheme.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache
from typing import Literal

from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal
from PySide6.QtGui import QAction, QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication
from shiboken6 import isValid

from studio import paths
from widgets.style.style_sheet import STYLE

Scheme = Literal["light", "dark"]

HAIR, SMALL, MEDIUM, LARGE, WIDE = 2, 4, 8, 16, 24  # the spacing grid, px
RADIUS = 5  # of panels and buttons, px
ICON = 16  # px

_COLORS: dict[str, tuple[str, str]] = {  # name: (light, dark)
    "window": ("#eef0f3", "#121418"),  # between the panels
    "surface": ("#fafbfc", "#191c21"),  # a panel's ground
    "raised": ("#ffffff", "#23272e"),  # fields, buttons, cards
    "hover": ("#e9edf3", "#2d323b"),
    "border": ("#d4d9e0", "#323842"),
    "text": ("#1b2027", "#e4e7eb"),
    "muted": ("#5c6673", "#98a1ae"),
    "disabled": ("#9aa3af", "#5e6773"),
    "accent": ("#1f63d6", "#5b9dff"),
    "accent_text": ("#ffffff", "#0b1220"),
    "accent_soft": ("#dbe7fb", "#223552"),  # selections, a running stage's ground
    "success": ("#12805c", "#3ecf9a"),
    "warning": ("#9a6200", "#f0b849"),
    "error": ("#c2283a", "#ff7b86"),
    "grid": ("#e3e7ec", "#2a2f37"),
    "plot_background": ("#ffffff", "#15181c"),
}

# Okabe and Ito's color-blind-safe hues, darkened for white ground and lightened for black; the same order in both,
# so a run keeps its hue when the scheme changes.
_SERIES: dict[Scheme, tuple[str, ...]] = {
    "light": ("#0072b2", "#d55e00", "#009e73", "#b5578f", "#a87700", "#3f97c9", "#6b7280"),
    "dark": ("#56a8f0", "#ff8f54", "#35c796", "#dc90bd", "#eac54a", "#9ad3f5", "#a3adba"),
}


class _Notifier(QObject):
    changed = Signal()


_notifier = _Notifier()
changed = _notifier.changed  # emitted after the scheme changed; connect without arguments
_forced: Scheme | None = None
_current: Scheme | None = None
_followed: QApplication | None = None  # the application whose system scheme is followed
_icons: weakref.WeakKeyDictionary[QAction | QAbstractButton, tuple[str, str]] = weakref.WeakKeyDictionary()
_listeners: list[tuple[QObject, Callable[[], None]]] = []


def scheme() -> Scheme:
    """Return the scheme in force: the forced one, else the system's (light where the system does not say)."""
    if _forced is not None:
        return _forced
    if QGuiApplication.instance() is None:
        return "light"
    return "dark" if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else "light"


# Viridis (Smith and van der Walt 2015), which grows as evenly in lightness for every kind of color vision; of it the
# part that stands out from the ground.
_VIRIDIS = (
    "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725",
)  # fmt: skip
_STANDS_OUT: dict[Scheme, tuple[float, float]] = {"light": (0.0, 0.7), "dark": (0.3, 1.0)}


def color(name: str) -> QColor:
    """A semantic color of the present scheme: accent, text, muted, border, surface, raised, success, warning, …"""
    return QColor(_COLORS[name][scheme() == "dark"])


def series(index: int) -> QColor:
    """Color of the ``index``-th run or curve, from a color-blind-safe palette; repeats after seven."""
    hues = _SERIES[scheme()]
    return QColor(hues[index % len(hues)])


def sequential(share: float) -> QColor:
    """Of a number in [0, 1], on a color-blind-safe scale from dark to bright that stands out from the plots' ground."""
    low, high = _STANDS_OUT[scheme()]
    place = (low + (high - low) * min(1.0, max(0.0, share))) * (len(_VIRIDIS) - 1)
    below = min(int(place), len(_VIRIDIS) - 2)
    return blend(QColor(_VIRIDIS[below + 1]), QColor(_VIRIDIS[below]), place - below)


def blend(over: QColor, under: QColor, share: float) -> QColor:
    """An opaque mix, ``share`` of ``over``: opaque pens draw much faster than transparent ones."""

    def mixed(one: int, other: int) -> int:
        return round(one * share + other * (1 - share))

    return QColor(mixed(over.red(), under.red()), mixed(over.green(), under.green()), mixed(over.blue(), under.blue()))


def small_font(base: QFont | None = None, bold: bool = False) -> QFont:
    """The font of captions and units: a step below the base font."""
    font = QFont(base or QApplication.font())
    if font.pointSizeF() > 0:
        font.setPointSizeF(max(7.5, font.pointSizeF() * 0.9))
    font.setBold(bold)
    return font


def fixed_font() -> QFont:
    """A monospaced font in the size of the text."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPointSizeF(QApplication.font().pointSizeF())
    return font


def force(wanted: Scheme | None) -> None:
    """Hold one scheme, whatever the system uses; None follows the system again.

    Qt is asked for it too, so that title bars and file dialogs of the desktop match where it can.
    """
    global _forced
    _forced = wanted
    if QGuiApplication.instance() is not None:
        hints = QGuiApplication.styleHints()
        if wanted is None:
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if wanted == "dark" else Qt.ColorScheme.Light)
    _refresh()


def apply(app: QApplication) -> None:
    """Set Fusion with our palette and stylesheet, and follow the system's scheme from now on."""
    global _current, _followed
    _current = None
    app.setStyle("Fusion")
    if _followed is not app:  # connect once for each application
        _followed = app
        app.styleHints().colorSchemeChanged.connect(lambda _scheme: _refresh())
    _refresh()


def icon(name: str, tint: str = "text") -> QIcon:
    """An icon of ``assets/icons`` in a semantic color of the present scheme."""
    made = QIcon()
    source = _svg(name)
    for mode, shade in ((QIcon.Mode.Normal, tint), (QIcon.Mode.Disabled, "disabled")):
        renderer = QSvgRenderer(QByteArray(source.replace("currentColor", color(shade).name()).encode()))
        for side in (ICON, 2 * ICON, 3 * ICON):
            pixmap = QPixmap(side, side)
            pixmap.fill(Qt.GlobalColor.transparent)
            painter = QPainter(pixmap)
            renderer.render(painter, QRectF(0, 0, side, side))
            painter.end()
            made.addPixmap(pixmap, mode)
    return made


def set_icon(target: QAction | QAbstractButton, name: str, tint: str = "text") -> None:
    """Give an action or button an icon that changes its color with the scheme."""
    target.setIcon(icon(name, tint))
    _icons[target] = (name, tint)


def on_change(owner: QObject, call: Callable[[], None]) -> None:
    """Call ``call`` after every change of scheme until ``owner`` is destroyed."""
    _listeners[:] = [pair for pair in _listeners if isValid(pair[0])]
    _listeners.append((owner, call))


@cache
def _svg(name: str) -> str:
    return (paths.assets() / "icons" / f"{name}.svg").read_text(encoding="utf-8")


def _refresh() -> None:
    global _current
    app = QApplication.instance()
    if not isinstance(app, QApplication) or scheme() == _current:
        return
    _current = scheme()
    app.setPalette(_palette())
    values = {name: color(name).name() for name in _COLORS}
    sheet = STYLE.replace("@icons", (paths.assets() / "icons").as_posix())
    for name in sorted(values, key=len, reverse=True):
        sheet = sheet.replace(f"@{name}", values[name])
    app.setStyleSheet(sheet)
    for target, (name, tint) in list(_icons.items()):
        if isValid(target):
            target.setIcon(icon(name, tint))
    for owner, call in list(_listeners):
        if isValid(owner):
            call()
    changed.emit()


def _palette() -> QPalette:
    role, made = QPalette.ColorRole, QPalette()
    table = {
        role.Window: "surface",
        role.Base: "raised",
        role.AlternateBase: "surface",
        role.Button: "raised",
        role.ToolTipBase: "raised",
        role.WindowText: "text",
        role.Text: "text",
        role.ButtonText: "text",
        role.ToolTipText: "text",
        role.BrightText: "error",
        role.PlaceholderText: "disabled",
        role.Highlight: "accent",
        role.HighlightedText: "accent_text",
        role.Accent: "accent",
        role.Link: "accent",
        role.LinkVisited: "accent",
        role.Mid: "border",
        role.Midlight: "border",
        role.Dark: "border",
        role.Light: "raised",
    }
    for key, name in table.items():
        made.setColor(key, color(name))
    for key in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, key, color("disabled"))
    made.setColor(QPalette.ColorGroup.Disabled, role.Highlight, color("border"))
    return made
