"""The tasks with instructions: what is said, what counts as a success, and how it is seen, recorded and checked."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

from plugins.formats.robomimic import Robomimic
from plugins.strategies.language_guided import LanguageGuided
from plugins.tasks.colored_blocks import PAD, ROWS
from studio.contracts import Problem
from studio.data.collect import collect
from studio.data.datasets import demonstrations
from studio.errors import DataError
from studio.experiment import Domain, Experiment
from studio.instructions import decode
from studio.nn.policy import BasePolicy
from studio.registry import Registry
from studio.run.check import check
from studio.run.conditions import conditions_of, under
from studio.run.evaluate import evaluate
from studio.run.scoring import Scores
from studio.sim.domains import resolve
from studio.sim.world import World

TASKS = ("language_push", "language_pick_place")
IDS = np.arange(8)


@functools.cache
def registry() -> Registry:
    return Registry()


def domain(**settings: Any) -> Domain:
    base = {"task": "language_push", "observation": ["image", "instruction"], "image_size": 32, "episodes": 3}
    return Domain.model_validate(base | settings)


def world(n: int = 8, **settings: Any) -> World:
    found = resolve(domain(**settings), registry())
    made = World(found.domain, found.new_task(), found.embodiment, n, 1)
    made.reset(seed=3)
    return made


def said(**settings: Any) -> list[str]:
    return decode(world(**settings).observe(IDS)["instruction"])


@pytest.mark.parametrize("task", TASKS)
def test_expert_brings_the_named_block_to_the_named_pad(task: str) -> None:
    assert evaluate("expert", resolve(domain(task=task), registry()), 24, 10_000).score >= 0.95


def test_only_the_right_block_on_the_right_pad_is_a_success() -> None:
    w = world(1, contexts=[[1, 0]])  # green, left
    places = w.bind("qpos")
    at = {name: int(w.model.joint(f"task/{name}_block").qposadr[0]) for name in ("red", "green", "blue")}

    def put(name: str, y: float) -> None:
        places[0, at[name] : at[name] + 2] = ROWS[1], y

    one = np.arange(1)
    assert not w.success(one)[0] and not w.terminated(one)[0]
    put("green", PAD[1])
    assert w.success(one)[0]
    put("green", -PAD[1])
    assert not w.success(one)[0] and w.terminated(one)[0]
    put("green", 0)
    put("red", PAD[1])
    assert not w.success(one)[0] and w.terminated(one)[0]
    put("green", PAD[1])
    assert not w.success(one)[0]  # with another one beside it


def test_instruction_names_the_episodes_context() -> None:
    w = world(observation=["image", "instruction"], instructions={"languages": ["english"]})
    seen = w.observe(IDS)
    assert w.observation_space["instruction"].contains(seen["instruction"])
    for sentence, (color, pad) in zip(decode(seen["instruction"]), w.contexts.astype(int), strict=True):
        assert ("red", "green", "blue")[color] in sentence and ("left", "right")[pad] in sentence
    assert said(instructions={"languages": ["chinese"]}) != said(instructions={"languages": ["english"]})
    assert not set(said()) & set(said(instructions={"wording": "held_out"}))


def test_instruction_follows_a_changed_context_and_stays_otherwise() -> None:
    w = world(instructions={"languages": ["english"]}, contexts=[[0, 0]])
    before = decode(w.observe(IDS)["instruction"])
    w.advance(w.expert(IDS), IDS)
    assert decode(w.observe(IDS)["instruction"]) == before
    w.contexts[:] = 2, 1
    now = decode(w.observe(IDS[:2])["instruction"])
    assert [s.replace("red", "blue").replace("left", "right") for s in before[:2]] == now


def test_shuffled_and_blank_instructions_leave_the_episode_as_it_is() -> None:
    right, blank, shuffled = (world(64, instructions={"given": g}) for g in ("right", "blank", "shuffled"))
    every = np.arange(64)
    for other in (blank, shuffled):
        np.testing.assert_array_equal(right.contexts, other.contexts)
        np.testing.assert_array_equal(right.bind("qpos"), other.bind("qpos"))
    assert decode(blank.observe(every)["instruction"]) == [""] * 64
    alike = (right.observe(every)["instruction"] == shuffled.observe(every)["instruction"]).all(1)
    assert 0 < alike.sum() < 32  # one in six is right by chance


def test_swapped_and_moved_placements_change_what_they_say() -> None:
    usual, swapped, moved = (world(32, placement=p) for p in ("usual", "swapped", "moved"))
    every = np.arange(32)

    def places(w: World) -> np.ndarray:
        return np.asarray(w.task.places(w, every))  # type: ignore[attr-defined]

    named = usual.contexts[:, 0].astype(int)
    other = (named + 1) % 3
    np.testing.assert_allclose(places(swapped)[every, named, :2], places(usual)[every, other, :2])
    np.testing.assert_allclose(places(swapped)[every, other, :2], places(usual)[every, named, :2])
    apart = np.abs(places(moved) - places(usual))
    assert np.all(apart[..., :2] > 0.015) and np.abs(places(usual)[..., 1]).max() < 0.06


def test_instructions_survive_the_robomimic_file(tmp_path: Path) -> None:
    found = resolve(domain(), registry())
    episodes = collect(found.domain, found.new_task(), found.embodiment, 3, 0)
    assert episodes.observations["instruction"].shape == (episodes.frames, 96)
    path = tmp_path / "said.hdf5"
    Robomimic().write(episodes, path)
    read = demonstrations(resolve(domain(dataset=str(path)), registry()), 0)
    np.testing.assert_array_equal(read.observations["instruction"], episodes.observations["instruction"])
    assert "instruction" not in read.statistics()

    del episodes.observations["instruction"]
    Robomimic().write(episodes, path)
    with pytest.raises(DataError, match="instruction"):
        demonstrations(resolve(domain(dataset=str(path)), registry()), 0)


class Still(BasePolicy):
    """Does not move."""

    def act(self, observation: dict[str, Any], memory: object = None) -> tuple[np.ndarray, object]:
        return np.zeros((len(observation["joint_pos"]), 3)), memory


def problems(**changes: Any) -> dict[str, Problem]:
    plan = Experiment(source=domain(), target=domain(), strategy={"id": "language_guided"}, device="cpu")
    return {p.field: p for p in check(plan.changed(**changes), registry())}


def test_language_experiment_has_no_problem() -> None:
    assert not problems()


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"source.instructions.languages": ["klingon"]}, "source.instructions.languages", "klingon"),
        ({"target.observation": ["image"]}, "target.observation", "observes none"),
        ({"target.observation": ["instruction"]}, "target.observation", "alone"),
        ({"target.task": "push"}, "target.observation", "no observation 'instruction'"),
        ({"target.placement": "upside_down"}, "target.placement", "upside_down"),
        ({"source.embodiment": "mobile_3dof"}, "source.embodiment", "single arm"),
        ({"target.contexts": [[3, 0]]}, "target.contexts.0", "no object 3"),
        ({"target.embodiment": "ur5_6dof"}, "target.embodiment", "Zero-shot"),
        ({"evaluation.conditions": ["whispered"]}, "evaluation.conditions", "no condition 'whispered'"),
        ({"source.task": "language_pick_place"}, "target.task", "Zero-shot"),
        ({"policy.id": "gaussian_mlp"}, "target.observation", "does not read"),
    ],
)
def test_language_setting_that_cannot_work_is_a_problem(change: dict[str, Any], field: str, words: str) -> None:
    problem = problems(**change)[field]
    assert words in problem.message and problem.remedy


def test_conditions_change_the_target_and_nothing_else() -> None:
    target = resolve(domain(), registry())
    assert conditions_of(target.task) == (
        "english", "chinese", "paraphrases", "shuffled", "blank", "moved", "swapped",
    )  # fmt: skip
    both = under(target, "chinese+paraphrases").domain
    assert (both.instructions.languages, both.instructions.wording) == (["chinese"], "held_out")
    assert under(target, "blank").domain == target.domain.changed(**{"instructions.given": "blank"})
    assert under(target, "moved").domain == target.domain.changed(placement="moved")
    assert conditions_of(resolve(Domain(), registry()).task) == ()


def test_settings_of_unread_instructions_are_a_problem() -> None:
    plan = Experiment(target=Domain(instructions={"wording": "held_out"}))
    assert any(p.field == "target.observation" and "no effect" in p.message for p in check(plan, registry()))


def test_result_is_scored_under_each_condition() -> None:
    plan = LanguageGuided.examples()["example"]
    reporter = MagicMock()
    scores = Scores(plan.changed(**{"evaluation.conditions": ["blank", "moved+english"]}), registry(), reporter)
    strategy = MagicMock()
    strategy.policy.return_value = Still()
    scores.evaluations = [interim, score] = [{"step": 3, "final": False}, {"step": 7, "final": True}]
    scores._score_conditions(strategy, 7, None, place=1)
    first, *rows, last = scores.evaluations
    assert (first, last) == (interim, score)  # the last row of a domain stays its score
    assert [row["condition"] for row in rows] == ["blank", "moved+english"]
    assert all(row["final"] and row["success"] == 0 and row["episodes"] == 2 for row in rows)
    reporter.status.note.assert_called_once_with(conditions={"blank": 0.0, "moved+english": 0.0})
