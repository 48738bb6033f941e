"""The stages of the experiment in a bar: source → pretrain → adapt → evaluate → export, lit as it goes."""

from __future__ import annotations

import itertools

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.shell.app_state import AppState
from widgets.shell.pipeline_state import PipelineState, Stage
from widgets.style import theme

HEIGHT = 62
NODE = 9.0  # radius, px
LEAST_CAPTION = 60
PACE_MS = 250  # numbers that change faster than they are read only cost training some of the interpreter


class PipelineBar(QWidget):
    """Draws the stages. Stages are drawn at once, numbers at a readable pace, and nothing twice."""

    def __init__(self, app_state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pipeline = PipelineState(app_state, self)
        self._shown: tuple[object, ...] = ()  # what was last drawn
        self._stale = False  # progress came that is not shown yet
        self._pace = QTimer(self)
        self._pace.setSingleShot(True)
        self._pace.setInterval(PACE_MS)
        self._pace.timeout.connect(self._catch_up)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Stages of the experiment"))
        self.pipeline.changed.connect(self._describe)
        self.pipeline.progressed.connect(self._take_progress)
        theme.on_change(self, self.update)
        self._describe()

    def sizeHint(self) -> QSize:
        return QSize(900, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(480, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0, 4, 0, -3)
        painter.setPen(QPen(theme.color("border"), 1))
        painter.setBrush(theme.color("surface"))
        painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), theme.RADIUS, theme.RADIUS)
        text = min(area.width() * 0.34, 400.0)
        self._paint_words(painter, area.adjusted(14, 0, 0, 0), text - 14)
        self._paint_stages(painter, area.adjusted(text + theme.LARGE, 0, -theme.LARGE, 0))

    def _paint_words(self, painter: QPainter, area: QRectF, width: float) -> None:
        bold = painter.font()
        bold.setBold(True)
        small = theme.small_font(self.font())
        for font, tint, words, top in (
            (bold, "text", self.pipeline.headline, 8.0),
            (small, "error" if self.pipeline.state == "failed" else "muted", self.pipeline.status, 28.0),
        ):
            painter.setFont(font)
            painter.setPen(theme.color(tint))
            shown = QFontMetrics(font).elidedText(words, Qt.TextElideMode.ElideRight, int(width))
            painter.drawText(QRectF(area.left(), area.top() + top, width, 18), Qt.AlignmentFlag.AlignVCenter, shown)

    def _paint_stages(self, painter: QPainter, area: QRectF) -> None:
        labels, stages = self.pipeline.labels, self.pipeline.stages
        font = theme.small_font(self.font())
        metrics = QFontMetrics(font)
        edge = min(max(metrics.horizontalAdvance(label) for label in labels.values()), LEAST_CAPTION) / 2
        step = (area.width() - 2 * edge) / (len(stages) - 1)
        middle = area.top() + 19
        centers = {s: QPointF(area.left() + edge + i * step, middle) for i, s in enumerate(stages)}
        for before, after in itertools.pairwise(stages):
            self._paint_link(painter, centers[before], centers[after], stages[before], stages[after])
        for name, stage in stages.items():
            self._paint_node(painter, centers[name], stage)
            painter.setFont(font)
            painter.setPen(theme.color("text" if stage.look in ("active", "failed") else "muted"))
            box = QRectF(centers[name].x() - step / 2, middle + NODE + 3, step, 16)
            caption = metrics.elidedText(labels[name], Qt.TextElideMode.ElideRight, int(max(step - 4, LEAST_CAPTION)))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, caption)

    def _paint_link(self, painter: QPainter, left: QPointF, right: QPointF, before: Stage, after: Stage) -> None:
        start, end = left.x() + NODE + 5, right.x() - NODE - 5
        share = {"active": before.fraction, "done": 1.0, "cached": 1.0}.get(before.look, 0.0)
        painter.setPen(QPen(theme.color("border"), 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawLine(QPointF(start, left.y()), QPointF(end, left.y()))
        if share > 0:
            pen = QPen(theme.color("accent" if before.look == "active" else "success"), 2)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLine(QPointF(start, left.y()), QPointF(start + (end - start) * min(share, 1.0), left.y()))

    def _paint_node(self, painter: QPainter, at: QPointF, stage: Stage) -> None:
        tint = {
            "active": "accent",
            "done": "success",
            "cached": "success",
            "failed": "error",
            "stopped": "warning",
        }.get(stage.look, "border")
        filled = stage.look in ("done", "failed")
        painter.setBrush(theme.color(tint) if filled else theme.color("raised"))
        painter.setPen(QPen(theme.color(tint), 1.6))
        circle = QRectF(at.x() - NODE, at.y() - NODE, 2 * NODE, 2 * NODE)
        painter.drawEllipse(circle)
        if stage.look == "active":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.color("accent"))
            inner = circle.adjusted(3.2, 3.2, -3.2, -3.2)
            painter.drawPie(inner, 90 * 16, -round(max(stage.fraction, 0.04) * 360 * 16))
        elif stage.look in ("done", "cached"):
            ink = theme.color("surface") if filled else theme.color("success")
            _polyline(painter, ink, [(-3.8, 0.2), (-1.2, 2.9), (3.8, -2.9)], at)
        elif stage.look == "failed":
            _polyline(painter, theme.color("surface"), [(-2.8, -2.8), (2.8, 2.8)], at)
            _polyline(painter, theme.color("surface"), [(2.8, -2.8), (-2.8, 2.8)], at)

    def _take_progress(self) -> None:
        self._stale = True
        if not self._pace.isActive():
            self._catch_up()

    def _catch_up(self) -> None:
        if self._stale:
            self._pace.start()
            self._describe()

    def _describe(self) -> None:
        """Redraw and update the accessible description, if anything that is shown has changed."""
        self._stale = False
        pipeline = self.pipeline
        labels, headline, status = pipeline.labels, pipeline.headline, pipeline.status
        looks = [(stage.look, round(200 * stage.fraction)) for stage in pipeline.stages.values()]
        shown = (headline, status, pipeline.state, *labels.values(), *looks)
        if shown == self._shown:
            return
        self._shown = shown
        active = [labels[name] for name, stage in pipeline.stages.items() if stage.look == "active"]
        self.setAccessibleDescription("  ·  ".join([headline, *active, status]))
        self.setToolTip(f"{pipeline.experiment.name}\n{headline}\n{status}")
        self.update()


def _polyline(painter: QPainter, ink: QColor, points: list[tuple[float, float]], at: QPointF) -> None:
    pen = QPen(ink, 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF([at + QPointF(x, y) for x, y in points]))
