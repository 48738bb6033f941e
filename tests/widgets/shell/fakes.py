"""Fakes for the tests of the window: a registry with given contributions, and an engine with short sessions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from PySide6.QtWidgets import QLabel

from plugins.panels import log as log_panel
from studio.contracts import Embodiment, Format, PanelInfo, Problem, Strategy, Task
from studio.events import Failed, Progress, StageChanged, StateChanged
from studio.experiment import Experiment, Settings, setting
from studio.registry import Broken, Registry
from studio.run.channels import Channels
from studio.run.queue_entry import Job
from widgets.shell.engine import Engine


class FakeRegistry(Registry):
    """Holds what it is given."""

    def __init__(self, **contributions: Sequence[Any]) -> None:
        super().__init__(Path("/nonexistent"))
        self._given = contributions
        self.failed: list[Broken] = []

    def all(self, kind: str) -> dict[str, Any]:
        return {one.id: one for one in sorted(self._given.get(kind, ()), key=lambda one: str(one.title))}

    def broken(self, kind: str | None = None) -> list[Broken]:
        return [broken for broken in self.failed if kind in (None, broken.kind)]


class Lora(Strategy):
    id = "lora"
    title = "LoRA"
    summary = "Learns a low-rank change."
    reference = "Hu et al. 2022"
    tags = ("adapter",)

    class Params(Settings):
        rank: int = setting(8, "Rank", "Rank of the update.", ge=1, le=256)
        alpha: float = setting(16.0, "Alpha", "Scale of the update.", gt=0)
        targets: list[str] = setting(["q_proj", "v_proj"], "Modules", "What is adapted.")
        bias: Literal["none", "all"] = setting("none", "Bias", "Which biases are learnt.")
        merge: bool = setting(True, "Merge", "Fold in at export.")
        weights: Path | None = setting(None, "Weights", "A file.")


class Full(Strategy):
    id = "full_finetuning"
    title = "Full fine-tuning"
    summary = "All weights go on learning."
    reference = "Yosinski et al. 2014"


class Reach(Task):
    id = "reach"
    title = "Reach"
    summary = "Touch the red ball."
    reference = "–"
    horizon = 40
    control_hz = 10
    step_size = 0.05


def robot(id: str, title: str) -> Embodiment:
    return Embodiment(id, title, "A robot.", "–", Path(__file__), "arm", (), ("front",))


def registry(panels: Sequence[PanelInfo] = (), formats: Sequence[type[Format]] = ()) -> FakeRegistry:
    robots = [robot("franka_7dof", "Franka arm, 7 joints"), robot("ur5_6dof", "UR5e arm, 6 joints")]
    return FakeRegistry(
        strategies=[Lora, Full], tasks=[Reach], embodiments=robots, panels=list(panels), formats=list(formats)
    )


def plain(id: str, area: Any, order: int) -> PanelInfo:
    return PanelInfo(id, id.title(), "A panel.", area, order, lambda app_state: QLabel(id))


def explode(app_state: Any) -> Any:
    raise ValueError("no lens")


PANELS = [
    plain("strategy", "left", 20),
    plain("data", "left", 10),
    plain("viewport", "center", 10),
    plain("curves", "center", 20),
    plain("runs", "right", 20),
    log_panel.PANEL,
    PanelInfo("lens", "Lens", "Broken.", "right", 10, explode),
]


class FakeSession:
    """A session of a few short steps; the fake engine says what it does and keeps it."""

    def __init__(self, engine: FakeEngine, experiment: Experiment, channels: Channels, folder: Path) -> None:
        self.engine, self.experiment, self.channels, self.folder = engine, experiment, channels, folder
        self.thread: threading.Thread | None = None
        self.state = "running"
        self.resumed = False
        self.iterations: int | None = None
        self.pauses: list[str] = []
        self.stopped = threading.Event()

    def stop(self) -> None:
        self.stopped.set()

    def pause(self) -> None:
        self.pauses.append("pause")
        self.channels.events.publish(StateChanged(str(self.folder), "paused"))

    def unpause(self) -> None:
        self.pauses.append("unpause")
        self.channels.events.publish(StateChanged(str(self.folder), "running"))

    def run(self) -> Path:
        self.thread = threading.current_thread()
        events = self.channels.events
        events.publish(StateChanged(str(self.folder), "running"))
        events.publish(StageChanged("pretrain", cached=True))
        events.publish(StageChanged("adapt"))
        if self.engine.fail is not None:
            self.engine.fail(self)
        deadline = time.monotonic() + self.engine.seconds
        while time.monotonic() < deadline:
            self.channels.progress.set(Progress("adapt", 320, 800, 0.4, 0.5, 80.0))
            if self.stopped.wait(0.01):
                events.publish(StateChanged(str(self.folder), "stopped"))
                self.state = "stopped"
                return self.folder
        events.publish(StateChanged(str(self.folder), "finished"))
        self.state = "finished"
        return self.folder


class FakeEngine:
    """What the window asks of the engine, answered from attributes that a test sets."""

    def __init__(self) -> None:
        self.sessions: list[FakeSession] = []  # all that were opened
        self.seconds = 0.2  # that a session lasts
        self.fail: Callable[[FakeSession], None] | None = None
        self.problems: Callable[[Experiment], list[Problem]] = lambda experiment: []
        self.runs: list[Any] = []

    def open_session(self, job: Job, registry: Registry, channels: Channels, runs_folder: Path) -> FakeSession:
        session = FakeSession(self, job.experiment, channels, job.folder or runs_folder / job.experiment.name)
        session.resumed, session.iterations = job.folder is not None, job.iterations
        self.sessions.append(session)
        return session

    def comparison(self, experiment: Experiment, registry: Registry, runs_folder: Path) -> tuple[list[Job], list[Path]]:
        """Runs of 5, 20 and 100 episodes; a session that was not stopped is finished."""
        changes = [{"target.episodes": n, "name": f"n{n}"} for n in (5, 20, 100)]
        done = [session.folder for session in self.sessions if not session.stopped.is_set()]
        jobs = [Job(experiment.changed(**change)) for change in changes]
        return [j for j in jobs if runs_folder / j.experiment.name not in done], done

    def functions(self) -> Engine:
        """The functions that a window's state takes."""
        return Engine(
            open_session=self.open_session,
            check=lambda experiment, registry: self.problems(experiment),
            comparison=self.comparison,
            demonstrations_used=lambda e, registry: {"source": True, "target": e.strategy.id == "lora"},
            list_runs=lambda folder: list(self.runs),
        )


def kept_run(runs_folder: Path, name: str, **changes: Any) -> Path:
    """Return the folder of a run that lies on disk with its experiment alone."""
    folder = runs_folder / name
    folder.mkdir(parents=True)
    (folder / "experiment.yaml").write_text(Experiment(name=name).changed(**changes).to_yaml())
    return folder


def fail_with_event(session: FakeSession) -> None:
    session.channels.events.publish(Failed("It broke.", "target", "Check the robot.", "Traceback: deep"))
    raise RuntimeError("It broke")
