"""The viewport's surface: the picture, stretched where it is coarser than the screen, and pixmaps over it.

Qt paints all of it by itself. A ``paintEvent`` in Python would hold the interpreter while the picture is stretched,
and a training in the same process would wait for it, thirty times a second.
"""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPen, QPixmap, QTransform
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsPixmapItem,
    QGraphicsRectItem,
    QGraphicsScene,
    QGraphicsView,
    QWidget,
)

SAME_SHAPE = 0.02  # of the aspect: a picture this close to the view's is stretched, any other is cropped


class Canvas(QGraphicsView):
    """Fills its parent, which gets the mouse, the keys and dropped files."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._items = QGraphicsScene(self)
        self._items.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.setScene(self._items)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontAdjustForAntialiasing)
        self.setInteractive(False)
        self.setAcceptDrops(False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._picture = self._pixmap_item(smooth=True)
        self._inset = self._pixmap_item(smooth=False)  # the policy's own pixels, not a blur
        self._inset_edge = self._edge()
        self._chips = self._pixmap_item(smooth=False)
        self._legend = self._pixmap_item(smooth=False)
        self._ghost_legend = self._pixmap_item(smooth=False)
        self._banner = self._pixmap_item(smooth=False)
        self._flash = self._edge()
        self._fitted: tuple[QSize, QSize, float] | None = None  # picture, view, device pixels of the last fit
        self._inset_fitted: tuple[QSize, QRectF] | None = None
        self.hide()

    def set_size(self, size: QSize) -> None:
        """Take the parent's size."""
        self.setGeometry(0, 0, size.width(), size.height())
        self._items.setSceneRect(0, 0, size.width(), size.height())
        self._fitted = None
        self._fit()

    def show_picture(self, image: QImage) -> None:
        """Show the newest picture; its pixels are shared, not copied."""
        self._picture.setPixmap(QPixmap.fromImage(image))
        fitted = (image.size(), self.size(), self.devicePixelRatioF())
        if fitted != self._fitted:
            self._fit()
        if self.isHidden():
            self.show()

    def show_inset(self, image: QImage | None, box: QRectF) -> None:
        """Show what the policy sees in ``box``; None: nothing."""
        for item in (self._inset, self._inset_edge):
            if item.isVisible() != (image is not None):
                item.setVisible(image is not None)
        if image is None:
            return
        self._inset.setPixmap(QPixmap.fromImage(image))
        if (image.size(), box) != self._inset_fitted:
            self._inset_fitted = (image.size(), box)
            _place(self._inset, box, image.size())
            self._inset_edge.setRect(box.adjusted(-1, -1, 0, 0))

    def set_inset_color(self, color: QColor) -> None:
        """Set the color of the line around the inset."""
        self._inset_edge.setPen(QPen(color))

    def show_chips(self, pixmap: QPixmap) -> None:
        """Show the chips along the upper edge."""
        self._chips.setPixmap(pixmap)

    def show_legend(self, pixmap: QPixmap | None, place: QPointF) -> None:
        """Show the colored path's legend with its lower left corner at ``place``; None: nothing."""
        _show_above(self._legend, pixmap, place)

    def show_ghost_legend(self, pixmap: QPixmap | None, place: QPointF) -> None:
        """Show the ghosts' legend with its lower left corner at ``place``; None: nothing."""
        _show_above(self._ghost_legend, pixmap, place)

    def show_banner(self, pixmap: QPixmap | None, top: float = 0) -> None:
        """Show a banner across the view at ``top``; None: nothing."""
        self._banner.setVisible(pixmap is not None)
        if pixmap is not None:
            self._banner.setPixmap(pixmap)
            self._banner.setPos(0, top)

    def show_flash(self, color: QColor | None) -> None:
        """Show a line around the whole view; None: nothing."""
        self._flash.setVisible(color is not None)
        if color is not None:
            self._flash.setPen(QPen(color, 3))
            self._flash.setRect(QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5))

    def _fit(self) -> None:
        pixmap = self._picture.pixmap()
        size, room = pixmap.size(), self.size()
        self._fitted = (size, room, self.devicePixelRatioF())
        if pixmap.isNull() or room.isEmpty():
            return
        shape = size.width() * room.height() / (size.height() * room.width())
        if abs(shape - 1) < SAME_SHAPE:
            _place(self._picture, QRectF(0, 0, room.width(), room.height()), size)
            return
        over = size.scaled(room, Qt.AspectRatioMode.KeepAspectRatioByExpanding)  # while being resized
        x, y = (room.width() - over.width()) // 2, (room.height() - over.height()) // 2
        _place(self._picture, QRectF(x, y, over.width(), over.height()), size)

    def _pixmap_item(self, smooth: bool) -> QGraphicsPixmapItem:
        item = QGraphicsPixmapItem()
        item.setShapeMode(QGraphicsPixmapItem.ShapeMode.BoundingRectShape)
        mode = Qt.TransformationMode
        item.setTransformationMode(mode.SmoothTransformation if smooth else mode.FastTransformation)
        self._items.addItem(item)
        return item

    def _edge(self) -> QGraphicsRectItem:
        item = QGraphicsRectItem()
        item.setVisible(False)
        self._items.addItem(item)
        return item


def _show_above(item: QGraphicsPixmapItem, pixmap: QPixmap | None, place: QPointF) -> None:
    """Show a pixmap with its lower left corner at ``place``; None: nothing."""
    item.setVisible(pixmap is not None)
    if pixmap is not None:
        item.setPixmap(pixmap)
        item.setPos(place - QPointF(0, pixmap.height() / pixmap.devicePixelRatio()))


def _place(item: QGraphicsPixmapItem, box: QRectF, size: QSize) -> None:
    """Stretch an item's pixmap of ``size`` over ``box``."""
    item.setPos(QPointF(box.topLeft()))
    item.setTransform(QTransform.fromScale(box.width() / size.width(), box.height() / size.height()))
