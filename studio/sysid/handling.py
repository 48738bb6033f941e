"""Recordings of the task's scripted expert manipulating an object.

A freely moving arm gives no information about contact friction. Where the scene has a loose body, some recordings are
of the expert moving it, as servo commands.
"""

from __future__ import annotations

from collections.abc import Mapping

import mujoco
import numpy as np

from studio.contracts import ResolvedDomain
from studio.sim.substeps import PARTS, whole_rate
from studio.sim.world import World
from studio.sysid.trajectories import Trajectories

Array = np.ndarray
STEPS = 80  # parts of control steps: long enough to reach the object and move it


def handles(domain: ResolvedDomain, model: mujoco.MjModel) -> bool:
    """Return whether the scene has a loose body that the task's expert moves."""
    loose = bool(np.any(model.jnt_type == mujoco.mjtJoint.mjJNT_FREE))
    return loose and domain.embodiment.kind != "motor_controlled" and domain.task.has_expert


def handle(
    domain: ResolvedDomain,
    model: mujoco.MjModel,
    values: Mapping[str, float],
    count: int,
    seed: int,
    steps: int = STEPS,
) -> Trajectories:
    """Return ``count`` recordings of the expert on a robot with these values, without sensor noise.

    The expert acts at the rate, nearest to the task's own, for which the time between commands is a whole number of the
    ``model``'s time steps.
    """
    plain = domain.domain.model_copy(update={"randomization": []})
    task = domain.new_task()
    task.control_hz = whole_rate(task.control_hz, model.opt.timestep)
    world = World(plain, task, domain.embodiment, count)
    try:
        ids = np.arange(count)
        world.reset_envs(ids, [seed * count + i for i in range(count)])
        world.randomize(ids, {name: np.full(count, value) for name, value in values.items()})
        qpos, qvel, ctrl = (world.bind(name) for name in ("qpos", "qvel", "ctrl"))
        before = ctrl.copy()
        commands: list[Array] = []
        places, speeds = [qpos.copy()], [qvel.copy()]
        while len(commands) < steps:
            for _ in world.advance_parts(world.expert(ids), ids):
                commands.append(ctrl.copy())
                places.append(qpos.copy())
                speeds.append(qvel.copy())
    finally:
        world.close()
    timestep = world.model.opt.timestep
    dt = timestep * round(1 / (task.control_hz * PARTS * timestep))
    commanded, positions, velocities = (np.stack(each, 1) for each in (commands, places, speeds))
    made = Trajectories(commanded, positions, velocities, dt, before=before, source="recorded in simulation")
    return made.until(steps)
