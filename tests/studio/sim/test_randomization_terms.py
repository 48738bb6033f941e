"""Every term: what it draws is what was asked, it changes the physics or the picture, and nominal is nominal again."""

from __future__ import annotations

import math
from typing import Any, get_args

import mujoco.batch
import numpy as np
import pytest
from scipy import stats

from studio.errors import StudioError
from studio.experiment import Domain, RandomizationField, RandomizationTerm
from studio.registry import Registry
from studio.rng import EpisodeRng
from studio.sim.domains import embodiment_of, task_of
from studio.sim.randomization import fields as randomization
from studio.sim.randomization.fields import CAMERA, IMAGE, NOMINAL, PHYSICS, VECTORS, draw
from studio.sim.rollout import run_episodes
from studio.sim.world import World

REGISTRY = Registry()
FIELDS: tuple[str, ...] = get_args(RandomizationField)
COUNT = 10_000
RANGES: dict[str, tuple[float, float]] = {
    "friction": (0.5, 1.5),
    "mass": (0.8, 1.2),
    "damping": (0.25, 4.0),
    "armature": (0.5, 2.0),
    "gravity": (0.9, 1.1),
    "actuator_gain": (0.7, 1.3),
    "actuator_delay": (0.001, 0.05),
    "sensor_noise": (0.001, 0.02),
    "camera_position": (-0.02, 0.02),
    "camera_fov": (55.0, 65.0),
    "light_position": (-1.0, 1.0),
    "light_intensity": (0.5, 1.5),
    "color": (0.4, 1.6),
    "brightness": (0.7, 1.3),
    "contrast": (0.7, 1.3),
    "saturation": (0.7, 1.3),
    "blur": (0.1, 2.0),
    "sharpness": (0.5, 2.0),
}
STRONG: dict[str, Any] = {
    "friction": 0.4, "mass": 1.5, "damping": 4.0, "armature": 2.0, "gravity": 0.8, "actuator_gain": 0.6,
    "actuator_delay": 0.04, "camera_position": 0.05, "camera_fov": 75.0, "light_position": (1.5, -1.0, 0.5),
    "light_intensity": 0.5, "color": (0.3, 0.6, 1.4), "brightness": 0.6, "contrast": 0.5, "saturation": 0.2,
    "blur": 1.5, "sharpness": 3.0,
}  # fmt: skip


def make(num_envs: int = 2, terms: list[dict[str, Any]] | str = "nominal", **more: Any) -> World:
    """The Hopper: it stands, falls and rubs, and its joints have armature and damping."""
    whole = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"} | more
    domain = Domain(randomization=terms, **whole)
    return World(domain, task_of(domain, REGISTRY), embodiment_of(domain, REGISTRY), num_envs, 1, max_delay=0.05)


def picture_world() -> World:
    domain = Domain(embodiment="ur5_6dof", task="reach", observation="image", image_size=48)
    return World(domain, task_of(domain, REGISTRY), embodiment_of(domain, REGISTRY), 2, 1)


def expected(term: RandomizationTerm) -> Any:
    """SciPy's distribution of the same name."""
    low, high = term.low, term.high
    if term.distribution == "uniform":
        return stats.uniform(low, high - low)
    if term.distribution == "log_uniform":
        return stats.loguniform(low, high)
    middle, std = (low + high) / 2, term.std or (high - low) / 4
    return stats.truncnorm((low - middle) / std, (high - middle) / std, middle, std)


