"""What a policy sees of simulations: joints, end effectors, goal, camera images, the task's own entries, noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Ids, Observation
from studio.images import adjust_arrays
from studio.sim.randomization import fields as randomization
from studio.sim.randomization.visual import OF_CAMERA, VISUALS
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
        self._renderers: dict[str, CameraRenderer] = {}

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
        for name, camera in simulation.domain.images.items():
            observation[name] = self.images(ids, camera)
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

    def images(self, ids: Ids, camera: str = "") -> Array:
        """Images of a camera, by default the first, (n, h, w, 3) uint8, with the episode's light and image
        randomization; that of the camera's pose and lens is the first camera's alone."""
        simulation, domain = self._simulation, self._simulation.domain
        camera = camera or domain.camera
        if camera not in self._renderers:
            self._renderers[camera] = CameraRenderer(
                simulation.model, camera, domain.image_size, keep=simulation.scene.added
            )
        drawn = simulation.randomization
        values = {name: drawn[name][ids] for name in (*randomization.CAMERA, *randomization.IMAGE)}
        visuals = {name: values[name] for name in VISUALS if not randomization.is_nominal(name, values[name])}
        if camera != domain.camera:
            visuals = {name: value for name, value in visuals.items() if name not in OF_CAMERA}
        raw = self._renderers[camera].render(
            self._qpos[ids], self._mocap[ids], visuals, mocap_quat=self._mocap_quat[ids]
        )
        return adjust_arrays(raw, values)

    def close(self) -> None:
        """Free the renderers; call it on the thread that made them."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()
