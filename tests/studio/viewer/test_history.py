"""Stepping back and forth, pushing, posing and driving by hand: what a live simulation offers a viewer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import mujoco
import numpy as np
import pytest

from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.viewer.history import History, Keeper
from studio.viewer.player import Player

MASS = {"field": "mass", "low": 0.8, "high": 1.2}


def made(**fields: Any) -> Player:
    kept = {"embodiment": "ur5_6dof", "observation": "goal", "image_size": 32} | fields
    return Player(resolve(Domain(**kept), Registry()), "random", seed=5)


@pytest.fixture
def player() -> Iterator[Player]:
    playing = made()
    yield playing
    playing.close()


def future(player: Player, steps: int) -> np.ndarray:
    """All that can be seen of the next steps."""
    rows = []
    for _ in range(steps):
        player.step()
        seen = player.world.observe(np.zeros(1, int))
        numbers = [np.ravel(value) for key, value in sorted(seen.items())]
        rows.append(np.concatenate([player.batch.state[0], [player.info["return_"], player.info["step"]], *numbers]))
    return np.array(rows)


def every_task() -> list[dict[str, Any]]:
    """A domain of each registered task, on the first robot that can do it: their memories must come back too."""
    registry = Registry()
    robots = registry.all("embodiments")
    found = []
    for name, task in sorted(registry.all("tasks").items()):
        robot = next((key for key, robot in robots.items() if not task().check(robot)), None)
        if robot is None and task.id.startswith("digit"):  # their images are data of packages that are not installed
            continue
        seen = "state" if "state" in task.observations else "goal"
        found.append({"embodiment": robot, "task": name, "control": task.controls[0], "observation": seen})
    return found


DOMAINS: list[dict[str, Any]] = [
    {"randomization": [MASS]},
    {"randomization": [MASS | {"resample": "interval", "interval": 0.1}, MASS | {"field": "actuator_gain"}]},
    {"embodiment": "mobile_3dof"},
    *every_task(),
]


@pytest.mark.parametrize("fields", DOMAINS, ids=str)
def test_back_and_forth_gives_the_same_future_bit_for_bit(fields: dict[str, Any]) -> None:
    player = made(**fields)
    try:
        first = future(player, 8)
        for _ in range(8):
            player.back()
        assert player.info["step"] == 0
        np.testing.assert_array_equal(future(player, 8), first)  # as it is remembered
        player.seek(3)
        player.history.replace(player.history.go(3))  # forgets what came after, so that it is simulated again
        assert player.history.at_end
        np.testing.assert_array_equal(future(player, 5), first[3:])
    finally:
        player.close()


def test_an_earlier_episode_has_its_own_randomization_again() -> None:
    player = made(randomization=[MASS])
    try:
        future(player, 3)
        masses, seed = player.model.body_mass.copy(), player.info["seed"]
        player.reset(77)
        assert not np.array_equal(player.model.body_mass, masses)
        player.step()
        player.seek(3)
        assert player.info["seed"] == seed and player.info["step"] == 3
        np.testing.assert_array_equal(player.model.body_mass, masses)
        np.testing.assert_array_equal(player.batch.expanded("body_mass")[0], masses)
    finally:
        player.close()


@pytest.mark.parametrize("terms", [[], [MASS | {"resample": "once"}]], ids=["nominal", "once"])
def test_before_a_preview_the_physics_are_what_they_were(terms: list[dict[str, Any]]) -> None:
    """Of a preview come fields of the model and keys that no earlier moment has."""
    player = made(embodiment="hopper", task="hopper", control="motor", observation="state", randomization=terms)
    try:
        first = future(player, 8)
        masses = player.model.body_mass.copy()
        player.seek(4)
        player.randomize({"mass": 2.0, "mass:foot": 3.0, "damping": 2.0, "gravity": 0.5, "actuator_gain": 0.3})
        player.advance(1 / player.control_hz)
        player.seek(3)
        np.testing.assert_array_equal(player.model.body_mass, masses)
        assert "mass:foot" not in player.world.randomization
        player.history.replace(player.history.go(3))  # forgets what came after, so that it is simulated again
        np.testing.assert_array_equal(future(player, 5), first[3:])
    finally:
        player.close()


def test_back_from_the_middle_of_a_step_goes_to_its_beginning(player: Player) -> None:
    future(player, 2)
    here = player.batch.state[0].copy()
    player.advance(1.5 / (player.control_hz * player.parts))
    assert not np.array_equal(player.batch.state[0], here)
    player.back()
    np.testing.assert_array_equal(player.batch.state[0], here)
    player.back()
    assert player.info["step"] == 1


def test_going_on_from_the_past_forgets_what_came_after(player: Player) -> None:
    future(player, 6)
    player.seek(2)
    player.set_policy("expert")
    player.advance(1 / player.control_hz)
    assert player.moment[:2] == (3, 4)


def test_a_step_from_an_episodes_end_is_the_next_ones_beginning(player: Player) -> None:
    player.set_policy("expert")
    while not player.info["success"]:
        player.step()
    player.step()
    assert (player.info["episode"], player.info["step"], player.info["seed"]) == (1, 0, 6)
    player.back()
    assert player.info["success"] and player.info["seed"] == 5
    player.step()
    assert player.info["step"] == 0 and player.info["seed"] == 6


def test_the_history_is_bounded() -> None:
    history = History(4)
    for number in range(9):
        history.push(number)  # type: ignore[arg-type]
    assert (len(history), history.cursor, history.go(0), history.go(99)) == (4, 3, 5, 8)


def test_keeper_puts_back_what_is_declared_alone() -> None:
    """Arrays that were replaced, and arrays in dicts; a table of one row is no state of one simulation."""

    class Owner:
        state_arrays: ClassVar[tuple[str, ...]] = ("counts", "values")

        def __init__(self) -> None:
            self.counts, self.values = np.zeros(1, int), {"a": np.ones((1, 3))}
            self.table = np.zeros((1, 2))

    owner = Owner()
    batch = mujoco.batch.Batch(mujoco.MjModel.from_xml_string("<mujoco/>"), 1, 1)
    keeper = Keeper(batch, (owner,))
    kept = keeper.take()
    owner.counts = owner.counts + 3
    owner.values["a"][:] = 7
    owner.values["new"] = np.ones(1)
    owner.table[:] = 5
    keeper.restore(kept)
    assert owner.counts[0] == 0 and owner.values["a"].sum() == 3
    assert "new" not in owner.values and owner.table.sum() == 10


def select(player: Player, body: str) -> None:
    player.perturb.select = player.model.body(body).id
    camera, scene = mujoco.MjvCamera(), mujoco.MjvScene(player.model, maxgeom=500)
    mujoco.mjv_defaultFreeCamera(player.model, camera)
    mujoco.mjv_updateScene(
        player.model, player.data, mujoco.MjvOption(), player.perturb, camera, mujoco.mjtCatBit.mjCAT_ALL.value, scene
    )
    mujoco.mjv_initPerturb(player.model, player.data, scene, player.perturb)
    player.perturb.active = mujoco.mjtPertBit.mjPERT_TRANSLATE.value


def test_a_push_moves_the_robot_and_ends_with_the_hand(player: Player) -> None:
    player.set_policy("hand")
    for _ in range(5):
        player.step()
    rest = player.batch.state[0].copy()
    player.step()
    quiet = player.data.qpos.copy()
    player.back()
    np.testing.assert_array_equal(player.batch.state[0], rest)
    select(player, "wrist_3_link")
    player.perturb.refselpos[2] += 0.3
    player.advance(1 / player.control_hz)
    body = player.perturb.select
    assert player.data.xfrc_applied[body, 2] > 0
    assert np.abs(player.data.qpos - quiet).max() > 1e-4
    player.perturb.active = 0
    player.advance(1 / player.control_hz)
    np.testing.assert_array_equal(player.batch.bind("xfrc_applied"), 0)


def test_a_push_that_was_remembered_comes_again(player: Player) -> None:
    player.set_policy("hand")
    select(player, "wrist_3_link")
    player.perturb.refselpos[1] += 0.3
    pushed = future(player, 3)
    player.perturb.active = 0
    for _ in range(3):
        player.back()
    np.testing.assert_array_equal(future(player, 3), pushed)
    player.step()
    assert not player.batch.bind("xfrc_applied").any(), "beyond what is remembered nobody pushes any more"


def test_the_goal_follows_the_mouse_running_and_at_rest(player: Player) -> None:
    start = player.data.body("task/goal").xpos.copy()
    select(player, "task/goal")
    player.perturb.refpos[:] = start + np.array([0.05, 0, 0])
    player.drag_at_rest()
    ids = np.zeros(1, int)
    np.testing.assert_allclose(player.world.task.goal(player.world, ids)[0], start + np.array([0.05, 0, 0]), atol=1e-9)
    player.perturb.refpos[:] = start + np.array([0, 0.05, 0])
    player.advance(1 / player.control_hz)
    np.testing.assert_allclose(player.world.task.goal(player.world, ids)[0], start + np.array([0, 0.05, 0]), atol=1e-9)


def test_a_posed_joint_stays_where_it_was_put(player: Player) -> None:
    player.set_policy("expert")
    player.step()
    player.pose(1, -1.2)
    assert player.joint_values()[1] == pytest.approx(-1.2)
    player.set_policy("hand")
    for _ in range(10):
        player.step()
    assert player.joint_values()[1] == pytest.approx(-1.2, abs=0.05), "the servo pulls it back"


def test_a_policy_goes_on_from_actuators_set_by_hand(player: Player) -> None:
    player.set_policy("hand")
    before = player.joint_values()[0]
    player.set_ctrl(0, before + 0.4)
    for _ in range(20):
        player.step()
    assert player.joint_values()[0] == pytest.approx(before + 0.4, abs=0.05)
    assert player.actuator_values()[0] == pytest.approx(before + 0.4)
    assert player.info["step"] == 20
    player.set_policy("expert")
    here = player.joint_values()[0]
    player.step()
    assert abs(player.joint_values()[0] - here) < 0.15, "the old command yanks it back"


def test_a_hand_takes_over_in_mid_step_without_time_limit(player: Player) -> None:
    player.advance(1.5 / (player.control_hz * player.parts))
    player.set_policy("hand")
    player.set_ctrl(0, 0.7)
    for _ in range(player.world.task.horizon + 5):
        player.step()
    assert player.joint_values()[0] == pytest.approx(0.7, abs=0.05)
    assert player.info["step"] > player.world.task.horizon and player.info["episode"] == 0


def test_steps_by_hand_take_as_long_as_under_a_policy() -> None:
    player = made(embodiment="half_cheetah", task="half_cheetah", control="motor", observation="state")
    try:
        player.set_policy("hand")
        before = float(player.batch.bind("time")[0])
        player.set_ctrl(0, 1.0)
        for _ in range(5):
            player.step()
        assert np.abs(player.data.qvel).max() > 0.1 and player.info["step"] == 5
        assert float(player.batch.bind("time")[0]) - before == pytest.approx(5 / player.control_hz)
        assert player.world.actions[0, 0] == 1.0
    finally:
        player.close()


def test_a_task_without_an_expert_says_so() -> None:
    player = made(embodiment="hopper", task="hopper", control="motor", observation="state")
    try:
        assert not player.world.task.has_expert
        with pytest.raises(StudioError, match="no scripted expert"):
            player.set_policy("expert")
        player.step()
        assert player.info["step"] == 1, "who acted before goes on"
    finally:
        player.close()


def test_keyframes(player: Player) -> None:
    future(player, 5)
    player.keyframe(0)
    np.testing.assert_allclose(player.data.qpos[:6], player.model.key_qpos[0, :6])
    np.testing.assert_array_equal(player.data.qvel, 0)


def test_what_is_shown_has_the_forces_of_the_moment(player: Player) -> None:
    """Contact forces and actuator forces need speeds and controls, not the pose alone."""
    future(player, 3)
    assert np.abs(player.data.qvel).max() > 0
    assert np.abs(player.data.actuator_force).max() > 0