@pytest.mark.parametrize("shape", ["uniform", "log_uniform", "normal", "narrow normal", "wide normal"])
@pytest.mark.parametrize("field", FIELDS)
def test_draw_has_the_mean_and_spread_asked_for(field: str, shape: str) -> None:
    low, high = RANGES[field]
    if shape == "log_uniform" and low <= 0:
        with pytest.raises(ValueError, match="log-uniform"):
            RandomizationTerm(field=field, low=low, high=high, distribution="log_uniform")
        return
    std = {"narrow normal": (high - low) / 40, "wide normal": high - low}.get(shape, 0.0)
    term = RandomizationTerm(field=field, low=low, high=high, distribution=shape.split()[-1], std=std)
    values = draw([term], EpisodeRng(range(COUNT)))[term.key]
    assert values.shape == ((COUNT, 3) if field in VECTORS else (COUNT,))
    for column in values.reshape(COUNT, -1).T:
        wanted = expected(term)
        assert column.min() >= low and column.max() <= high
        assert column.mean() == pytest.approx(wanted.mean(), abs=4 * wanted.std() / math.sqrt(COUNT))
        assert column.std() == pytest.approx(wanted.std(), rel=0.03)
        assert stats.kstest(column, wanted.cdf).pvalue > 1e-3


@pytest.mark.parametrize("field", FIELDS)
def test_a_term_is_applied_as_often_as_its_probability_says(field: str) -> None:
    low, high = RANGES[field]
    term = RandomizationTerm(field=field, low=low, high=high, probability=0.25)
    values = draw([term], EpisodeRng(range(COUNT)))[term.key].reshape(COUNT, -1)[:, 0]
    skipped = np.isnan(values) if math.isnan(NOMINAL[field]) else values == NOMINAL[field]
    assert (~skipped).mean() == pytest.approx(0.25, abs=4 * math.sqrt(0.25 * 0.75 / COUNT))
    applied = values[~skipped]
    assert applied.mean() == pytest.approx((low + high) / 2, abs=4 * (high - low) / math.sqrt(12 * len(applied)))


def test_terms_and_axes_are_drawn_independently() -> None:
    terms = [RandomizationTerm(field=f, low=RANGES[f][0], high=RANGES[f][1]) for f in ("mass", "friction", "color")]
    values = draw(terms, EpisodeRng(range(COUNT)))
    columns = np.column_stack([values["mass"], values["friction"], values["color"]])
    assert np.abs(np.corrcoef(columns.T) - np.eye(5)).max() < 4 / math.sqrt(COUNT)


def trajectory(world: World, values: dict[str, Any] | None = None, steps: int = 40) -> np.ndarray:
    """States over some steps, (sim, time, nq); both have the same seed and actions, the second one the values."""
    ids = np.arange(2)
    world.reset_envs(ids, [3, 3])
    if values is not None:
        given = {key: randomization.nominal(key, 2) for key in values}
        for key, value in values.items():
            given[key][1] = value
        world.randomize(ids, given)
    rng = np.random.default_rng(0)
    states = []
    for _ in range(steps):
        action = rng.uniform(-1, 1, world.single_action_space.shape)
        world.advance(np.stack([action, action]), ids)
        states.append(world.bind("qpos")[ids].copy())
    return np.stack(states, 1)


def assert_nominal(world: World) -> None:
    """Every value of the model that simulations have of their own is the model's, to the bit."""
    found = 0
    for name in mujoco.batch.MODEL_FIELDS:
        own = world.batch.expanded(name)
        if own is not None:
            found += 1
            holder: Any = world.model
            for part in name.split("."):
                holder = getattr(holder, part)
            for row in own:
                np.testing.assert_array_equal(row.ravel(), np.asarray(holder).ravel(), err_msg=name)
    assert found


@pytest.mark.parametrize("field", PHYSICS)
def test_nominal_values_restore_physics_bit_for_bit(field: str) -> None:
    world = make()
    plain = trajectory(world)
    np.testing.assert_array_equal(plain[0], plain[1])
    changed = trajectory(world, {field: STRONG[field]})
    np.testing.assert_array_equal(changed[0], plain[0], err_msg="its neighbor is left alone")
    assert np.abs(changed[1] - plain[1]).max() > 1e-3
    np.testing.assert_array_equal(trajectory(world, {field: NOMINAL[field]}), plain)
    assert_nominal(world)
    np.testing.assert_array_equal(trajectory(world), plain)
    assert_nominal(world)


