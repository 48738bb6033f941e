"""World: task × embodiment × randomization as a Gymnasium vector environment on one ``mujoco.batch.Batch``.

Everything that is drawn for an episode comes from that episode's own seed, so a simulation's trajectory does not depend
on how many others run beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import mujoco
import mujoco.batch
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from studio.contracts import Embodiment, Observation, Task
from studio.experiment import Domain
from studio.sim import randomization
from studio.sim.kinematics import damped_least_squares
from studio.sim.render import CameraRenderer
from studio.sim.scene import Scene, build, command_history

Array = np.ndarray

PARTS = 4  # the commanded pose moves in this many small steps within a control step, so that servos are not jerked
START_NOISE = 0.08  # rad; how far an arm's joints start from home
POSTURE_GAIN = 0.1  # share of the way home that the null space takes in a control step
TURN_STEP = 0.15  # rad a driving base turns in one control step at action 1
JOINT_STEP = 0.15  # rad a joint moves in one control step at action 1 under joint control


class World(VectorEnv):
    """``num_envs`` simulations of one domain.

    Actions are native: (n, dof of the control), in [−1, 1]; end-effector control moves each limb's site by
    ``task.step_size`` a step. Observations: ``image`` (n, h, w, 3) uint8 or ``goal`` (n, 3) m; ``joint_pos``
    (n, joints) rad or m; ``eef_pos`` (n, 3·limbs) m. Autoreset is SAME_STEP with ``final_obs``.
    """

    def __init__(self, domain: Domain, task: Task, embodiment: Embodiment, num_envs: int, threads: int = 0) -> None:
        self.domain, self.task, self.embodiment, self.num_envs = domain, task, embodiment, num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.scene: Scene = build(embodiment, task)
        model = self.scene.model
        self.model = model
        self._substeps = max(1, round(1 / (task.control_hz * model.opt.timestep * PARTS)))
        self.batch = mujoco.batch.Batch(model, num_envs, threads)
        self._qpos, self._ctrl = self.batch.bind("qpos"), self.batch.bind("ctrl")
        self._mocap = self.batch.bind("mocap_pos")
        self._history = self.batch.bind("history")
        self._remembered = command_history(model)
        self._sites = self.batch.bind("site_xpos")
        self._sites_at = [limb.site for limb in self.scene.limbs]
        self._command = np.repeat(self.scene.home_ctrl[None], num_envs, 0)
        self._physics = randomization.PhysicsRandomizer(self.batch, model)
        self.randomization: dict[str, Array] = {
            name: np.full((num_envs, 3) if name == "camera_position" else num_envs, value)
            for name, value in randomization.NOMINAL.items()
        }
        self._renderer: CameraRenderer | None = None
        self._steps = np.zeros(num_envs, int)
        self._episode_seed = np.zeros(num_envs, int)
        self._next_seed = 0
        self._spaces()

    # -- what tasks see ------------------------------------------------------------------------------------------

    def end_effectors(self, ids: Array) -> Array:
        return self._sites[np.asarray(ids)[:, None], self._sites_at].copy()

    def mocap(self) -> Array:
        return self._mocap

    def yaw(self, ids: Array) -> Array:
        if self.embodiment.kind != "base":
            return np.zeros(len(ids))
        return self._qpos[ids, self.scene.limbs[0].qpos[2]].copy()

    # -- episodes ------------------------------------------------------------------------------------------------

    def begin(self, ids: Array, seeds: Sequence[int]) -> None:
        """Starts a new episode in each of the simulations ``ids``, drawn from its seed."""
        ids = np.asarray(ids)
        rngs = [np.random.default_rng(seed) for seed in seeds]
        self._episode_seed[ids] = seeds
        self._steps[ids] = 0
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._qpos[ids] = self.scene.home_qpos
        self._command[ids] = self.scene.home_ctrl
        for i, rng in zip(ids, rngs, strict=True):
            self._scatter(int(i), rng)
        self.task.reset(self, ids, rngs)
        self.randomize(ids, [randomization.draw(self.domain.randomization, rng) for rng in rngs])
        self._ctrl[ids] = self._command[ids]
        # a delayed servo has been told to hold its pose all along; MuJoCo's own past is a command of zero
        self._history[ids[:, None, None], self._remembered] = self._command[ids][:, :, None]
        self.batch.forward(ids, stage=mujoco.mjtStage.mjSTAGE_POS)

    def randomize(self, ids: Array, draws: Sequence[dict[str, Any]]) -> None:
        """Gives each simulation its drawn values; they hold until its next episode."""
        for name, values in self.randomization.items():
            values[ids] = np.stack([np.broadcast_to(d[name], values.shape[1:]) for d in draws])
        self._physics.apply(ids, {name: self.randomization[name][ids] for name in randomization.PHYSICS})

    def advance(self, actions: Array, ids: Array) -> None:
        """One control step of the simulations ``ids`` under ``actions`` (n, dof)."""
        for _ in self.advance_parts(actions, ids):
            pass

    def advance_parts(self, actions: Array, ids: Array) -> Any:
        """As :meth:`advance`, pausing after each of ``PARTS`` parts: a viewer shows the motion in between."""
        ids = np.asarray(ids)
        start = self._command[ids]
        goal = self._commanded(np.clip(np.asarray(actions, float), -1, 1), ids)
        self._command[ids] = goal
        self._steps[ids] += 1
        for part in range(1, PARTS + 1):
            self._ctrl[ids] = start + (goal - start) * (part / PARTS)
            # the last part brings the sites up to the new state, which observation, reward and success read
            self.batch.step(ids, nstep=self._substeps, stage=mujoco.mjtStage.mjSTAGE_POS)
            yield part / PARTS

    def observe(self, ids: Array) -> Observation:
        """What a policy sees of the simulations ``ids``."""
        ids = np.asarray(ids)
        joints = np.concatenate([self._qpos[ids][:, limb.qpos] for limb in self.scene.limbs], 1)
        observation: Observation = {
            "joint_pos": joints.astype(np.float32),
            "eef_pos": self.end_effectors(ids).reshape(len(ids), -1).astype(np.float32),
        }
        if self.domain.observation == "goal":
            observation["goal"] = self.task.goal(self, ids).astype(np.float32)
        else:
            observation["image"] = self.images(ids)
        return observation

    def images(self, ids: Array) -> Array:
        """Camera images, (n, h, w, 3) uint8, with the episode's camera and image randomization."""
        if self._renderer is None:
            self._renderer = CameraRenderer(self.model, self.domain.camera, self.domain.image_size)
        values = {name: value[ids] for name, value in self.randomization.items()}
        fov = np.where(
            np.isnan(values["camera_fov"]), self.model.camera(self.domain.camera).fovy[0], values["camera_fov"]
        )
        raw = self._renderer.render(self._qpos[ids], self._mocap[ids], values["camera_position"], fov)
        return randomization.transform_images(raw, values)

    def expert(self, ids: Array) -> Array:
        """The scripted expert's native actions, (n, dof)."""
        moves = self.task.expert(self, ids)  # (n, limbs, 3)
        if self.domain.control == "end_effector":
            return moves.reshape(len(ids), -1)
        target = self._inverse_kinematics(moves, ids)
        steps = [(target[:, l.ctrl] - self._command[ids][:, l.ctrl]) / JOINT_STEP for l in self.scene.limbs]
        return np.clip(np.concatenate(steps, 1), -1, 1)

    def state(self, sim: int) -> tuple[Array, Array]:
        """(qpos, mocap_pos) of one simulation, copied: what another thread needs to draw it."""
        return self._qpos[sim].copy(), self._mocap[sim].copy()

    @property
    def steps(self) -> Array:
        """Control steps taken in each simulation's episode."""
        return self._steps

    # -- Gymnasium's vector interface ----------------------------------------------------------------------------

    def reset(self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None) -> Any:
        ids = np.arange(self.num_envs)
        if isinstance(seed, int):
            self._next_seed = seed
        seeds = self._take_seeds(self.num_envs)
        if isinstance(seed, list):
            seeds = [given if given is not None else own for given, own in zip(seed, seeds, strict=True)]
        self.begin(ids, seeds)
        return self.observe(ids), {}

    def step(self, actions: Array) -> Any:
        ids = np.arange(self.num_envs)
        self.advance(actions, ids)
        reward = self.task.reward(self, ids)
        terminated = self.task.success(self, ids)
        truncated = ~terminated & (self._steps >= self.task.horizon)
        observation, info = self.observe(ids), {"success": terminated.copy()}
        done = terminated | truncated
        if done.any():
            final = np.full(self.num_envs, None, object)
            for i in ids[done]:
                final[i] = {key: value[i].copy() for key, value in observation.items()}
            info |= {"final_obs": final, "_final_obs": done}
            self.begin(ids[done], self._take_seeds(int(done.sum())))
            fresh = self.observe(ids[done])
            for key, value in fresh.items():
                observation[key][done] = value
        return observation, reward, terminated, truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    # -- inside --------------------------------------------------------------------------------------------------

    def _take_seeds(self, count: int) -> list[int]:
        first, self._next_seed = self._next_seed, self._next_seed + count
        return list(range(first, first + count))

    def _scatter(self, sim: int, rng: np.random.Generator) -> None:
        """Moves the start a little away from home."""
        for limb in self.scene.limbs:
            noise = rng.uniform(-START_NOISE, START_NOISE, len(limb.qpos))
            if self.embodiment.kind == "base":
                noise[2] = rng.uniform(-np.pi, np.pi)
            pose = np.clip(self.scene.home_qpos[limb.qpos] + noise, limb.low, limb.high)
            self._qpos[sim, limb.qpos] = pose
            self._command[sim, limb.ctrl] = 0.0 if limb.velocity_controlled else pose

    def _commanded(self, actions: Array, ids: Array) -> Array:
        """The servo targets after this control step, (n, nu)."""
        limbs = self.scene.limbs
        if self.domain.control == "end_effector":
            return self._inverse_kinematics(actions.reshape(len(ids), len(limbs), 3), ids)
        command, start = self._command[ids].copy(), 0
        for limb in limbs:
            end = start + len(limb.ctrl)
            self._drive(command, limb, actions[:, start:end] * JOINT_STEP)
            start = end
        return command

    def _inverse_kinematics(self, moves: Array, ids: Array) -> Array:
        """Servo targets that move each limb's site by ``moves`` (n, limbs, 3), in steps."""
        command, sites = self._command[ids].copy(), self.end_effectors(ids)
        for index, limb in enumerate(self.scene.limbs):
            move = moves[:, index]
            if self.embodiment.kind == "base":
                yaw = self.yaw(ids)
                x = np.cos(yaw) * move[:, 0] - np.sin(yaw) * move[:, 1]
                y = np.sin(yaw) * move[:, 0] + np.cos(yaw) * move[:, 1]
                scale = (2 * self.task.step_size, 2 * self.task.step_size, TURN_STEP)
                self._drive(command, limb, np.stack([x, y, move[:, 2]], 1) * scale)
                continue
            jacobian = self.batch.jac(limb.body, sites[:, index], ids)[0][:, :, limb.dofs]
            posture = POSTURE_GAIN * (self.scene.home_qpos[limb.qpos] - command[:, limb.ctrl])
            still = np.all(move == 0, axis=1)
            posture[still] = 0  # an arm that is not asked to move keeps still
            self._drive(command, limb, damped_least_squares(jacobian, move * self.task.step_size, posture))
        return command

    def _drive(self, command: Array, limb: Any, step: Array) -> None:
        if limb.velocity_controlled:
            command[:, limb.ctrl] = step * self.task.control_hz
        else:
            command[:, limb.ctrl] = np.clip(command[:, limb.ctrl] + step, limb.low, limb.high)

    def _spaces(self) -> None:
        size, joints = self.domain.image_size, sum(len(l.qpos) for l in self.scene.limbs)
        box = gymnasium.spaces.Box
        spaces: dict[str, gymnasium.Space[Any]] = {
            "joint_pos": box(-np.inf, np.inf, (joints,), np.float32),
            "eef_pos": box(-np.inf, np.inf, (3 * len(self.scene.limbs),), np.float32),
        }
        if self.domain.observation == "goal":
            spaces["goal"] = box(-np.inf, np.inf, (3,), np.float32)
        else:
            spaces["image"] = box(0, 255, (size, size, 3), np.uint8)
        width = len(self.embodiment.slots(self.domain.control))
        self.single_observation_space = gymnasium.spaces.Dict(spaces)
        self.single_action_space = box(-1, 1, (width,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
