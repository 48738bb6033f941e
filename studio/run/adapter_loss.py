"""What a changed adapter costs: how far its actions differ on recorded states, and its success on the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from studio.contracts import Episodes, Policy
from studio.data.datasets import demonstrations
from studio.errors import DataError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.evaluate import Evaluation
from studio.run.score_target import score_target
from studio.sim.domains import resolve

STATES = 512  # recorded states that actions are compared on


@dataclass(frozen=True)
class ActionLoss:
    """Root mean squares of actions on recorded states, in the domain's own action units.

    Args:
        difference: between the two policies.
        before, after: between the recorded action and each of them.
    """

    states: int
    difference: float
    before: float
    after: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def adapter_experiment(folder: Path) -> Experiment:
    """Return the experiment of an adapter's folder. Raises DataError where it has none."""
    file = folder / "experiment.yaml"
    if not file.is_file():
        words = "The adapter has no experiment, so that there is no target to measure it on."
        raise DataError(words, str(folder), "Choose an adapter of a run.")
    return Experiment.load(file)


def recorded_states(
    experiment: Experiment, registry: Registry, tick: Callable[[int, int], None] | None = None
) -> Episodes:
    """Return the target's demonstrations, which a run learned from. Raises DataError where it has none."""
    return demonstrations(resolve(experiment.target, registry), experiment.seed, tick)


def action_loss(before: Policy, after: Policy, episodes: Episodes) -> ActionLoss:
    """Return how the actions of two policies differ on recorded states, evenly spread over the episodes."""
    rows = np.unique(np.linspace(0, len(episodes.actions) - 1, STATES).astype(int))
    observation = {name: values[rows] for name, values in episodes.observations.items()}
    one, other = before.act(observation)[0], after.act(observation)[0]
    recorded = episodes.actions[rows]

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(np.mean((a.astype(float) - b) ** 2)))

    return ActionLoss(len(rows), distance(one, other), distance(one, recorded), distance(other, recorded))


def success_of(
    policy: Policy,
    experiment: Experiment,
    registry: Registry,
    episodes: int,
    tick: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Return a policy's score on the experiment's target, on its evaluation seeds."""
    plan = experiment.evaluation
    return score_target(policy, resolve(experiment.target, registry), plan, episodes, plan.seed, tick)[-1]
