"""Rollouts: a stretch of experience of every simulation of a world, under a policy that goes on learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.rl.advantages import gae
from studio.rl.collectors.episode_statistics import EpisodeStatistics, stagger
from studio.rl.networks.gaussian import GaussianActorCritic, flatten, log_prob, unwrapped
from studio.rl.reward_scale import RewardScale
from studio.rl.states import arrays, tensors
from studio.seeds import training_episode_seed
from studio.sim.world import World

Array = np.ndarray


@dataclass
class Rollout:
    """(time · env, …) tensors, time-major, in the policy's own terms: normalized observations, unit actions."""

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor  # of the normalized rewards: what the critic is to say


class RolloutCollector:
    """Collects from a world. Observations and rewards are normalized by what has been seen until then.

    Simulations begin at different times of an episode, so that they don't all end together. An episode that time cuts
    off goes on in the value of its last state; one that diverged counts as if it had stood still.

    Args:
        length: steps of each simulation in a rollout.
        generator: of the exploration.
    """

    def __init__(
        self,
        world: World,
        policy: GaussianActorCritic,
        length: int,
        gamma: float,
        gae_lambda: float,
        seed: int,
        generator: torch.Generator,
    ) -> None:
        self.world, self.policy, self.length, self.generator = world, policy, length, generator
        self.gamma, self.gae_lambda = gamma, gae_lambda
        self.device = policy.low.device
        self.reward_scale = RewardScale(policy.rewards, world.num_envs, gamma)
        self._observation = self._seen(world.reset(seed=training_episode_seed(seed))[0])
        stagger(world)
        self.statistics = EpisodeStatistics(world)
        self.samples = 0  # so far: steps of one simulation

    @torch.no_grad()
    def collect(self) -> Rollout:
        """The next ``length`` steps of every simulation."""
        policy, world, n, time = self.policy, self.world, self.world.num_envs, self.length
        shape = (time, n)
        seen = torch.empty(*shape, policy.params.inputs, device=self.device)
        noise = torch.randn(*shape, policy.params.outputs, generator=self.generator, device=self.device)
        shift, scale, std = policy.moments.mean.float(), policy.moments.scale(), policy.log_std.exp()
        rewards, terminated, truncated = np.empty(shape), np.empty(shape, bool), np.empty(shape, bool)
        diverged, last = np.zeros(shape, bool), np.zeros((*shape, policy.params.inputs), np.float32)
        actions = noise.mul_(std)
        normalized, known, actor = torch.empty_like(seen), [], unwrapped(policy.actor)
        rows = zip(seen.unbind(), normalized.unbind(), actions.unbind(), strict=True)
        for t, (now, scaled, action) in enumerate(rows):
            now.copy_(torch.from_numpy(self._observation))
            torch.sub(now, shift, out=scaled).mul_(scale).clamp_(-10, 10)
            known.append(self._features(scaled))
            action += actor(known[t])
            native = policy.native(action).cpu().numpy()
            observation, rewards[t], episode_terminated, episode_truncated, info = world.step(native)
            self._observation = self._seen(observation)
            if "final_obs" in info:
                ids, diverged[t] = np.flatnonzero(info["_final_obs"]), info["diverged"]
                last[t, ids] = np.stack([self._seen(final) for final in info["final_obs"][ids]])
            self.statistics.count(rewards[t], episode_terminated, episode_truncated, info)
            terminated[t], truncated[t] = self._ends(t, episode_terminated, episode_truncated)
        self.samples += time * n
        features = torch.stack(known)
        ended = torch.from_numpy(terminated | truncated).to(self.device)
        values, next_values = self._values(features, last, terminated, truncated, diverged)
        scaled_rewards = self.reward_scale(torch.from_numpy(rewards).to(self.device), ended)
        advantages = gae(scaled_rewards, values, next_values, ended, self.gamma, self.gae_lambda)
        policy.moments.update(seen.flatten(0, 1))
        log_probs = log_prob(actions, policy.actor(features), policy.log_std)
        batch = (normalized, actions, log_probs, values, advantages, advantages + values)
        return Rollout(*(tensor.flatten(0, 1) for tensor in batch))

    def _seen(self, observation: Any) -> Array:
        return flatten(observation, self.policy.params.ignored)

    def _features(self, normalized: Tensor) -> Tensor:
        """What actor and critic see of every simulation's observation (env, inputs): the observation itself."""
        return normalized

    def _features_ahead(self, normalized: Tensor, after: Tensor | None) -> Tensor:
        """What the critic sees of observations (k, inputs) that followed the steps ``after``, (time, env) bool, or that
        all simulations show now."""
        return normalized

    def state_dict(self) -> dict[str, Any]:
        """Everything the next rollout depends on but the policy and the generator."""
        return {
            "world": tensors(self.world.state_dict()),
            "rewards": self.reward_scale.state_dict(),
            "observation": torch.from_numpy(self._observation.copy()),
            "statistics": self.statistics.state_dict(),
            "samples": self.samples,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self.world.load_state_dict(arrays(state["world"]))
        self.reward_scale.load_state_dict(state["rewards"])
        self._observation = state["observation"].cpu().numpy().copy()
        self.statistics.load_state_dict(state["statistics"])
        self.samples = int(state["samples"])

    def _ends(self, t: int, terminated: Array, truncated: Array) -> tuple[Array, Array]:
        """Return where step ``t`` of the rollout ends what returns last for, (env,) bool each, of where it ended
        episodes: here the episodes themselves."""
        return terminated, truncated

    def _values(
        self, features: Tensor, last: Array, terminated: Array, truncated: Array, diverged: Array
    ) -> tuple[Tensor, Tensor]:
        """Values of the states acted in and of those they led to, (time, env) each."""
        policy = self.policy
        values = policy.critic(features).squeeze(-1)
        following = policy.moments(torch.as_tensor(self._observation, dtype=torch.float32, device=self.device))
        ahead = policy.critic(self._features_ahead(following, None)).squeeze(-1)
        next_values = torch.cat([values[1:], ahead[None]])
        late = torch.from_numpy(truncated & ~diverged).to(self.device)
        if late.any():
            cut = policy.moments(torch.from_numpy(last).to(self.device)[late])
            next_values[late] = policy.critic(self._features_ahead(cut, late)).squeeze(-1)
        lost = torch.from_numpy(diverged).to(self.device)
        next_values = torch.where(lost, values, next_values)
        return values, next_values.masked_fill(torch.from_numpy(terminated).to(self.device), 0.0)
