"""Training tasks that are assigned to simulations, and the memories of them: nothing of one task leaks into another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.contracts import ResolvedDomain
from studio.experiment import Domain
from studio.meta.assigned_trials import AssignedTrials
from studio.meta.task_replay import RecentTrials, TaskReplay
from studio.meta.task_seeds import task_seeds
from studio.meta.task_split import split
from studio.registry import shared_registry
from studio.rng import EpisodeRng
from studio.sim.domains import resolve
from studio.sim.tasks import contexts
from studio.sim.world import World


def domain_of(task: str, embodiment: str = "point", **more: object) -> ResolvedDomain:
    plan = {"embodiment": embodiment, "task": task, "control": "motor", "observation": ["state"], **more}
    return resolve(Domain.model_validate(plan), shared_registry())


def drawn(domain: ResolvedDomain, seeds: np.ndarray) -> np.ndarray:
    return contexts.draw(domain.task, domain.domain.contexts, EpisodeRng(seeds))


@pytest.mark.parametrize(
    ("domain", "count", "wanted"),
    [
        (domain_of("half_circle"), 100, 80),  # its members
        (domain_of("half_circle"), 7, 7),
        (domain_of("point_navigation"), 50, 50),
        (domain_of("point_navigation", contexts=[[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]), 50, 3),
    ],
)
def test_task_seeds_draw_distinct_tasks(domain: ResolvedDomain, count: int, wanted: int) -> None:
    found = drawn(domain, task_seeds(domain.domain, domain.task, count, 1 << 32))
    assert len(found) == len(np.unique(found, axis=0)) == wanted


@pytest.mark.parametrize(("high", "resample", "wanted"), [(2.0, "reset", 200), (1.0, "reset", 80), (2.0, "once", 80)])
def test_task_seeds_of_a_finite_family_draw_several_bodies_of_a_context(
    high: float, resample: str, wanted: int
) -> None:
    term = {"field": "mass", "low": 1.0, "high": high, "resample": resample}
    domain = domain_of("half_circle", randomization=[term])
    seeds = task_seeds(domain.domain, domain.task, 200, 1 << 32)
    counts = np.unique(drawn(domain, seeds), axis=0, return_counts=True)[1]
    assert len(np.unique(seeds)) == wanted and len(counts) == 80 and np.ptp(counts) <= 1


@pytest.mark.parametrize("task", ["half_circle", "point_navigation"])
def test_task_seeds_draw_no_held_out_context(task: str) -> None:
    domain = domain_of(task)
    trained = {
        tuple(context) for context in drawn(domain, task_seeds(domain.domain, domain.task, 200, 1 << 32)).tolist()
    }
    assert not trained & {tuple(context) for context in split(domain, 0).inside}


def test_assigned_trials_play_their_task_for_a_whole_trial() -> None:
    domain = domain_of("half_circle_dense")
    world = World(domain.domain, domain.new_task(), domain.embodiment, 3, 1)
    trials = AssignedTrials(world, 2, task_seeds(domain.domain, domain.task, 80, 5))
    wanted = drawn(domain, trials.task_seeds)
    for tasks in ([4, 4, 60], [7, 0, 1]):
        trials.assign(np.array(tasks))
        world.reset()
        for _ in range(40):
            np.testing.assert_array_equal(world.contexts, wanted[tasks])
            world.step(np.full((3, 2), 0.1))
            assert ((trials.rewards == 0) | (trials.rewards >= 0.8)).all()  # the sparse one is what a policy observes


def test_memories_return_transitions_of_the_asked_task_alone() -> None:
    replay, recent, generator = (
        TaskReplay(3, 10, {"a": 2, "b": 1}),
        RecentTrials(3, 2, 6, 1, torch.arange(7)),
        torch.Generator(),
    )
    for round in range(4):
        tasks = [round % 3, 2]
        rows = torch.tensor(tasks, dtype=torch.float32).expand(6, 2)[..., None]
        replay.add(tasks, rows.repeat(1, 1, 3))
        recent.add(tasks, rows + 10 * round, torch.arange(7).expand(2, 7))
    asked = torch.tensor([0, 1, 2, 2])
    batch = replay.sample(asked, 50, generator)
    assert (batch["a"] == asked[:, None, None]).all() and (batch["b"] == asked[:, None, None]).all()
    for _ in range(20):
        context, _ = recent.sample(asked, 4, 1, generator)
        assert (context[..., 0] % 10 == asked[:, None]).all()
        assert (context[2:, :, 0] >= 20).all()  # of its two newest trials


def test_replay_adds_the_chosen_transitions_alone() -> None:
    replay, rows = TaskReplay(2, 10, {"a": 1}), torch.arange(12.0).view(6, 2, 1)  # of two simulations
    replay.add([0, 1], rows, rows.squeeze(-1) % 3 == 0)
    drawn = replay.sample(torch.tensor([0, 1]), 50, torch.Generator().manual_seed(0))["a"]
    assert set(drawn[0].flatten().tolist()) == {0.0, 6.0} and set(drawn[1].flatten().tolist()) == {3.0, 9.0}


@pytest.mark.parametrize("count", [12, 30])
def test_recent_trials_sample_what_was_seen_at_any_moment_of_a_trial(count: int) -> None:
    recent, generator = RecentTrials(1, 1, 30, 1, torch.arange(31)), torch.Generator().manual_seed(0)
    recent.add([0], torch.arange(30.0)[:, None, None], torch.arange(31)[None])
    context, mask = recent.sample(torch.zeros(20, dtype=torch.long), count, 50, generator)
    assert (context[:, 1:] > context[:, :-1]).all() and context.unique().numel() == 30  # in order, and any of them
    assert (mask[..., 1:] <= mask[..., :-1]).all()  # what comes later is not seen
    seen = mask.sum(-1)
    assert seen.min() == 0 and seen.max() == count and abs(seen.mean() - count / 2) < count / 20


def test_contexts_are_whole_episodes_where_a_latent_is_inferred_before_each() -> None:
    recent, generator = RecentTrials(1, 1, 30, 1, torch.arange(10, 31, 10)), torch.Generator().manual_seed(0)
    recent.add([0], torch.arange(30.0)[:, None, None], torch.tensor([[10, 20, 30]]))
    context, mask = recent.sample(torch.zeros(8, dtype=torch.long), 30, 50, generator)
    ends = context[:, None, :, 0].mul(mask).amax(-1) + 1
    assert set(ends.flatten().tolist()) == {10.0, 20.0, 30.0}
