"""What the pipeline bar shows: a run, its stages, how far each is and the result; else the experiment being edited."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from studio.contracts import Strategy
from studio.events import DeviceSample, Evaluated, Event, Failed, MetricsLogged, Progress, StageChanged, StateChanged
from studio.experiment import Experiment
from studio.run.pipeline import STAGES, Pipeline
from studio.run.queue_entry import Job
from widgets.shell.app_state import AppState

LONGEST_NAME = 30  # characters of a run's name; of a longer one the middle is left out


@dataclass
class Stage:
    """How one stage is drawn. ``look``: idle, active, done, cached, failed, stopped; ``fraction``: in [0, 1]."""

    look: str = "idle"
    fraction: float = 0.0


class PipelineState(QObject):
    """Follows the window's state.

    A run is reported from its start until the experiment is changed while nothing runs; its own experiment is named,
    whatever is being edited meanwhile.
    """

    changed = Signal()  # a stage, the state or the experiment
    progressed = Signal()  # only numbers

    def __init__(self, app_state: AppState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._app_state = app_state
        self.stages = {name: Stage() for name in STAGES}
        self.state = app_state.state
        self.progress: Progress | None = None
        self.score: Evaluated | None = None
        self.job = (0, 1)  # index and count of the sessions of a comparison
        self._run: Experiment | None = None  # of the run that is reported; None: no run is
        app_state.events.connect(self._take_events)
        app_state.progress.connect(self._take_progress)
        app_state.job_changed.connect(self._begin)
        app_state.state_changed.connect(self._take_state)
        app_state.experiment_changed.connect(lambda _: self._edited())
        app_state.registry_ready.connect(self._name_stages)

    @property
    def experiment(self) -> Experiment:
        """The experiment that is reported: of the run, else the one being edited."""
        return self._run or self._app_state.experiment

    @property
    def headline(self) -> str:
        """Source, target, strategy and data: ``Franka → UR5e · LoRA · 50 episodes``."""
        experiment = self.experiment
        parts = [
            self.tr("{source} → {target}").format(
                source=self._app_state.title_of("embodiments", experiment.source.embodiment),
                target=self._app_state.title_of("embodiments", experiment.target.embodiment),
            ),
            self._app_state.title_of("strategies", experiment.strategy.id),
        ]
        chosen = self._chosen()
        if chosen is None or chosen.requires.target_data:
            parts.append(self.tr("{count} episodes").format(count=experiment.target.episodes))
        return "  ·  ".join(parts)

    @property
    def status(self) -> str:
        """The run and how far it is, in words: ``demo  ·  step 320 / 800  ·  1 min 20 s left``."""
        words = {
            "idle": self.tr("Ready"),
            "preparing": self.tr("Preparing"),
            "paused": self.tr("Paused"),
            "stopping": self.tr("Saving a checkpoint, then stopping"),
            "stopped": self.tr("Stopped"),
            "finished": self.tr("Finished"),
            "failed": self.tr("Failed"),
        }
        parts = [words[self.state]] if self.state in words else []
        index, count = self.job
        if count > 1 and self._app_state.is_running:
            parts.insert(0, self.tr("run {index} of {count}").format(index=index + 1, count=count))
        if self._run is not None:
            parts.insert(0, _shortened(self._run.name))
        progress = self.progress
        if progress is not None and self.state in ("preparing", "running", "paused"):
            if progress.total > 0:
                parts.append(self.tr("step {step} / {total}").format(step=progress.step, total=progress.total))
            if math.isfinite(progress.seconds_left):
                parts.append(self.tr("{time} left").format(time=duration(progress.seconds_left)))
            elif math.isfinite(progress.stage_seconds_left):
                of_stage = self.tr("{time} left in this stage")
                parts.append(of_stage.format(time=duration(progress.stage_seconds_left)))
        if self.score is not None and self.state == "finished":
            score = self.score
            scored = self.tr("success on the target {value:.2f} ({low:.2f}–{high:.2f})")
            if score.measure == "return":
                scored = self.tr("return on the target {value:.4g} ({low:.4g} to {high:.4g})")
            parts.append(scored.format(value=score.success, low=score.low, high=score.high))
        return "  ·  ".join(parts)

    @property
    def labels(self) -> dict[str, str]:
        """The stages in words, with how far each is."""
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

    def _chosen(self) -> type[Strategy] | None:
        """Return the experiment's strategy; None while the plugins are loading, or where it is unknown."""
        known = self._app_state.registry.all("strategies") if self._app_state.registry_is_ready else {}
        return known.get(self.experiment.strategy.id)

    def _lay_out(self) -> None:
        """Take the stages of the experiment's strategy, none of them started."""
        chosen = self._chosen()
        self.stages = {name: Stage() for name in (Pipeline(chosen.stages).stages if chosen is not None else STAGES)}

    def _name_stages(self) -> None:
        """Take the stages of the strategy, which is known only now; those of a run stay."""
        if self.state == "idle":
            self._lay_out()
        self.changed.emit()

    def _edited(self) -> None:
        """Report the experiment being edited, unless a session is running."""
        if not self._app_state.is_running:
            self._report(None, "idle")
        self.changed.emit()

    def _begin(self, index: int, count: int, job: Job) -> None:
        self.job = (index, count)
        self._report(job.experiment, self.state)
        self.changed.emit()

    def _take_state(self, state: str) -> None:
        if state == "preparing" and self.state in ("idle", "finished", "failed", "stopped"):
            self._report(None, state)
        self.state = state
        self.changed.emit()

    def _report(self, run: Experiment | None, state: str) -> None:
        self._run, self.state = run, state
        self.progress = self.score = None
        self._lay_out()

    def _take_events(self, events: list[Event]) -> None:
        changed = False
        for event in events:
            if isinstance(event, MetricsLogged | DeviceSample):  # nothing of them is shown here
                continue
            changed = True
            if isinstance(event, StageChanged):
                self._enter(event)
            elif isinstance(event, Evaluated) and event.final and event.domain == "target":
                self.score = event
            elif isinstance(event, Failed):
                self._close_active("failed")
            elif isinstance(event, StateChanged):
                if event.state == "finished":
                    self._close_active("done")
                elif event.state in ("stopped", "failed"):
                    self._close_active(event.state)
        if changed:
            self.changed.emit()

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
        self.progress = progress
        stage = self.stages.get(progress.stage)
        if stage is not None:
            stage.fraction = progress.stage_fraction
        self.progressed.emit()


def _shortened(name: str) -> str:
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[: half - 1]}…{name[-half:]}"


def duration(seconds: float) -> str:
    """Return a time in words, the longer the coarser: ``45 s``, ``1 min 20 s``, ``2 h 5 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
