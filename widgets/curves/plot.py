"""One plot of the small multiples: a title with the value under the cursor, and the curves.

Wheel and drag move along x while y keeps what is visible in view; on the y axis (or with Shift) they move y. A double
click, or :meth:`CurvePlot.fit`, shows everything again.
"""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QGraphicsItem, QLabel, QVBoxLayout

from widgets.curves.axis import PlotAxis, span
from widgets.curves.content import LOAD, SUCCESS, Content, Key
from widgets.curves.cursor import Cursor
from widgets.curves.curve import Curve
from widgets.curves.layer import CurveLayer
from widgets.curves.plot_head import PlotHead
from widgets.curves.plot_menu import adopt_menu
from widgets.style import theme

_NEAR = 14.0  # px: how near a click has to be to a curve
ROOMY = 0.75  # a vertical range is kept while what is shown fills this share of it


class _Box(pg.ViewBox):  # type: ignore[misc]  # pyqtgraph has no types
    """Wheel and drag act on x alone, unless they come from an axis or Shift is held."""

    def wheelEvent(self, ev: Any, axis: int | None = None) -> None:
        super().wheelEvent(ev, axis=0 if axis is None and not self._shift(ev) else axis)

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        super().mouseDragEvent(ev, axis=0 if axis is None and not self._shift(ev) else axis)

    @staticmethod
    def _shift(event: Any) -> bool:
        return bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)


