"""A tiny experiment and ways to run it: in this process, in another one, and in one that is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

from studio.cli.main import main
from studio.events import Event, Events, MetricsLogged, Subscription
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.session import Session

VARIED = [
    {"field": "friction", "low": 0.5, "high": 1.5},
    {"field": "mass", "low": 0.9, "high": 1.1},
    {"field": "camera_position", "low": -0.01, "high": 0.01},
]
STRATEGIES = ("from_scratch", "feature_extraction", "full_finetuning", "lora")
POLICY = {"width": 16, "layers": 1, "points": 4, "channels": 8}

# Processes to kill fork from one that has imported already what takes seconds.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        "studio.sim.world",
        "studio.run.session",
        "studio.il.strategy",
        "studio.rl.learners",
        "peft",
        "tests.preloaded_plugins",
    ]
)


def experiment(strategy: str = "full_finetuning", **changes: Any) -> Experiment:
    """Franka to UR5e from 32 px images in a handful of steps."""
    plan = Experiment.from_dict(
        {
            "name": "tiny",
            "source": {"embodiment": "franka_7dof", "image_size": 32, "episodes": 3},
            "target": {"embodiment": "ur5_6dof", "image_size": 32, "episodes": 2, "randomization": VARIED},
            "policy": {"id": "token_transformer", "params": POLICY},
            "pretraining": {"iterations": 8, "batch_size": 8},
            "strategy": {"id": strategy},
            "budget": {"iterations": 10, "batch_size": 8, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 2, "source_episodes": 1},
            "device": "cpu",
        }
    )
    return plan.changed(**changes) if changes else plan


def run(plan: Experiment, runs: Path, registry: Registry | None = None) -> Session:
    """Run an experiment in this process."""
    session = Session(plan, registry or Registry(), Channels(), runs)
    session.run()
    return session


def listen(session: Session) -> Callable[[], list[Event]]:
    """Collect what a session publishes; calling the result returns all events so far."""
    subscription: Subscription = session.channels.events.subscribe()
    seen: list[Event] = []

    def published() -> list[Event]:
        seen.extend(subscription.drain(1_000_000))
        return seen

    return published


def write(plan: Experiment, folder: Path) -> Path:
    """The experiment as a YAML file in a folder."""
    path = folder / f"{plan.name}.yaml"
    path.write_text(plan.to_yaml(), encoding="utf-8")
    return path


def environment(**more: str) -> dict[str, str]:
    """This process's environment for another one: one thread, no terminal's habits."""
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"} | more


def call(*arguments: str | Path, timeout: float = 120, **more: str) -> subprocess.CompletedProcess[str]:
    """``transfer-studio`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "studio", *map(str, arguments)],
        env=environment(**more), capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def held(stage: str, step: int, *arguments: str | Path, **more: str) -> BaseProcess:
    """``transfer-studio`` in a process that now holds still right after the step's metrics were published."""
    here, there = FORKED.Pipe(duplex=False)
    process = FORKED.Process(
        target=_hold, args=(stage, step, [*map(str, arguments)], environment(**more), there), daemon=True
    )
    process.start()
    there.close()
    try:
        assert here.recv() == "holding"
    except EOFError:
        raise AssertionError(f"it never came to step {step} of {stage}") from None
    return process


def _hold(stage: str, step: int, arguments: list[str], environment: dict[str, str], pipe: Connection) -> None:
    """Run a command, and hold still at a step of a stage, after its metrics were published and before all else."""
    os.environ.clear()
    os.environ.update(environment)
    publish = Events.publish

    def hold(self: Events, event: Event) -> None:
        publish(self, event)
        if isinstance(event, MetricsLogged) and (event.stage, event.step) == (stage, step):
            pipe.send("holding")
            time.sleep(300)

    with patch.object(Events, "publish", hold):
        sys.exit(main(arguments))


def kill(process: BaseProcess) -> None:
    """``kill -9``."""
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def killed_and_resumed(plan: Experiment, place: Path, stage: str, step: int, **more: str) -> tuple[Path, list[Event]]:
    """A run that ``kill -9`` ended at a step, and that went on here to its end; and what it published since."""
    runs = place / "killed"
    kill(held(stage, step, "run", write(plan, place), "--out", runs, **more))
    session = Session.resume(only_run(runs), Registry(), Channels())
    published = listen(session)
    session.run()
    return session.folder, published()


def assert_same(run: Path, wanted: Path, file: str = "policy/policy.safetensors") -> None:
    """Two runs ended with the same tensors in a file, bit for bit."""
    found, expected = tensors(run / file), tensors(wanted / file)
    assert found.keys() == expected.keys() and len(found) > 3
    different = [name for name in expected if found[name].numpy().tobytes() != expected[name].numpy().tobytes()]
    assert not different, f"{file}: {different}"


def only_run(runs: Path) -> Path:
    """The one run folder there is."""
    (folder,) = [path for path in runs.iterdir() if (path / "run.json").exists()]
    return folder


def wait_for(true: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until a condition holds; fail if it never does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def tensors(file: Path) -> dict[str, Any]:
    """The tensors of a safetensors file."""
    from safetensors.torch import load_file

    return load_file(file)
