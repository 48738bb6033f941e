"""What a policy sees of simulations: joints, end effectors, goal, camera images, the task's own entries, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Ids, Observation
from studio.images import adjust_arrays
from studio.sim.randomization import fields as randomization
from studio.sim.randomization.visual import VISUALS
from studio.sim.render.renderer import CameraRenderer
from studio.sim.tasks import contexts
from studio.sim.tasks.spoken import InstructionSensor

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray


class Sensors:
    """The sensors of a batch's simulations, as its domain has them."""

    def __init__(self, simulation: BatchSimulation) -> None:
        self._simulation, domain = simulation, simulation.domain
        self._qpos, self._mocap = simulation.bind("qpos"), simulation.bind("mocap_pos")
        self._mocap_quat = simulation.bind("mocap_quat")
        self._dynamics = contexts.DynamicsSensor(domain.randomization, simulation.model, domain.camera)
        self._instructions = InstructionSensor(simulation) if domain.observes("instruction") else None
        self._renderer: CameraRenderer | None = None

    def observe(self, ids: Ids) -> Observation:
        """What a policy sees of the simulations ``ids``."""
        simulation = self._simulation
        observation: Observation = {}
        if limbs := simulation.scene.limbs:
            qpos = self._qpos[ids]
            joints = np.concatenate([qpos[:, limb.qpos] for limb in limbs], 1)
            observation["joint_pos"] = joints.astype(np.float32)
            observation["eef_pos"] = simulation.end_effectors(ids).reshape(len(qpos), -1).astype(np.float32)
        if simulation.domain.observes("goal"):
            observation["goal"] = simulation.task.goal(simulation, ids).astype(np.float32)
        elif simulation.domain.observes("image"):
            observation["image"] = self.images(ids)
        if self._instructions is not None:
            observation["instruction"] = self._instructions.observe(ids)
        observation |= self.task_observation(ids)
        spread = simulation.randomization["sensor_noise"][ids]
        simulation.randomizer.add_noise(observation, spread, simulation.seeds[ids], simulation.steps[ids])
        return observation

    def task_observation(self, ids: Ids) -> Observation:
        """Return the part of the observation that the task adds, and the observed parameters of the dynamics."""
        simulation = self._simulation
        return simulation.task.observe(simulation, ids) | self._dynamics.observe(simulation.randomization, ids)

    def images(self, ids: Ids) -> Array:
        """Camera images, (n, h, w, 3) uint8, with the episode's camera and image randomization."""
        simulation = self._simulation
        if self._renderer is None:
            size, keep = simulation.domain.image_size, simulation.scene.added
            self._renderer = CameraRenderer(simulation.model, simulation.domain.camera, size, keep=keep)
        drawn = simulation.randomization
        values = {name: drawn[name][ids] for name in (*randomization.CAMERA, *randomization.IMAGE)}
        visuals = {name: values[name] for name in VISUALS if not randomization.is_nominal(name, values[name])}
        raw = self._renderer.render(self._qpos[ids], self._mocap[ids], visuals, mocap_quat=self._mocap_quat[ids])
        return adjust_arrays(raw, values)

    def close(self) -> None:
        """Free the renderer; call it on the thread that made it."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
