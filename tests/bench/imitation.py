"""Behavior cloning's speed, memory and checkpoints: full fine-tuning against LoRA, on the demo's policy and images.

Each strategy is run by a session in a process of its own. The data path is what it takes to draw a batch; a step is all
of an iteration. An adapter run's checkpoint has two parts: the policy as it can be played, and the state to resume
from, which holds AdamW's two moments of every trained parameter too.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from _report import finish, row

from studio import paths
from studio.contracts import Batch, Metrics
from studio.data.batches import BatchSampler
from studio.experiment import Experiment
from studio.il.cloning import BehaviorCloning
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.session import Session

STRATEGIES = ("full_finetuning", "lora")
ITERATIONS, WARM_UP = 300, 50


class Clock:
    """Seconds since the warm-up's end: of drawing batches, and of whole steps."""

    def __init__(self) -> None:
        self.data, self.step = 0.0, 0.0
        self._iterate, self._batch = BehaviorCloning.iterate, BatchSampler.batch

    def iterate(self, learner: BehaviorCloning) -> Iterator[Metrics]:
        steps, start = self._iterate(learner), time.perf_counter()
        for metrics in steps:
            self.step += time.perf_counter() - start
            if metrics.step == WARM_UP:
                self.data = self.step = 0.0
            yield metrics
            start = time.perf_counter()

    def batch(self, sampler: BatchSampler, iteration: int) -> Batch:
        start = time.perf_counter()
        drawn = self._batch(sampler, iteration)
        self.data += time.perf_counter() - start
        return drawn


def measured(strategy: str) -> dict[str, Any]:
    """Return what one training takes, in this process, and the sizes of what it leaves."""
    plan = Experiment.load(paths.assets() / "experiments" / "demo.yaml").changed(
        strategy={"id": strategy},
        comparison={},
        **{
            "budget.iterations": ITERATIONS,
            "budget.checkpoint_every": ITERATIONS,
            "evaluation.episodes": 1,
            "evaluation.source_episodes": 0,
            "evaluation.every": 0,
        },
    )
    clock = Clock()
    with (
        tempfile.TemporaryDirectory() as place,
        patch.object(BehaviorCloning, "iterate", lambda learner: clock.iterate(learner)),
        patch.object(BatchSampler, "batch", lambda sampler, iteration: clock.batch(sampler, iteration)),
    ):
        session = Session(plan, shared_registry(), Channels(), Path(place))
        session.run()
        checkpoint = session.folder / "checkpoints" / f"adapt-{ITERATIONS:08d}"
        sizes = {
            "adapter": _bytes(session.folder / "adapter"),
            "played": _bytes(checkpoint / "policy"),
            "state": sum(file.stat().st_size for file in checkpoint.iterdir() if file.is_file()),
        }
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"data": clock.data, "step": clock.step, "peak": peak, **sizes}


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.safetensors"))


def main() -> None:
    if sys.argv[1:2] == ["--alone"]:
        print(json.dumps(measured(sys.argv[2])))
        return
    rows, steps = [], ITERATIONS - WARM_UP
    for strategy in STRATEGIES:
        said = subprocess.run(
            [sys.executable, __file__, "--alone", strategy], stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(said.stdout.splitlines()[-1])
        share = 100 * found["data"] / found["step"]
        rows += [
            row(f"{strategy}: speed", steps / found["step"], "steps/s"),
            row(f"{strategy}: data path", share, "% of a step", "<= 5", share <= 5),
            row(f"{strategy}: peak memory of the process", found["peak"], "MB"),
        ]
        if found["adapter"]:
            played, state = (found[part] / found["adapter"] for part in ("played", "state"))
            rows += [
                row(f"{strategy}: adapter", found["adapter"] / 1024, "KB"),
                row(f"{strategy}: checkpoint's policy", played, "adapters", "<= 2", played <= 2),
                row(f"{strategy}: checkpoint's state to resume from, with AdamW's moments", state, "adapters"),
            ]
    finish(rows)


if __name__ == "__main__":
    main()
