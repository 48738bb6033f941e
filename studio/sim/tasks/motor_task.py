"""What Gymnasium's MuJoCo tasks share: a body, its motors, its state as the observation, noise at the start.

Observation, reward and termination are Gymnasium's own (v5), including that body positions, contact forces and the like
are those of the last integration substep's beginning, as ``mj_step`` leaves them behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from studio.contracts import Embodiment, Ids, Problem, Simulation, Task

if TYPE_CHECKING:
    from studio.rng import EpisodeRng

Array = np.ndarray


class MotorTask(Task):
    """A task for one body of Gymnasium's, commanded motor by motor. A subclass gives observation and reward."""

    embodiment_id: ClassVar[str]  # id of the embodiment
    horizon = 1000
    controls = ("motor",)
    observations: ClassVar[tuple[str, ...]] = ("state", "image")
    has_success = False
    has_expert = False
    state_arrays: ClassVar[tuple[str, ...]] = ("old",)
    noise: ClassVar[float] = 0.01  # how far each start is from the model's own rest
    normal_velocity: ClassVar[bool] = False  # velocities start normally distributed, not uniformly

    def check(self, embodiment: Embodiment) -> list[Problem]:
        if embodiment.id == self.embodiment_id:
            return []
        return [Problem("embodiment", f"'{self.title}' is not for '{embodiment.id}'.", f"Choose {self.embodiment_id}.")]

    def prepare(self, world: Simulation) -> None:
        self.world = world
        self.qpos, self.qvel = world.bind("qpos"), world.bind("qvel")
        self.rest = world.model.qpos0.copy()
        self.step_seconds = 1 / self.control_hz
        self.old = np.zeros(world.num_envs)  # what the reward compares with

    def reset(self, world: Simulation, ids: Array, rng: EpisodeRng) -> None:
        model = world.model
        self.qpos[ids] = self.rest + rng.uniform(-self.noise, self.noise, (model.nq,))
        if self.normal_velocity:
            self.qvel[ids] = self.noise * rng.normal((model.nv,))
        else:
            self.qvel[ids] = rng.uniform(-self.noise, self.noise, (model.nv,))

    def observe(self, world: Simulation, ids: Ids) -> dict[str, Array]:
        return {"state": self.state(ids)}

    def state(self, ids: Ids) -> Array:
        """The observation, (n, width)."""
        raise NotImplementedError

    def effort(self, world: Simulation, ids: Ids) -> Array:
        """Sum of the squared commands, (n,)."""
        return np.asarray(np.square(world.actions[ids]).sum(1))

    def terminated(self, world: Simulation, ids: Ids) -> Array:
        return np.zeros(len(self.qpos[ids]), bool)

    def success(self, world: Simulation, ids: Ids) -> Array:
        return np.zeros(len(self.qpos[ids]), bool)


class ForwardTask(MotorTask):
    """Reward for the speed along x, less the effort, and for staying healthy where a subclass defines what that is."""

    effort_cost: ClassVar[float]
    skipped: ClassVar[int] = 1  # first coordinates that are not observed
    speed_limit: ClassVar[float] = np.inf  # of the velocities that are observed
    healthy_reward: ClassVar[float] = 0.0

    def before(self, world: Simulation, ids: Ids) -> None:
        self.old[ids] = self.place(ids)

    def place(self, ids: Ids) -> Array:
        """Where along x the body is, (n,), m."""
        return self.qpos[ids][:, 0]

    def speed(self, ids: Ids) -> Array:
        """Mean speed along x in the last control step, (n,), m/s."""
        return np.asarray((self.place(ids) - self.old[ids]) / self.step_seconds)

    def state(self, ids: Ids) -> Array:
        velocity = self.qvel[ids]
        if self.speed_limit < np.inf:
            velocity = np.clip(velocity, -self.speed_limit, self.speed_limit)
        return np.concatenate([self.qpos[ids][:, self.skipped :], velocity], 1)

    def healthy(self, ids: Ids) -> Array:
        """Whether the body is upright, (n,) bool."""
        return np.ones(len(self.qpos[ids]), bool)

    def reward(self, world: Simulation, ids: Ids) -> Array:
        reward = self.speed(ids) - self.effort_cost * self.effort(world, ids)
        return reward + self.healthy_reward * self.healthy(ids) if self.healthy_reward else reward

    def terminated(self, world: Simulation, ids: Ids) -> Array:
        return ~self.healthy(ids)


def flat(rows: Array, start: int = 1) -> Array:
    """A field's rows from part ``start`` on, (n, parts, …), flattened to (n, width)."""
    kept = rows[:, start:]
    return np.asarray(kept.reshape(len(kept), -1))
