"""Leaks between tasks, and between training and test, that would spoil every figure of a meta-learner.

That a task's support and query have no episode in common is shown where they are drawn: in ``test_support``,
``test_meta_policy_gradient`` and ``tests/plugins/test_few_shot``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

import numpy as np
import pytest

from studio.contracts import Shots, Strategy
from studio.experiment import Experiment
from studio.meta.task_split import split
from studio.registry import shared_registry
from studio.run.context import SessionContext
from studio.sim.domains import resolve
from studio.sim.simulation import BatchSimulation

FAMILY = {
    id: kind
    for id, kind in shared_registry().all("strategies").items()
    if "meta-learning" in kind.tags and kind.requires.task_family
}
MEMORY = ("rl2", "snail")
# whose every trial is of a newly drawn task; a fixed set of training tasks comes back: see test_assigned_trials
TRIALS = [id for id, kind in FAMILY.items() if {"trial", "training_tasks"} & {*kind.Params.model_fields} == {"trial"}]
# of finitely many tasks, so that training meets each of them many times
SPARSE = {"embodiment": "point", "task": "half_circle", "control": "motor", "observation": "state"}
Episode = tuple[int, tuple[float, ...]]  # its seed and its context


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, int], list[Episode]]:
    """The episodes of every simulation of every world, in their order."""
    found: dict[tuple[int, int], list[Episode]] = defaultdict(list)
    kept, reset = [], BatchSimulation.reset_envs  # worlds are kept, so that no two have the same id

    def record(self: BatchSimulation, ids: np.ndarray, seeds: Any) -> None:
        reset(self, ids, seeds)
        kept.append(self)
        for i, seed in zip(np.asarray(ids).tolist(), np.asarray(seeds).tolist(), strict=True):
            found[id(self), i].append((seed, tuple(self.contexts[i].tolist())))

    monkeypatch.setattr(BatchSimulation, "reset_envs", record)
    return found


def started(plan: Experiment) -> Strategy:
    registry = shared_registry()
    source, target = resolve(plan.source, registry), resolve(plan.target, registry)
    kind = registry.get("strategies", plan.strategy.id, "strategy.id")
    strategy: Strategy = kind(kind.Params(**plan.strategy.params))
    strategy.setup(
        SessionContext(
            plan, registry, "cpu", [source], target, None, False, lambda done, total: None, lambda text: None
        )
    )
    return strategy


def example(id: str) -> Experiment:
    plan = FAMILY[id].examples()["example"]
    finite = plan.source.task == "point_navigation"
    return plan.changed(source=SPARSE, target=SPARSE) if finite else plan


def episodes_of(played: dict[tuple[int, int], list[Episode]]) -> Iterator[Episode]:
    for episodes in played.values():
        yield from episodes


@pytest.mark.parametrize("id", FAMILY)
def test_training_meets_no_test_task_and_no_test_episode(id: str, played: dict[tuple[int, int], list[Episode]]) -> None:
    plan = example(id)
    strategy, evaluation = started(plan), plan.evaluation
    list(islice(strategy.iterate(), 2))
    tasks = split(resolve(plan.target, shared_registry()), evaluation.seed)
    held_out = {tuple(context) for context in (*tasks.inside, *tasks.outside, *tasks.validation)}
    contexts = {context for _, context in episodes_of(played)}
    assert len(contexts) > 1 and len(held_out) >= 20 and not contexts & held_out
    many = max(evaluation.episodes, evaluation.short_episodes) * (max(evaluation.shots, default=0) + 1)
    scored = range(evaluation.seed, evaluation.seed + many)
    assert not any(seed in scored for seed, _ in episodes_of(played))


@pytest.mark.parametrize("id", [id for id, kind in FAMILY.items() if kind.adapts])
def test_a_policy_is_not_scored_on_the_episodes_that_it_was_adapted_to(
    id: str, played: dict[tuple[int, int], list[Episode]]
) -> None:
    plan = example(id)
    strategy, target = started(plan), resolve(plan.target, shared_registry())
    played.clear()
    context = tuple(split(target, 7).inside[0])
    strategy.adapt(Shots(target.changed(target.domain.changed(contexts=[list(context)])), 2, plan.seed))
    seeds = [seed for seed, _ in episodes_of(played)]
    assert {met for _, met in episodes_of(played)} == {context}
    assert len(set(seeds)) == len(seeds) >= 2
    assert not {*range(plan.evaluation.seed, plan.evaluation.seed + 10_000)} & {*seeds}


@pytest.mark.parametrize("id", TRIALS)
def test_a_trial_has_one_context_and_the_next_one_another(
    id: str, played: dict[tuple[int, int], list[Episode]]
) -> None:
    k, bandit = 3, {**SPARSE, "task": "bandit_5", "control": "discrete"}
    plan = FAMILY[id].examples()["example"].changed(source=bandit, target=bandit)
    list(islice(started(plan.changed(**{"strategy.params.trial": k})).iterate(), 4))
    whole = 0
    for episodes in played.values():
        contexts = [context for _, context in episodes]
        lengths = [len([*group]) for _, group in groupby(contexts)]
        assert len(set(contexts)) == len(lengths), "no context comes back"
        assert {*lengths[:-1]} <= {1, k}, "1: a trial that is given up for others at its first step"
        whole += lengths.count(k)
    assert whole > len(played)
    seeds = [seed for seed, _ in episodes_of(played)]
    assert len(set(seeds)) == len(seeds), "every episode starts in its own way"


@pytest.mark.parametrize("id", MEMORY)
def test_memory_is_empty_where_a_trial_begins_and_there_alone(id: str) -> None:
    """Between iterations that end anywhere in an episode, for trials of three bandits of ten pulls."""
    bandit = {**SPARSE, "task": "bandit_5", "control": "discrete"}
    params = {"trial": 3, "steps": 8, "simulations": 4, "minibatch": 32, "epochs": 1, "physics_threads": 1}
    plan = FAMILY[id].examples()["example"].changed(source=bandit, target=bandit, **{"strategy.params": params})
    strategy, seen = started(plan), set()
    state = strategy.stateful()
    for _ in islice(strategy.iterate(), 8):
        rollouts = state["learner"].state_dict()["rollouts"]
        memory, steps = rollouts["memory"], rollouts["world"]["rows"]["world._steps"]
        places = state["trials"].state_dict()["episode"]
        begins = (places == 0) & (steps == 0)
        assert begins.tolist() == (memory == 0).all(1).tolist()
        seen |= set(places.tolist())
    assert seen == {0, 1, 2}
