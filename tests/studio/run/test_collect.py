"""Demonstrations: an expert that fails now and then is asked again; one that never succeeds is said to be unable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.data.collect import collect
from studio.errors import ExperimentError
from studio.experiment import Domain
from studio.registry import Registry
from studio.seeds import demonstration_seed
from studio.sim.domains import embodiment_of, task_of

REGISTRY = Registry()
DOMAIN = Domain(embodiment="ur5_6dof", observation="goal")


def clumsy(unable: Any) -> Any:
    """Reaching, where the episodes of some seeds never succeed."""

    class Clumsy(type(task_of(DOMAIN, REGISTRY))):  # type: ignore[misc]
        horizon = 15

        def prepare(self, world: Any) -> None:
            super().prepare(world)
            self.fails = np.zeros(world.num_envs, bool)

        def reset(self, world: Any, ids: Any, draws: Any) -> None:
            super().reset(world, ids, draws)
            self.fails[ids] = [unable(int(seed) - demonstration_seed(0)) for seed in draws.seeds]

        def success(self, world: Any, ids: Any) -> Any:
            return super().success(world, ids) & ~self.fails[ids]

    return Clumsy()


def test_a_failed_last_episode_is_made_up_for() -> None:
    """Of three episodes one fails, then the one that is to take its place: the next is taken."""
    episodes = collect(DOMAIN, clumsy({1, 3}.__contains__), embodiment_of(DOMAIN, REGISTRY), 3, 0)
    wanted = collect(DOMAIN, clumsy({1, 3}.__contains__), embodiment_of(DOMAIN, REGISTRY), 2, 0)
    assert len(episodes) == 3 and len(wanted) == 2
    np.testing.assert_array_equal(episodes.take(2).actions, wanted.actions)


def test_an_expert_that_cannot_do_it_is_one_sentence() -> None:
    with pytest.raises(ExperimentError, match="cannot do 'reach'"):
        collect(DOMAIN, clumsy(lambda seed: True), embodiment_of(DOMAIN, REGISTRY), 3, 0)
