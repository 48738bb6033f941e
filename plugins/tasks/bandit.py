"""Bernoulli bandits: arms whose probabilities of reward are drawn for each episode and never observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from studio.contracts import EXPERT, Ids, Problem, ReferenceLine, Simulation, task_name
from studio.sim.tasks.motor_task import MotorTask

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment
    from studio.rng import EpisodeRng

APART = 0.2  # m from arm to arm
TALL = 0.4  # m: the height of a bar that stands for probability 1


class Bandit(MotorTask):
    """An action pulls an arm, whose reward is 1 with its probability ω and else 0; an episode has ``horizon`` pulls.

    ω is uniform in [0, 1] for each arm. The observed state is the share of the pulls that are left. In the viewport the
    point stands at the last arm, a bar's height is its ω, and a ball above the point means that the reward was 1.
    """

    reference = "Duan et al. 2016 (RL²), arXiv:1611.02779, section 3.1"
    embodiment_id = "point"
    control_hz = 5.0
    controls = ("discrete",)
    observations = ("state", "goal", "image")
    has_expert = True
    state_arrays: ClassVar[tuple[str, ...]] = ("_rewards", "_left")
    arms: ClassVar[int]

    def __init_subclass__(cls) -> None:
        cls.actions = cls.goal_width = cls.arms
        cls.context = tuple(f"probability_{i + 1}" for i in range(cls.arms))
        cls.ranges = ((0.0, 1.0),) * cls.arms

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        wrong = [value for value in context if not 0 <= value <= 1]
        if not wrong:
            return []
        words = f"{wrong[0]:g} is not a probability."
        return [Problem("contexts", words, "Choose numbers from 0 to 1.")]

    def reference_lines(self, context: Sequence[float]) -> Sequence[ReferenceLine]:
        return (
            ReferenceLine(EXPERT, (self.horizon * max(context),)),
            ReferenceLine("arms at random", (self.horizon * sum(context) / self.arms,)),
        )

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        spec.stat.extent, spec.stat.center = 0.7 * APART * self.arms, [0, 0, 0]
        spec.visual.global_.elevation = -35
        box = {"type": mujoco.mjtGeom.mjGEOM_BOX, "contype": 0, "conaffinity": 0}
        for i, x in enumerate(self._places()):
            bar = spec.worldbody.add_body(name=task_name(f"arm{i:02d}"), mocap=True, pos=[x, APART, 0])
            bar.add_geom(**box, size=[0.3 * APART, 0.1 * APART, TALL / 2], rgba=[0.35, 0.55, 0.75, 1])
        ball = spec.worldbody.add_body(name=task_name("reward"), mocap=True, pos=[0, 0, 0])
        sphere, size, gold = mujoco.mjtGeom.mjGEOM_SPHERE, [0.25 * APART, 0, 0], [0.95, 0.75, 0.1, 1]
        ball.add_geom(type=sphere, size=size, rgba=gold, contype=0, conaffinity=0)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._bodies, self._x = world.mocap(), self._places()
        self._rewards, self._left = np.zeros(world.num_envs), np.full(world.num_envs, self.horizon)

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self.qpos[ids], self.qvel[ids] = 0, 0
        self._rewards[ids], self._left[ids] = 0, self.horizon
        self._bodies[ids, : self.arms, 2] = TALL * (world.contexts[ids] - 0.5)
        self._show(ids)

    def act(self, world: Simulation, choices: np.ndarray, ids: Ids) -> None:
        chances = np.take_along_axis(world.contexts[ids], choices[:, None], 1)[:, 0]
        self._rewards[ids] = world.step_rng(ids).uniform() < chances
        self._left[ids] -= 1
        self.qpos[ids, 0] = self._x[choices]
        self._show(ids)

    def state(self, ids: Ids) -> np.ndarray:
        return (self._left[ids] / self.horizon).astype(np.float32)[:, None]

    def goal(self, world: Simulation, ids: Ids) -> np.ndarray:
        return world.contexts[ids].copy()

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self._rewards[ids].copy()

    def terminated(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Return whether the last step was made: what can be earned in the horizon is all that counts."""
        return np.asarray(self._left[ids] == 0)

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Return the arm with the highest probability of reward, (n, 1)."""
        return world.contexts[ids].argmax(1)[:, None].astype(float)

    def _show(self, ids: Ids) -> None:
        """Put the ball above the point where the last reward was 1, and out of sight where it was 0."""
        self._bodies[ids, self.arms, 0] = self.qpos[ids, 0]
        self._bodies[ids, self.arms, 2] = np.where(self._rewards[ids] > 0, 0.6 * APART, -APART)

    def _places(self) -> np.ndarray:
        """Return where along x the arms are, (arms,), m."""
        return (np.arange(self.arms) - (self.arms - 1) / 2) * APART


class Bandit5(Bandit):
    """Five arms and 10 pulls. The Bayes-optimal value is 6.6600 (exact, by dynamic programming)."""

    id = "bandit_5"
    title = "Bandit, 5 arms"
    summary = "Ten pulls of five arms whose reward probabilities are unknown."
    gymnasium_id = "Bandit5-v0"
    horizon = 10
    arms = 5


class Bandit10(Bandit):
    """Ten arms and 10 pulls. The Bayes-optimal value is 6.7140 (exact, by dynamic programming)."""

    id = "bandit_10"
    title = "Bandit, 10 arms"
    summary = "Ten pulls of ten arms whose reward probabilities are unknown."
    gymnasium_id = "Bandit10-v0"
    horizon = 10
    arms = 10


class Bandit5Long(Bandit):
    """Five arms and 100 pulls. Published: RL² 78.7, UCB1 78.0, Thompson sampling 74.7."""

    id = "bandit_5_long"
    title = "Bandit, 5 arms, 100 pulls"
    summary = "A hundred pulls of five arms whose reward probabilities are unknown."
    gymnasium_id = "Bandit5Long-v0"
    horizon = 100
    arms = 5
