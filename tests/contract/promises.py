"""What every strategy must keep, each as a check that raises AssertionError where it does not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.contracts import Strategy
from studio.events import Event, Logged, MetricsLogged
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.meta_test import MetaTest, adapts
from studio.run.score_adapted import score_adapted
from studio.run.score_target import score_target
from studio.run.session import Session
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.world import World
from studio.store.checkpoint import list_checkpoints
from studio.store.export import export_run
from studio.store.policies import load_policy_folder
from tests import tiny

OTHER_STAGES = ("pretrain", "evaluate")  # whose metrics are not the strategy's


class Trained:
    """An experiment that was run to its end in this process, and what it published."""

    def __init__(self, plan: Experiment, runs: Path) -> None:
        self.plan = plan
        self.session = Session(plan, shared_registry(), Channels(), runs)
        published = tiny.listen(self.session)
        self.session.run()
        self.metrics = metrics_of(published())

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.session.folder

    def between_checkpoints(self) -> tuple[int, MetricsLogged]:
        """Return the last step that is lost by a kill, as its metrics, and the checkpoint before it."""
        kept = [step for stage, step, _ in list_checkpoints(self.folder) if stage == "adapt"]
        lost = [e for e in self.metrics if e.step not in kept and e.step > kept[0]]
        assert lost, f"with checkpoints at {kept} there is no step between two: set budget.checkpoint_every"
        return max(step for step in kept if step < lost[-1].step), lost[-1]


def assert_has_no_problem(plan: Experiment) -> None:
    """The checks find nothing that would keep the experiment from starting."""
    assert check(plan, shared_registry()) == []


def assert_learns_in_finite_numbers(trained: Trained) -> None:
    """The run finished, counted its steps to the promised total, and published no NaN or Inf."""
    assert trained.session.state == "finished"
    assert [e.step for e in trained.metrics] == list(range(1, len(trained.metrics) + 1))
    for event in trained.metrics:
        odd = {name: value for name, value in event.values.items() if not math.isfinite(value)}
        assert event.values and not odd, f"step {event.step}: {odd}"


def assert_was_scored_on_the_target(trained: Trained) -> None:
    """The final evaluation has a finite score inside its interval."""
    *_, score = [row for row in trained.session.evaluations if row["final"] and row["domain"] == "target"]
    assert score["episodes"] == trained.plan.evaluation.episodes and math.isfinite(score["mean_return"])
    assert score["low"] <= score["success"] <= score["high"]


def assert_adapts_to_a_task(trained: Trained) -> None:
    """Where it is one that adapts, its newest checkpoint can be adapted to a task, without shots and with one."""
    if not adapts(trained.plan, shared_registry()):
        return
    test = MetaTest(trained.folder, shared_registry())
    (found,) = test.adapt(test.first_context, [0, 1], repeats=1)
    assert [one.shots for one in found.after] == [0, 1]
    for one in found.after:
        assert math.isfinite(one.score.mean_return) and one.score.low <= one.score.score <= one.score.high
        assert np.isfinite(one.trajectory.path).all() and len(one.trajectory.rewards) > 0


def assert_resumes_bit_for_bit(trained: Trained, place: Path) -> None:
    """Killed between two checkpoints by ``kill -9`` and resumed, it publishes and leaves the same, to the bit."""
    kept, lost = trained.between_checkpoints()
    folder, published = tiny.killed_and_resumed(trained.plan, place, lost.stage, lost.step)
    assert f"Resumed adapt at step {kept}." in [e.text for e in published if isinstance(e, Logged)]
    files = [path.relative_to(trained.folder) for path in sorted(trained.folder.glob("[!.]*/*.safetensors"))]
    assert files
    for file in files:
        tiny.assert_same(folder, trained.folder, str(file))
    again = {e.step: timeless(e) for e in metrics_of(published)}
    assert again == {e.step: timeless(e) for e in trained.metrics if e.step > kept}


def assert_acts_the_same_when_exported(trained: Trained, place: Path) -> None:
    """The exported policy acts without the strategy as the trained one did, and scores what the run says."""
    registry, plan = shared_registry(), trained.plan
    policy = load_policy_folder(export_run(trained.folder, place / "exported", merged=True) / "policy", registry)
    _, watched = trained.session.channels.policy.get()
    world = World(plan.target, task_of(plan.target, registry), embodiment_of(plan.target, registry), 2, 1)
    try:
        observation, _ = world.reset(seed=0)
        found, wanted = policy.act(observation)[0], watched.act(observation)[0]
    finally:
        world.close()
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    evaluation, kind = plan.evaluation, registry.get("strategies", plan.strategy.id, "strategy.id")
    rows = [row for row in trained.session.evaluations if row["final"] and row["domain"] == "target"]
    target = resolve(plan.target, registry)
    if kind.adapts and kind.requires.task_family and not policy.reads_support:
        # what is exported is what every task's adaptation starts from
        rows = [row for row in rows if row["shots"] == 0]
        score = score_adapted(_Unadapted(policy), target, evaluation.changed(shots=[0]), plan.seed)[0]
    else:
        *_, score = score_target(policy, target, evaluation, evaluation.episodes, evaluation.seed)
    row = rows[-1]
    assert (score.score, score.mean_return) == pytest.approx((row["success"], row["mean_return"]), rel=1e-3)


class _Unadapted(Strategy):
    """Has the same policy for every task."""

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self._policy = policy

    def policy(self) -> Any:
        return self._policy


def metrics_of(events: list[Event]) -> list[MetricsLogged]:
    """Return the strategy's own metrics among what was published."""
    return [e for e in events if isinstance(e, MetricsLogged) and e.stage not in OTHER_STAGES]


def timeless(event: MetricsLogged) -> dict[str, float]:
    """Return an event's values without those that the clock decides."""
    return {name: value for name, value in event.values.items() if not event.units.get(name, "").endswith("/s")}
