"""Randomization: it really changes physics and images, and its nominal values change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.experiment import Domain, RandomizationTerm
from studio.images import adjust_arrays
from studio.registry import Registry
from studio.rng import EpisodeRng
from studio.sim.domains import embodiment_of, task_of
from studio.sim.randomization import fields as randomization
from studio.sim.randomization.fields import NOMINAL, draw
from studio.sim.world import World

REGISTRY = Registry()
IDS = np.arange(2)


def make(kind: str = "goal", robot: str = "ur5_6dof", terms: list[dict[str, Any]] | None = None) -> World:
    domain = Domain(embodiment=robot, observation=kind, image_size=32, randomization=terms or [])
    return World(domain, task_of(domain, REGISTRY), embodiment_of(domain, REGISTRY), 2, 1)


def give(world: World, values: dict[str, Any]) -> None:
    """The second simulation gets the values, the first the nominal ones."""
    whole = {}
    for key, value in values.items():
        whole[key] = randomization.nominal(key, 2)
        whole[key][1] = value
    world.randomize(IDS, whole)


def rolled(world: World, values: dict[str, float] | None = None, steps: int = 4) -> np.ndarray:
    """Positions of both simulations over some steps; only the second has the values."""
    world.reset_envs(IDS, [3, 3])
    if values is not None:
        give(world, values)
    rng = np.random.default_rng(0)
    states = []
    for _ in range(steps):
        action = rng.uniform(-1, 1, world.single_action_space.shape)
        world.advance(np.stack([action, action]), IDS)
        states.append(np.stack([world.state(i)[0] for i in IDS]))
    return np.stack(states, 1)  # (sim, time, nq)


@pytest.mark.parametrize(
    ("field", "value"),
    [("mass", 1.5), ("damping", 3.0), ("actuator_gain", 0.5), ("actuator_delay", 0.05)],
)
def test_physics_changes_the_trajectory_and_nominal_restores_it(field: str, value: float) -> None:
    world = make()
    plain = rolled(world)
    np.testing.assert_array_equal(plain[0], plain[1])
    changed = rolled(world, {field: value})
    np.testing.assert_array_equal(changed[0], plain[0])  # its neighbor is left alone
    assert np.abs(changed[1] - plain[1]).max() > 1e-5
    np.testing.assert_array_equal(rolled(world, {field: NOMINAL[field]}), plain)
    np.testing.assert_array_equal(rolled(world), plain)


def test_friction_changes_what_touches() -> None:
    """Nothing touches anything in reach, so a block is laid on the table and pushed by gravity down a slope."""
    import mujoco
    import mujoco.batch

    xml = """<mujoco><option gravity="4 0 -9"/><worldbody><geom type="plane" size="2 2 .1" friction="1"/>
    <body pos="0 0 .05"><freejoint/><geom type="box" size=".1 .1 .05" mass="1" friction="1"/></body>
    </worldbody></mujoco>"""
    model = mujoco.MjModel.from_xml_string(xml)
    ends = []
    for factors in ([1.0, 0.2], [1.0, 1.0], None):
        batch = mujoco.batch.Batch(model, 2, 1)
        qpos = batch.bind("qpos")
        randomizer = randomization.PhysicsRandomizer(batch, model)
        batch.reset(IDS, stage=mujoco.mjtStage.mjSTAGE_NONE)
        if factors is not None:
            randomizer.apply(IDS, {"friction": np.array(factors)})
        batch.step(IDS, nstep=200)
        ends.append(qpos[:, 0].copy())
    assert ends[0][1] > ends[0][0] + 0.1
    np.testing.assert_array_equal(ends[1], ends[2])


def test_mass_reaches_the_constants_derived_from_it() -> None:
    world = make()
    world.reset_envs(IDS, [0, 0])
    give(world, {"mass": 2.0})
    masses, inertias = world.batch.expand("body_mass"), world.batch.expand("body_inertia")
    weights = world.batch.expand("body_subtreemass")
    np.testing.assert_allclose(masses[1], 2 * world.model.body_mass)
    np.testing.assert_allclose(inertias[1], 2 * world.model.body_inertia)
    np.testing.assert_allclose(weights[1], 2 * world.model.body_subtreemass)
    np.testing.assert_array_equal(masses[0], world.model.body_mass)


def test_delay_is_the_delay_that_was_asked_for() -> None:
    """A step of the command reaches the arm 50 ms later and not before."""
    world = make()
    world.reset_envs(IDS, [0, 0])
    give(world, {"actuator_delay": 0.05})
    for _ in range(3):
        world.advance(np.zeros((2, 3)), IDS)
    at_rest = [world.state(i)[0] for i in IDS]
    moved = []
    parts = world.advance_parts(np.ones((2, 3)), IDS)
    for _ in parts:
        moved.append([np.abs(world.state(i)[0] - at_rest[i]).max() for i in IDS])
    prompt, delayed = np.array(moved).T
    assert prompt[0] > 1e-4  # after 25 ms
    assert delayed[0] < 0.05 * prompt[0]
    assert delayed[-1] > 1e-3  # after 100 ms


def test_camera_moves_and_nominal_leaves_the_image_as_it_was() -> None:
    world = make("image")
    world.reset_envs(IDS, [3, 3])
    plain = world.images(IDS)
    np.testing.assert_array_equal(plain[0], plain[1])
    for field, value in (("camera_position", 0.05), ("camera_fov", 75.0)):
        give(world, {field: value})
        changed = world.images(IDS)
        np.testing.assert_array_equal(changed[0], plain[0])
        assert np.abs(changed[1].astype(int) - plain[1]).mean() > 1, field
        give(world, {field: NOMINAL[field]})
        np.testing.assert_array_equal(world.images(IDS), plain)
    world.close()


def test_a_wider_view_shows_smaller_balls() -> None:
    world = make("image")
    world.reset_envs(IDS, [3, 3])
    world.randomize(IDS, {"camera_fov": np.array([45.0, 85.0])})
    narrow, wide = world.images(IDS).astype(int)
    assert _red(narrow) > 1.5 * _red(wide)
    world.close()


def _red(image: np.ndarray) -> int:
    return int(((image[..., 0] > 100) & (image[..., 1] < 70) & (image[..., 2] < 70)).sum())


@pytest.mark.parametrize(
    ("field", "value"), [("brightness", 1.3), ("contrast", 0.7), ("saturation", 0.5), ("blur", 1.0), ("sharpness", 2.0)]
)
def test_image_transforms_change_only_their_own_image(field: str, value: float) -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3), dtype=np.uint8)
    kept = images.copy()
    nominal = {name: np.full(2, NOMINAL[name]) for name in randomization.IMAGE}
    changed = adjust_arrays(images, nominal | {field: np.array([NOMINAL[field], value])})
    assert changed.dtype == np.uint8
    assert np.abs(changed[0].astype(int) - images[0]).max() <= 1  # rounding
    assert np.abs(changed[1].astype(int) - images[1]).mean() > 2
    np.testing.assert_array_equal(adjust_arrays(images, nominal), images)
    np.testing.assert_array_equal(images, kept)


def test_transforms_mean_what_they_are_called() -> None:
    images = np.random.default_rng(0).integers(60, 180, (1, 16, 16, 3), dtype=np.uint8)

    def with_(**values: float) -> np.ndarray:
        return adjust_arrays(images, {n: np.array([values.get(n, NOMINAL[n])]) for n in randomization.IMAGE}).astype(
            float
        )

    plain = images.astype(float)
    np.testing.assert_allclose(with_(brightness=1.2), plain * 1.2, atol=1)
    assert with_(contrast=0.5).std() == pytest.approx(plain.std() / 2, rel=0.35)
    gray = with_(saturation=0.0)
    assert np.ptp(gray, axis=-1).max() <= 1
    assert with_(blur=1.0).std() < 0.6 * plain.std()
    assert with_(sharpness=2.0).std() > plain.std()
    np.testing.assert_allclose(with_(blur=1.0).mean(), plain.mean(), atol=1)


def test_draws_lie_in_their_range_and_come_from_the_seed() -> None:
    terms = [
        RandomizationTerm(field="friction", low=0.5, high=1.5),
        RandomizationTerm(field="mass", low=0.1, high=10, distribution="log_uniform"),
        RandomizationTerm(field="camera_position", low=-0.02, high=0.02),
        RandomizationTerm(field="blur", low=1, high=2, probability=0.5),
    ]
    values = draw(terms, EpisodeRng(range(300)))
    friction = values["friction"]
    assert 0.5 <= friction.min() < 0.6 and 1.4 < friction.max() <= 1.5
    assert np.median(values["mass"]) == pytest.approx(1.0, abs=0.35)  # the middle of the logarithms
    assert values["camera_position"].shape == (300, 3)
    assert 0.4 < np.mean(values["blur"] != 0) < 0.6
    assert draw(terms, EpisodeRng([5]))["mass"][0] == values["mass"][5]
    assert "damping" not in values


def test_a_world_draws_its_domains_terms_for_every_episode() -> None:
    world = make(terms=[{"field": "mass", "low": 0.8, "high": 1.2}])
    world.reset_envs(IDS, [1, 2])
    masses = world.randomization["mass"].copy()
    assert masses[0] != masses[1] and np.all((masses >= 0.8) & (masses <= 1.2))
    np.testing.assert_allclose(world.batch.expand("body_mass")[0], world.model.body_mass * masses[0])
    world.reset_envs(IDS, [2, 1])
    np.testing.assert_array_equal(world.randomization["mass"], masses[::-1])


def problems(*terms: dict[str, Any]) -> list[tuple[str, str, str]]:
    hopper = Domain(embodiment="hopper", task="hopper", control="motor", observation="state")
    world = World(hopper, task_of(hopper, REGISTRY), embodiment_of(hopper, REGISTRY), 1, 1)
    found = randomization.check_terms([RandomizationTerm(**t) for t in terms], world.model)
    return [(p.field, p.message, p.remedy) for p in found]


def test_check_terms_names_the_field_at_fault() -> None:
    good = {"field": "mass", "low": 0.8, "high": 1.2}
    assert problems(good, good | {"parts": "torso, f*"}) == []
    ((field, message, remedy),) = problems(good, good | {"parts": "tail"})
    assert field == "randomization.1.parts" and "'tail'" in message and "torso, thigh, leg, foot" in remedy
    ((field, message, _),) = problems({"field": "friction", "low": 1.0, "high": 1.0})
    assert field == "randomization.0.high" and "empty" in message
    assert problems({"field": "sharpness", "low": 2.0, "high": 2.0}) == [], "one value that differs is a range"
    ((field, message, _),) = problems({"field": "damping", "low": 0.5, "high": 2.0, "parts": "root*"})
    assert field == "randomization.0.field" and "changes nothing" in message
