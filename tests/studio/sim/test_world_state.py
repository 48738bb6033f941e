"""A world's state, put into a fresh world, goes on bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.errors import DataError
from studio.sim.gymnasium_ids import make_vector

VARIED = [
    {"field": "mass", "low": 0.5, "high": 1.5, "parts": "torso"},
    {"field": "mass", "low": 0.8, "high": 1.2},
    {"field": "friction", "low": 0.5, "high": 1.5, "moment": "interval", "interval": 0.1},
    {"field": "damping", "low": 0.9, "high": 1.1, "moment": "once"},
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
