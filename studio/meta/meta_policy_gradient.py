"""Model-agnostic meta-learning of a policy from rewards: policy gradient inside, a trust region outside.

Source: Finn, Abbeel and Levine 2017 (MAML), arXiv:1703.03400, algorithm 3 and section 5.3.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from studio.contracts import Metrics
from studio.experiment import setting
from studio.meta.adapted_actor import AdaptedActor, divergence, mean_over_tasks
from studio.meta.gradient_policy import InnerLoopParams
from studio.meta.latent_task_actor import LatentTaskActor
from studio.meta.policy_gradient import Estimator
from studio.meta.task_actor import Parameters, TaskActor
from studio.meta.task_groups import TRIED, distinct_tasks
from studio.meta.task_rollouts import TaskRollouts, Trajectories
from studio.meta.trust_region import trust_region_step
from studio.rl.collectors.episode_statistics import diverged_sentence
from studio.rl.flat import FlatParameters
from studio.rl.networks.distributions import Normal
from studio.seeds import training_episode_seed
from studio.sim.world import World

UNITS = {"samples": "steps", "steps_per_second": "steps/s", "kl": "nats", "diverged": "simulations"}
Pair = tuple[Tensor, Tensor]


class MetaGradientParams(InnerLoopParams):
    """Tasks and trajectories, the inner loop, and the outer loop's trust region."""

    meta_batch: int = setting(20, "Meta-batch", "Tasks in an iteration.", "tasks", ge=1, le=10_000)
    episodes: int = setting(
        20,
        "Episodes",
        "Episodes of each task before, and after, every gradient step: also those of a shot.",
        "episodes",
        ge=1,
        le=4096,
    )
    estimator: Estimator = setting(
        "low_variance",
        "Inner gradient",
        "low_variance: each step's probability ratio times its advantage, whose second derivative is nearly unbiased. "
        "dice: unbiased, with much more variance.",
    )
    every_step: bool = setting(
        False, "Score every step", "The outer loss is that after every inner step, instead of after the last alone."
    )
    dense_share: float = setting(
        0.0,
        "Dense share",
        "Share of the training, from its beginning, in which the inner loop has the task's own rewards; after that it "
        "has those that a policy observes, as in a test, which may be sparser.",
        ge=0,
        le=1,
    )
    gamma: float = setting(0.99, "γ", "Discount factor per step.", ge=0, le=1)
    gae_lambda: float = setting(1.0, "λ", "λ of generalized advantage estimation (GAE).", ge=0, le=1)
    max_kl: float = setting(0.01, "Largest KL", "Bound on the KL divergence of an iteration.", "nats", gt=0, le=10)
    curvature_tasks: int = setting(
        20,
        "Curvature tasks",
        "Tasks, of those in an iteration, that the KL's curvature is estimated from: fewer are faster.",
        ge=1,
        le=4096,
    )
    gradient_iterations: int = setting(
        10, "CG iterations", "Iterations of conjugate gradients for the natural gradient.", ge=1, le=1000
    )
    damping: float = setting(1e-5, "Damping", "Multiple of the identity added to the KL's curvature.", ge=0, le=1)
    physics_threads: int = setting(
        0, "Physics threads", "Threads for the simulation; 0 uses every core.", "threads", ge=0, le=1024
    )

    @property
    def simulations(self) -> int:
        """Return how many simulations there are: one for each episode of each task."""
        return self.meta_batch * self.episodes


def weights_of(policy: TaskActor) -> list[str]:
    """Return the names of an actor's weights and biases."""
    return [name for name, _ in policy.named_parameters() if name.startswith("actor.")]


