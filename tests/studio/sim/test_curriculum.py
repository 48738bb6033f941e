"""Automatic domain randomization: ranges open while the ends succeed, close when they fail, and are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.analysis.effects import latest
from studio.errors import DataError, StudioError
from studio.experiment import Curriculum, Domain, Experiment, RandomizationTerm
from studio.registry import Registry
from studio.rl.collectors.episode_statistics import EpisodeStatistics, stagger
from studio.rng import EpisodeRng
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.sim.domains import embodiment_of, task_of
from studio.sim.randomization.curriculum import RangeCurriculum, check_curriculum
from studio.sim.randomization.fields import draw
from studio.sim.rollout import expert_actions, run_episodes
from studio.sim.world import World
from studio.store.log_reader import read_episodes, read_log

REGISTRY = Registry()
TERMS = [
    RandomizationTerm(field="mass", low=0.5, high=2.0),
    RandomizationTerm(field="damping", low=0.25, high=4.0, distribution="log_uniform"),
    RandomizationTerm(field="friction", low=0.2, high=1.8, resample="once"),
    RandomizationTerm(field="camera_position", low=-0.1, high=0.1),
]
NOMINAL = {"mass": 1.0, "damping": 1.0, "friction": 1.0, "camera_position": 0.0}
N = 200


def make(**settings: Any) -> RangeCurriculum:
    plan = Curriculum(**({"enabled": True, "episodes": 10, "step": 0.25} | settings))
    return RangeCurriculum(plan, TERMS, NOMINAL, True, N)


def rounds(curriculum: RangeCurriculum, policy: Any, count: int, first: int = 0) -> dict[str, np.ndarray]:
    """Episodes whose success ``policy(values)`` decides; gives the values of the last round."""
    ids = np.arange(N)
    values: dict[str, np.ndarray] = {}
    for i in range(first, first + count):
        seeds = ids + N * i
        curriculum.reset_envs(ids, EpisodeRng(seeds, 9))
        values = curriculum.at_ends(ids, draw(curriculum.terms, EpisodeRng(seeds, 1)))
        curriculum.take_outcomes(ids, policy(values))
    return values


def always(values: dict[str, np.ndarray]) -> np.ndarray:
    return np.ones(N, bool)


def test_curriculum_ranges_start_at_nominal_values() -> None:
    curriculum = make()
    assert curriculum.ranges() == {"mass": (1, 1), "damping": (1, 1), "camera_position": (0, 0)}
    values = rounds(curriculum, lambda values: np.zeros(N, bool), 5)
    np.testing.assert_array_equal(values["mass"], np.ones(N))
    assert curriculum.opened() == 0


def test_success_opens_the_whole_ranges_and_no_more() -> None:
    curriculum = make()
    values = rounds(curriculum, always, 30)
    expected = {"mass": (0.5, 2.0), "damping": (0.25, 4.0), "camera_position": (-0.1, 0.1)}
    assert curriculum.ranges() == {key: pytest.approx(ends) for key, ends in expected.items()}
    assert curriculum.opened() == pytest.approx(1)
    assert values["mass"].min() >= 0.5 and values["mass"].max() <= 2.0
    # of half the episodes at an end, one in six stands at each end of each range
    assert (values["mass"] == 2.0).mean() == pytest.approx(1 / 12, abs=0.07)
    assert values["camera_position"].shape == (N, 3)
    at_end = np.all(values["camera_position"] == values["camera_position"][:, :1], 1)
    assert at_end.mean() == pytest.approx(1 / 6, abs=0.09)


def test_one_step_at_a_time_on_the_scale_of_the_draws() -> None:
    curriculum = make(episodes=100, probability=1.0)
    for i in range(100):
        rounds(curriculum, always, 1, i)
        if all(low < 1 < high for low, high in list(curriculum.ranges().values())[:2]):
            break
    low, high = curriculum.ranges()["mass"]
    assert low in (pytest.approx(0.625), 0.5) and high in (pytest.approx(1.375), pytest.approx(1.75))
    low, high = curriculum.ranges()["damping"]
    assert low in (pytest.approx(0.5), pytest.approx(0.25)) and high in (pytest.approx(2), pytest.approx(4))


def test_a_range_stays_where_the_policy_can_follow_it() -> None:
    """It succeeds below a mass of 1.5: the upper end settles there, while the others open wholly."""
    curriculum = make(step=0.05)
    rounds(curriculum, lambda values: values["mass"] <= 1.5, 120)
    low, high = curriculum.ranges()["mass"]
    assert low == 0.5
    assert 1.4 <= high <= 1.6
    assert curriculum.ranges()["damping"] == pytest.approx((0.25, 4.0))


def test_failure_narrows_to_the_nominal_values_again() -> None:
    curriculum = make()
    rounds(curriculum, always, 30)
    rounds(curriculum, lambda values: np.zeros(N, bool), 40, 30)
    assert curriculum.ranges() == {"mass": (1, 1), "damping": (1, 1), "camera_position": (0, 0)}


def test_between_the_thresholds_nothing_moves() -> None:
    curriculum = make(widen_at=0.9, narrow_at=0.1, episodes=50)
    rounds(curriculum, lambda values: np.arange(N) % 2 == 0, 30)
    assert curriculum.opened() == 0


def test_a_saved_state_goes_on_as_if_nothing_had_been() -> None:
    one, other = make(), make()
    rounds(one, lambda values: values["mass"] <= 1.5, 7)
    state = json.loads(json.dumps(one.state_dict()))
    other.load_state_dict(state)
    assert other.ranges() == one.ranges() and one.opened() > 0
    for curriculum in (one, other):
        rounds(curriculum, lambda values: values["mass"] <= 1.5, 7, 7)
    assert other.ranges() == one.ranges()
    assert other.state_dict() == one.state_dict()
    with pytest.raises(DataError, match="other randomization terms"):
        RangeCurriculum(Curriculum(enabled=True), TERMS[:1], NOMINAL, True, N).load_state_dict(state)


def test_curriculum_starts_at_the_end_nearest_to_nominal() -> None:
    term = RandomizationTerm(field="camera_fov", low=55, high=65)
    curriculum = RangeCurriculum(Curriculum(enabled=True), [term], {"camera_fov": 45.0}, True, 2)
    assert curriculum.ranges() == {"camera_fov": (55, 55)}


def world(enabled: bool, curriculum: bool = True, num_envs: int = 32, **more: Any) -> World:
    settings = Curriculum(**({"enabled": enabled, "episodes": 5, "step": 0.25} | more.pop("settings", {})))
    terms = [RandomizationTerm(field="mass", low=0.5, high=2.0), RandomizationTerm(field="damping", low=0.5, high=2.0)]
    whole = {"embodiment": "ur5_6dof", "task": "reach", "observation": "goal"} | more
    domain = Domain(randomization=terms, curriculum=settings, **whole)
    task, robot = task_of(domain, REGISTRY), embodiment_of(domain, REGISTRY)
    return World(domain, task, robot, num_envs, 1, curriculum=curriculum)


def test_a_world_in_training_widens_what_the_expert_can_do() -> None:
    made = world(True)
    assert made.curriculum is not None and made.curriculum.opened() == 0
    for start in range(0, 320, 32):
        outcome = run_episodes(made, expert_actions, range(start, start + 32), needs_observation=False)
        if start == 0:
            np.testing.assert_array_equal(outcome.randomization["mass"], np.ones(32))
    assert outcome.successes.mean() > 0.9
    assert made.curriculum.opened() > 0.5
    assert outcome.randomization["mass"].std() > 0.1
    numbers = made.curriculum.metrics()
    assert set(numbers) == {"range/open", *(f"range/{f}/{e}" for f in ("mass", "damping") for e in ("low", "high"))}


def test_autoreset_tells_the_curriculum_too() -> None:
    made = world(True, embodiment="hopper", task="hopper", control="motor", observation="state", num_envs=16,
                 settings={"widen_return": 1.0, "narrow_return": 0.0, "episodes": 2})  # fmt: skip
    made.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(250):
        made.step(rng.uniform(-1, 1, (16, 3)).astype(np.float32))
    assert made.curriculum is not None and made.curriculum.opened() > 0.3
    kept = made.state_dict()
    again = world(True, embodiment="hopper", task="hopper", control="motor", observation="state", num_envs=16,
                  settings={"widen_return": 1.0, "narrow_return": 0.0, "episodes": 2})  # fmt: skip
    again.load_state_dict(kept)
    for _ in range(100):
        action = rng.uniform(-1, 1, (16, 3)).astype(np.float32)
        one, other = made.step(action), again.step(action)
        np.testing.assert_array_equal(one[0], other[0])
    assert again.curriculum is not None and again.curriculum.state_dict() == made.curriculum.state_dict()


def test_a_term_that_is_never_drawn_has_no_range_that_moves() -> None:
    silent = [term.model_copy(update={"probability": 0.0}) for term in TERMS]
    plan = Curriculum(enabled=True, episodes=10, step=0.25, probability=1.0)
    curriculum = RangeCurriculum(plan, silent, NOMINAL, True, N)
    values = rounds(curriculum, always, 30)
    assert curriculum.ranges() == {"mass": (1, 1), "damping": (1, 1), "camera_position": (0, 0)}
    np.testing.assert_array_equal(values["mass"], np.ones(N))
    domain = world(True).domain
    (problem,) = check_curriculum(domain.model_copy(update={"randomization": silent}), task_of(domain, REGISTRY))
    assert problem.field == "curriculum.enabled"


def test_curriculum_excludes_episodes_without_their_beginning() -> None:
    """A cheetah that stands still gets the same reward in every step: half of an episode seems half as bad."""
    judged = {"widen_return": -300.0, "episodes": 1, "probability": 1.0}
    made = world(True, embodiment="half_cheetah", task="half_cheetah_velocity", control="motor", observation="state",
                 num_envs=16, contexts=[[2.0]], settings=judged)  # fmt: skip
    made.reset(seed=0)
    stagger(made)
    horizon, still = made.task.horizon, np.zeros((16, 6), np.float32)
    assert made.steps.tolist() == [horizon * i // 16 for i in range(16)]
    statistics = EpisodeStatistics(made)
    for _ in range(2 * horizon):
        _, reward, terminated, truncated, info = made.step(still)
        statistics.count(reward, terminated, truncated, info)
    assert statistics.metrics()["return"] < -300 and statistics.episodes > 16
    assert made.curriculum is not None and made.curriculum.opened() == 0


def test_where_it_is_off_nothing_of_it_is_made() -> None:
    ids = np.arange(8)
    worlds = [world(False, True, 8), world(True, False, 8)]
    for made in worlds:
        assert made.curriculum is None
        made.reset_envs(ids, ids)
    np.testing.assert_array_equal(worlds[0].randomization["mass"], worlds[1].randomization["mass"])
    assert worlds[0].randomization["mass"].std() > 0.1


def test_a_task_without_success_needs_a_return_to_widen_at() -> None:
    with pytest.raises(StudioError, match="which return is good") as caught:
        world(True, embodiment="hopper", task="hopper", control="motor", observation="state")
    assert caught.value.field == "curriculum.widen_return"
    with pytest.raises(ValueError, match="the narrowing threshold is above the widening threshold"):
        Curriculum(widen_return=1.0, narrow_return=2.0)


def test_check_curriculum_says_what_is_missing() -> None:
    made = world(False).domain
    task = task_of(made, REGISTRY)
    assert check_curriculum(made, task) == []
    on = made.model_copy(update={"curriculum": Curriculum(enabled=True)})
    assert check_curriculum(on, task) == []
    (problem,) = check_curriculum(on.model_copy(update={"randomization": [TERMS[2]]}), task)
    assert problem.field == "curriculum.enabled" and "no range" in problem.message
    hopper = task_of(Domain(embodiment="hopper", task="hopper"), REGISTRY)
    (problem,) = check_curriculum(on, hopper)
    assert problem.field == "curriculum.widen_return"


def test_a_strategy_that_imitates_has_no_use_for_a_curriculum() -> None:
    plan = Experiment.from_dict({"target": {"randomization": "preset", "curriculum": {"enabled": True}}})
    found = [p for p in check(plan, REGISTRY) if "curriculum" in p.field]
    assert [p.field for p in found] == ["target.curriculum.enabled"] and "demonstrations" in found[0].message


def test_training_logs_how_far_its_ranges_are_open(runs: Path) -> None:
    """Any return widens here, so ranges open as episodes end."""
    body = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}
    ranges = {"enabled": True, "widen_return": -1e9, "episodes": 10, "step": 0.1}
    mass = {"field": "mass", "parts": "torso", "low": 0.5, "high": 2.0}
    plan = Experiment.from_dict(
        {
            "name": "widening",
            "source": body | {"randomization": [mass], "curriculum": ranges},
            "target": body,
            "policy": {"id": "gaussian_mlp"},
            "strategy": {
                "id": "rl_domain_randomization",
                "params": {"simulations": 16, "steps": 64, "minibatch": 256, "update": "eager"},
            },
            "budget": {"iterations": 6, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 2, "source_episodes": 2},
        }
    )
    assert check(plan, REGISTRY) == []
    session = Session(plan, REGISTRY, Channels(), runs)
    session.run()
    assert session.state == "finished"
    metrics = read_log(session.folder).metrics
    opened = metrics[("adapt", "range/open")].value
    assert opened[-1] > opened[0] and np.all(np.diff(opened) >= 0)
    low, high = (metrics[("adapt", f"range/mass:torso/{end}")].value for end in ("low", "high"))
    np.testing.assert_allclose((high - low) / 1.5, opened)
    table = read_episodes(session.folder)
    trained = table.domain == "train"
    drawn = table.randomization["mass:torso"][trained]
    assert trained.sum() > 50 and len(np.unique(table.seed[trained])) == trained.sum()
    assert np.all((drawn >= low[table.step[trained] - 1]) & (drawn <= high[table.step[trained] - 1]))
    assert drawn[table.step[trained] == 6].std() > drawn[table.step[trained] == 1].std()
    outcomes = latest(table, "train")
    assert outcomes is not None and len(outcomes) == trained.sum()
