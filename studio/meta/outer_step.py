"""The outer loop's step: a natural gradient through the inner loop, within a trust region.

Source: Finn, Abbeel and Levine 2017 (MAML), arXiv:1703.03400, section 5.3; TRPO: arXiv:1502.05477.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from studio.meta.inner_loop import Parameters
from studio.meta.meta_actor import MetaActor, divergence, mean_over_tasks
from studio.meta.meta_gradient_params import MetaGradientParams
from studio.meta.task_rollouts import Trajectories
from studio.meta.trust_region import trust_region_step
from studio.rl.flat import FlatParameters
from studio.rl.networks.distributions import Normal

Pair = tuple[Tensor, Tensor]


class OuterStep:
    """Changes an actor's parameters, in place, so that what they adapt to returns more.

    Args:
        prior_weight: of the divergence of the training tasks' latents from the standard normal in the loss.
    """

    def __init__(self, actor: MetaActor, settings: MetaGradientParams, prior_weight: float) -> None:
        self.actor, self.settings, self.prior_weight = actor, settings, prior_weight
        self.flat = FlatParameters(actor)

    def step(self, found: list[Trajectories], members: Tensor | None) -> dict[str, float]:
        """Make a step of the outer loop; return its diagnostics."""
        s, vector = self.settings, self.flat.vector
        variable = vector.clone().requires_grad_()
        outputs = self.distributions(variable, found, members)
        loss = self._loss(outputs, found, variable, members)
        (gradient,) = torch.autograd.grad(loss, variable, retain_graph=True)
        old = [(mean.detach(), log_std.detach()) for mean, log_std in outputs]
        # a training task's latent has no curvature but in its own trajectories
        if members is None and s.curvature_tasks < s.meta_batch:
            few = [{name: part[: s.curvature_tasks] for name, part in each.items()} for each in found]
            fisher = self.fisher(variable, self.distributions(variable, few, None), few)
        else:
            fisher = self.fisher(variable, outputs, found)

        @torch.no_grad()
        def evaluate() -> tuple[float, float]:
            new = self.distributions(vector, found, members)
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

    def distributions(self, vector: Tensor, found: list[Trajectories], members: Tensor | None) -> list[Pair]:
        """Return the distributions over actions in the scored trajectories, of policies adapted on the earlier ones."""
        parameters: Parameters = {**dict(self.actor.named_parameters()), **self.flat.unflatten(vector)}
        own, shared = self.actor.start(parameters, len(found[0]["playing"]), members)
        outputs = []
        for step, (before, after) in enumerate(pairwise(found)):
            own = self.actor.adapted(parameters, own, shared, before, step)
            last = step == len(found) - 2
            if last or self.settings.every_step:
                outputs.append(
                    self.actor.distributions(own, shared if last else self.actor.exploration_parameters(shared), after)
                )
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

    def fisher(self, variable: Tensor, outputs: list[Pair], found: list[Trajectories]) -> Callable[[Tensor], Tensor]:
        """Return the product of the KL's Hessian with a vector: Jᵀ F J v, of the Jacobian J of the distributions'
        parameters and their Fisher information F, which is exact where the policies are the old ones.

        Args:
            variable: what the outputs of :meth:`distributions` are a differentiable function of.
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
