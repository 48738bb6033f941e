"""Trajectories of many tasks at once, each acted by parameters of its own, in one world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.meta.inner_loop import Parameters
from studio.meta.latent_task_actor import drawn_latent, latent_log_prob
from studio.meta.linear_baseline import discounted, standardized, task_advantages
from studio.meta.task_actor import TaskActor, action_means
from studio.meta.task_groups import TaskGroups
from studio.rl.networks.distributions import Normal
from studio.rl.networks.observations import flatten
from studio.rl.states import arrays, tensors
from studio.sim.world import World

Trajectories = dict[str, Tensor]
"""By name, of every task and step, (tasks, time, episodes, …): normalized ``observations``; ``actions``, before they
are clipped; ``log_probs`` under the policy that acted; ``playing``, 0 from the end of an episode on; ``advantages``, by
the rewards that a task is adapted by; ``true_advantages``, by the task's own, which training may have denser.

Of every task, (tasks,): ``deviations`` of the advantages before they were normalized.

Of every episode, (tasks, episodes, …): ``noise`` and, where there are latents, ``latents`` made of it,
``latent_log_probs`` and ``episode_advantages``.

A dict, which ``torch.vmap`` maps.
"""


class TaskRollouts:
    """Collects one whole episode in every simulation of a world, whose groups play one task each.

    Every episode that it plays has a seed of its own, counted up from ``seed``: so what a policy is adapted to, and
    what it is scored on after that, are never the same episodes.

    Args:
        generator: draws exploration noise.
    """

    def __init__(
        self,
        world: World,
        policy: TaskActor,
        tasks: int,
        gamma: float,
        gae_lambda: float,
        seed: int,
        generator: torch.Generator,
    ) -> None:
        self.world, self.policy, self.generator = world, policy, generator
        self.groups = TaskGroups(world, tasks)
        self.gamma, self.gae_lambda, self.device = gamma, gae_lambda, policy.device
        self.next_seed = seed
        self.samples = 0  # environment steps so far
        self._seen: list[Tensor] = []  # raw observations since the last update of the statistics

    def new_tasks(self) -> None:
        """Give every group a task that is drawn from a seed of its own."""
        self.groups.choose(self._seeds(self.groups.groups))

    @torch.no_grad()
    def collect(self, parameters: Parameters, observed: bool = True) -> tuple[Trajectories, Tensor]:
        """Return the trajectories of an episode in every simulation, and their returns, (tasks, episodes).

        Args:
            parameters: of each task's policy, stacked, (tasks, …); those that all tasks share, plain.
            observed: adaptation has the rewards that a policy observes; else the task's own.
        """
        world, policy, horizon = self.world, self.policy, self.world.task.horizon
        shape = (self.groups.groups, self.groups.size)
        ids = np.arange(world.num_envs)
        world.reset_envs(ids, self._seeds(len(ids)).tolist())
        width, latent = policy.params.outputs, policy.latent
        drawn = torch.randn(horizon, *shape, width, generator=self.generator, device=self.device)
        episode_noise = torch.randn(*shape, latent, generator=self.generator, device=self.device)
        latents = drawn_latent(parameters, episode_noise) if latent else None
        deviations = parameters["log_std"].exp().unsqueeze(-2)
        raw, normalized, means = list[Tensor](), list[Tensor](), list[Tensor]()
        actions, rewards, shown, playing = list[Tensor](), list[Tensor](), list[Tensor](), list[Tensor]()
        active: Any = slice(None)
        while len(ids):
            seen = flatten(world.observe(slice(None)), policy.params.ignored)
            raw.append(torch.as_tensor(seen, dtype=torch.float32, device=self.device).clone())
            normalized.append(policy.moments(raw[-1]).view(*shape, -1))
            means.append(action_means(parameters, normalized[-1], latents))
            actions.append(means[-1] + deviations * drawn[len(actions)])
            native = policy.native(actions[-1]).flatten(0, 1).cpu().numpy()
            world.advance(native[active], active)
            reward, seen_reward, alive = (np.zeros(world.num_envs, np.float32) for _ in range(3))
            reward[active], alive[active] = world.reward(active), 1
            seen_reward[active] = world.task.observed_reward(world, active, reward[active])
            ended = world.terminated(active) | world.truncated(active)
            world.notify_step(active, reward[active])
            if ended.any():
                succeeded = world.success(ids[ended]) if world.task.has_success else None
                world.notify_episode_end(ids[ended], succeeded)
                active = ids = ids[~ended]
            rewards.append(torch.from_numpy(reward))
            shown.append(torch.from_numpy(seen_reward if observed else reward))
            playing.append(torch.from_numpy(alive))
        going = torch.stack(playing).to(self.device)
        self.samples += int(going.sum())
        self._seen.append(torch.stack(raw)[going.bool()])
        by_task = (len(rewards), *shape)
        observations = torch.stack(normalized).transpose(0, 1)
        log_stds = parameters["log_std"].unsqueeze(-2)
        found = {
            "observations": observations,
            "actions": torch.stack(actions).transpose(0, 1),
            "log_probs": Normal(torch.stack(means), log_stds).log_prob(torch.stack(actions)).transpose(0, 1),
            "playing": going.view(by_task).transpose(0, 1),
            "noise": episode_noise,
        }
        earned, given = (torch.stack(r).to(self.device).view(by_task).transpose(0, 1) for r in (rewards, shown))
        rest = observations, found["playing"], self.gamma
        found["advantages"], found["deviations"] = task_advantages(given, *rest, self.gae_lambda)
        same = torch.equal(earned, given)
        found["true_advantages"] = found["advantages"] if same else task_advantages(earned, *rest, self.gae_lambda)[0]
        if latents is not None:
            found["latents"] = latents
            found["latent_log_probs"] = latent_log_prob(parameters, latents)
            found["episode_advantages"] = standardized(discounted(given * found["playing"], self.gamma)[:, 0])
        return {name: part.contiguous() for name, part in found.items()}, earned.sum(1)

    def update_moments(self) -> None:
        """Add all observations since the last call to the policy's statistics: not within an iteration, in which
        policies before and after an adaptation have to see alike."""
        self.policy.moments.update(torch.cat(self._seen))
        self._seen.clear()

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next trajectories depend on but the policy and the generator, between iterations."""
        return {
            "world": tensors(self.world.state_dict()),
            "groups": self.groups.state_dict(),
            "next_seed": self.next_seed,
            "samples": self.samples,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.world.load_state_dict(arrays(state["world"]))
        self.groups.load_state_dict(state["groups"])
        self.next_seed, self.samples = int(state["next_seed"]), int(state["samples"])

    def _seeds(self, count: int) -> np.ndarray:
        first, self.next_seed = self.next_seed, self.next_seed + count
        return np.arange(first, first + count)
