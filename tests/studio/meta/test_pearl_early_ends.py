"""PEARL where episodes end early: what follows a trial's last episode is neither stored nor counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.experiment import Domain
from studio.meta.assigned_trials import AssignedTrials
from studio.meta.hidden_context import hidden, ignore_context
from studio.meta.latent_policy import LatentActorCritic
from studio.meta.pearl import PEARLLearner
from studio.meta.pearl_update import PEARLParams
from studio.meta.task_seeds import task_seeds
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.sim.observers import Observer
from studio.sim.world import World

TRIAL, EXTRA, N = 2, 1, 3


class Lengths(Observer):
    """Keeps the lengths of each simulation's episodes since the last restart."""

    def __init__(self) -> None:
        self.found: list[list[int]] = [[] for _ in range(N)]

    def on_episode_end(self, world: Any, ids: np.ndarray, successes: np.ndarray | None) -> None:
        for i in ids.tolist():
            self.found[i].append(int(world.steps[i]))


@pytest.mark.parametrize("inference", ["episode", "step"])
def test_what_follows_a_trial_is_neither_stored_nor_counted(inference: str) -> None:
    hopper = {"embodiment": "hopper", "task": "hopper_bodies", "control": "motor", "observation": "state"}
    domain = resolve(hidden(Domain.model_validate(hopper)), shared_registry())
    world = World(domain.domain, domain.new_task(), domain.embodiment, N, 1)
    world.task.horizon = 60  # a random hopper falls much earlier
    trials = AssignedTrials(world, TRIAL + EXTRA, task_seeds(domain.domain, domain.task, N, 5))
    policy = LatentActorCritic(LatentActorCritic.Params(width=8, encoder_width=8, latent=2, inference=inference))
    ignore_context(policy)
    policy.fit_to(world, 0)
    settings = PEARLParams(simulations=N, trial=TRIAL, extra=EXTRA, training_tasks=N, capacity=10_000, update="eager")
    learner = PEARLLearner(policy, world, trials, settings, iterations=1, seed=0)
    lengths = Lengths()
    world.observers.append(lengths)
    learner.collect(np.arange(N))
    world.close()
    assert all(len(each) > TRIAL + EXTRA for each in lengths.found)  # it plays on
    assert learner.replay.added.tolist() == [sum(each[: TRIAL + EXTRA]) for each in lengths.found]
    ends = np.cumsum([each[:TRIAL] for each in lengths.found], 1)
    times = learner.recent.times[:, 0].numpy()
    if inference == "step":
        assert (times[:, -1] == ends[:, -1]).all() and (times[:, 0] == 0).all() and (np.diff(times) <= 1).all()
    else:
        assert times.tolist() == ends.tolist()
    assert [len(returns) for returns in learner.returns.state_dict()["latest"]] == [N] * (TRIAL + EXTRA)
