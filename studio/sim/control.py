"""Controls: how native actions become the simulator's commands, and how a control step passes.

An arm's or base's action is a step of its end effectors or joints; its servos follow a command that moves smoothly
within the step. A body's action is what its motors get, for the whole step, as in Gymnasium's MuJoCo tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import mujoco
import numpy as np

from studio.contracts import Ids
from studio.rng import EpisodeRng
from studio.sim.kinematics import damped_least_squares
from studio.sim.scene import command_history
from studio.sim.substeps import PARTS, SubstepSchedule

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray

START_NOISE = 0.08  # rad; how far an arm's joints start from home
POSTURE_GAIN = 0.1  # share of the way home that the null space takes in a control step
TURN_STEP = 0.15  # rad a driving base turns in one control step at action 1
JOINT_STEP = 0.15  # rad a joint moves in one control step at action 1 under joint control


def control_of(world: BatchSimulation) -> MotorControl | ServoControl | DiscreteControl:
    """The control that a world's domain names."""
    if world.domain.control == "motor":
        return MotorControl(world)
    return DiscreteControl(world) if world.domain.control == "discrete" else ServoControl(world)


class DiscreteControl:
    """An action is the place of one of the task's choices, (n, 1), a number in [0, task.actions) rounded down; the task
    itself moves the state, and no physics is integrated. What is no number counts as a simulation that diverged."""

    state_arrays: ClassVar[tuple[str, ...]] = ()

    def __init__(self, world: BatchSimulation) -> None:
        self._world = world
        end = np.nextafter(np.float32(world.task.actions), np.float32(0))
        self.low, self.high = np.zeros(1, np.float32), np.array([end], np.float32)

    def reset_envs(self, ids: Array, rng: EpisodeRng) -> None:
        """Start episodes where the task decides."""

    def hold(self, ids: Array) -> None:
        """Nothing is commanded."""

    def advance(self, actions: Array, ids: Ids) -> None:
        given = np.asarray(actions, float)[:, 0]
        lost = ~np.isfinite(given)
        if lost.any():
            self._world.mark_diverged(self._world.env_indices(ids)[lost])
            given = np.where(lost, 0, given)
        choices = np.clip(given, 0, self._world.task.actions - 1).astype(int)
        self._world.task.act(self._world, choices, ids)

    def native(self, moves: Array, ids: Array) -> Array:
        """Return an expert's choices as they are: they are native already."""
        return moves

    def disturbed(self, actions: Array, noise: Array) -> Array:
        """Return the choices as they are: none is near another."""
        return actions

    def advance_parts(self, actions: Array, ids: Ids) -> Iterator[float]:
        self.advance(actions, ids)
        self._world.batch.forward(None if isinstance(ids, slice) else ids)  # a viewer reads where the bodies are
        for part in range(1, PARTS + 1):
            yield part / PARTS


class MotorControl:
    """Actions are the motors' commands, within their control ranges, held for the whole control step."""

    state_arrays: ClassVar[tuple[str, ...]] = ()

    def __init__(self, world: BatchSimulation) -> None:
        self._world = world
        self._schedule = SubstepSchedule(world.task.control_hz, world.model.opt.timestep)
        self._ctrl = world.bind("ctrl")
        low, high = world.model.actuator_ctrlrange.astype(np.float32).T
        self.low, self.high = low, high

    def reset_envs(self, ids: Array, rng: EpisodeRng) -> None:
        """The rest pose is the model's own; tasks add their noise."""

    def hold(self, ids: Array) -> None:
        """Nothing is commanded before the first action."""

    def advance(self, actions: Array, ids: Ids) -> None:
        self._ctrl[ids] = actions
        self._world.physics_step(ids, self._schedule.of_step(self._world.steps[ids]))

    def native(self, moves: Array, ids: Array) -> Array:
        """Return an expert's commands as they are: they are native already."""
        return moves

    def disturbed(self, actions: Array, noise: Array) -> Array:
        """Return commands (n, width) with noise added, within their ranges."""
        return np.asarray(np.clip(actions + noise, self.low, self.high))

    def advance_parts(self, actions: Array, ids: Ids) -> Iterator[float]:
        self._ctrl[ids] = actions
        for part in range(1, PARTS + 1):
            self._world.physics_step(ids, self._schedule.of_part(part, self._world.steps[ids]))
            yield part / PARTS