@pytest.mark.parametrize(
    ("key", "name", "part"),
    [
        ("mass:torso", "body_mass", 1),
        ("friction:foot_geom", "geom_friction", 4),
        ("damping:foot_joint", "dof_damping", 5),
        ("armature:foot*", "dof_armature", 5),
        ("actuator_gain:foot*", "actuator_gainprm", 2),
    ],
)
def test_parts_are_scaled_and_the_others_are_not(key: str, name: str, part: int) -> None:
    world = make()
    world.reset_envs(np.arange(2), [0, 1])
    world.randomize(np.array([1]), {key: np.array([1.5])})
    own, model = world.batch.expand(name), getattr(world.model, name)
    np.testing.assert_allclose(own[1, part], 1.5 * model[part])
    np.testing.assert_array_equal(np.delete(own[1], part, 0), np.delete(model, part, 0))
    np.testing.assert_array_equal(own[0], model)
    world.reset_envs(np.arange(2), [0, 1])
    assert_nominal(world)


def test_factors_of_one_field_are_multiplied() -> None:
    """A torso drawn once keeps its mass when every episode draws the foot's, and a hand gives the whole body's."""
    terms = [
        {"field": "mass", "parts": "torso", "low": 1.5, "high": 2.0, "resample": "once"},
        {"field": "mass", "parts": "foot", "low": 0.5, "high": 0.8},
    ]
    world = make(3, terms)
    ids, model = np.arange(3), world.model.body_mass
    torso = world.randomization["mass:torso"].copy()
    assert len(set(torso)) == 3
    for episode in range(2):
        world.reset_envs(ids, ids + 10 * episode)
        own = world.batch.expand("body_mass")
        np.testing.assert_allclose(own[:, 1], model[1] * torso)
        np.testing.assert_allclose(own[:, 4], model[4] * world.randomization["mass:foot"])
        np.testing.assert_array_equal(own[:, 2], np.repeat(model[2], 3))
    world.randomize(ids, {"mass": np.full(3, 2.0)})
    np.testing.assert_allclose(world.batch.expand("body_mass")[:, 1], 2 * model[1] * torso)
    world.reset_envs(ids, ids)
    np.testing.assert_allclose(world.batch.expand("body_mass")[:, 1], model[1] * torso)


def test_what_was_drawn_once_comes_back_when_a_hand_lets_go() -> None:
    terms = [
        {"field": "mass", "low": 1.5, "high": 2.0, "resample": "once"},
        {"field": "friction", "low": 0.5, "high": 1},
    ]
    world, ids = make(3, terms), np.arange(3)
    world.reset_envs(ids, ids)
    own = {key: world.randomization[key].copy() for key in ("mass", "friction")}
    for let_go in (world.draw_again, lambda ids: world.reset_envs(ids, ids)):
        world.randomize(ids, {"mass": np.ones(3), "friction": np.full(3, 2.0), "gravity": np.zeros(3)})
        let_go(ids)
        for key, value in own.items():
            np.testing.assert_array_equal(world.randomization[key], value)
        np.testing.assert_allclose(world.batch.expand("body_mass")[:, 1], world.model.body_mass[1] * own["mass"])
        assert np.all(world.randomization["gravity"] == 1)


def test_a_delay_that_nothing_remembers_is_refused_plainly() -> None:
    body = REGISTRY.get("embodiments", "hopper")
    domain = Domain(embodiment="hopper", task="hopper", control="motor", observation="state")
    world = World(domain, task_of(domain, REGISTRY), body, 2, 1)
    with pytest.raises(StudioError, match=r"keeps 0 s of past commands; a delay of 0\.03 s is longer"):
        world.randomize(np.arange(2), {"actuator_delay": np.array([0.0, 0.03])})
    assert not world.randomization["actuator_delay"].any()


def test_explicit_contact_pairs_rub_as_their_geoms_do() -> None:
    xml = """<mujoco><worldbody><geom name="floor" type="plane" size="2 2 .1"/><body name="box">
    <freejoint/><geom name="cube" type="box" size=".1 .1 .05"/></body></worldbody>
    <contact><pair geom1="floor" geom2="cube" friction="0.8 0.8 .01 .001 .001"/></contact></mujoco>"""
    model = mujoco.MjModel.from_xml_string(xml)
    batch = mujoco.batch.Batch(model, 2, 1)
    randomizer = randomization.PhysicsRandomizer(batch, model)
    randomizer.apply(np.arange(2), {"friction:cube": np.array([1.0, 1.5])})
    np.testing.assert_allclose(batch.expand("pair_friction")[:, 0, 0], [0.8, 1.2])


