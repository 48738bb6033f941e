"""PEARL's loop: trials of some training tasks by posterior sampling, then updates on batches of tasks.

Source: Rakelly et al. 2019, arXiv:1903.08254, algorithm 1. Here all tasks of an iteration are collected at once, one in
each simulation, and a trial's first episode is played by a z of the prior, its later ones by the posterior so far, as
in a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Metrics, Stateful
from studio.meta.held_tasks import HeldTasks
from studio.meta.latent_policy import LatentActorCritic
from studio.meta.pearl_update import DIAGNOSTICS, PEARLParams, PEARLUpdate
from studio.meta.task_replay import RecentTrials, TaskReplay
from studio.meta.trial_returns import TrialReturns
from studio.meta.trials import PREVIOUS
from studio.rl.algorithms.off_policy import EAGER_UPDATES
from studio.rl.algorithms.sac import EMULATED_BF16, UNITS, has_bf16
from studio.rl.collectors.env_runner import EnvRunner
from studio.rl.collectors.episode_statistics import diverged_sentence
from studio.rl.compiling import compile_update
from studio.seeds import training_episode_seed
from studio.sim.world import World


class PEARLLearner:
    """Train a latent policy in a world whose simulations play assigned tasks. Its parameters change in place.

    Args:
        settings: ``batch_size`` is of each task, ``capacity`` that of all tasks together.
        log: receives sentences for the run's log.
    """

    units: ClassVar[dict[str, str]] = {**UNITS, "kl": "nats"}

    def __init__(
        self,
        policy: LatentActorCritic,
        world: World,
        held: HeldTasks,
        settings: PEARLParams,
        *,
        iterations: int,
        seed: int,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.policy, self.held, self.settings, self.iterations, self.log = policy, held, settings, iterations, log
        self.iteration, self.updates, self.samples = 0, 0, 0
        self.device = policy.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.returns = TrialReturns(world, held)
        world.observers.append(self.returns)
        ignored = [*policy.params.ignored, *PREVIOUS]
        self.env_runner = EnvRunner(world, training_episode_seed(seed), self.device, ignored, held.k)
        tasks, n, horizon = len(held.task_seeds), world.num_envs, world.task.horizon
        self.steps, self.context_steps = held.k * horizon, settings.trial * horizon
        p = policy.params
        # z is inferred before each step of a trial or, as in the paper, from whole episodes
        first, every = (0, 1) if p.inference == "step" else (horizon, horizon)
        self.times = torch.arange(first, self.context_steps + 1, every, device=self.device)
        widths = {"observations": p.inputs, "actions": p.outputs, "rewards": 1}
        widths |= {"next_observations": p.inputs, "discounts": 1}
        visits = -(-iterations * n // tasks) + 1  # of a task: they are assigned in turn
        length = max(2, min(settings.capacity // tasks, visits * self.steps))
        self.replay = TaskReplay(tasks, length, widths, self.device)
        self.rewarded = TaskReplay(tasks, length if settings.rewarded_share else 0, widths, self.device)
        trials = max(settings.recent, -(-n // tasks))
        self.recent = RecentTrials(tasks, trials, self.context_steps, policy.transition_width, self.device)
        if settings.precision == "bf16" and not has_bf16(self.device):
            self.log(EMULATED_BF16)
        self.update = PEARLUpdate(policy, settings)
        self._order: list[int] = []  # of the tasks that are to be collected next
        self._due = 0.0  # updates that ``update_ratio`` requires and that were not made yet
        self._compiled: Callable[..., Tensor] | None = None

    def iterate(self) -> Iterator[Metrics]:
        """Collect, learn, and yield the metrics of each iteration until the budget is spent."""
        while self.iteration < self.iterations:
            started, world = time.perf_counter(), self.env_runner.world
            diverged, before = world.diverged, self.samples
            self.collect(self.next_tasks())
            self._due += self.settings.update_ratio * (self.samples - max(before, self.settings.learning_starts))
            self._due = max(self._due, 0.0)
            count, self._due = int(self._due), self._due % 1
            if self.settings.anneal:
                self.update.rate.fill_(self.settings.learning_rate * (1 - self.iteration / self.iterations))
            diagnostics = [self.learn() for _ in range(count)]
            self.iteration += 1
            if world.diverged > diverged:
                self.log(diverged_sentence(world.diverged - diverged))
            values = self.env_runner.metrics() | self.returns.metrics()
            values |= {"samples": float(self.samples), "updates": float(self.updates)}
            if diagnostics:
                values |= dict(zip(DIAGNOSTICS, torch.stack(diagnostics).mean(0).tolist(), strict=True))
            values["steps_per_second"] = (self.samples - before) / (time.perf_counter() - started)
            yield Metrics(self.iteration, self.iterations, values)

    def next_tasks(self) -> np.ndarray:
        """Return the tasks that the simulations play next, (num_envs,): each comes as often as any other."""
        n, tasks = self.env_runner.world.num_envs, len(self.held.task_seeds)
        while len(self._order) < n:
            self._order += torch.randperm(tasks, generator=self.generator, device=self.device).tolist()
        chosen, self._order = self._order[:n], self._order[n:]
        return np.array(chosen)

    @torch.no_grad()
    def collect(self, tasks: np.ndarray) -> None:
        """Play a trial of each of the tasks, (num_envs,), and the extra episodes, and store their transitions."""
        policy, runner, encoder = self.policy, self.env_runner, self.policy.encoder
        self.held.assign(tasks)
        runner.restart()
        n, every_step = len(tasks), policy.params.inference == "step"
        summary = torch.zeros(n, encoder.summary_width, device=self.device)
        noise = self._normal(n, policy.params.latent)
        latent, rows, context = noise, [], []
        explores = self._constant_actions(n)
        constant = self._uniform(n)
        for t in range(self.steps):
            states = runner.observations
            actions = policy.draw(torch.cat([states, latent], -1), self._normal(n, policy.params.outputs))[0]
            actions = torch.where(explores, constant, actions)
            step = runner.step(policy.native(actions).cpu().numpy())
            discounts = self.settings.gamma * (1 - step.terminated)
            parts = [states, actions, step.rewards[:, None], step.next_observations, discounts[:, None]]
            rows.append(torch.cat(parts, -1))
            if t < self.context_steps:
                observed = torch.as_tensor(self.held.rewards, device=self.device)[:, None]
                context.append(policy.transition(states, actions, observed, step.next_observations))
                summary = encoder.absorb(summary, context[-1], torch.ones(n, device=self.device))
            ended = step.ended[:, None]
            if every_step or bool(ended.any()):
                noise = torch.where(ended, self._normal(n, policy.params.latent), noise)
                constant = torch.where(ended, self._uniform(n), constant)
                mean, variance = encoder.read(summary)
                latent = torch.where(ended | every_step, mean + variance.sqrt() * noise, latent)
        played = torch.stack(rows)
        self.replay.add(tasks.tolist(), played)
        if self.settings.rewarded_share:
            self.rewarded.add(tasks.tolist(), played, played[..., policy.params.inputs + policy.params.outputs] > 0)
        self.recent.add(tasks.tolist(), torch.stack(context))
        self.samples += self.steps * n

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
        context, mask = self.recent.sample(tasks, settings.context, self.times, settings.batch_size, self.generator)
        noise = self._normal(2, settings.task_batch * settings.batch_size, p.outputs)
        latent_noise = self._normal(settings.task_batch, settings.batch_size, p.latent)
        arguments = batch, context, mask, latent_noise, noise
        step = self._step_function(arguments)
        self.updates += 1
        return step(*arguments)

    def stateful(self) -> Mapping[str, Stateful]:
        """Return, by name, the parts whose state training continues from, beside the policy and the counters."""
        parts: dict[str, Any] = {"update": self.update, "interaction": self.env_runner, "replay": self.replay}
        parts |= {"rewarded": self.rewarded} if self.settings.rewarded_share else {}
        return {**parts, "recent": self.recent, "held": self.held, "returns": self.returns}

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training continues from, the policy included."""
        return {
            "counters": {"iteration": self.iteration, "updates": self.updates, "samples": self.samples},
            "owed": self._due,
            "order": list(self._order),
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            "generator": self.generator.get_state(),
            **{name: part.state_dict() for name, part in self.stateful().items()},
        }

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Restore what :meth:`state_dict` returned."""
        counters = state["counters"]
        self.iteration, self.updates = int(counters["iteration"]), int(counters["updates"])
        self.samples, self._due = int(counters["samples"]), float(state["owed"])
        self._order = [int(task) for task in state["order"]]
        self.policy.load_state_dict(state["policy"])
        self.generator.set_state(state["generator"].cpu())
        for name, part in self.stateful().items():
            part.load_state_dict(state[name])

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=self.device)

    def _uniform(self, n: int) -> Tensor:
        """Return random actions, (n, outputs), uniform in [−1, 1]."""
        return torch.rand(n, self.policy.params.outputs, generator=self.generator, device=self.device) * 2 - 1

    def _step_function(self, example: tuple[Any, ...]) -> Callable[..., Tensor]:
        """Return the update: eager at first, then compiled if the settings ask for it and the encoder has no GRU."""
        recurrent = self.policy.params.encoder == "recurrent"
        if self.settings.update == "eager" or recurrent or self.updates < EAGER_UPDATES:
            return self.update.step
        if self._compiled is None:
            self._compiled = compile_update(self.update.step, example, self.update.changing, self.log)
        return self._compiled
