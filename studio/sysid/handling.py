"""Recordings in which a robot handles what lies before it: the task's scripted expert at work.

An arm that swings freely says nothing of contact friction. Where the scene has a loose body, some of the recordings are
of the expert moving it, told as the commands its servos got.
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.world import World
from studio.sysid.trajectories import Trajectories

Array = np.ndarray
STEPS = 80  # parts of control steps: long enough to reach what lies there and to move it


def handles(domain: Domain, registry: Registry, model: mujoco.MjModel) -> bool:
    """Whether the scene has a loose body that the task's expert moves."""
    loose = bool(np.any(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE))
    return loose and embodiment_of(domain, registry).kind != "body" and task_of(domain, registry).has_expert


def handle(
    domain: Domain, registry: Registry, values: Mapping[str, float], count: int, seed: int, steps: int = STEPS
) -> Trajectories:
    """``count`` recordings of the expert on a robot with these values, without sensor noise."""
    plain = domain.model_copy(update={"randomization": []})
    world = World(plain, task_of(plain, registry), embodiment_of(plain, registry), count)
    try:
        ids = np.arange(count)
        world.begin(ids, [seed * count + i for i in range(count)])
        world.randomize(ids, {name: np.full(count, value) for name, value in values.items()})
        qpos, qvel, ctrl, time = (world.bind(name) for name in ("qpos", "qvel", "ctrl", "time"))
        before, began = ctrl.copy(), time.item(0)
        commands: list[Array] = []
        places, speeds = [qpos.copy()], [qvel.copy()]
        while len(commands) < steps:
            for _ in world.advance_parts(world.expert(ids), ids):
                commands.append(ctrl.copy())
                places.append(qpos.copy())
                speeds.append(qvel.copy())
        passed = (time.item(0) - began) / len(commands)
    finally:
        world.close()
    timestep = world.model.opt.timestep
    dt = timestep * round(passed / timestep)  # the control's frequency need not be a whole number of time steps
    told, where, how_fast = (np.stack(each, 1) for each in (commands, places, speeds))
    made = Trajectories(told, where, how_fast, dt, before=before, source="recorded in simulation")
    return made.until(steps)
