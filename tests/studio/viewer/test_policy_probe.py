"""How a playing policy evaluates each step: traces, the colored path, and that both go back in time with the body."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.experiment import Domain
from studio.nn.policy import BasePolicy
from studio.registry import Registry
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.domains import resolve
from studio.viewer.decorations import ABOVE, BELOW, MIDDLE, diverging
from studio.viewer.player import Player
from studio.viewer.policy_probe import PolicyProbe, StepRecord, colored_path, full_color, traces

POINT = Domain(embodiment="point", task="point_navigation", control="motor", observation="goal")


class Right(BasePolicy):
    """Goes right; expects more the nearer the goal; scores a transition by how far it went."""

    def act(self, observation: Any, memory: Any = None) -> tuple[np.ndarray, Any]:
        return np.array([[0.05, 0.0]]), (memory or 0) + 1

    def value(self, observation: Any, memory: Any = None) -> np.ndarray:
        return -np.linalg.norm(observation["goal"] - observation["state"], axis=1)

    def entropy(self, observation: Any, memory: Any = None) -> np.ndarray:
        return np.full(len(observation["state"]), 1.5)


class Gap:
    """A companion that scores."""

    title = "Δr"

    def transition_scores(self) -> Gap:
        return self

    def transition_score(self, before: Any, action: np.ndarray, after: Any) -> np.ndarray:
        assert action.shape == (1, 2)
        return np.asarray(10 * (after["state"] - before["state"])[:, 0])


def played(policy: Any, steps: int = 6) -> Player:
    player = Player(resolve(POINT, Registry()), policy, seed=1)
    for _ in range(steps):
        player.step()
    return player


def test_traces_hold_value_and_entropy_of_the_states() -> None:
    player = played(Right())
    found = player.traces()
    assert found is not None and list(found) == ["action", "reward", "value", "entropy"]
    assert all(len(values) == 7 == player.moment[1] for values in found.values())
    goal = player.data.body("task/goal").xpos[:2]
    there = np.stack([0.05 * np.arange(7), np.zeros(7)], 1)
    np.testing.assert_allclose(found["value"][:, 0], -np.linalg.norm(goal - there, axis=1), atol=1e-6)
    assert (found["entropy"] == 1.5).all() and np.allclose(found["action"][1:], [0.05, 0])
    assert np.isnan(found["action"][0]).all() and np.isnan(found["reward"][0]), "nothing led to the first"
    assert player.traces() is found, "nothing new: the same object"
    player.step()
    assert player.traces() is not found


@pytest.mark.parametrize("policy", ["expert", "random", "hand"])
def test_who_says_nothing_has_neither_traces_nor_a_path(policy: str) -> None:
    player = played(policy)
    assert player.traces() is None and not player.overlays and player.legend is None


def test_an_actor_critic_says_both_and_a_score_comes_with_it() -> None:
    policy = GaussianActorCritic()
    policy.fit(4, np.full(2, -0.1), np.full(2, 0.1), 0)
    policy.attach("gap", Gap())
    player = played(policy)
    assert {"value", "entropy", "score"} <= set(player.traces() or {})
    assert player.legend is not None and player.legend[0] == "Δr"


def test_the_path_is_shorter_when_time_goes_back() -> None:
    policy = Right()
    policy.attach("gap", Gap())
    player = played(policy)
    path = player.overlays
    assert len(path) == 6 and path[-1].end[0] == pytest.approx(0.3, abs=0.051)
    assert player.legend == ("Δr", 0.5)
    assert path[-1].color == pytest.approx(diverging(1.0)), "0.5 for each step: the full color"
    player.seek(2)
    assert len(player.overlays) == 2
    player.reset(5)
    assert len(player.overlays) == 0, "another episode begins another path"


def test_a_policys_memory_is_kept_in_the_history() -> None:
    memories = []

    class Counting(Right):
        def act(self, observation: Any, memory: Any = None) -> tuple[np.ndarray, Any]:
            memories.append(memory)
            return super().act(observation, memory)

    player = played(Counting(), 3)
    player.seek(1)
    player.seek(3)
    player.step()
    player.reset(2)
    player.step()
    assert memories == [None, 1, 2, 3, None]


def test_a_hand_on_the_goal_changes_what_is_said_at_once() -> None:
    player = played(Right())
    before = player.traces()
    assert before is not None
    player.perturb.select = player.model.body("task/goal").id
    player.perturb.active = 1
    player.perturb.refpos[:] = player.data.body("task/goal").xpos + np.array([0.2, 0.1, 0])
    player.drag_at_rest()
    after = player.traces()
    assert after is not None and after["value"][-1, 0] != before["value"][-1, 0]
    assert (after["value"][:-1] == before["value"][:-1]).all()


def test_the_full_color_is_a_round_number_and_colors_diverge() -> None:
    records = [StepRecord(i, (i, 0, 0), score=s) for i, s in enumerate([float("nan"), 0.3, -2.1, 1.0])]
    assert full_color(records) == 2.0 or full_color(records) == 3.0
    assert full_color(records[:1]) == 0 and colored_path(records[:1], 0, 1.0) == []
    assert diverging(-9)[:3] == BELOW and diverging(0)[:3] == MIDDLE and diverging(1)[:3] == ABOVE


def test_a_long_path_has_few_parts_that_stay_where_they_are() -> None:
    def records(count: int) -> list[StepRecord]:
        return [StepRecord(i, (i, 0, 0), score=np.sin(i)) for i in range(count)]

    long = colored_path(records(1000), 1.0, 1.0)
    assert 60 <= len(long) <= 130
    longer = colored_path(records(1003), 1.0, 1.0)
    assert longer[:-2] == long[: len(longer) - 2], "it grows at its end"


def test_traces_have_gaps_where_nobody_said_anything() -> None:
    records = [
        StepRecord(0, (0, 0, 0), value=1.0),
        StepRecord(1, (0, 0, 0), np.ones(2), 3.0, 2.0),
        StepRecord(0, (0, 0, 0)),
    ]
    found, none = traces(records), np.nan
    np.testing.assert_array_equal(found["value"][:, 0], [1, 2, none])
    np.testing.assert_array_equal(found["reward"][:, 0], [none, 3, none])
    np.testing.assert_array_equal(found["action"], [[none, none], [1, 1], [none, none]])
    assert "entropy" not in found and not PolicyProbe(None).answers


def test_what_one_policy_said_is_not_said_of_the_next() -> None:
    policy = Right()
    policy.attach("gap", Gap())
    player = played(policy, 3)
    player.set_policy(Right())
    for _ in range(2):
        player.step()
    found = player.traces()
    assert found is not None and np.isfinite(found["value"]).all()
    assert np.isfinite(found["score"][:, 0]).tolist() == [False, True, True, True, False, False]


def test_a_state_is_observed_once_until_a_person_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = Right()
    policy.attach("gap", Gap())
    player = played(policy, 1)
    looked, observe = [0], player.world.observe

    def counted(ids: Any) -> Any:
        looked[0] += 1
        return observe(ids)

    monkeypatch.setattr(player.world, "observe", counted)
    for _ in range(5):
        player.step()
    assert looked[0] == 5, "images are expensive"
    player.set_context(0, 0.4)
    assert looked[0] == 6
    player.step()
    found = player.traces()
    assert found is not None
    there = player.data.body("task/goal").xpos[:2] - player.world.bind("qpos")[0]
    assert found["value"][-1, 0] == pytest.approx(-np.linalg.norm(there), abs=1e-6)


def test_a_policy_that_remembers_is_asked_with_its_memory() -> None:
    class Remembering(Right):
        is_recurrent = True

        def value(self, observation: Any, memory: Any = None) -> np.ndarray:
            return np.array([float(memory or 0)])

        def entropy(self, observation: Any, memory: Any = None) -> np.ndarray:
            return np.array([float(memory or 0)])

    found = played(Remembering(), 3).traces()
    assert found is not None and found["value"][:, 0].tolist() == [0, 1, 2, 3]
