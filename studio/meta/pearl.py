"""PEARL's loop: trials of some training tasks by posterior sampling, then updates on batches of tasks.

Source: Rakelly et al. 2019, arXiv:1903.08254, algorithm 1. Here all tasks of an iteration are collected at once, one in
each simulation, and a trial's first episode is played by a z of the prior, its later ones by the posterior so far, as
in a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Stateful
from studio.meta.assigned_trials import AssignedTrials
from studio.meta.latent_policy import LatentActorCritic
from studio.meta.pearl_update import DIAGNOSTICS, PEARLParams, PEARLUpdate
from studio.meta.task_replay import RecentTrials, TaskReplay
from studio.meta.trial_returns import TrialReturns
from studio.meta.trials import PREVIOUS
from studio.rl.algorithms.off_policy import OffPolicyLearner
from studio.rl.algorithms.sac import EMULATED_BF16, UNITS, has_bf16
from studio.rl.collectors.env_runner import EnvRunner
from studio.seeds import training_episode_seed
from studio.sim.world import World


class PEARLLearner(OffPolicyLearner):
    """Train a latent policy in a world whose simulations play assigned tasks. Its parameters change in place.

    Args:
        settings: ``batch_size`` is of each task, ``capacity`` that of all tasks together.
        log: receives sentences for the run's log.
    """

    units: ClassVar[dict[str, str]] = {**UNITS, "kl": "nats"}
    diagnostics = DIAGNOSTICS
    policy: LatentActorCritic
    settings: PEARLParams
    update: PEARLUpdate

    def __init__(
        self,
        policy: LatentActorCritic,
        world: World,
        trials: AssignedTrials,
        settings: PEARLParams,
        *,
        iterations: int,
        seed: int,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__(policy, settings, iterations, seed, log)
        self.trials, self._samples = trials, 0
        self.returns = TrialReturns(world, trials)
        world.observers.append(self.returns)
        ignored = [*policy.params.ignored, *PREVIOUS]
        self.env_runner = EnvRunner(world, training_episode_seed(seed), self.device, ignored, trials.k)
        tasks, n, horizon = len(trials.task_seeds), world.num_envs, world.task.horizon
        self.steps, self.support_steps = trials.k * horizon, settings.trial * horizon
        p = policy.params
        # z is inferred before each step of a trial or, as in the paper, from whole episodes
        first, every = (0, 1) if p.inference == "step" else (horizon, horizon)
        times = torch.arange(first, self.support_steps + 1, every)
        widths = {"observations": p.inputs, "actions": p.outputs, "rewards": 1}
        widths |= {"next_observations": p.inputs, "discounts": 1}
        visits = -(-iterations * n // tasks) + 1  # of a task: they are assigned in turn
        length = max(2, min(settings.capacity // tasks, visits * self.steps))
        self.replay = TaskReplay(tasks, length, widths, self.device)
        self.rewarded = TaskReplay(tasks, length if settings.rewarded_share else 0, widths, self.device)
        recent = max(settings.recent, -(-n // tasks))
        self.recent = RecentTrials(tasks, recent, self.support_steps, policy.transition_width, times, self.device)
        if settings.precision == "bf16" and not has_bf16(self.device):
            self.log(EMULATED_BF16)
        self.update = PEARLUpdate(policy, settings)
        self._order: list[int] = []  # of the tasks that are to be collected next

    @property
    def samples(self) -> int:
        return self._samples

    @property
    def can_compile(self) -> bool:
        return self.policy.params.encoder != "recurrent"

    def progress_values(self) -> dict[str, float]:
        return self.returns.metrics()

    def play_and_update(self) -> list[Tensor]:
        before = self.samples
        self.collect(self.next_tasks())
        count = self.due_updates(max(0, self.samples - max(before, self.settings.learning_starts)))
        if self.settings.anneal:
            self.update.rate.fill_(self.settings.learning_rate * (1 - self.iteration / self.iterations))
        return [self.learn() for _ in range(count)]

    def next_tasks(self) -> np.ndarray:
        """Return the tasks that the simulations play next, (num_envs,): each comes as often as any other."""
        n, tasks = self.env_runner.world.num_envs, len(self.trials.task_seeds)
        while len(self._order) < n:
            self._order += torch.randperm(tasks, generator=self.generator, device=self.device).tolist()
        chosen, self._order = self._order[:n], self._order[n:]
        return np.array(chosen)

    @torch.no_grad()
    def collect(self, tasks: np.ndarray) -> None:
        """Play a trial of each of the tasks, (num_envs,), and the extra episodes, and store their transitions."""
        policy, runner, encoder = self.policy, self.env_runner, self.policy.encoder
        self.trials.assign(tasks)
        runner.restart()
        n, every_step = len(tasks), policy.params.inference == "step"
        summary = torch.zeros(n, encoder.summary_width, device=self.device)
        noise = self._normal(n, policy.params.latent)
        latent, rows, support, places = noise, list[Tensor](), list[Tensor](), list[Tensor]()
        explores = self._constant_actions(n)
        constant = self._uniform(n)
        for t in range(self.steps):
            states, place = runner.observations, torch.as_tensor(self.trials.episode, device=self.device)
            places.append(place)
            actions = policy.draw(torch.cat([states, latent], -1), self._normal(n, policy.params.outputs))[0]
            actions = torch.where(explores, constant, actions)
            step = runner.step(policy.native(actions).cpu().numpy())
            discounts = self.settings.gamma * (1 - step.terminated)
            parts = [states, actions, step.rewards[:, None], step.next_observations, discounts[:, None]]
            rows.append(torch.cat(parts, -1))
            if t < self.support_steps:
                observed = torch.as_tensor(self.trials.rewards, device=self.device)[:, None]
                support.append(policy.transition(states, actions, observed, step.next_observations))
                summary = encoder.absorb(summary, support[-1], (place < self.settings.trial).float())
            ended = step.ended[:, None]
            if every_step or bool(ended.any()):
                noise = torch.where(ended, self._normal(n, policy.params.latent), noise)
                constant = torch.where(ended, self._uniform(n), constant)
                mean, variance = encoder.read(summary)
                latent = torch.where(ended | every_step, mean + variance.sqrt() * noise, latent)
        played, episodes = torch.stack(rows), torch.stack(places)
        counted = episodes < self.trials.k
        self.replay.add(tasks.tolist(), played, counted)
        if self.settings.rewarded_share:
            rewarded = played[..., policy.params.inputs + policy.params.outputs] > 0
            self.rewarded.add(tasks.tolist(), played, counted & rewarded)
        self.recent.add(tasks.tolist(), torch.stack(support), self._moments(episodes))
        self._samples += self.steps * n

    def _moments(self, episodes: Tensor) -> Tensor:
        """Return the times at which z may be inferred in each trial, in steps from its start, (num_envs, moments).

        Args:
            episodes: index of each step's episode in its trial, (time, num_envs).
        """
        ends = torch.stack([(episodes <= i).sum(0) for i in range(self.settings.trial)], 1)
        if self.policy.params.inference != "step":
            return ends
        return ends[:, -1:] * torch.arange(self.support_steps + 1, device=self.device) // self.support_steps

    def _constant_actions(self, n: int) -> Tensor:
        """Return which simulations, (n, 1), hold one random action in each episode."""
        share = 1.0 if self.samples < self.settings.learning_starts else self.settings.held_share
        return torch.arange(n, device=self.device)[:, None] < round(share * n)

    def learn(self) -> Tensor:
        """Make an update on some of the tasks that were played; return its diagnostics."""
        settings, p = self.settings, self.policy.params
        played = torch.nonzero(self.replay.added).flatten()
        drawn = torch.randint(len(played), (settings.task_batch,), generator=self.generator, device=self.device)
        tasks = played[drawn]
        batch = self.replay.sample(tasks, settings.batch_size, self.generator)
        if few := round(settings.rewarded_share * settings.batch_size):
            has, rewarded = self.rewarded.added[tasks] > 0, self.rewarded.sample(tasks, few, self.generator)
            for name, column in batch.items():
                column[:, :few] = torch.where(has[:, None, None], rewarded[name], column[:, :few])
        support, mask = self.recent.sample(tasks, settings.context, settings.batch_size, self.generator)
        noise = self._normal(2, settings.task_batch * settings.batch_size, p.outputs)
        latent_noise = self._normal(settings.task_batch, settings.batch_size, p.latent)
        return self.make_update(batch, support, mask, latent_noise, noise)

    def stateful(self) -> Mapping[str, Stateful]:
        """Return, by name, the parts whose state training continues from, beside the policy and the counters."""
        parts: dict[str, Stateful] = {**super().stateful(), "replay": self.replay}
        parts |= {"rewarded": self.rewarded} if self.settings.rewarded_share else {}
        return {**parts, "recent": self.recent, "held": self.trials, "returns": self.returns}

    def state_dict(self) -> dict[str, Any]:
        state = super().state_dict()
        counters = {"iteration": state.pop("iteration"), "updates": state.pop("updates"), "samples": self.samples}
        return {**state, "counters": counters, "order": list(self._order)}

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        super().load_state_dict({**state, **state["counters"]})
        self._samples, self._order = int(state["counters"]["samples"]), [int(task) for task in state["order"]]

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)

    def _uniform(self, n: int) -> Tensor:
        """Return random actions, (n, outputs), uniform in [−1, 1]."""
        return torch.rand(n, self.policy.params.outputs, generator=self.generator, device=self.device) * 2 - 1
