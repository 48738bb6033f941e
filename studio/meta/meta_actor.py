"""An actor with all that its adaptation to tasks learns beside it: the inner loop's rates, and tasks' own latents."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from studio.meta.inner_loop import Parameters, adapt
from studio.meta.latent_task_actor import LATENT, drawn_latent, latent_log_prob
from studio.meta.meta_gradient_params import MetaGradientParams
from studio.meta.policy_gradient import surrogate_loss
from studio.meta.task_actor import TaskActor, action_means
from studio.meta.task_rollouts import Trajectories
from studio.rl.networks.distributions import Normal


class MetaActor(nn.Module):
    """Inner steps of policy gradient on an actor's parameters, for many tasks side by side, and differentiable.

    Args:
        names: of the actor's parameters that are adapted.
        settings: the inner loop. One that is longer than in training goes on with the last step's rates and scale.
            Rates are of every step for itself; elementwise ones, of every number of a parameter (Meta-SGD: Li et al.
            2017, arXiv:1707.09835).
        tasks: training tasks whose latents start from distributions of their own, which the outer loop trains (MAESN:
            Gupta et al. 2018, arXiv:1802.07245); 0: all start from the actor's.
    """

    advantage_scales: Tensor

    def __init__(self, policy: TaskActor, names: list[str], settings: MetaGradientParams, tasks: int = 0) -> None:
        super().__init__()
        self.policy, self.names, self.settings, self.steps = policy, names, settings, settings.inner_steps
        shapes = [policy.get_parameter(name).shape if settings.elementwise_rates else () for name in names]
        rate, learned = math.log(settings.inner_rate), settings.learn_rates
        self.log_rates = nn.ParameterList(
            nn.Parameter(torch.full((self.steps, *shape), rate), requires_grad=learned) for shape in shapes
        )
        if settings.advantage_scale == "family":
            self.register_buffer("advantage_scales", torch.zeros(self.steps))
        self.tasks = tasks
        if tasks:
            for name in LATENT:  # a new task's are the prior's
                policy.get_parameter(name).requires_grad_(False)
                self.register_parameter(f"task_{name}", nn.Parameter(torch.zeros(tasks, policy.latent)))

    def start(self, parameters: Parameters, count: int, members: Tensor | None = None) -> tuple[Parameters, Parameters]:
        """Return what ``count`` tasks start from: the parameters that are adapted, stacked, and those that they share.

        Args:
            parameters: this module's, by name.
            members: which of the training tasks they are, (count,); None: new ones.
        """
        own = {n: parameters[f"policy.{n}"].expand(count, *parameters[f"policy.{n}"].shape) for n in self.names}
        if self.tasks and members is not None:
            own |= {name: parameters[f"task_{name}"][members] for name in LATENT}
        own_names = {f"policy.{name}" for name in self.names}
        shared = {n.removeprefix("policy."): v for n, v in parameters.items() if n.startswith("policy.")}
        return own, {n: v for n, v in shared.items() if f"policy.{n}" not in own_names}

    def exploration_parameters(self, parameters: Parameters) -> Parameters:
        """Return an actor's parameters for the episodes that an inner step is taken on."""
        if not self.settings.exploration_std:
            return parameters
        return {**parameters, "log_std": torch.full_like(self.policy.log_std, math.log(self.settings.exploration_std))}

    def update_scale(self, step: int, deviations: Tensor) -> None:
        """Move what all tasks' advantages of an inner step are divided by half of the way to their mean deviation.

        Args:
            deviations: of each task's advantages in an iteration, (tasks,).
        """
        if self.settings.advantage_scale == "family":
            scale, mean = self.advantage_scales[step], deviations.mean()
            scale.copy_(torch.where(scale > 0, (scale + mean) / 2, mean))

    def adapted(
        self, parameters: Parameters, own: Parameters, shared: Parameters, trajectories: Trajectories, step: int
    ) -> Parameters:
        """Return every task's own parameters after one inner step on its trajectories, stacked.

        A latent's distribution takes a step of the natural gradient, whose metric is 1/σ² for its mean and 2 for log σ:
        in units of σ a step is as far after others as at first.
        """
        place = min(step, self.steps - 1)
        if self.settings.advantage_scale == "family":
            # all of a sparse task's advantages may be 0
            shares = (trajectories["deviations"] / (self.advantage_scales[place] + 1e-8))[:, None, None]
            trajectories = {**trajectories, "advantages": trajectories["advantages"] * shares}
        rates = {n: parameters[f"log_rates.{i}"][place : place + 1].exp() for i, n in enumerate(self.names)}

        def one(own: Parameters, trajectories: Trajectories) -> dict[str, Tensor]:
            scaled = dict(rates)
            if LATENT[0] in scaled:
                metric = {LATENT[0]: (-2 * own[LATENT[1]]).exp(), LATENT[1]: 2.0}
                scaled |= {name: (rates[name][0] / metric[name])[None] for name in LATENT}
            return adapt(
                own,
                lambda given, found: self._loss(self.exploration_parameters({**shared, **given}), found),
                trajectories,
                1,
                scaled,
                self.settings.first_order,
            )

        return cast(Parameters, torch.vmap(one)(dict(own), trajectories))

    def distributions(self, own: Parameters, shared: Parameters, trajectories: Trajectories) -> tuple[Tensor, Tensor]:
        """Return the means, (tasks, time, episodes, outputs), and log standard deviations, (tasks, outputs), of the
        actions in trajectories under every task's own parameters; latents are made of the episodes' own noise."""

        def one(own: Parameters, trajectories: Trajectories) -> tuple[Tensor, Tensor]:
            parameters = {**shared, **own}
            latents = drawn_latent(parameters, trajectories["noise"]) if self.policy.latent else None
            return self._means(parameters, trajectories, latents), parameters["log_std"]

        return cast(tuple[Tensor, Tensor], torch.vmap(one)(dict(own), trajectories))

    def prior_divergence(self, parameters: Parameters, members: Tensor) -> Tensor:
        """Return the mean KL divergence of training tasks' latents from the standard normal, ()."""
        mean, log_std = (parameters[f"task_{name}"][members] for name in LATENT)
        return (0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std).sum(-1).mean()

    def _loss(self, parameters: Parameters, found: Trajectories) -> Tensor:
        """Return the inner loss of one task, ().

        A latent is the first action of its episode: its distribution is adapted by the episode's return (likelihood
        ratio, as in the authors' code), the weights by the steps' advantages given the latent.
        """
        playing, losses = found["playing"], list[Tensor]()
        if any(name not in LATENT for name in self.names):
            means = self._means(parameters, found, found.get("latents"))
            log_probs = Normal(means, parameters["log_std"]).log_prob(found["actions"])
            acted, advantages = found["log_probs"], found["advantages"]
            losses.append(surrogate_loss(log_probs, acted, advantages, playing, self.settings.estimator))
        if self.policy.latent:
            log_probs = latent_log_prob(parameters, found["latents"])
            losses.append(-((log_probs - found["latent_log_probs"]).exp() * found["episode_advantages"]).mean())
        return torch.stack(losses).sum()

    def _means(self, parameters: Parameters, found: Trajectories, latents: Tensor | None) -> Tensor:
        """Return the means, (time, episodes, outputs), in one task's trajectories, given its latents."""
        observations = found["observations"]
        if latents is None:
            return action_means(parameters, observations)
        return action_means(parameters, observations, latents.expand(len(observations), *latents.shape))


def divergence(old: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor], playing: Tensor) -> Tensor:
    """Return KL(old ‖ new) of normal distributions over actions, (), the mean over each task's steps and all tasks.

    Args:
        old, new: as :meth:`MetaActor.distributions` returns them.
        playing: (tasks, time, episodes), 0 or 1.
    """
    (mean, log_std), (new_mean, new_log_std) = old, new
    change = (new_log_std - log_std)[:, None, None]
    spread = (-2 * change).exp() + (mean - new_mean).square() * (-2 * new_log_std).exp()[:, None, None]
    found = (change + 0.5 * spread - 0.5).sum(-1)
    return mean_over_tasks(found, playing)


def mean_over_tasks(values: Tensor, playing: Tensor) -> Tensor:
    """Return the mean over tasks of the means over each task's steps, (), of values (tasks, time, episodes)."""
    return ((values * playing).sum((1, 2)) / playing.sum((1, 2))).mean()
