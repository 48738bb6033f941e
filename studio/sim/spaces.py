"""A world's spaces, and rows of its observations, as Gymnasium's vector interface has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from studio.instructions import WIDTH

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray


def of_observations(world: BatchSimulation) -> gymnasium.Space[Any]:
    """The space of one simulation's observation: a box where it is a body's state alone, else a dictionary."""
    size, joints = world.domain.image_size, sum(len(limb.qpos) for limb in world.scene.limbs)
    box = gymnasium.spaces.Box
    spaces: dict[str, gymnasium.Space[Any]] = {}
    if world.scene.limbs:
        spaces["joint_pos"] = box(-np.inf, np.inf, (joints,), np.float32)
        spaces["eef_pos"] = box(-np.inf, np.inf, (3 * len(world.scene.limbs),), np.float32)
    if world.domain.observes("goal"):
        spaces["goal"] = box(-np.inf, np.inf, (world.task.goal_width,), np.float32)
    for name in world.domain.images:
        spaces[name] = box(0, 255, (size, size, 3), np.uint8)
    if world.domain.observes("instruction"):
        spaces["instruction"] = box(0, 255, (WIDTH,), np.uint8)
    for name, value in world.task_observation(np.zeros(1, int)).items():
        spaces[name] = box(-np.inf, np.inf, value.shape[1:], value.dtype.type)
    extra = {} if world.trials is None else world.trials.observe(np.zeros(1, int))
    for name, value in extra.items():
        spaces[name] = box(-np.inf, np.inf, value.shape[1:], value.dtype.type)
    return spaces["state"] if list(spaces) == ["state"] else gymnasium.spaces.Dict(spaces)


def of_actions(world: BatchSimulation) -> gymnasium.spaces.Box:
    """The space of one simulation's native action."""
    return gymnasium.spaces.Box(world.control.low, world.control.high, dtype=np.float32)


def row(observation: Any, i: int) -> Any:
    """One simulation's observation, copied."""
    if isinstance(observation, dict):
        return {key: value[i].copy() for key, value in observation.items()}
    return observation[i].copy()


def overwrite(observation: Any, ids: Array, fresh: Any) -> None:
    """Put the observations of simulations ``ids`` in their places."""
    if isinstance(observation, dict):
        for key, value in fresh.items():
            observation[key][ids] = value
    else:
        observation[ids] = fresh
