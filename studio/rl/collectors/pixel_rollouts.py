"""Rollouts from a world that observes images, with the features that the policy computed while acting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.rl.collectors.rollouts import Collector, Rollout
from studio.rl.networks.distributions import Normal
from studio.rl.networks.pixels import PixelActorCritic, goals, privileged

Array = np.ndarray


@dataclass
class PixelRollout(Rollout):
    """A rollout whose ``observations`` are the critic's input, the normalized state."""

    images: Tensor  # uint8
    features: Tensor  # computed while acting


class PixelRollouts(Collector[PixelActorCritic, PixelRollout]):
    """Collects from a world that observes images; the critic reads the simulation's state."""

    @torch.no_grad()
    def collect(self) -> PixelRollout:
        """Return the next ``length`` steps of every simulation."""
        policy, world, shape = self.policy, self.world, (self.length, self.world.num_envs)
        images = np.empty((*shape, *self._image.shape[1:]), np.uint8)
        raw_states = np.empty((*shape, policy.params.state), np.float32)
        rewards, terminated, truncated = np.empty(shape), np.empty(shape, bool), np.empty(shape, bool)
        diverged = np.zeros(shape, bool)
        noise = torch.randn(*shape, policy.params.outputs, generator=self.generator, device=self.device)
        features, means = torch.empty(*shape, policy.params.features, device=self.device), torch.empty_like(noise)
        actions = noise * policy.log_std.exp()
        final: list[tuple[int, int, Array, Array]] = []  # time, env, last image and state of each truncated episode
        for t in range(len(images)):
            images[t], raw_states[t] = self._image, self._observation
            features[t] = policy(torch.from_numpy(images[t]).to(self.device))
            means[t] = policy.actor(features[t])
            actions[t] += means[t]
            step = world.step(policy.native(actions[t]).cpu().numpy())
            observation, rewards[t], terminated[t], truncated[t], info = step
            if "final_obs" in info:
                diverged[t] = info["diverged"]
                for i in np.flatnonzero(truncated[t] & ~diverged[t]).tolist():
                    last = {key: value[None] for key, value in info["final_obs"][i].items()}
                    final.append((t, i, last["image"], privileged(last, self._goal[i : i + 1])))
            self._keep(observation)
            self.statistics.count(rewards[t], terminated[t], truncated[t], info)
        self.samples += rewards.size
        states = policy.moments(torch.from_numpy(raw_states).to(self.device).flatten(0, 1)).view(*shape, -1)
        values = policy.state_value(features, states)
        next_values = torch.cat([values[1:], self._critic_values(self._image, self._observation)[None]])
        if final:
            times, envs, last_images, last_states = zip(*final, strict=True)
            next_values[times, envs] = self._critic_values(np.concatenate(last_images), np.concatenate(last_states))
        advantages = self._advantages(rewards, values, next_values, terminated, truncated, diverged)
        policy.moments.update(torch.from_numpy(raw_states).to(self.device).flatten(0, 1))
        log_probs = Normal(means, policy.log_std).log_prob(actions)
        seen = torch.from_numpy(images).to(self.device), features
        batch = (states, actions, log_probs, values, advantages, advantages + values, *seen)
        return PixelRollout(*(tensor.flatten(0, 1) for tensor in batch))

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next rollout depends on but the policy and the generator."""
        own = {"image": self._image, "goal": self._goal}
        return super().state_dict() | {name: torch.from_numpy(value.copy()) for name, value in own.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        if "kept" in state:  # as earlier versions saved it
            state = {**state, **state["kept"], "observation": state["kept"]["seen"]}
        super().load_state_dict(state)
        self._image, self._goal = (state[name].cpu().numpy().copy() for name in ("image", "goal"))

    def _keep(self, observation: dict[str, Array]) -> None:
        self._image, self._goal = observation["image"], goals(self.world)
        self._observation = privileged(observation, self._goal)

    def _critic_values(self, images: Array, states: Array) -> Tensor:
        """Return the critic's values for images (n, h, w, 3) and states (n, width), not yet normalized."""
        normalized = self.policy.moments(torch.from_numpy(states).to(self.device))
        return self.policy.state_value(self.policy(torch.from_numpy(images).to(self.device)), normalized)
