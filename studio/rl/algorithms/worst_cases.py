"""Learning from the worst of many models: what EPOpt changes in PPO."""

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
from studio.rl.algorithms.ppo import PPO, PPOParams, ppo_loss
from studio.rl.collectors.rollouts import Rollout
from studio.rl.networks.gaussian import flatten, log_prob

Array = np.ndarray
UNITS = {**PPO.units, "worst_return": "", "return_10": "", "learned_from": "steps"}


class WorstCaseParams(PPOParams):
    """Which models are learned from, optimization and collection."""

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
    """PPO on the worst ε of the models (Rajeswaran et al. 2017, arXiv:1610.01283, algorithm 1).

    In the warm-up every stretch of experience counts, as in PPO. After it an iteration is one whole episode of each
    simulation, every one a model of its own; those whose return is among the least ε are learned from, the others only
    counted. A simulation whose episode has ended is not stepped any further, so no step is simulated in vain.
    The critic, the paper's baseline, learns from all episodes alike: from as many rows, drawn from all of them.
    """

    units = UNITS
    settings: WorstCaseParams

    @property
    def warming_up(self) -> bool:
        """Whether all experience is learned from."""
        return self.settings.epsilon == 1 or self.iteration < math.ceil(self.settings.warm_up * self.iterations)

    def collect(self) -> Rollout:
        self._threshold: tuple[float, float] | None = None  # of this iteration: the worst ε's, and the 10th percentile
        if self.warming_up:
            return super().collect()
        episodes = Episodes(self)
        worst = episodes.worst(self.settings.epsilon)
        self._threshold = float(episodes.returns[worst[-1]]), float(np.percentile(episodes.returns, 10))
        return episodes.rollout(worst)

    def loss(self, parameters: dict[str, Tensor], batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """After the warm-up the actor's rows are of the worst episodes, the critic's of all."""
        if "critic_obs" not in batch:
            return super().loss(parameters, batch)
        n, rows = len(batch["observations"]), torch.cat([batch["observations"], batch["critic_obs"]])
        means, log_std, values = functional_call(self.policy, parameters, (rows,), strict=False)
        return ppo_loss(means[:n], log_std, values[n:], batch | {"returns": batch["critic_return"]}, self.settings)

    def _step_function(self) -> Callable[..., Tensor]:
        if not self.warming_up and "critic_obs" not in self._widths:
            self._widths |= {"critic_obs": self.policy.params.inputs, "critic_return": 1}
            self._compiled = None
        return super()._step_function()

    def _found(self, rollout: Rollout, diagnostics: Tensor) -> dict[str, float]:
        values = super()._found(rollout, diagnostics) | {"learned_from": float(len(rollout.actions))}
        if self._threshold is not None:
            values |= dict(zip(("worst_return", "return_10"), self._threshold, strict=True))
        return values


@dataclass
class WorstRollout(Rollout):
    """The worst episodes' rows; beside each a row of any episode, for the critic: its observation and its return."""

    critic_obs: Tensor
    critic_return: Tensor


class Episodes:
    """One whole episode of each simulation, played by the policy in training as it explores.

    Observations and rewards are normalized by what was seen before; then what was seen here is counted in.
    """

    @torch.no_grad()
    def __init__(self, learner: PPO) -> None:
        rollouts = learner.rollouts
        policy, world = learner.policy, rollouts.world
        self._rollouts, self._policy, n = rollouts, policy, world.num_envs
        world.reset()
        self.returns, self.lengths, successes = np.zeros(n), np.zeros(n, int), np.zeros(n, bool)
        self._ids: list[Array] = []  # which simulations each step was of
        self._steps: list[tuple[Tensor, Tensor, Array]] = []  # their observations, actions, rewards
        self._last = torch.zeros(n, policy.params.inputs, device=rollouts.device)  # each episode's end
        self._bootstrap = torch.zeros(n, device=rollouts.device)  # of that end: 0 terminated, 1 goes on, −1 diverged
        active, seen = np.arange(n), self._observe(np.arange(n))
        while len(active):
            noise = torch.randn(len(active), policy.params.outputs, generator=rollouts.generator, device=seen.device)
            actions = policy.actor(policy.moments(seen)) + noise * policy.log_std.exp()
            world.advance(policy.native(actions).cpu().numpy(), active)
            rewards = world.reward(active)
            self._ids.append(active)
            self._steps.append((seen, actions, rewards))
            self.returns[active] += rewards
            self.lengths[active] += 1
            seen = self._observe(active)
            terminated = world.terminated(active)
            over = terminated | world.truncated(active)
            if over.any():
                ended = active[over]
                if world.task.has_success:
                    successes[ended] = world.success(ended)
                self._last[ended] = seen[torch.from_numpy(over)]
                bootstrap = np.where(terminated, 0.0, np.where(world.diverging(active), -1.0, 1.0))[over]
                self._bootstrap[ended] = torch.as_tensor(bootstrap, dtype=torch.float32, device=seen.device)
            self._tell(active, rewards, active[over])
            active, seen = active[~over], seen[torch.from_numpy(~over)]
        rollouts.statistics.add(self.returns.tolist(), self.lengths.tolist(), successes.tolist())
        rollouts.samples += int(self.lengths.sum())

    def worst(self, epsilon: float) -> Array:
        """The simulations whose episodes returned least, a share of ε, the least first; more where these had a single
        step. One that diverged is the simulator's failure and no bad model's: it comes after all others."""
        order = np.lexsort((self.returns, (self._bootstrap < 0).cpu().numpy()))
        count = math.ceil(round(epsilon * len(order), 9))  # 0.1 · 30 is a little above 3
        enough = int(np.searchsorted(np.cumsum(self.lengths[order]), 2)) + 1
        return order[: max(count, enough)]

    def rollout(self, chosen: Array) -> WorstRollout:
        """The episodes of some simulations, as the actor learns from them, and as many rows of all for the critic."""
        policy, rollouts, n = self._policy, self._rollouts, len(self.returns)
        # (time, env): an episode's rows end where it ended; what is left over is dropped below
        shape, device = (len(self._ids), n), rollouts.device
        seen = torch.zeros(*shape, policy.params.inputs, device=device)
        actions = torch.zeros(*shape, policy.params.outputs, device=device)
        rewards, stepped = np.zeros(shape), np.zeros(shape, bool)
        for t, (ids, (observed, moved, reward)) in enumerate(zip(self._ids, self._steps, strict=True)):
            seen[t, ids], actions[t, ids], rewards[t, ids], stepped[t, ids] = observed, moved, reward, True
        scaled = rollouts.reward_scale.scaled(torch.as_tensor(rewards, device=device))
        policy.rewards.update(self._discounted())
        normalized = policy.moments(seen.flatten(0, 1)).view_as(seen)
        with torch.no_grad():
            values = policy.critic(normalized).squeeze(-1)
            log_probs = log_prob(actions, policy.actor(normalized), policy.log_std)
            last = policy.critic(policy.moments(self._last)).squeeze(-1)
        policy.moments.update(torch.cat([observed for observed, _, _ in self._steps]))
        end, every = torch.from_numpy(stepped.sum(0) - 1).to(device), torch.arange(n, device=device)
        following = torch.cat([values[1:], values[-1:]])
        following[end, every] = torch.where(self._bootstrap < 0, values[end, every], last * self._bootstrap)
        ended = torch.zeros(shape, device=device)
        ended[end, every] = 1
        advantages = gae(scaled, values, following, ended, rollouts.gamma, rollouts.gae_lambda)
        returns, held = advantages + values, torch.from_numpy(stepped).to(device)
        mine = held & torch.from_numpy(np.isin(np.arange(n), chosen)).to(device)
        pairs = torch.randperm(int(held.sum()), generator=rollouts.generator, device=device)[: int(mine.sum())]
        return WorstRollout(
            observations=normalized[mine],
            actions=actions[mine],
            log_probs=log_probs[mine],
            values=values[mine],
            advantages=advantages[mine],
            returns=returns[mine],
            critic_obs=normalized[held][pairs],
            critic_return=returns[held][pairs],
        )

    def _observe(self, ids: Array) -> Tensor:
        observation = flatten(self._rollouts.world.observe(ids), self._policy.params.ignored)
        return torch.as_tensor(observation, dtype=torch.float32, device=self._rollouts.device)

    def _discounted(self) -> Tensor:
        """The discounted return so far at every step of every episode, newest reward first, (steps, 1)."""
        running, found = np.zeros(len(self.returns)), []
        for ids, (_, _, rewards) in zip(self._ids, self._steps, strict=True):
            running[ids] = running[ids] * self._rollouts.gamma + rewards
            found.append(running[ids])
        return torch.from_numpy(np.concatenate(found)[:, None]).to(self._rollouts.device)

    def _tell(self, active: Array, rewards: Array, ended: Array) -> None:
        """What watches the world, records its episodes, and widens its ranges, hears of a step."""
        world = self._rollouts.world
        world.notify_step(active, rewards)
        if len(ended):
            world.notify_episode_end(ended, world.success(ended) if world.task.has_success else None)