class CurvePlot(QFrame):
    """One plot; see the module."""

    hovered = Signal(object, object)  # (this plot's key, x or None)
    clicked = Signal(object, object, float)  # (key, Curve, step): near a curve
    ranged = Signal(object, float, float)  # (key, left, right): the person moved x
    menu_asked = Signal(object, object)  # (key, global position)
    uncovered = Signal()  # it came into view or changed its size

    def __init__(self, key: Key) -> None:
        super().__init__()
        self.key = key
        self.content = Content(key)
        self.auto_x = self.auto_y = True
        self.shows_time = False
        self.playable = False  # some run has checkpoints of this stage
        self._setting = False
        self._cursor_x: float | None = None
        self._references: list[tuple[str, float, pg.InfiniteLine]] = []
        self.head = PlotHead(key)
        self.note = QLabel(self)
        self.note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.note.setProperty("role", "muted")
        self.note.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.note.hide()
        self.box = _Box(enableMenu=False)
        self.x_axis, self.y_axis = PlotAxis("bottom"), PlotAxis("left")
        self.view = pg.PlotWidget(viewBox=self.box, axisItems={"bottom": self.x_axis, "left": self.y_axis})
        adopt_menu(self.view)
        self.view.hideButtons()
        self.view.getPlotItem().setContentsMargins(0, 7, 12, 0)  # room for half a label at the ends of the axes
        self.view.setMenuEnabled(False)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.view.viewport().installEventFilter(self)
        if key[0] == SUCCESS:
            self.y_axis.setTicks([[(v, f"{v:g}") for v in (0.0, 0.5, 1.0)], [(0.25, ""), (0.75, "")]])
        self.layer, self.crosshair = CurveLayer(self.y_axis), Cursor()
        self.box.addItem(self.layer, ignoreBounds=True)
        self.box.addItem(self.crosshair, ignoreBounds=True)
        # Axes and curves are drawn when what they show changes; every other paint takes them from Qt's own cache,
        # without a call into Python. Figures for export are made without it.
        for item in (self.x_axis, self.y_axis, self.layer):
            item.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        for axis in (self.x_axis, self.y_axis):
            axis.enableAutoSIPrefix(False)  # nothing of it is shown, and it would be set again with every range
        self.box.setFlag(QGraphicsItem.GraphicsItemFlag.ItemHasNoContents)
        self.box.disableAutoRange()
        self.box.setDefaultPadding(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        self.head.add_to(column)
        column.addWidget(self.view)
        self.box.sigXRangeChanged.connect(self._x_moved)
        self.box.sigRangeChangedManually.connect(self._by_hand)
        self.view.scene().sigMouseMoved.connect(self._mouse_moved)
        self.view.scene().sigMouseClicked.connect(self._mouse_clicked)
        self.setObjectName("plot")
        self.restyle()

    # -- what is shown

    def set_content(self, content: Content, x_is_time: bool) -> None:
        """Take new curves and keep the view where the person left it."""
        self.content = content
        self.shows_time = x_is_time
        self.x_axis.set_time(x_is_time)
        if bool(self.y_axis.logMode) != content.log:
            self.y_axis.setLogMode(False, content.log)
            self.auto_y = True
            for _, value, line in self._references:
                line.setPos(math.log10(value) if content.log and value > 0 else value)
        self.playable = any(len(places) for _, places in content.checkpoints)
        self.layer.set_content(content)
        self._show_head()
        self.fit_y()
        self.show_cursor(self._cursor_x)

    def set_note(self, text: str) -> None:
        """Show a quiet sentence in the middle of a plot without curves; empty hides it."""
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def set_references(self, references: list[tuple[str, float]]) -> None:
        """Horizontal lines with a label, such as ("expert", 1.0)."""
        for _, _, line in self._references:
            self.box.removeItem(line)
        self._references = []
        tint = theme.color("muted")
        for label, value in references:
            place = math.log10(value) if self.content.log and value > 0 else value
            line = pg.InfiniteLine(
                place,
                angle=0,
                pen=pg.mkPen(tint, width=1, style=Qt.PenStyle.DotLine),
                label=f"{label} {value:.2f}",
                labelOpts={"position": 0.02, "anchors": [(0, 1), (0, 1)], "color": tint, "movable": False},
            )
            line.label.setFont(theme.small_font(self.font()))
            self.box.addItem(line, ignoreBounds=True)
            self._references.append((label, value, line))
        self.fit_y()

    @property
    def reference_lines(self) -> list[pg.InfiniteLine]:
        """The horizontal lines, in the order in which they were given."""
        return [line for _, _, line in self._references]

    def restyle(self) -> None:
        """Take the colors of the present scheme."""
        ground = theme.color("plot_background")
        self.setStyleSheet(
            f"#plot {{ background: {ground.name()}; border: 1px solid {theme.color('border').name()};"
            f" border-radius: {theme.RADIUS}px; }}"
        )
        self.view.setBackground(ground)
        for axis in (self.x_axis, self.y_axis):
            axis.restyle(self.font())
            axis.setStyle(tickLength=0, tickTextOffset=5, tickAlpha=0)
        self.x_axis.setStyle(hideOverlappingLabels=14)  # px a label may stick out
        self.y_axis.setStyle(hideOverlappingLabels=8)
        self.y_axis.setPen(pg.mkPen(None))
        height = self.fontMetrics().height()
        self.y_axis.setWidth(self.fontMetrics().horizontalAdvance("0.0000") + 8)
        self.x_axis.setHeight(height + 6)
        self.head.set_font(theme.small_font(self.font()))
        self.set_references([(label, value) for label, value, _ in self._references])
        self._show_head()
        self.head.read(self._cursor_x)

    # -- ranges

    def set_x(self, left: float, right: float) -> None:
        """Set the horizontal range without counting as the person's move."""
        if right <= left:
            right = left + 1.0
        if [left, right] == self.box.viewRange()[0]:
            return  # an axis that stands still need not be drawn again
        self._setting = True
        self.box.setXRange(left, right, padding=0)
        self._setting = False
        self.fit_y()

    def fit_y(self) -> None:
        """Bring what is visible into view vertically, unless the person chose a range."""
        if not self.auto_y:
            return
        bounds = self.layer.y_bounds()
        if self.key[0] == SUCCESS:
            low, high = -0.06, 1.08
            if self._references:  # a line at 1 has its label above it
                room = self.fontMetrics().height() + 2.0
                high = max(high, 1 + (1 - low) * room / max(self.box.height() - room, 1.0))
        elif bounds is None:
            low, high = 0.0, 1.0
        elif self.key[0] == LOAD:
            low, high = 0.0, max(100.0, bounds[1]) * 1.05
        else:
            margin = span(*bounds) * 0.06 or abs(bounds[1]) * 0.1 or 0.5
            low, high = bounds[0] - margin, bounds[1] + margin
            if not self.content.log and 0 <= bounds[0] < 0.25 * bounds[1]:
                low = 0.0  # a scale that nearly reaches zero may as well show it
        kept_low, kept_high = self.box.viewRange()[1]
        if kept_low <= low and high <= kept_high and (high - low) > ROOMY * (kept_high - kept_low):
            return  # still fits well: an axis that stands still need not be drawn again
        self._setting = True
        self.box.setYRange(low, high, padding=0)
        self._setting = False

    def show_cursor(self, x: float | None) -> None:
        """Draw the crosshair at x, and this plot's value there in its head."""
        self._cursor_x = x
        dots = []
        if x is not None and len(self.content.curves) <= 40:
            for curve in self.content.curves:
                index = curve.at(x)
                if index is not None:
                    dots.append((float(curve.x[index]), float(curve.y[index]), curve.color))
        self.crosshair.show_at(x, dots)
        self.head.read(x)

    # -- inside

    def _show_head(self) -> None:
        self.head.show(self.content, self.size())
        self.view.setAccessibleName(self.head.title.toolTip())

    def _x_moved(self, *_: Any) -> None:
        if not self._setting:
            self.fit_y()

    def _by_hand(self, axes: Any) -> None:
        if axes[0]:
            self.auto_x = False
            left, right = self.box.viewRange()[0]
            self.ranged.emit(self.key, left, right)
        if len(axes) > 1 and axes[1]:
            self.auto_y = False

    def _mouse_moved(self, place: QPointF) -> None:
        if self.box.sceneBoundingRect().contains(place):
            near = self.playable and self.nearest(place) is not None
            self.view.viewport().setCursor(Qt.CursorShape.PointingHandCursor if near else Qt.CursorShape.CrossCursor)
            self.hovered.emit(self.key, self.box.mapSceneToView(place).x())
        else:
            self.hovered.emit(self.key, None)

    def _mouse_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if event.double():
            self.auto_x = self.auto_y = True
            self.ranged.emit(self.key, math.nan, math.nan)
            return
        found = self.nearest(event.scenePos())
        if found is not None:
            self.clicked.emit(self.key, found[0], float(found[0].steps[found[1]]))

    def nearest(self, place: QPointF) -> tuple[Curve, int] | None:
        """The curve near a point of the scene, and the index of its point there."""
        x = self.box.mapSceneToView(place).x()
        best: tuple[float, Curve, int] | None = None
        for curve in self.content.curves:
            index = curve.at(x)
            if index is None:
                continue
            there = self.box.mapViewToScene(QPointF(float(curve.x[index]), float(curve.y[index])))
            away = math.hypot(there.x() - place.x(), there.y() - place.y())
            if away <= _NEAR and (best is None or away < best[0]):
                best = (away, curve, index)
        return (best[1], best[2]) if best else None

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.hovered.emit(self.key, None)
        if isinstance(event, QContextMenuEvent):
            self.menu_asked.emit(self.key, event.globalPos())
            return True
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.note.setGeometry(self.view.geometry())
        self._show_head()
        self.head.read(self._cursor_x)
        self.fit_y()
        self.uncovered.emit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.uncovered.emit()
