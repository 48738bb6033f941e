"""Recorded episodes: their frames, traces and ends, and files that do not fit; a bare model to look at."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from studio import paths
from studio.contracts import Episodes
from studio.data.collect import collect
from studio.errors import DataError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.viewer.model_player import ModelPlayer
from studio.viewer.playback import Playback, recorded_domain

DOMAIN = Domain(embodiment="ur5_6dof", observation="goal", image_size=32)


@pytest.fixture(scope="module")
def episodes() -> Episodes:
    registry = Registry()
    return collect(DOMAIN, task_of(DOMAIN, registry), embodiment_of(DOMAIN, registry), 3, seed=0)


@pytest.fixture
def playback(episodes: Episodes) -> Playback:
    return Playback(episodes, resolve(DOMAIN, Registry()), "file", ("good", "bad", "good"))


def test_every_frame_shows_its_own_state(playback: Playback, episodes: Episodes) -> None:
    assert playback.info["episodes"] == 3 and playback.info["name"] == "good"
    site = embodiment_of(DOMAIN, Registry()).limbs[0].site
    for frame in (0, 3, playback.length - 1):
        playback.seek(frame)
        row = episodes.states[frame]
        np.testing.assert_array_equal(np.concatenate([playback.data.qpos, playback.data.mocap_pos.ravel()]), row)
        assert playback.moment[:2] == (frame, playback.length)
        np.testing.assert_allclose(playback.data.site(site).xpos, episodes.observations["eef_pos"][frame], atol=1e-4)


def test_playback_keeps_the_recorded_pace(playback: Playback) -> None:
    assert playback.length > 5
    playback.advance(3.01 / playback.control_hz)
    assert playback.frame == 3
    playback.step()
    playback.step()
    playback.back()
    assert playback.frame == 4
    playback.seek(playback.length - 1)
    playback.advance(1.01 / playback.control_hz)
    assert (playback.episode, playback.frame, playback.info["name"]) == (1, 0, "bad")
    playback.choose(2)
    playback.seek(10**6)
    playback.advance(1.01 / playback.control_hz)
    assert playback.episode == 0


def test_traces_belong_to_the_chosen_episode(playback: Playback, episodes: Episodes) -> None:
    playback.choose(1)
    first, length = episodes.lengths[0], playback.length
    traces = playback.traces()
    assert {"action", "reward", "joint_pos", "eef_pos", "goal"} <= traces.keys()
    np.testing.assert_allclose(traces["action"], episodes.actions[first : first + length])
    np.testing.assert_allclose(traces["reward"][:, 0], episodes.rewards[first : first + length])
    assert all(len(trace) == length for trace in traces.values())


def test_the_file_says_which_domain_it_is_from(episodes: Episodes) -> None:
    found = recorded_domain(episodes, Domain())
    assert (found.embodiment, found.observation) == ("ur5_6dof", ["goal"])
    other = Episodes({}, episodes.actions, episodes.lengths, attributes={})
    assert recorded_domain(other, Domain(embodiment="mobile_3dof")).embodiment == "mobile_3dof"
    other.attributes["env_args"] = json.dumps({"env_name": "Lift", "env_kwargs": {"robots": "Panda"}})
    assert recorded_domain(other, Domain(embodiment="mobile_3dof")).embodiment == "mobile_3dof"
    other.attributes["env_args"] = "{"
    with pytest.raises(DataError, match="description"):
        recorded_domain(other, Domain())


def test_without_states_the_joints_are_posed(episodes: Episodes) -> None:
    bare = Episodes(episodes.observations, episodes.actions, episodes.lengths)
    playback = Playback(bare, resolve(DOMAIN, Registry()))
    playback.seek(3)
    np.testing.assert_allclose(playback.data.qpos[:6], episodes.observations["joint_pos"][3], atol=1e-6)
    assert "reward" not in playback.traces()


def test_what_does_not_fit_is_said(episodes: Episodes) -> None:
    with pytest.raises(DataError, match="24 wide"):
        Playback(episodes, resolve(Domain(embodiment="franka_7dof", observation="goal"), Registry()), "file")
    with pytest.raises(DataError, match="neither states nor joint positions"):
        Playback(Episodes({}, episodes.actions, episodes.lengths), resolve(DOMAIN, Registry()), "file")
    broken = episodes.states.copy()
    broken[3, 2] = np.nan
    with pytest.raises(DataError, match="NaN"):
        Playback(Episodes({}, episodes.actions, episodes.lengths, states=broken), resolve(DOMAIN, Registry()), "file")


URDF = """<robot name="two"><link name="base"/><link name="arm"><inertial><mass value="1"/>
<inertia ixx="0.1" iyy="0.1" izz="0.1" ixy="0" ixz="0" iyz="0"/></inertial>
<visual><geometry><box size="0.5 0.1 0.1"/></geometry></visual></link>
<joint name="swing" type="revolute"><parent link="base"/><child link="arm"/><axis xyz="0 1 0"/>
<limit lower="-3" upper="3" effort="5" velocity="5"/></joint></robot>"""


def test_a_bare_model_moves_by_itself_and_by_hand(tmp_path: Path) -> None:
    player = ModelPlayer(paths.assets() / "embodiments" / "ur5_6dof.xml")
    home = player.data.qpos.copy()
    np.testing.assert_allclose(home, player.model.key_qpos[0])
    player.set_ctrl(0, home[0] + 0.5)
    for _ in range(100):
        player.step()
    assert player.data.qpos[0] == pytest.approx(home[0] + 0.5, abs=0.05)
    here = player.batch.state[0].copy()
    player.step()
    player.back()
    np.testing.assert_array_equal(player.batch.state[0], here)
    player.reset()
    np.testing.assert_allclose(player.data.qpos, home)


def test_a_urdf_file_is_looked_at_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "two.urdf").write_text(URDF)
    player = ModelPlayer(tmp_path / "two.urdf")
    assert player.model.nu == 0 and player.model.njnt == 1
    player.pose(0, 0.4)
    assert player.joint_values()[0] == pytest.approx(0.4)
    (tmp_path / "broken.xml").write_text("<mujoco><worldbody><geom type='none'/></worldbody></mujoco>")
    with pytest.raises(DataError, match="does not compile"):
        ModelPlayer(tmp_path / "broken.xml")
