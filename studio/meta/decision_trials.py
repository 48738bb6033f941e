"""Trials to pretrain decisions on: transitions under random behavior, and the expert's action in every state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from studio.meta.trial_transformer import TrialTransformer, transition
from studio.meta.trials import Trials
from studio.rl.states import arrays, tensors
from studio.seeds import training_episode_seed
from studio.sim.rollout import rows_of
from studio.sim.world import World

ALL = slice(None)


@dataclass
class DecisionTrials:
    """One trial of every simulation, of at most ``time`` steps. Tensors on the policy's device."""

    transitions: Tensor  # (n, time, token_width)
    states: Tensor  # acted in, (n, time, inputs)
    labels: Tensor  # the expert's choice in each state, (n, time) long
    present: Tensor  # (n, time) bool: steps of the trial
    own_returns: Tensor  # of each trial that the policy itself played, over all its episodes, (own,)

    def split(self, rows: Tensor, support: int, queries: int, generator: torch.Generator) -> DecisionBatch:
        """Return a batch of some trials: a random set of steps as the support, and others that are asked about.

        Args:
            rows: which trials, (batch,).
            support: transitions of a trial of ``time`` steps, fewer than these; a shorter one has as large a share of
                its own, so that there is a step of each to ask about.
        """
        present, each = self.present[rows], rows[:, None]
        keys = torch.rand(present.shape, generator=generator, device=generator.device).to(present.device)
        steps = (keys + ~present).argsort(1)  # those of the trial first, in random order
        time, places = present.shape[1], torch.arange(present.shape[1], device=present.device)
        sizes = support * present.sum(1, keepdim=True) // time  # of each trial's support
        known, asked = steps[:, :support], steps.gather(1, sizes + places[: min(queries, time - support)])
        return DecisionBatch(
            self.transitions[each, known],
            places[:support] < sizes,
            self.states[each, asked],
            self.labels[each, asked],
            self.present[each, asked],
        )


@dataclass
class DecisionBatch:
    """The support of each trial, and the states that are asked about, of which none is of the support; see
    :class:`DecisionTrials`."""

    support: Tensor  # (batch, transitions, token_width)
    present: Tensor  # (batch, transitions) bool
    states: Tensor  # (batch, queries, inputs)
    labels: Tensor  # (batch, queries)
    asked: Tensor  # (batch, queries) bool: which are steps of the trial


class DecisionCollector:
    """Plays trials of new tasks in a world of trials (Lee et al. 2023, arXiv:2306.14892, section 3.1).

    In each trial actions are drawn from a distribution that knows nothing of the task: a mixture, in random parts, of
    one drawn from a flat Dirichlet distribution and of a single choice (appendix A.3). In a share of the trials the
    policy itself acts by its samples, which depend on the task through the support alone: so the label's distribution
    given the support is the posterior in either case, and what the policy will meet becomes likely.

    Args:
        own: the share of trials that the policy plays.
    """

    def __init__(
        self, world: World, trials: Trials, policy: TrialTransformer, own: float, seed: int, generator: torch.Generator
    ) -> None:
        self.world, self.trials, self.policy, self.generator = world, trials, policy, generator
        self.own = round(own * world.num_envs)
        self.length = trials.k * world.task.horizon
        self.samples = 0  # environment steps so far, over all simulations
        world.reset(seed=training_episode_seed(seed))

    @torch.no_grad()
    def collect(self) -> DecisionTrials:
        """Return the next trial of every simulation."""
        world, policy, n, time = self.world, self.policy, self.world.num_envs, self.length
        device, choices = policy.device, policy.params.outputs
        behavior = self._behavior(n, choices)
        act, memory = policy.exploring(int(torch.randint(2**62, (), generator=self.generator))), None
        observation = world.reset()[0]
        transitions = torch.zeros(n, time, policy.token_width, device=device)
        states = torch.zeros(n, time, policy.params.inputs, device=device)
        labels = torch.zeros(n, time, dtype=torch.long, device=device)
        present = torch.zeros(n, time, dtype=torch.bool, device=device)
        returns, alive = np.zeros(n), np.ones(n, bool)
        for t in range(time):
            chosen = torch.multinomial(behavior, 1, generator=self.generator).numpy().astype(np.float32)
            if self.own:
                chosen[: self.own], memory = act(rows_of(observation, np.arange(self.own)), memory)
            states[:, t] = torch.from_numpy(policy.state(observation))
            labels[:, t] = torch.from_numpy(world.expert(ALL)[:, 0].astype(int))
            present[:, t] = torch.from_numpy(alive)
            last = self.trials.episode + 1 == self.trials.k
            observation, reward, terminated, truncated, _ = world.step(chosen)
            ended = terminated | truncated
            returns += alive * reward
            alive &= ~(ended & last)
            action = functional.one_hot(torch.from_numpy(chosen[:, 0]).long(), choices)
            end, earned = torch.from_numpy(ended)[:, None].to(states), torch.from_numpy(reward)[:, None].to(states)
            following = torch.from_numpy(policy.state(observation)).to(device)
            transitions[:, t] = transition(states[:, t], action.to(states), end, earned, following)
        self.samples += time * n
        return DecisionTrials(transitions, states, labels, present, torch.from_numpy(returns[: self.own]))

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next trials depend on but the policy and the generator."""
        return {
            "world": tensors(self.world.state_dict()),
            "trials": self.trials.state_dict(),
            "samples": self.samples,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.world.load_state_dict(arrays(state["world"]))
        self.trials.load_state_dict(state["trials"])
        self.samples = int(state["samples"])

    def _behavior(self, n: int, choices: int) -> Tensor:
        """Return the probabilities of the choices in each trial, (n, choices)."""
        exponential = -torch.rand(n, choices, generator=self.generator).clamp(min=1e-20).log()
        dirichlet = exponential / exponential.sum(1, keepdim=True)
        single = functional.one_hot(torch.randint(choices, (n,), generator=self.generator), choices)
        share = torch.rand(n, 1, generator=self.generator)
        return torch.lerp(dirichlet, single.float(), share)
