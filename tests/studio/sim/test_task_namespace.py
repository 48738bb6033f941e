"""A task's own bodies live in a namespace: a robot's mocap bodies and names are its own."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.tasks.rejection import MOST, draws
from studio.sim.world import World
from studio.viewer.playback import Playback
from studio.viewer.player import Player
from tests.small_arms import arm

MARKER = '<body name="{}" mocap="true" pos="0.7 {} 0.4"><geom size=".02" contype="0" conaffinity="0"/></body>'


def world_of(path: Path, task: str = "reach", num_envs: int = 2, **domain: Any) -> World:
    plan = Domain(embodiment=str(path), task=task, observation="goal", **domain)
    return World(plan, task_of(plan, Registry()), embodiment_of(plan, Registry()), num_envs, 1)


def test_a_robots_own_mocap_bodies_are_left_alone(tmp_path: Path) -> None:
    path = arm(tmp_path, more=MARKER.format("hand_target", 0))
    world = world_of(path)
    ids = np.arange(2)
    own = world.model.body_mocapid[world.model.body("hand_target").id]
    goal = world.model.body_mocapid[world.model.body("task/goal").id]
    assert own == 0 and world.mocap().shape == (2, 6, 3)
    world.reset_envs(ids, [3, 4])
    np.testing.assert_array_equal(world.bind("mocap_pos")[:, own], [[0.7, 0, 0.4]] * 2)
    np.testing.assert_array_equal(world.task.goal(world, ids), world.bind("mocap_pos")[:, goal])
    assert (world.task.goal(world, ids)[:, 2] < 0.05).all(), "the goal is a ball on the table, not the robot's marker"
    plain = world_of(arm(tmp_path / "plain"))
    plain.reset_envs(ids, [3, 4])
    np.testing.assert_array_equal(plain.mocap(), world.mocap(), err_msg="the same episodes as without the marker")


def test_forty_markers_of_a_robots_own_do_not_hang_a_reset(tmp_path: Path) -> None:
    world = world_of(arm(tmp_path, more="".join(MARKER.format(f"m{i}", i / 100) for i in range(40))), num_envs=1)
    world.reset_envs(np.zeros(1, int), [0])
    assert world.mocap().shape == (1, 6, 3) and world.bind("mocap_pos").shape == (1, 46, 3)


def test_a_keyframe_places_a_robots_own_mocap_bodies(tmp_path: Path) -> None:
    key = '<keyframe><key name="home" qpos="0 .1 .2 .3" mpos="0.1 0.2 0.9" mquat="0 1 0 0"/></keyframe>'
    world = world_of(arm(tmp_path, more=MARKER.format("marker", 0), tail=key), num_envs=1)
    world.reset_envs(np.zeros(1, int), [0])
    np.testing.assert_array_equal(world.bind("mocap_pos")[0, 0], [0.1, 0.2, 0.9])
    np.testing.assert_array_equal(world.bind("mocap_quat")[0, 0], [0, 1, 0, 0])


@pytest.mark.parametrize("task", ["reach", "push"])
def test_a_robot_may_have_bodies_called_as_a_tasks_are(tmp_path: Path, task: str) -> None:
    path = arm(tmp_path, names={"l3": "block", "l4": "goal"})
    world = world_of(path, task)
    world.reset_envs(np.arange(2), [0, 1])
    world.step(np.zeros((2, 3)))
    assert world.model.body("goal").id != world.model.body("task/goal").id


def test_a_part_of_a_task_goes_by_its_plain_name_too(tmp_path: Path) -> None:
    terms = [{"field": "mass", "parts": "block", "low": 2.0, "high": 2.0}]
    world = world_of(arm(tmp_path), "push", randomization=terms)
    world.reset_envs(np.arange(2), [0, 1])
    block = world.model.body("task/block").id
    np.testing.assert_allclose(world.batch.expand("body_mass")[:, block], 2 * world.model.body_mass[block])


def test_a_hand_on_a_robots_own_marker_leaves_the_context_alone(tmp_path: Path) -> None:
    path = arm(tmp_path, more=MARKER.format("marker", 0))
    player = Player(resolve(Domain(embodiment=str(path), observation="goal"), Registry()), "random", seed=3)
    goal = player.data.body("task/goal").xpos.copy()
    player.perturb.select, player.perturb.active = player.model.body("marker").id, 1
    player.perturb.refpos[:] = [0.5, 0.1, 0.5]
    player.step()
    np.testing.assert_allclose(player.data.body("marker").xpos, [0.5, 0.1, 0.5], atol=1e-6)
    np.testing.assert_allclose(player.data.body("task/goal").xpos, goal)
    player.close()


def test_recorded_states_hold_every_mocap_body_as_before(tmp_path: Path) -> None:
    from studio.data.collect import collect

    path = arm(tmp_path, more=MARKER.format("marker", 0))
    plan = Domain(embodiment=str(path), observation="goal", episodes=1)
    episodes = collect(plan, task_of(plan, Registry()), embodiment_of(plan, Registry()), 1, 0)
    assert episodes.states is not None and episodes.states.shape[1] == 4 + 3 * 7
    playback = Playback(episodes, resolve(plan, Registry()))
    np.testing.assert_allclose(playback.data.body("marker").xpos, [0.7, 0, 0.4])
    np.testing.assert_allclose(playback.data.body("task/goal").xpos, episodes.states[0, 7:10])


def test_draws_that_never_fit_end_with_a_sentence() -> None:
    count = draws("6 balls")
    for _ in range(MOST):
        next(count)
    with pytest.raises(StudioError, match=f"No room was found for 6 balls in {MOST} draws"):
        next(count)


def test_reach_ends_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from plugins.tasks import reach

    monkeypatch.setattr(reach, "TABLE", dataclasses.replace(reach.TABLE, apart=9.0))
    with pytest.raises(StudioError, match="No room was found for 6 balls"):
        world_of(arm(tmp_path)).reset(seed=0)
