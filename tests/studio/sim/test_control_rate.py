"""The control rate is exact, whatever the model's time step, and of each simulation by its own episode."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.embodiments.franka_7dof import EMBODIMENT as FRANKA
from plugins.embodiments.mobile_3dof import EMBODIMENT as BASE
from plugins.tasks.reach import Reach
from studio.contracts import Embodiment
from studio.experiment import Domain
from studio.sim.substeps import PARTS, SubstepSchedule, whole_rate
from studio.sim.world import World


class OddReach(Reach):
    """Its control step is no whole number of the model's time steps: 500 Hz / 15 Hz = 33.3."""

    control_hz = 15


def world(num_envs: int, task: Reach, embodiment: Embodiment = FRANKA) -> World:
    return World(Domain(embodiment=embodiment.id, observation="goal"), task, embodiment, num_envs, threads=1)


@pytest.mark.parametrize("task", [Reach(), OddReach()])
def test_substep_schedule_time_is_exact(task: Reach) -> None:
    made = world(1, task)
    one, dt = np.zeros(1, int), made.model.opt.timestep
    made.reset_envs(one, [3])
    for step in range(1, task.horizon + 1):
        made.advance(np.zeros((1, 3)), one)
        late = step / task.control_hz - made.bind("time").item(0)
        assert -1e-9 < late < (dt if task.control_hz == 15 else 1e-9)
    made.close()


@pytest.mark.parametrize("hz", [10, 15, 30, 125, 700])
def test_substep_schedule_parts_make_up_steps(hz: float) -> None:
    schedule, steps = SubstepSchedule(hz, 0.002), np.arange(1, 200)
    parts = sum(np.broadcast_to(schedule.of_part(part, steps), steps.shape) for part in range(1, PARTS + 1))
    np.testing.assert_array_equal(parts, np.broadcast_to(schedule.of_step(steps), steps.shape))
    np.testing.assert_array_equal(np.cumsum(parts), np.floor(steps / (hz * 0.002) + 1e-6))


def test_substep_schedule_is_one_number_for_all() -> None:
    """No simulation is stepped apart from the others where all control steps are alike."""
    assert [SubstepSchedule(10, 0.002).of_part(part, np.arange(1, 9)) for part in (1, 2, 3, 4)] == [12, 13, 12, 13]
    assert SubstepSchedule(20.0, 0.01).of_step(np.arange(1, 9)) == 5


@pytest.mark.parametrize("embodiment", [FRANKA, BASE])
def test_odd_rate_is_the_same_alone_and_beside_others(embodiment: Embodiment) -> None:
    """Of simulations whose episodes are at different steps each gets its own number of time steps."""
    many, alone = world(3, OddReach(), embodiment), world(1, OddReach(), embodiment)
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (10, 3))
    every, last, one = np.arange(3), np.array([2]), np.zeros(1, int)
    many.reset_envs(every, [4, 5, 6])
    for action in actions[:4]:
        many.advance(np.repeat(action[None], 3, 0), every)
    many.reset_envs(last, [7])  # from now on this one's control steps are numbered otherwise
    alone.reset_envs(one, [7])
    for action in actions:
        many.advance(np.repeat(action[None], 3, 0), every)
        alone.advance(action[None], one)
        np.testing.assert_array_equal(many.bind("qpos")[2], alone.bind("qpos")[0])
    assert len(set(many.bind("time").tolist())) == 2
    many.close()
    alone.close()


def test_whole_rate_makes_all_parts_alike() -> None:
    rate = whole_rate(10, 0.002)
    schedule = SubstepSchedule(rate, 0.002)
    assert {schedule.of_part(part, np.arange(1, 5)) for part in range(1, PARTS + 1)} == {12}
    assert rate == pytest.approx(10, rel=0.05)