class ServoControl:
    """Actions in [−1, 1] move each limb's site, or each joint, by a step; grippers open at 1 and close at −1."""

    state_arrays: ClassVar[tuple[str, ...]] = ("_command",)

    def __init__(self, world: BatchSimulation) -> None:
        self._world, self._limbs = world, world.scene.limbs
        self._grip = world.task.grips
        self._joint = world.domain.control == "joint"
        self._schedule = SubstepSchedule(world.task.control_hz, world.model.opt.timestep)
        self._qpos, self._ctrl = world.bind("qpos"), world.bind("ctrl")
        self._history = world.bind("history")
        self._remembered = command_history(world.model)
        self._command = np.repeat(world.scene.home_ctrl[None], world.num_envs, 0)
        slots = world.task.slots(world.embodiment, world.domain.control)
        own = "joint_slots" if self._joint else "end_effector_slots"
        # where in a native action each limb's moves lie, and its gripper's opening (none: -1)
        self._moves = [np.array([slots.index(s) for s in getattr(limb, own)]) for limb in world.embodiment.limbs]
        self._grippers = [
            slots.index(limb.gripper_slot) if self._grip and limb.gripper else -1 for limb in world.embodiment.limbs
        ]
        width = len(slots)
        self.low, self.high = np.full(width, -1.0, np.float32), np.full(width, 1.0, np.float32)
        # stale without a last pass: observation, reward and success read the sites of the new state
        self._stage = mujoco.mjtStage.mjSTAGE_POS

    def reset_envs(self, ids: Array, rng: EpisodeRng) -> None:
        """Start from the home pose, a little scattered."""
        home = self._world.scene
        self._qpos[ids], self._command[ids] = home.home_qpos, home.home_ctrl
        for limb in self._limbs:
            noise = rng.uniform(-START_NOISE, START_NOISE, (len(limb.qpos),))
            if self._world.embodiment.kind == "base":
                noise[:, 2] *= np.pi / START_NOISE
            pose = np.clip(home.home_qpos[limb.qpos] + noise, limb.low, limb.high)
            self._qpos[ids[:, None], limb.qpos] = pose
            self._command[ids[:, None], limb.ctrl] = 0.0 if limb.velocity_controlled else pose

    def hold(self, ids: Array) -> None:
        self._ctrl[ids] = self._command[ids]
        # a delayed servo has been commanded to hold its pose all along; MuJoCo's own past is a command of zero
        self._history[ids[:, None, None], self._remembered] = self._command[ids][:, :, None]

    @property
    def command(self) -> Array:
        """The servos' last commands, (num_envs, nu)."""
        return self._command

    def advance(self, actions: Array, ids: Ids) -> None:
        for _ in self.advance_parts(actions, ids):
            pass

    def advance_parts(self, actions: Array, ids: Ids) -> Iterator[float]:
        ids = self._world.env_indices(ids)
        start = self._command[ids]
        goal = self._commanded(np.clip(np.asarray(actions, float), -1, 1), ids)
        self._command[ids] = goal
        steps = self._world.steps[ids]
        for part in range(1, PARTS + 1):
            self._ctrl[ids] = start + (goal - start) * (part / PARTS)
            self._world.physics_step(ids, self._schedule.of_part(part, steps), self._stage)
            yield part / PARTS

    def native(self, moves: Array, ids: Array) -> Array:
        """Return an expert's end-effector moves (n, limbs, 3 or 4) as native actions (n, width)."""
        actions = np.zeros((len(moves), len(self.low)))
        target = self._inverse_kinematics(moves[..., :3], ids) if self._joint else None
        for index, limb in enumerate(self._limbs):
            own = moves[:, index, :3]
            if target is not None:
                own = np.clip((target[:, limb.ctrl] - self._command[ids][:, limb.ctrl]) / JOINT_STEP, -1, 1)
            actions[:, self._moves[index]] = own
            if self._grippers[index] >= 0:
                actions[:, self._grippers[index]] = moves[:, index, 3]
        return actions

    def disturbed(self, actions: Array, noise: Array) -> Array:
        """Return actions (n, width) with noise added, within [−1, 1]."""
        return np.clip(actions + noise, -1, 1)

    def _commanded(self, actions: Array, ids: Array) -> Array:
        """The servo targets after this control step, (n, nu)."""
        moves = [actions[:, columns] for columns in self._moves]
        if self._joint:
            command = self._command[ids].copy()
            for limb, move in zip(self._limbs, moves, strict=True):
                self._drive(command, limb, move * JOINT_STEP)
        else:
            command = self._inverse_kinematics(np.stack(moves, 1), ids)
        for limb, column in zip(self._limbs, self._grippers, strict=True):
            if column >= 0:
                low, high = self._world.model.actuator_ctrlrange[limb.gripper]
                command[:, limb.gripper] = low + (high - low) * (actions[:, column] + 1) / 2
        return command

    def _inverse_kinematics(self, moves: Array, ids: Array) -> Array:
        """Servo targets that move each limb's site by ``moves`` (n, limbs, 3), in steps."""
        world = self._world
        command, sites = self._command[ids].copy(), world.end_effectors(ids)
        for index, limb in enumerate(self._limbs):
            move = moves[:, index]
            if world.embodiment.kind == "base":
                yaw = world.yaw(ids)
                x = np.cos(yaw) * move[:, 0] - np.sin(yaw) * move[:, 1]
                y = np.sin(yaw) * move[:, 0] + np.cos(yaw) * move[:, 1]
                scale = (2 * world.task.step_size, 2 * world.task.step_size, TURN_STEP)
                self._drive(command, limb, np.stack([x, y, move[:, 2]], 1) * scale)
                continue
            jacobian = world.batch.jac(limb.body, sites[:, index], ids)[0][:, :, limb.dofs]
            posture = POSTURE_GAIN * (world.scene.home_qpos[limb.qpos] - command[:, limb.ctrl])
            still = np.all(move == 0, axis=1)
            posture[still] = 0  # an arm that is not asked to move keeps still
            self._drive(command, limb, damped_least_squares(jacobian, move * world.task.step_size, posture))
        return command

    def _drive(self, command: Array, limb: Any, step: Array) -> None:
        if limb.velocity_controlled:
            command[:, limb.ctrl] = step * self._world.task.control_hz
        else:
            command[:, limb.ctrl] = np.clip(command[:, limb.ctrl] + step, limb.low, limb.high)
