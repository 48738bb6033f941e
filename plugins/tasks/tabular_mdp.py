"""Random tabular MDPs: ten states and five actions, with transitions and rewards that are drawn for each task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from studio.contracts import Ids, Problem, Simulation, task_name
from studio.rng import EpisodeRng
from studio.sim.tasks.motor_task import MotorTask

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment

Array = np.ndarray
STATES, ACTIONS = 10, 5
MEMBERS = 2**31  # there are as many MDPs
STREAM = 10  # of an MDP's random numbers, whose seed is its number
RADIUS = 0.5  # m: the circle of the states
ONE_HOT = np.eye(STATES, dtype=np.float32)


class TabularMdp(MotorTask):
    """From state s, action a leads to s′ with probability p(s′|s, a); the reward is r(s, a) plus standard normal noise.
    The rows p(·|s, a) are uniform over the simplex (a flat Dirichlet distribution), the mean rewards are N(1, 1).
    Episodes have 10 steps and start in state 0. The context is the MDP's number, which its tables are drawn from.

    Published, over trials of 10 episodes, total raw reward: random 100.1, PSRL 138.1, UCRL2 146.6, RL² 156.2.
    """

    id = "tabular_mdp"
    title = "Tabular MDP"
    summary = "Ten states and five actions with unknown random transitions and rewards."
    reference = "Duan et al. 2016 (RL²), arXiv:1611.02779, section 3.2; Osband et al. 2013, arXiv:1306.0940"
    gymnasium_id = "TabularMdp-v0"
    embodiment_id = "point"
    horizon = 10
    control_hz = 5.0
    controls = ("discrete",)
    observations = ("state", "goal", "image")
    has_expert = True
    actions = ACTIONS
    goal_width = 1
    context = ("number",)
    whole = ("number",)
    ranges = ((0.0, MEMBERS - 1.0),)
    state_arrays: ClassVar[tuple[str, ...]] = ("_state", "_reward", "_left")

    def family(self, rng: EpisodeRng) -> Array:
        return np.floor(rng.uniform(shape=(1,)) * MEMBERS)

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        if context[0] == int(context[0]) and 0 <= context[0] < MEMBERS:
            return []
        words = f"There is no MDP with the number {context[0]:.15g}."
        return [Problem("contexts", words, f"Give a whole number from 0 to {MEMBERS - 1}.")]

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        spec.stat.extent, spec.stat.center = 2.4 * RADIUS, [0, 0, 0]
        spec.visual.global_.elevation = -65
        for place in _place(np.arange(STATES)):
            disc = {"type": mujoco.mjtGeom.mjGEOM_CYLINDER, "contype": 0, "conaffinity": 0}
            spec.worldbody.add_geom(**disc, pos=[*place, -0.026], size=[0.09, 0.004, 0], rgba=[0.93, 0.94, 0.95, 1])
        ball = spec.worldbody.add_body(name=task_name("reward"), mocap=True)
        sphere, gold = mujoco.mjtGeom.mjGEOM_SPHERE, [0.95, 0.75, 0.1, 1]
        ball.add_geom(type=sphere, size=[0.03, 0, 0], rgba=gold, contype=0, conaffinity=0)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        n = world.num_envs
        self._ball, self._state, self._reward = world.mocap(), np.zeros(n, int), np.zeros(n)
        self._transitions = np.zeros((n, STATES, ACTIONS, STATES), np.float32)
        self._rewards, self._left = np.zeros((n, STATES, ACTIONS)), np.full(n, self.horizon)
        self._known = np.full(n, -1.0)  # the numbers of the MDPs whose tables are there

    def reset(self, world: Simulation, ids: Array, rng: EpisodeRng) -> None:
        self._state[ids], self._reward[ids], self._left[ids] = 0, 0, self.horizon
        self._show(ids)

    def act(self, world: Simulation, choices: Array, ids: Ids) -> None:
        rows, rng = self._with_tables(world, ids), world.step_rng(ids)
        state = self._state[rows]
        self._reward[rows] = self._rewards[rows, state, choices] + rng.normal()
        reached = np.cumsum(self._transitions[rows, state, choices], 1)
        self._state[rows] = np.minimum((rng.uniform()[:, None] >= reached).sum(1), STATES - 1)
        self._left[rows] -= 1
        self._show(ids)

    def state(self, ids: Ids) -> Array:
        return ONE_HOT[self._state[ids]]

    def goal(self, world: Simulation, ids: Ids) -> Array:
        return world.contexts[ids].copy()

    def reward(self, world: Simulation, ids: Ids) -> Array:
        return self._reward[ids].copy()

    def terminated(self, world: Simulation, ids: Ids) -> Array:
        """Return whether the last step was made: what can be earned in the horizon is all that counts."""
        return np.asarray(self._left[ids] == 0)

    def expert(self, world: Simulation, ids: Ids) -> Array:
        """Return the best action where the MDP is known, (n, 1)."""
        rows = self._with_tables(world, ids)
        best, _ = optimal_actions(self._transitions[rows], self._rewards[rows], self.horizon)
        step = self.horizon - self._left[rows]
        return best[np.arange(len(rows)), step, self._state[rows]][:, None].astype(float)

    def _with_tables(self, world: Simulation, ids: Ids) -> Array:
        """Return ``ids`` as indices, after drawing the tables of those MDPs that are new there."""
        rows = np.arange(world.num_envs)[ids]
        new = rows[world.contexts[rows, 0] != self._known[rows]]
        if len(new):
            self._known[new] = world.contexts[new, 0]
            self._transitions[new], self._rewards[new] = tables(self._known[new])
        return rows

    def _show(self, ids: Ids) -> None:
        """Put the point at its state, and the ball as high above it as the last reward."""
        place = _place(self._state[ids])
        self.qpos[ids] = place
        self._ball[ids, 0, :2] = place
        self._ball[ids, 0, 2] = 0.06 + 0.05 * self._reward[ids]


def tables(numbers: Array) -> tuple[Array, Array]:
    """Return the transition probabilities, (n, states, actions, next states), and mean rewards, (n, states, actions),
    of MDPs by their numbers, (n,)."""
    rng = EpisodeRng(np.asarray(numbers, np.uint64), STREAM)
    weights = -np.log1p(-rng.uniform(shape=(STATES, ACTIONS, STATES)))  # exponential: normalized they are Dirichlet
    return weights / weights.sum(-1, keepdims=True), 1 + rng.normal((STATES, ACTIONS))


def optimal_actions(transitions: Array, rewards: Array, horizon: int) -> tuple[Array, Array]:
    """Return the best actions, (n, horizon, states), and the values of the first step, (n, states), by value iteration
    over a finite horizon."""
    value, best = np.zeros(rewards.shape[:2]), []
    for _ in range(horizon):
        q = rewards + np.einsum("nsat,nt->nsa", transitions, value)
        best.append(q.argmax(-1))
        value = q.max(-1)
    return np.stack(best[::-1], 1), value


def _place(states: Array) -> Array:
    """Return where states are on the circle, (n, 2), m."""
    angle = 2 * np.pi * states / STATES
    return RADIUS * np.stack([np.cos(angle), np.sin(angle)], -1)
