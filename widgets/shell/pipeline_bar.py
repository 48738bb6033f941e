"""The stages of the experiment in a bar: source → pretrain → adapt → evaluate → export, lit as it goes."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.contracts import Strategy
from studio.events import DeviceSample, Evaluated, Event, Failed, MetricsLogged, Progress, StageChanged, StateChanged
from studio.experiment import Experiment
from studio.run.pipeline import STAGES, Pipeline
from widgets.shell.app_state import AppState
from widgets.shell.opening import short_name
from widgets.style import theme

HEIGHT = 62
NODE = 9.0  # radius, px
LEAST_CAPTION = 60
PACE_MS = 250  # numbers that change faster than they are read only cost training some of the interpreter


@dataclass
class Stage:
    """What the bar knows of one stage. ``look``: idle, active, done, cached, failed, stopped."""

    look: str = "idle"
    fraction: float = 0.0


class PipelineBar(QWidget):
    """Draws the stages. It listens to the window's state; nothing else is asked of it."""

    def __init__(self, app_state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._app_state = app_state
        self.stages = {name: Stage() for name in STAGES}
        self._state = app_state.state
        self._progress: Progress | None = None
        self._score: Evaluated | None = None
        self._job = (0, 1)
        self._shown: tuple[object, ...] = ()  # what was last drawn
        self._stale = False  # progress came that is not shown yet
        self._pace = QTimer(self)
        self._pace.setSingleShot(True)
        self._pace.setInterval(PACE_MS)
        self._pace.timeout.connect(self._catch_up)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Stages of the experiment"))
        app_state.events.connect(self._take_events)
        app_state.progress.connect(self._take_progress)
        app_state.job_changed.connect(self._begin)
        app_state.state_changed.connect(self._take_state)
        app_state.experiment_changed.connect(lambda _: self._edited())
        app_state.registry_ready.connect(self._edited)
        theme.on_change(self, self.update)
        self._describe()

    def sizeHint(self) -> QSize:
        return QSize(900, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(480, HEIGHT)

    @property
    def headline(self) -> str:
        """Source, target, strategy and data: ``Franka → UR5e · LoRA · 50 episodes``."""
        experiment: Experiment = self._app_state.experiment
        parts = [
            self.tr("{source} → {target}").format(
                source=self._title("embodiments", experiment.source.embodiment),
                target=self._title("embodiments", experiment.target.embodiment),
            ),
            self._title("strategies", experiment.strategy.id),
        ]
        chosen = self._chosen()
        if chosen is None or chosen.requires.target_data:
            parts.append(self.tr("{count} episodes").format(count=experiment.target.episodes))
        return "  ·  ".join(parts)

    @property
    def status(self) -> str:
        """How far it is, in words: ``step 320 / 800  ·  1 min 20 s left``."""
        words = {
            "idle": self.tr("Ready"),
            "preparing": self.tr("Preparing"),
            "paused": self.tr("Paused"),
            "stopping": self.tr("Saving a checkpoint, then stopping"),
            "stopped": self.tr("Stopped"),
            "finished": self.tr("Finished"),
            "failed": self.tr("Failed"),
        }
        parts = [words[self._state]] if self._state in words else []
        index, count = self._job
        if count > 1 and self._app_state.is_running:
            parts.insert(0, self.tr("run {index} of {count}").format(index=index + 1, count=count))
        progress = self._progress
        if progress is not None and self._state in ("preparing", "running", "paused"):
            if progress.total > 0:
                parts.append(self.tr("step {step} / {total}").format(step=progress.step, total=progress.total))
            if math.isfinite(progress.seconds_left):
                parts.append(self.tr("{time} left").format(time=duration(progress.seconds_left)))
        if self._score is not None and self._state == "finished":
            score = self._score
            scored = self.tr("success on the target {value:.2f} ({low:.2f}–{high:.2f})")
            if score.measure == "return":
                scored = self.tr("return on the target {value:.4g} ({low:.4g} to {high:.4g})")
            parts.append(scored.format(value=score.success, low=score.low, high=score.high))
        return "  ·  ".join(parts)

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
            (bold, "text", self.headline, 8.0),
            (small, "error" if self._state == "failed" else "muted", self.status, 28.0),
        ):
            painter.setFont(font)
            painter.setPen(theme.color(tint))
            shown = QFontMetrics(font).elidedText(words, Qt.TextElideMode.ElideRight, int(width))
            painter.drawText(QRectF(area.left(), area.top() + top, width, 18), Qt.AlignmentFlag.AlignVCenter, shown)

    def _paint_stages(self, painter: QPainter, area: QRectF) -> None:
        labels = self._labels()
        font = theme.small_font(self.font())
        metrics = QFontMetrics(font)
        edge = min(max(metrics.horizontalAdvance(label) for label in labels.values()), LEAST_CAPTION) / 2
        step = (area.width() - 2 * edge) / (len(self.stages) - 1)
        middle = area.top() + 19
        centers = {s: QPointF(area.left() + edge + i * step, middle) for i, s in enumerate(self.stages)}
        for before, after in itertools.pairwise(self.stages):
            self._paint_link(painter, centers[before], centers[after], self.stages[before], self.stages[after])
        for name, stage in self.stages.items():
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

    def _labels(self) -> dict[str, str]:
        labels = {
            "source": self.tr("Source"),
            "pretrain": self.tr("Pretrain"),
            "adapt": self.tr("Adapt"),
            "evaluate": self.tr("Evaluate"),
            "export": self.tr("Export"),
            # of the strategy that goes from the robot to a simulation of it and back
            "real_data": self.tr("Real data"),
            "identification": self.tr("Identify"),
            "calibrated_data": self.tr("Calibrate"),
            "training": self.tr("Train"),
            "fine_tuning": self.tr("Fine-tune"),
        }
        labels = {name: labels.get(name, name.replace("_", " ").capitalize()) for name in self.stages}
        for name, stage in self.stages.items():
            if stage.look == "cached":
                labels[name] += self.tr(" (cached)")
            elif stage.look == "active" and stage.fraction > 0:
                labels[name] += f" {stage.fraction:.0%}"
        return labels

    def _title(self, kind: str, name: str) -> str:
        if self._app_state.registry_is_ready and name in (known := self._app_state.registry.all(kind)):
            return str(known[name].title).split(",")[0]  # "UR5e arm, 6 degrees of freedom" is too long here
        return short_name(name)

    def _chosen(self) -> type[Strategy] | None:
        """The chosen strategy; None while the plugins are being loaded, or where it is unknown."""
        known = self._app_state.registry.all("strategies") if self._app_state.registry_is_ready else {}
        return known.get(self._app_state.experiment.strategy.id)

    def _lay_out(self) -> None:
        """The stages of the chosen strategy, none of them started."""
        chosen = self._chosen()
        self.stages = {name: Stage() for name in (Pipeline(chosen.stages).stages if chosen is not None else STAGES)}

    def _edited(self) -> None:
        """Another strategy may have other stages; those of a run that is going on stay."""
        if self._state == "idle":
            self._lay_out()
        self._describe()

    def _begin(self, index: int, count: int, _job: object) -> None:
        self._job = (index, count)
        self._progress = self._score = None
        self._lay_out()
        self._describe()

    def _take_state(self, state: str) -> None:
        if state == "preparing" and self._state in ("idle", "finished", "failed", "stopped"):
            self._lay_out()
            self._progress = None
        self._state = state
        self._describe()

    def _take_events(self, events: list[Event]) -> None:
        changed = False
        for event in events:
            if isinstance(event, MetricsLogged | DeviceSample):  # nothing of them is shown here
                continue
            changed = True
            if isinstance(event, StageChanged):
                self._enter(event)
            elif isinstance(event, Evaluated) and event.final and event.domain == "target":
                self._score = event
            elif isinstance(event, Failed):
                self._close_active("failed")
            elif isinstance(event, StateChanged):
                if event.state == "finished":
                    self._close_active("done")
                elif event.state in ("stopped", "failed"):
                    self._close_active(event.state)
        if changed:
            self._describe()

    def _enter(self, event: StageChanged) -> None:
        if event.pipeline and event.pipeline != tuple(self.stages):  # the session knows best which stages there are
            self.stages = {name: self.stages.get(name, Stage()) for name in event.pipeline}
        if event.stage not in self.stages:
            return
        reached = list(self.stages).index(event.stage)
        for index, (name, stage) in enumerate(self.stages.items()):
            if index < reached and stage.look in ("active", "idle"):
                # a stage that was never announced was not needed: it keeps its idle look
                stage.look = "done" if stage.look == "active" else "idle"
            elif index == reached:
                self.stages[name] = Stage("cached" if event.cached else "active", 1.0 if event.cached else 0.0)

    def _close_active(self, look: str) -> None:
        for stage in self.stages.values():
            if stage.look == "active":
                stage.look = look

    def _take_progress(self, progress: Progress) -> None:
        self._progress = progress
        stage = self.stages.get(progress.stage)
        if stage is not None:
            stage.fraction = progress.stage_fraction
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
        labels = self._labels()
        headline, status = self.headline, self.status
        looks = [(stage.look, round(200 * stage.fraction)) for stage in self.stages.values()]
        shown = (headline, status, self._state, *labels.values(), *looks)
        if shown == self._shown:
            return
        self._shown = shown
        active = [labels[name] for name, stage in self.stages.items() if stage.look == "active"]
        self.setAccessibleDescription("  ·  ".join([headline, *active, status]))
        self.update()


def duration(seconds: float) -> str:
    """A time in words, as coarse as it is long: ``45 s``, ``1 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _polyline(painter: QPainter, ink: QColor, points: list[tuple[float, float]], at: QPointF) -> None:
    pen = QPen(ink, 1.8, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF([at + QPointF(x, y) for x, y in points]))
