"""PPO on the worst episodes of a randomized world (EPOpt)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call

from studio.experiment import setting
from studio.rl.advantages import gae
from studio.rl.algorithms.ppo import PPO, ppo_loss
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.collectors.rollouts import Rollout
from studio.rl.networks.observations import flatten

Array = np.ndarray
UNITS = {**PPO.units, "worst_return": "", "return_10": "", "learned_from": "steps"}


class WorstCaseParams(PPOParams):
    """Which episodes are trained on, optimization and collection."""

    epsilon: float = setting(
        0.1, "ε", "Fraction ε of an iteration's episodes to train on: those with the lowest returns.", gt=0, le=1
    )
    simulations: int = setting(
        64, "Simulations", "Number of parallel simulations; after the warm-up, an iteration is one episode in each.",
        "simulations", ge=1, le=65_536
    )  # fmt: skip
    steps: int = setting(
        32, "Steps", "Environment steps per simulation in a warm-up iteration.", "steps", ge=1, le=100_000
    )
    warm_up: float = setting(
        0.5, "Warm-up", "Fraction of the iterations that train on all episodes first (ε = 1).", ge=0, le=1
    )


class WorstCasePPO(PPO):
    """PPO on the ε-percentile of the worst episodes (Rajeswaran et al. 2017, arXiv:1610.01283, algorithm 1).

    The warm-up is plain PPO. After it, an iteration is one whole episode of each simulation, each with its own model
    parameters; the actor learns from the fraction ε with the lowest returns. A simulation whose episode has ended is
    not stepped further. The critic, the paper's baseline, learns from as many samples drawn from all episodes.
    """

    units = UNITS
    settings: WorstCaseParams

    @property
    def warming_up(self) -> bool:
        """Return whether all episodes are trained on."""
        return self.settings.epsilon == 1 or self.iteration < math.ceil(self.settings.warm_up * self.iterations)

    def collect(self) -> Rollout:
        # of this iteration: the highest return among the worst ε, and the 10th percentile of all returns
        self._threshold: tuple[float, float] | None = None
        if self.warming_up:
            return super().collect()
        episodes = Episodes(self)
        worst = episodes.worst(self.settings.epsilon)
        self._threshold = float(episodes.returns[worst[-1]]), float(np.percentile(episodes.returns, 10))
        return episodes.rollout(worst)

    def loss(self, parameters: dict[str, Tensor], batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the loss; after the warm-up the actor's samples are of the worst episodes, the critic's of all."""
        if "critic_obs" not in batch:
            return super().loss(parameters, batch)
        n, rows = len(batch["observations"]), torch.cat([batch["observations"], batch["critic_obs"]])
        distribution, values = functional_call(self.policy, parameters, (rows,), strict=False)
        return ppo_loss(distribution.rows(n), values[n:], batch | {"returns": batch["critic_return"]}, self.settings)

    def _step_function(self) -> Callable[..., Tensor]:
        if not self.warming_up and "critic_obs" not in self._widths:
            self._widths |= {"critic_obs": self.policy.params.inputs, "critic_return": 1}
            self._compiled = None
        return super()._step_function()

    def _metrics(self, rollout: Rollout, diagnostics: Tensor) -> dict[str, float]:
        values = super()._metrics(rollout, diagnostics) | {"learned_from": float(len(rollout.actions))}
        if self._threshold is not None:
            values |= dict(zip(("worst_return", "return_10"), self._threshold, strict=True))
        return values


@dataclass
class WorstRollout(Rollout):
    """The samples of the worst episodes, and as many samples of all episodes for the critic: observation and return."""

    critic_obs: Tensor
    critic_return: Tensor

    def columns(self) -> dict[str, Tensor]:
        return {**super().columns(), "critic_obs": self.critic_obs, "critic_return": self.critic_return}


