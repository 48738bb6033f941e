"""Families of tasks: rewards by hand, the same starts and motions as the plain tasks', contexts of the family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.registry import Registry
from studio.sim.gymnasium_ids import default_domain, make_vector
from studio.sim.tasks.contexts import problems

FAMILIES = {
    "half_cheetah_direction": "half_cheetah",
    "half_cheetah_velocity": "half_cheetah",
    "half_cheetah_velocity_3": "half_cheetah",
    "ant_direction": "ant",
    "hopper_velocity": "hopper",
    "humanoid_direction": "humanoid",
}
ALL = slice(None)


def worlds(family: str, contexts: list[list[float]], count: int = 6) -> tuple[Any, Any, np.ndarray]:
    """A family's world and the plain task's in the same states; actions for both."""
    made = make_vector(count, family, FAMILIES[family], threads=1, observation="goal", contexts=contexts)
    plain = make_vector(count, FAMILIES[family], FAMILIES[family], threads=1)
    made.reset(seed=4)
    plain.reset(seed=9)
    plain.set_state(np.arange(count), made.bind("qpos"), made.bind("qvel"))
    rng = np.random.default_rng(0)
    return (
        made,
        plain,
        rng.uniform(*(getattr(plain.action_space, end) for end in ("low", "high")), (5, *plain.actions.shape)),
    )


@pytest.mark.parametrize("name", ["half_cheetah_direction", "half_cheetah_velocity", "hopper_velocity"])
def test_rewards_along_x_are_as_the_formula_says(name: str) -> None:
    made, plain, acts = worlds(name, [[1.0], [-1.0]] if "direction" in name else [[0.3], [1.7]])
    for act in acts:
        before = made.bind("qpos")[:, 0].copy()
        made.advance(act, ALL)
        plain.advance(act, ALL)
        np.testing.assert_array_equal(made.batch.state, plain.batch.state)
        v = (made.bind("qpos")[:, 0] - before) * made.task.control_hz
        omega, effort = made.contexts[:, 0], (act**2).sum(1)
        expected = {
            "half_cheetah_direction": omega * v - 0.05 * effort,
            "half_cheetah_velocity": -np.abs(v - omega) - 0.05 * effort,
            "hopper_velocity": 1 - np.abs(v - omega) - 0.001 * effort,
        }[name]
        standing = ~made.terminated(ALL)
        np.testing.assert_allclose(made.reward(ALL)[standing], expected[standing], rtol=0, atol=1e-9)
        assert standing.any()
        seen = made.observe(ALL)
        np.testing.assert_array_equal(seen["goal"][:, 0], omega.astype(np.float32))
        np.testing.assert_array_equal(seen["state"], plain.observe(ALL)["state"])
    assert len(np.unique(made.contexts)) == 2


@pytest.mark.parametrize("name", ["ant_direction", "humanoid_direction"])
def test_plane_direction_rewards_speed_along_the_context(name: str) -> None:
    made, plain, acts = worlds(name, [[1.0, 0.0], [0.0, 1.0], [-0.6, 0.8]])
    shares = made.model.body_mass / made.model.body_mass.sum()
    weight = 1.25 if name == "humanoid_direction" else 1.0

    def where() -> np.ndarray:
        if name == "ant_direction":
            return made.bind("xpos")[:, 1, :2].copy()
        return np.einsum("nbk,b->nk", made.bind("xipos")[:, :, :2], shares)

    for act in acts:
        before = where()
        made.advance(act, ALL)
        plain.advance(act, ALL)
        v = (where() - before) * made.task.control_hz
        gained = weight * ((v * made.contexts).sum(1) - v[:, 0])
        np.testing.assert_allclose(made.reward(ALL), plain.reward(ALL) + gained, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(made.observe(ALL)["state"], plain.observe(ALL)["state"])
    along_x = (made.contexts == [1, 0]).all(1)
    assert along_x.any() and (~along_x).any()
    np.testing.assert_allclose(made.reward(ALL)[along_x], plain.reward(ALL)[along_x], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_whole_and_reproducible(name: str) -> None:
    made = make_vector(200, name, FAMILIES[name], threads=1, observation="goal")
    seen = made.reset(seed=0)[0]
    omega = made.contexts
    assert seen["goal"].shape == omega.shape == (200, made.task.goal_width) and len(made.task.context) == omega.shape[1]
    if "velocity" in name:
        end = 3 if name.endswith("3") else 2
        assert 0 <= omega.min() < 0.1 and end - 0.1 < omega.max() <= end
    elif omega.shape[1] == 1:
        assert set(omega[:, 0]) == {-1, 1} and abs(omega.mean()) < 0.25
    else:
        np.testing.assert_allclose((omega**2).sum(1), 1)
        assert np.abs(omega.mean(0)).max() < 0.2
    one = make_vector(1, name, FAMILIES[name], threads=1, observation="goal")
    one.reset_envs(np.zeros(1, int), [123])
    assert (one.contexts[0] == omega[123]).all()
    acts = np.random.default_rng(1).uniform(-0.4, 0.4, (8, 200, made.actions.shape[1]))
    for act in acts:
        made.advance(act, ALL)
        one.advance(act[123:124], ALL)
        assert one.reward(ALL)[0] == made.reward(ALL)[123]
    hidden = make_vector(2, name, FAMILIES[name], threads=1)
    assert hidden.single_observation_space == made.single_observation_space["state"]


def test_check_context_of_directions_and_velocities() -> None:
    registry = Registry()

    def found(name: str, *contexts: list[float]) -> list[tuple[str, str]]:
        kind, body = registry.get("tasks", name), registry.get("embodiments", FAMILIES[name])
        domain = default_domain(kind, body, contexts=[*contexts])
        return [(p.field, f"{p.message} {p.remedy}") for p in problems(domain, kind())]

    assert not found("half_cheetah_velocity", [2.5], [-1.0]) and not found("ant_direction", [0.6, -0.8])
    ((field, words),) = found("ant_direction", [1.0, 0.0], [1.0, 1.0])
    assert field == "contexts.1" and "length 1" in words and "cosine" in words
    ((_, words),) = found("half_cheetah_direction", [0.5])
    assert "−1" in words
