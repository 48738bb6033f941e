"""Contexts of families of tasks, discrete control, and what is observed of a randomized body."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.experiment import Domain, Experiment, Selection
from studio.registry import Registry
from studio.run.check import check
from studio.sim.domains import embodiment_of, task_of
from studio.sim.episode_recorder import EpisodeRecorder
from studio.sim.rollout import expert_actions, run_episodes
from studio.sim.tasks.contexts import logged
from studio.sim.world import World

REGISTRY = Registry()
POINT = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "goal"}
HOPPER = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}


def world(num_envs: int = 8, **settings: Any) -> World:
    domain = Domain(**settings)
    return World(domain, task_of(domain, REGISTRY), embodiment_of(domain, REGISTRY), num_envs, 1)


def problems(**target: Any) -> list[tuple[str, str, str]]:
    experiment = Experiment(target=Domain(**target), source=Domain(**target), strategy=Selection(id="rl_from_scratch"))
    found = check(experiment, REGISTRY)
    return [(p.field, p.message, p.remedy) for p in found if p.field.startswith("target.")]


def test_a_family_draws_its_contexts_from_the_episodes_own_seeds() -> None:
    many, one = world(16, **POINT), world(1, **POINT)
    many.reset(seed=5)
    assert np.abs(many.contexts).max() <= 0.5 and len(np.unique(many.contexts)) == 32
    np.testing.assert_array_equal(many.observe(slice(None))["goal"], many.contexts.astype(np.float32))
    for seed in (5, 9, 20):
        one.reset_envs(np.zeros(1, int), [seed])
        np.testing.assert_array_equal(one.contexts[0], many.contexts[seed - 5])


def test_a_domain_fixes_the_contexts_and_draws_each_as_often() -> None:
    choices = [[0.1, 0.2], [-0.3, 0.4], [0.5, 0.0]]
    made = world(300, contexts=choices, **POINT)
    made.reset(seed=0)
    found, count = np.unique(made.contexts, axis=0, return_counts=True)
    np.testing.assert_array_equal(found, np.unique(choices, axis=0))
    assert count.min() > 70  # 100 expected, 8.2 standard deviation
    single = world(4, contexts=[[0.25, -0.25]], **POINT)
    assert (single.reset(seed=1)[0]["goal"] == [0.25, -0.25]).all()


def test_contexts_belong_to_the_saved_state() -> None:
    first, second = world(6, **POINT), world(6, **POINT)
    first.reset(seed=3)
    second.reset(seed=50)
    second.load_state_dict(first.state_dict())
    np.testing.assert_array_equal(second.contexts, first.contexts)
    np.testing.assert_array_equal(second.observe(slice(None))["goal"], first.observe(slice(None))["goal"])


def test_contexts_are_recorded_in_training_and_evaluation() -> None:
    terms = [{"field": "mass", "low": 0.8, "high": 1.2}]
    made = world(5, randomization=terms, **POINT)
    keys = logged(made.domain, made.task)
    assert keys == ("mass", "context:goal_x", "context:goal_y")
    outcome = run_episodes(made, expert_actions, range(70, 75), needs_observation=False)
    assert set(outcome.randomization) == set(keys)
    np.testing.assert_array_equal(outcome.randomization["context:goal_y"], made.contexts[:, 1])
    recorder = EpisodeRecorder(5, keys)
    made.observers.append(recorder)
    made.reset(seed=70)
    first_contexts = made.contexts.copy()
    for _ in range(100):
        made.step(np.zeros((5, 2)))
    np.testing.assert_array_equal(recorder.take().randomization["context:goal_x"], first_contexts[:, 0])
    assert not np.array_equal(made.contexts, first_contexts)


def test_dynamics_params_do_not_depend_on_the_terms_range() -> None:
    terms = [
        {"field": "mass", "low": 0.5, "high": 2.0, "parts": "torso", "observed": True},
        {"field": "friction", "low": 0.5, "high": 1.5},
        {"field": "gravity", "low": 0.9, "high": 1.1, "observed": True},
    ]
    made = world(6, randomization=terms, **HOPPER)
    seen = made.reset(seed=0)[0]
    assert set(made.single_observation_space.spaces) == set(seen) == {"state", "dynamics_params"}
    expected = [np.log(made.randomization["mass:torso"]), made.randomization["gravity"] - 1]
    np.testing.assert_allclose(seen["dynamics_params"], np.stack(expected, 1), rtol=1e-6)
    assert seen["dynamics_params"].dtype == np.float32 and seen["dynamics_params"].std(0).min() > 0
    wide = world(6, randomization=[term | {"low": 0.3, "high": 4} for term in terms[:1]], **HOPPER)
    wide.reset(seed=0)
    wide.randomize(np.arange(6), {"mass:torso": made.randomization["mass:torso"]})
    np.testing.assert_array_equal(wide.observe(slice(None))["dynamics_params"][:, 0], seen["dynamics_params"][:, 0])


def test_what_is_new_at_its_default_leaves_hashes_alone() -> None:
    term = {"field": "mass", "low": 0.5, "high": 2.0}
    plain = Experiment(target=Domain(randomization=[term], **HOPPER))
    assert "contexts" not in plain.target.cache_key() and "observed" not in plain.target.cache_key()["randomization"][0]
    assert plain.content_hash() == "d792e16aa81ebc11584dbde1091c63b016afd39f1c688f70906264e171950cd8"
    assert plain.changed(**{"target.contexts": [[1.0, 0.0]]}).content_hash() != plain.content_hash()
    seen = plain.changed(**{"target.randomization": [term | {"observed": True}]})
    assert seen.content_hash() != plain.content_hash()
    assert seen.target.cache_key() != plain.target.cache_key()


@pytest.mark.parametrize(
    ("target", "field", "words", "remedy"),
    [
        (POINT | {"contexts": [[0.1, 0.2], [0.3]]}, "target.contexts.1", "has 1 number;", "goal_x, goal_y"),
        (HOPPER | {"contexts": [[1.0]]}, "target.contexts", "not a task family", "Leave the contexts empty"),
        (HOPPER | {"control": "discrete"}, "target.control", "no control 'discrete'", "motor"),
    ],
)
def test_contexts_and_controls_that_do_not_fit_are_problems(target: dict, field: str, words: str, remedy: str) -> None:
    found = [p for p in problems(**target) if p[0] == field]
    assert found and words in found[0][1] and remedy in found[0][2]
    assert not problems(**(POINT | {"contexts": [[0.1, 0.2]]}))
