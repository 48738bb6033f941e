"""One simulation for watching: a domain played by an expert, a policy, or chance, at any speed. Single-threaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np

from studio.contracts import Policy
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim import randomization
from studio.sim.domains import embodiment_of, task_of
from studio.sim.world import PARTS, World

HOLD_SECONDS = 0.5  # how long the end of an episode stays before the next one begins


class Player:
    """Plays episodes of a domain; made and used on one thread.

    Args:
        policy: ``"expert"``, ``"random"`` or a policy.
        seed: of the first episode; each further episode takes the next.
    """

    def __init__(self, domain: Domain, registry: Registry, policy: Policy | str = "expert", seed: int = 0) -> None:
        self.world = World(domain, task_of(domain, registry), embodiment_of(domain, registry), 1, threads=1)
        self.model: mujoco.MjModel = self.world.model
        self.data = mujoco.MjData(self.model)
        self._policy: Policy | str = policy
        self._seed = seed
        self._ids = np.zeros(1, int)
        self._part = 1 / (self.world.task.control_hz * PARTS)
        self._preview: dict[str, float] = {}
        self._debt = 0.0
        self._episode = self._successes = 0
        self.reset(seed)

    def set_policy(self, policy: Policy | str) -> None:
        """Changes who acts, from the next control step on."""
        self._policy = policy

    def reset(self, seed: int | None = None) -> None:
        """Starts an episode: the given seed's, or the present one again."""
        if seed is not None:
            self._seed = seed
        self.world.begin(self._ids, [self._seed])
        self._parts: Iterator[float] = iter(())
        self._part_index = 0  # parts of the present control step that lie behind
        self._ended, self._success, self._return = 0.0, False, 0.0
        if self._preview:
            self.randomize(self._preview)
        self._show()

    def advance(self, seconds: float) -> None:
        """Lets simulated time pass, in parts of a control step; what is left over is kept for the next call."""
        self._debt += seconds
        while self._debt >= self._part:
            self._debt -= self._part
            self._one_part()
        self._show()

    def step(self) -> None:
        """One whole control step."""
        for _ in range(PARTS):
            self._one_part()
        self._show()

    def randomize(self, values: dict[str, float]) -> None:
        """Applies values at once (fields not named are nominal); empty: the episode's own draw."""
        self._preview = dict(values)
        draw: dict[str, Any] = randomization.NOMINAL | values
        if not values:
            rng = np.random.default_rng(self._seed)
            draw = randomization.draw(self.world.domain.randomization, rng)
        self.world.randomize(self._ids, [draw])
        self._show()

    def observation_image(self) -> np.ndarray | None:
        """What the policy sees, (h, w, 3) uint8; None where the domain has no images."""
        if self.world.domain.observation != "image":
            return None
        image: np.ndarray = self.world.images(self._ids)[0]
        return image

    @property
    def info(self) -> dict[str, Any]:
        """time (s), episode, seed, step, success, successes, return_ of the present episode."""
        return {
            "time": float(self.data.time),
            "episode": self._episode,
            "seed": self._seed,
            "step": int(self.world.steps[0]),
            "success": self._success,
            "successes": self._successes,
            "return_": self._return,
        }

    def close(self) -> None:
        """Frees the observation renderer."""
        self.world.close()

    def _one_part(self) -> None:
        if self._ended:
            self._ended -= self._part
            if self._ended <= 0:
                self._episode += 1
                self.reset(self._seed + 1)
            return
        if self._part_index == 0:
            self._parts = self.world.advance_parts(self._action(), self._ids)
        next(self._parts)
        self._part_index = (self._part_index + 1) % PARTS
        if self._part_index == 0:
            self._judge()

    def _judge(self) -> None:
        self._return += float(self.world.task.reward(self.world, self._ids)[0])
        self._success = bool(self.world.task.success(self.world, self._ids)[0])
        self._successes += self._success
        if self._success or self.world.steps[0] >= self.world.task.horizon:
            self._ended = HOLD_SECONDS

    def _action(self) -> np.ndarray:
        if isinstance(self._policy, str):
            if self._policy == "expert":
                return self.world.expert(self._ids)
            rng = np.random.default_rng([self._seed, int(self.world.steps[0]), 2])
            return rng.uniform(-1, 1, (1, *self.world.single_action_space.shape))
        action: np.ndarray = self._policy.act(self.world.observe(self._ids))[0]
        return action

    def _show(self) -> None:
        """Copies the state to the data that is drawn, with the camera as randomized."""
        qpos, mocap = self.world.state(0)
        self.data.qpos[:], self.data.mocap_pos[:] = qpos, mocap
        self.data.time = self.world.steps[0] / self.world.task.control_hz
        mujoco.mj_forward(self.model, self.data)