def test_sensor_noise_has_the_spread_asked_for() -> None:
    term = {"field": "sensor_noise", "low": 0.05, "high": 0.05}
    noisy, plain = make(1_000, [term]), make(1_000)
    ids = np.arange(1_000)
    for world in (noisy, plain):
        world.reset_envs(ids, ids)
    difference = (noisy.observe(ids)["state"] - plain.observe(ids)["state"]).ravel()
    assert len(difference) == 11_000
    assert difference.mean() == pytest.approx(0, abs=4 * 0.05 / math.sqrt(11_000))
    assert difference.std() == pytest.approx(0.05, rel=0.03)
    assert stats.kstest(difference, stats.norm(0, 0.05).cdf).pvalue > 1e-3
    np.testing.assert_array_equal(noisy.observe(ids)["state"], noisy.observe(ids)["state"])
    plain.randomize(ids, {"sensor_noise": np.full(1_000, 0.05)})
    np.testing.assert_array_equal(noisy.observe(ids)["state"], plain.observe(ids)["state"])
    for world in (noisy, plain):
        world.randomize(ids, {"sensor_noise": np.zeros(1_000)})
    np.testing.assert_array_equal(noisy.observe(ids)["state"], plain.observe(ids)["state"])


def test_visual_terms_change_images_and_nominal_restores_them() -> None:
    world = picture_world()
    ids = np.arange(2)
    world.reset_envs(ids, [3, 3])
    plain = world.images(ids)
    np.testing.assert_array_equal(plain[0], plain[1])
    for field in (*CAMERA, *IMAGE):
        given = randomization.nominal(field, 2)
        given[1] = STRONG[field]
        world.randomize(ids, {field: given})
        changed = world.images(ids)
        np.testing.assert_array_equal(changed[0], plain[0], err_msg=field)
        assert np.abs(changed[1].astype(int) - plain[1]).mean() > 0.5, field
        world.randomize(ids, {field: randomization.nominal(field, 2)})
        np.testing.assert_array_equal(world.images(ids), plain, err_msg=field)
    world.close()


def test_colors_that_mean_something_stay() -> None:
    """The red ball is what the policy is to reach: it stays red in a scene that turns blue."""
    world = picture_world()
    ids = np.arange(2)
    world.reset_envs(ids, [3, 3])
    assert world.scene.added
    world.randomize(ids, {"color": np.array([[1.0, 1.0, 1.0], [0.1, 0.1, 1.0]])})
    plain, blue = world.images(ids).astype(int)
    red = (plain[..., 0] > 100) & (plain[..., 1] < 70) & (plain[..., 2] < 70)
    assert red.sum() > 5
    np.testing.assert_array_equal(plain[red], blue[red])
    assert (blue[..., 0] < plain[..., 0] - 10).mean() > 0.3
    world.close()


RESAMPLED = [
    {"field": "mass", "low": 0.8, "high": 1.2, "resample": "once"},
    {"field": "friction", "low": 0.5, "high": 1.5},
    {"field": "damping", "low": 0.5, "high": 2.0, "resample": "interval", "interval": 0.04},
    {"field": "gravity", "low": 0.9, "high": 1.1, "resample": "interval", "interval": 0.024, "probability": 0.7},
]


def history(num_envs: int, sim: int, seed: int) -> dict[str, list[float]]:
    """What one simulation had, step by step, over two episodes."""
    world = make(num_envs, RESAMPLED)
    ids = np.arange(num_envs)
    found: dict[str, list[float]] = {term["field"]: [] for term in RESAMPLED}
    for episode in range(2):
        seeds = 100 + ids + 50 * episode
        seeds[sim] = seed + episode
        world.reset_envs(ids, seeds)
        for _ in range(12):
            for field, values in found.items():
                values.append(float(world.randomization[field][sim]))
            world.advance(np.zeros((num_envs, 3)), ids)
    return found