class MetaPolicyGradient:
    """Trains an actor, in place, so that a few steps of policy gradient adapt it to a task of the world's family.

    Args:
        names: of the actor's parameters that the inner loop adapts; None: the weights. The deviation of the actions
            is not adapted: a gradient grows as it shrinks, so that a step after that one would go much too far.
        training_tasks: at most so many, with latents of their own, which the outer loop trains (see
            :class:`AdaptedActor`); 0: every iteration draws new tasks.
        prior_weight: of the divergence of these latents from the standard normal in the outer loss.
    """

    units = UNITS

    def __init__(
        self,
        policy: TaskActor,
        world: World,
        settings: MetaGradientParams,
        *,
        iterations: int,
        seed: int,
        names: list[str] | None = None,
        training_tasks: int = 0,
        prior_weight: float = 0.0,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.settings, self.iterations, self.iteration, self.log = settings, iterations, 0, log
        self.prior_weight, s = prior_weight, settings
        first = training_episode_seed(seed)
        self.training_tasks = distinct_tasks(world, training_tasks, first)  # their seeds
        chosen = weights_of(policy) if names is None else names
        rates = (s.inner_steps, s.inner_rate, s.learn_rates, s.elementwise_rates)
        self.actor = AdaptedActor(policy, chosen, *rates, s.first_order, s.estimator, len(self.training_tasks))
        self.actor.to(policy.low.device)
        self.generator = torch.Generator(policy.low.device).manual_seed(seed)
        first += TRIED * training_tasks
        self.rollouts = TaskRollouts(world, policy, s.meta_batch, s.gamma, s.gae_lambda, first, self.generator)
        self.flat = FlatParameters(self.actor)

    def iterate(self) -> Iterator[Metrics]:
        """Collect before and after adaptation, make a step of the outer loop, and yield the metrics of each iteration
        until the budget is spent."""
        while self.iteration < self.iterations:
            began, samples = time.perf_counter(), self.rollouts.samples
            diverged = self.rollouts.world.diverged
            members = self._choose_tasks()
            found, returns = self._collect(members)
            values = self._learn(found, members)
            self.rollouts.update_moments()
            if self.rollouts.world.diverged > diverged:
                self.log(diverged_sentence(self.rollouts.world.diverged - diverged))
            self.iteration += 1
            values |= {f"return/after {k} step{'s' * (k != 1)}": float(r.mean()) for k, r in enumerate(returns)}
            values |= {"return": float(returns[-1].mean()), "samples": float(self.rollouts.samples)}
            values["diverged"] = float(self.rollouts.world.diverged)
            values["steps_per_second"] = (self.rollouts.samples - samples) / (time.perf_counter() - began)
            yield Metrics(self.iteration, self.iterations, values)

    def adapted(self, world: World, steps: int, seed: int) -> TaskActor:
        """Return a copy of the actor that is adapted to a task by gradient steps, each on episodes of its own.

        Args:
            world: ``settings.episodes`` simulations of the task.
            seed: of the first episode; they count up.
        """
        policy, generator = self.actor.policy, torch.Generator(self.generator.device).manual_seed(seed)
        s = self.settings
        rollouts = TaskRollouts(world, policy, 1, s.gamma, s.gae_lambda, seed, generator)
        rollouts.new_tasks()
        parameters = {name: value.detach() for name, value in self.actor.named_parameters()}
        own, shared = self.actor.start(parameters, 1)
        for step in range(steps):
            found, _ = rollouts.collect({**shared, **own})
            own = self.actor.adapted(parameters, own, shared, found, step)
        made = type(policy)(policy.params, policy.observation)
        made.load_state_dict({**policy.state_dict(), **{name: value[0] for name, value in own.items()}})
        if isinstance(made, LatentTaskActor):
            made.noise_seed = seed
        return made.to(policy.low.device)

    def state_dict(self) -> dict[str, Any]:
        """Return all that training continues from, the actor's parameters and statistics included."""
        return {
            "iteration": self.iteration,
            "actor": {name: value.clone() for name, value in self.actor.state_dict().items()},
            "generator": self.generator.get_state(),
            "rollouts": self.rollouts.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.iteration = int(state["iteration"])
        self.actor.load_state_dict(state["actor"])
        self.generator.set_state(state["generator"].cpu())
        self.rollouts.load_state_dict(state["rollouts"])

    def _choose_tasks(self) -> Tensor | None:
        """Choose the tasks of an iteration; return which of the training tasks they are, (tasks,)."""
        known, wanted = len(self.training_tasks), self.settings.meta_batch
        if not known:
            self.rollouts.new_tasks()
            return None
        orders = [
            torch.randperm(known, generator=self.generator, device=self.generator.device)
            for _ in range(-(-wanted // known))
        ]
        members = torch.cat(orders)[:wanted]
        self.rollouts.groups.choose(self.training_tasks[members.cpu().numpy()])
        return members

    @torch.no_grad()
    def _collect(self, members: Tensor | None) -> tuple[list[Trajectories], list[Tensor]]:
        """Return the trajectories before the first inner step, after it … and after the last; and their returns."""
        parameters = dict(self.actor.named_parameters())
        own, shared = self.actor.start(parameters, self.settings.meta_batch, members)
        found, returns = [], []
        observed = self.iteration >= self.settings.dense_share * self.iterations
        for step in range(self.settings.inner_steps + 1):
            trajectories, earned = self.rollouts.collect({**shared, **own}, observed)
            found.append(trajectories)
            returns.append(earned)
            if step < self.settings.inner_steps:
                own = self.actor.adapted(parameters, own, shared, trajectories, step)
        return found, returns

    def _learn(self, found: list[Trajectories], members: Tensor | None) -> dict[str, float]:
        """Make a step of the outer loop; return its diagnostics."""
        s, vector = self.settings, self.flat.vector
        variable = vector.clone().requires_grad_()
        outputs = self._distributions(variable, found, members)
        loss = self._loss(outputs, found, variable, members)
        (gradient,) = torch.autograd.grad(loss, variable, retain_graph=True)
        old = [(mean.detach(), log_std.detach()) for mean, log_std in outputs]
        # a training task's latent has no curvature but in its own trajectories
        if members is None and s.curvature_tasks < s.meta_batch:
            few = [{name: part[: s.curvature_tasks] for name, part in each.items()} for each in found]
            fisher = self._fisher(variable, self._distributions(variable, few, None), few)
        else:
            fisher = self._fisher(variable, outputs, found)

        @torch.no_grad()
        def evaluate() -> tuple[float, float]:
            new = self._distributions(vector, found, members)
            pairs = zip(old, new, self._scored(found), strict=True)
            kl = sum(float(divergence(one, other, each["playing"])) for one, other, each in pairs) / len(old)
            return float(self._loss(new, found, vector, members)), kl

        now = float(loss.detach())
        step = trust_region_step(vector, now, gradient, fisher, evaluate, s.max_kl, s.gradient_iterations, s.damping)
        rates = torch.cat([value.detach().reshape(-1) for value in self.actor.log_rates])
        deviation = self.actor.policy.log_std.detach().exp().mean()
        values = {"kl": step.kl, "improvement": step.improvement, "step_share": step.share}
        return values | {
            "loss": now,
            "gradient_norm": float(gradient.norm()),
            "inner_rate": math.exp(float(rates.mean())),
            "deviation": float(deviation),
        }

    def _scored(self, found: list[Trajectories]) -> list[Trajectories]:
        """Return the trajectories that the outer loss is of."""
        return found[1:] if self.settings.every_step else found[-1:]

    def _distributions(self, vector: Tensor, found: list[Trajectories], members: Tensor | None) -> list[Pair]:
        """Return the distributions over actions in the scored trajectories, of policies adapted on the earlier ones."""
        parameters: Parameters = {**dict(self.actor.named_parameters()), **self.flat.unflatten(vector)}
        own, shared = self.actor.start(parameters, len(found[0]["playing"]), members)
        outputs = []
        for step, (before, after) in enumerate(pairwise(found)):
            own = self.actor.adapted(parameters, own, shared, before, step)
            if self.settings.every_step or step == len(found) - 2:
                outputs.append(self.actor.distributions(own, shared, after))
        return outputs

    def _loss(self, outputs: list[Pair], found: list[Trajectories], vector: Tensor, members: Tensor | None) -> Tensor:
        """Return the outer loss, (): the negative advantage, each step's by its probability ratio."""
        losses = []
        for (means, log_std), each in zip(outputs, self._scored(found), strict=True):
            log_probs = Normal(means, log_std[:, None, None]).log_prob(each["actions"])
            losses.append(
                -mean_over_tasks((log_probs - each["log_probs"]).exp() * each["true_advantages"], each["playing"])
            )
        loss = torch.stack(losses).mean()
        if members is None or not self.prior_weight:
            return loss
        return loss + self.prior_weight * self.actor.prior_divergence(self.flat.unflatten(vector), members)

    def _fisher(self, variable: Tensor, outputs: list[Pair], found: list[Trajectories]) -> Callable[[Tensor], Tensor]:
        """Return the product of the KL's Hessian with a vector: Jᵀ F J v, of the Jacobian J of the distributions'
        parameters and their Fisher information F, which is exact where the policies are the old ones.

        Args:
            variable: what the outputs of :meth:`_distributions` are a differentiable function of.
        """
        parts: list[Pair] = []  # the distributions' parameters, each with its Fisher information
        for (means, log_std), each in zip(outputs, self._scored(found), strict=True):
            share = each["playing"] / each["playing"].sum((1, 2), keepdim=True) / len(means) / len(outputs)
            parts.append((means, (share[..., None] * (-2 * log_std).exp()[:, None, None]).detach()))
            parts.append((log_std, torch.tensor(2 / len(means) / len(outputs))))
        flat, metrics = zip(*[(part, metric) for part, metric in parts if part.requires_grad], strict=True)
        # J v as the derivative of Jᵀ u, which is linear in u
        dual = [torch.zeros_like(part, requires_grad=True) for part in flat]
        (pulled,) = torch.autograd.grad(flat, variable, dual, create_graph=True)

        def product(v: Tensor) -> Tensor:
            pushed = torch.autograd.grad(pulled, dual, v, retain_graph=True)
            weighted = [metric * part for metric, part in zip(metrics, pushed, strict=True)]
            return torch.autograd.grad(flat, variable, weighted, retain_graph=True)[0]

        return product