class Episodes:
    """One whole episode of each simulation, played by the exploring policy.

    Observations and rewards are normalized by statistics of earlier iterations; then these are updated with them.
    """

    @torch.no_grad()
    def __init__(self, learner: PPO) -> None:
        rollouts = learner.rollouts
        policy, world = learner.policy, rollouts.world
        self._rollouts, self._policy, n = rollouts, policy, world.num_envs
        world.reset()
        self.returns, self.lengths, successes = np.zeros(n), np.zeros(n, int), np.zeros(n, bool)
        self._ids: list[Array] = []  # the active simulations of each step
        self._steps: list[tuple[Tensor, Tensor, Array]] = []  # their observations, actions, rewards
        self._last = torch.zeros(n, policy.params.inputs, device=rollouts.device)  # each episode's last observation
        self._bootstrap = torch.zeros(n, device=rollouts.device)  # 0: terminated, 1: truncated, −1: diverged
        active, observations = np.arange(n), self._observe(np.arange(n))
        while len(active):
            noise = policy.noise((len(active),), rollouts.generator)
            actions = policy.explored(policy.actor(policy.moments(observations)), noise)
            world.advance(policy.native(actions).cpu().numpy(), active)
            rewards = world.reward(active)
            self._ids.append(active)
            self._steps.append((observations, actions, rewards))
            self.returns[active] += rewards
            self.lengths[active] += 1
            observations = self._observe(active)
            terminated = world.terminated(active)
            over = terminated | world.truncated(active)
            if over.any():
                ended = active[over]
                if world.task.has_success:
                    successes[ended] = world.success(ended)
                self._last[ended] = observations[torch.from_numpy(over)]
                bootstrap = np.where(terminated, 0.0, np.where(world.diverging(active), -1.0, 1.0))[over]
                self._bootstrap[ended] = torch.as_tensor(bootstrap, dtype=torch.float32, device=observations.device)
            self._notify(active, rewards, active[over])
            active, observations = active[~over], observations[torch.from_numpy(~over)]
        rollouts.statistics.add(self.returns.tolist(), self.lengths.tolist(), successes.tolist())
        rollouts.samples += int(self.lengths.sum())

    def worst(self, epsilon: float) -> Array:
        """Return the simulations with the lowest returns, a fraction ε, the lowest first.

        More are returned where these had a single step together. Diverged ones come last, because the simulator
        failed, not the policy.
        """
        order = np.lexsort((self.returns, (self._bootstrap < 0).cpu().numpy()))
        count = math.ceil(round(epsilon * len(order), 9))  # rounded, since 0.1 · 30 is a little above 3
        enough = int(np.searchsorted(np.cumsum(self.lengths[order]), 2)) + 1
        return order[: max(count, enough)]

    def rollout(self, chosen: Array) -> WorstRollout:
        """Return the episodes of the chosen simulations, for the actor, and as many samples of all, for the critic."""
        policy, rollouts, n = self._policy, self._rollouts, len(self.returns)
        # (time, env), zero after an episode's end
        shape, device = (len(self._ids), n), rollouts.device
        observations = torch.zeros(*shape, policy.params.inputs, device=device)
        actions = torch.zeros(*shape, policy.params.outputs, device=device)
        rewards, stepped = np.zeros(shape), np.zeros(shape, bool)
        for t, (ids, step) in enumerate(zip(self._ids, self._steps, strict=True)):
            observations[t, ids], actions[t, ids], rewards[t, ids] = step
            stepped[t, ids] = True
        scaled = rollouts.reward_scale.scaled(torch.as_tensor(rewards, device=device))
        policy.rewards.update(self._discounted())
        normalized = policy.moments(observations.flatten(0, 1)).view_as(observations)
        with torch.no_grad():
            values = policy.critic(normalized).squeeze(-1)
            log_probs = policy.distribution(policy.actor(normalized)).log_prob(actions)
            last = policy.critic(policy.moments(self._last)).squeeze(-1)
        policy.moments.update(torch.cat([observed for observed, _, _ in self._steps]))
        end, envs = torch.from_numpy(stepped.sum(0) - 1).to(device), torch.arange(n, device=device)
        next_values = torch.cat([values[1:], values[-1:]])
        next_values[end, envs] = torch.where(self._bootstrap < 0, values[end, envs], last * self._bootstrap)
        ended = torch.zeros(shape, device=device)
        ended[end, envs] = 1
        advantages = gae(scaled, values, next_values, ended, rollouts.gamma, rollouts.gae_lambda)
        returns, valid = advantages + values, torch.from_numpy(stepped).to(device)
        worst = valid & torch.from_numpy(np.isin(np.arange(n), chosen)).to(device)
        drawn = torch.randperm(int(valid.sum()), generator=rollouts.generator, device=device)[: int(worst.sum())]
        return WorstRollout(
            observations=normalized[worst],
            actions=actions[worst],
            log_probs=log_probs[worst],
            values=values[worst],
            advantages=advantages[worst],
            returns=returns[worst],
            critic_obs=normalized[valid][drawn],
            critic_return=returns[valid][drawn],
        )

    def _observe(self, ids: Array) -> Tensor:
        observation = flatten(self._rollouts.world.observe(ids), self._policy.params.ignored)
        return torch.as_tensor(observation, dtype=torch.float32, device=self._rollouts.device)

    def _discounted(self) -> Tensor:
        """Return Gymnasium's running discounted return after every step of every episode, (steps, 1)."""
        running, returns = np.zeros(len(self.returns)), []
        for ids, (_, _, rewards) in zip(self._ids, self._steps, strict=True):
            running[ids] = running[ids] * self._rollouts.gamma + rewards
            returns.append(running[ids])
        return torch.from_numpy(np.concatenate(returns)[:, None]).to(self._rollouts.device)

    def _notify(self, active: Array, rewards: Array, ended: Array) -> None:
        """Notify the world's observers of a step, among them recorder and curriculum."""
        world = self._rollouts.world
        world.notify_step(active, rewards)
        if len(ended):
            world.notify_episode_end(ended, world.success(ended) if world.task.has_success else None)
