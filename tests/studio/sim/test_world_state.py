"""A world's state, put into a fresh world, goes on bit for bit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from plugins.embodiments.gymnasium_bodies import HOPPER
from plugins.tasks.hopper import Hopper
from studio.contracts import Simulation
from studio.errors import DataError
from studio.experiment import Domain
from studio.sim.gymnasium_ids import make_vector
from studio.sim.world import World

VARIED = [
    {"field": "mass", "low": 0.5, "high": 1.5, "parts": "torso"},
    {"field": "mass", "low": 0.8, "high": 1.2},
    {"field": "friction", "low": 0.5, "high": 1.5, "resample": "interval", "interval": 0.1},
    {"field": "damping", "low": 0.9, "high": 1.1, "resample": "once"},
    {"field": "sensor_noise", "low": 0.01, "high": 0.02},
]
WORLDS: list[tuple[str, str, dict[str, Any]]] = [
    ("half_cheetah", "half_cheetah", {}),
    ("hopper", "hopper", {"randomization": VARIED}),
    ("humanoid", "humanoid", {}),  # its observation and reward read outputs that lag behind the state
    ("ant", "ant", {"randomization": VARIED}),
    ("pusher", "pusher", {}),
    ("reach", "franka_7dof", {"randomization": [{"field": "actuator_delay", "low": 0.0, "high": 0.04}]}),
]


def leaves(value: Any) -> list[np.ndarray]:
    return list(value.values()) if isinstance(value, dict) else [value]


@pytest.mark.parametrize(("task", "body", "settings"), WORLDS)
def test_a_restored_world_goes_on_bit_for_bit(task: str, body: str, settings: dict[str, Any]) -> None:
    first, second = (make_vector(5, task, body, threads=1, **settings) for _ in range(2))
    rng = np.random.default_rng(0)

    def acts() -> np.ndarray:
        space = first.action_space
        return rng.uniform(space.low, space.high).astype(np.float32)

    first.reset(seed=3)
    first.steps[:] = np.arange(5) * first.task.horizon // 5  # so that episodes end on the way
    for _ in range(40):
        first.step(acts())
    kept = first.state_dict()
    second.reset(seed=99)
    for _ in range(3):
        second.step(acts())
    second.load_state_dict(kept)
    for _ in range(60):
        action = acts()
        one, other = first.step(action), second.step(action)
        for a, b in zip(leaves(one[0]), leaves(other[0]), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(one[1:4], other[1:4], strict=True):
            np.testing.assert_array_equal(a, b)
    for key, value in first.randomization.items():
        np.testing.assert_array_equal(value, second.randomization[key])
    first.close()
    second.close()


def test_another_worlds_state_is_refused() -> None:
    few, many = make_vector(2, "hopper", "hopper"), make_vector(3, "hopper", "hopper")
    with pytest.raises(DataError, match="not this domain's"):
        many.load_state_dict(few.state_dict())


class TabledHopper(Hopper):
    """Keeps a table of eight rows, which are no simulations, beside what it declares."""

    state_arrays: ClassVar[tuple[str, ...]] = (*Hopper.state_arrays, "touched")

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self.table = np.zeros((8, 3))
        self.touched = np.zeros(world.num_envs, bool)


def hopper(task: Hopper) -> World:
    domain = Domain(embodiment="hopper", task="hopper", control="motor", observation="state")
    return World(domain, task, HOPPER, 8, threads=1)


def test_state_arrays_alone_are_state() -> None:
    first, second = hopper(TabledHopper()), hopper(TabledHopper())
    first.task.touched[3] = True
    saved = first.state_dict()
    assert {key for key in saved["rows"] if key.startswith("task.")} == {"task.old", "task.touched"}
    second.task.table[:] = 1
    second.load_state_dict(saved)
    assert second.task.touched.tolist() == [False] * 3 + [True] + [False] * 4
    assert (second.task.table == 1).all()
    first.close()
    second.close()


def test_state_with_more_arrays_loads_and_with_fewer_is_refused() -> None:
    """A checkpoint made before state was declared holds whatever had as many rows as there are simulations."""
    made = hopper(TabledHopper())
    saved = made.state_dict()
    saved["rows"] |= {"task.table": np.ones((8, 3)), "world._every": np.arange(8)[::-1]}
    made.load_state_dict(saved)
    assert (made.task.table == 0).all()
    del saved["rows"]["task.touched"]
    with pytest.raises(DataError, match=r"lack task\.touched"):
        made.load_state_dict(saved)
    made.close()