def test_once_each_reset_and_within_an_episode() -> None:
    found = history(3, 1, 7)
    assert len(set(found["mass"])) == 1
    first, second = found["friction"][:12], found["friction"][12:]
    assert len(set(first)) == len(set(second)) == 1 and first[0] != second[0]
    control_hz = make(1).task.control_hz
    period = round(0.04 * control_hz)
    assert period == 5
    damping = found["damping"][:12]
    # a draw comes before the step that begins a period, so it is seen after it
    changes = [i for i in range(1, 12) if damping[i] != damping[i - 1]]
    assert changes == [6, 11]
    assert len(set(found["gravity"][:12])) >= 2


def test_what_is_drawn_does_not_depend_on_the_neighbors() -> None:
    wanted = history(2, 1, 7)
    assert history(9, 1, 7) == wanted
    assert history(9, 1, 8) != wanted


def test_interval_terms_have_random_numbers_of_their_own() -> None:
    same = {"low": 0.5, "high": 1.5, "resample": "interval", "interval": 0.008}
    world = make(200, [{"field": "mass", **same}, {"field": "damping", **same}])
    ids = np.arange(200)
    world.reset_envs(ids, ids)
    world.advance(np.zeros((200, 3)), ids)
    world.advance(np.zeros((200, 3)), ids)
    pair = np.corrcoef(world.randomization["mass"], world.randomization["damping"])
    assert abs(pair[0, 1]) < 0.25


def test_outcome_has_the_mean_of_interval_terms() -> None:
    domain_terms = [RESAMPLED[1], RESAMPLED[2]]
    world = make(4, domain_terms)
    seen: list[np.ndarray] = []

    def act(simulation: World, ids: np.ndarray, observation: Any) -> np.ndarray:
        seen.append(np.where(np.isin(np.arange(4), ids), 1.0, 0.0))
        return np.zeros((len(ids), 3))

    damping = np.zeros(4)
    advance = world.advance

    def spied(actions: np.ndarray, ids: Any) -> None:
        advance(actions, ids)
        damping[ids] += world.randomization["damping"][ids]

    world.advance = spied  # type: ignore[method-assign]
    outcome = run_episodes(world, act, range(4))
    assert set(outcome.randomization) == {"friction", "damping"}
    assert outcome.lengths.min() > 10
    np.testing.assert_allclose(outcome.randomization["damping"], damping / outcome.lengths)
    np.testing.assert_array_equal(np.sum(seen, 0), outcome.lengths)


@pytest.mark.parametrize(
    ("key", "name", "part", "mean", "std", "low", "high"),
    [
        ("mass:torso", "body_mass", 1, 6.0, 1.5, 3.0, 9.0),
        ("friction:foot_geom", "geom_friction", 4, 2.0, 0.25, 1.5, 2.5),
        ("damping:*_joint", "dof_damping", 3, 2.5, 1.0, 1.0, 4.0),
        ("armature:*_joint", "dof_armature", 4, 1.0, 0.25, 0.5, 1.5),
    ],
)
def test_the_papers_hopper_ensemble_in_its_own_units(
    key: str, name: str, part: int, mean: float, std: float, low: float, high: float
) -> None:
    """Table 1 of EPOpt (arXiv:1610.01283) names absolute values; the preset has factors on the model's own."""
    world = make(1, "epopt_hopper")
    assert randomization.check_terms(world.domain.randomization, world.model) == []
    own = np.atleast_1d(getattr(world.model, name)[part])[0]
    values = own * draw(world.domain.randomization, EpisodeRng(range(COUNT)))[key]
    wanted = stats.truncnorm((low - mean) / std, (high - mean) / std, mean, std)
    assert values.min() >= low - 1e-3 and values.max() <= high + 1e-3
    assert values.mean() == pytest.approx(wanted.mean(), abs=4 * wanted.std() / math.sqrt(COUNT))
    assert values.std() == pytest.approx(wanted.std(), rel=0.03)
