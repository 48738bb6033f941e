"""Rollouts of fixed length from every simulation of a world, for on-policy learners."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.advantages import gae
from studio.rl.collectors.episode_statistics import EpisodeStatistics, stagger
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.observations import flatten
from studio.rl.reward_scale import RewardScale
from studio.rl.states import arrays, tensors
from studio.seeds import training_episode_seed
from studio.sim.world import World

Array = np.ndarray


@dataclass
class Rollout:
    """(time · env, …) tensors, time-major, with normalized observations and actions scaled to [−1, 1]."""

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor  # of the normalized rewards: the critic's targets

    def columns(self) -> dict[str, Tensor]:
        """Return what each sample has, (time · env, …), by name."""
        return {
            "observations": self.observations,
            "actions": self.actions,
            "log_probs": self.log_probs,
            "values": self.values,
            "advantages": self.advantages,
            "returns": self.returns,
        }


class ActorCritic(Protocol):
    """What a collector reads of every policy with a critic."""

    rewards: RunningMeanStd  # of discounted returns: the scale of the critic's values

    @property
    def device(self) -> torch.device:
        """Return the device of its weights."""


P = TypeVar("P", bound=ActorCritic, covariant=True)
R = TypeVar("R", bound=Rollout, covariant=True)


class Collector(ABC, Generic[P, R]):
    """Collects rollouts of a policy from a world. Observations and rewards are normalized by the statistics of earlier
    ones.

    Simulations start at different times of an episode, so that they don't all end together, if ``staggered``. The
    return of a truncated episode is bootstrapped by the value of its last state, that of a diverged one by the value of
    the state before.

    Args:
        length: steps of each simulation in a rollout.
        generator: draws the exploration noise.
    """

    _observation: Array  # the present one of every simulation, (env, width), as the critic reads it

    def __init__(
        self,
        world: World,
        policy: P,
        length: int,
        gamma: float,
        gae_lambda: float,
        seed: int,
        generator: torch.Generator,
    ) -> None:
        self.world, self.length, self.seed, self.generator = world, length, seed, generator
        self.policy = policy
        self.gamma, self.gae_lambda = gamma, gae_lambda
        self.device = policy.device
        self.reward_scale = RewardScale(policy.rewards, world.num_envs, gamma)
        self.restart()
        self.statistics = EpisodeStatistics(world)
        self.samples = 0  # environment steps so far, over all simulations

    @abstractmethod
    def collect(self) -> R:
        """Return the next ``length`` steps of every simulation."""

    @abstractmethod
    def _keep(self, observation: Any) -> None:
        """Keep what the next step reads of a world's observation."""

    @property
    def staggered(self) -> bool:
        """Return whether simulations start at different times of an episode."""
        return True

    def restart(self) -> None:
        """Reset every simulation to the first episodes of the seed."""
        self._keep(self.world.reset(seed=training_episode_seed(self.seed))[0])
        if self.staggered:
            stagger(self.world)

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next rollout depends on but the policy and the generator."""
        return {
            "world": tensors(self.world.state_dict()),
            "rewards": self.reward_scale.state_dict(),
            "observation": torch.from_numpy(self._observation.copy()),
            "statistics": self.statistics.state_dict(),
            "samples": self.samples,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.world.load_state_dict(arrays(state["world"]))
        self.reward_scale.load_state_dict(state["rewards"])
        self._observation = state["observation"].cpu().numpy().copy()
        self.statistics.load_state_dict(state["statistics"])
        self.samples = int(state["samples"])

    def _advantages(
        self,
        rewards: Array,
        values: Tensor,
        next_values: Tensor,
        terminated: Array,
        truncated: Array,
        diverged: Array,
    ) -> Tensor:
        """Return advantages, (time, env); where a simulation diverged the next value is that before the step."""
        next_values = torch.where(torch.from_numpy(diverged).to(self.device), values, next_values)
        next_values = next_values.masked_fill(torch.from_numpy(terminated).to(self.device), 0.0)
        ended = torch.from_numpy(terminated | truncated).to(self.device)
        scaled = self.reward_scale(torch.from_numpy(rewards).to(self.device), ended)
        return gae(scaled, values, next_values, ended, self.gamma, self.gae_lambda)


class RolloutCollector(Collector[GaussianActorCritic, Rollout]):
    """Collects rollouts of a policy on flattened observations."""

    @torch.no_grad()
    def collect(self) -> Rollout:
        """Return the next ``length`` steps of every simulation."""
        policy, world, n, time = self.policy, self.world, self.world.num_envs, self.length
        shape = (time, n)
        observations = torch.empty(*shape, policy.params.inputs, device=self.device)
        noise = policy.noise(shape, self.generator)
        actions = torch.empty(*shape, policy.params.outputs, device=self.device)
        shift, scale = policy.moments.mean.float(), policy.moments.scale()
        rewards, terminated, truncated = np.empty(shape), np.empty(shape, bool), np.empty(shape, bool)
        diverged, last = np.zeros(shape, bool), np.zeros((*shape, policy.params.inputs), np.float32)
        normalized, features, actor = torch.empty_like(observations), [], policy.collecting_actor()
        rows = zip(observations.unbind(), normalized.unbind(), noise.unbind(), strict=True)
        for t, (raw, scaled, drawn) in enumerate(rows):
            raw.copy_(torch.from_numpy(self._observation))
            torch.sub(raw, shift, out=scaled).mul_(scale).clamp_(-10, 10)
            features.append(self._features(scaled))
            actions[t] = policy.explored(actor(features[t]), drawn)
            native = policy.native(actions[t]).cpu().numpy()
            observation, rewards[t], episode_terminated, episode_truncated, info = world.step(native)
            self._keep(observation)
            if "final_obs" in info:
                ids, diverged[t] = np.flatnonzero(info["_final_obs"]), info["diverged"]
                ignored = policy.params.ignored
                last[t, ids] = np.stack([flatten(final, ignored) for final in info["final_obs"][ids]])
            self.statistics.count(rewards[t], episode_terminated, episode_truncated, info)
            terminated[t], truncated[t] = self._ends(t, episode_terminated, episode_truncated)
        self.samples += time * n
        stacked = torch.stack(features)
        values, next_values = self._values(stacked, last, truncated & ~diverged)
        advantages = self._advantages(rewards, values, next_values, terminated, truncated, diverged)
        policy.moments.update(observations.flatten(0, 1))
        log_probs = policy.distribution(policy.actor(stacked)).log_prob(actions)
        batch = (normalized, actions, log_probs, values, advantages, advantages + values)
        return Rollout(*(tensor.flatten(0, 1) for tensor in batch))

    def _keep(self, observation: Any) -> None:
        self._observation = flatten(observation, self.policy.params.ignored)

    def _features(self, normalized: Tensor) -> Tensor:
        """Return the input of actor and critic for normalized observations (env, inputs): the observations."""
        return normalized

    def _next_features(self, normalized: Tensor, after: Tensor | None) -> Tensor:
        """Return the critic's input for normalized observations (k, inputs) that followed the steps ``after``, (time,
        env) bool; None: the present ones of all simulations."""
        return normalized

    def _ends(self, t: int, terminated: Array, truncated: Array) -> tuple[Array, Array]:
        """Return where returns end at step ``t`` of the rollout, (env,) bool each, given where episodes ended: here at
        the ends of episodes."""
        return terminated, truncated

    def _values(self, features: Tensor, last: Array, bootstrapped: Array) -> tuple[Tensor, Tensor]:
        """Return the values of the states acted in and of the next states, (time, env) each.

        Args:
            last: the last observations of episodes, (time, env, inputs).
            bootstrapped: where an episode was truncated and its last observation is the next state, (time, env) bool.
        """
        policy = self.policy
        values = policy.critic(features).squeeze(-1)
        following = policy.moments(torch.as_tensor(self._observation, dtype=torch.float32, device=self.device))
        present = policy.critic(self._next_features(following, None)).squeeze(-1)
        next_values = torch.cat([values[1:], present[None]])
        if bootstrapped.any():
            where = torch.from_numpy(bootstrapped).to(self.device)
            final = policy.moments(torch.from_numpy(last).to(self.device)[where])
            next_values[where] = policy.critic(self._next_features(final, where)).squeeze(-1)
        return values, next_values
