"""One update of PEARL: SAC on transitions of several tasks, by a latent variable that the encoder infers for each.

The critics' gradient trains the encoder too; the actor and its temperature read z as a constant (Rakelly et al. 2019,
arXiv:1903.08254, algorithm 1).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value

from studio.experiment import setting
from studio.meta.latent_policy import LatentActorCritic
from studio.meta.posterior import kl_to_prior
from studio.rl.algorithms.off_policy import Batch
from studio.rl.algorithms.sac import SACNetworks, SACParams
from studio.rl.flat import Adam, FlatParameters

DIAGNOSTICS = ("critic_loss", "actor_loss", "alpha", "entropy", "q", "kl", "posterior_std")


class PEARLParams(SACParams):
    """Tasks, trials and SAC."""

    training_tasks: int = setting(
        100, "Training tasks", "Tasks of the family to train on; at most those that it has.", "tasks", ge=2, le=100_000
    )
    trial: int = setting(
        2,
        "Trial",
        "Episodes of a task in an iteration that are its support: the first by a z of the prior, the others by the "
        "posterior after those before.",
        "episodes",
        ge=1,
        le=100,
    )
    extra: int = setting(
        1,
        "Extra episodes",
        "Episodes after them, by their posterior, that only actor and critics learn from.",
        "episodes",
        ge=0,
        le=100,
    )
    samples: int = setting(
        1000,
        "Samples",
        "Not used: an iteration is what each simulation plays of one task.",
        "steps",
        ge=1,
        le=1_000_000,
        derived=True,
    )
    learning_starts: int = setting(
        0,
        "Learning starts",
        "Steps before the first update, in which all simulations hold random actions.",
        "steps",
        ge=0,
        le=10_000_000,
    )
    held_share: float = setting(
        0.0,
        "Held actions",
        "Share of the simulations that explore by one random action in each episode instead of by the policy: it goes "
        "far, where actions that are drawn in every step stay near.",
        ge=0,
        le=1,
    )
    rewarded_share: float = setting(
        0.0,
        "Rewarded share",
        "Share of each task's transitions in an update that are drawn from those with a reward above 0, if it has any: "
        "where rewards are sparse.",
        ge=0,
        le=1,
    )
    task_batch: int = setting(16, "Tasks in a batch", "Tasks of an update, drawn with replacement.", ge=1, le=1024)
    context: int = setting(
        64, "Support", "Transitions of a recent trial, at most, that z is inferred from.", "transitions", ge=1, le=4096
    )
    anneal: bool = setting(False, "Anneal", "Decays the learning rate linearly to 0 over the budget.")
    recent: int = setting(
        1, "Recent trials", "Trials of each task that the support is drawn from: the newest.", "trials", ge=1, le=1000
    )
    kl_weight: float = setting(0.1, "KL weight", "Weight of KL(q(z|c) ‖ N(0, I)).", ge=0, le=1000)
    reward_scale: float = setting(1.0, "Reward scale", "What rewards are multiplied by.", gt=0, le=1000)


class PEARLUpdate(SACNetworks):
    """One gradient update of SAC's networks and of the encoder.

    ``rate`` is the learning rate of all that is trained, which may change between updates.
    """

    policy: LatentActorCritic
    settings: PEARLParams

    def __init__(self, policy: LatentActorCritic, settings: PEARLParams) -> None:
        super().__init__(policy, settings)
        self.encoder = FlatParameters(policy.encoder)
        self.encoder_adam = Adam(self.encoder.vector)
        self.rate = torch.tensor(settings.learning_rate, device=policy.device)

    @property
    def vectors(self) -> list[Tensor]:
        return [self.actor.vector, self.critics.vector, self.encoder.vector, self.target, self.log_alpha]

    @property
    def adams(self) -> list[Adam]:
        return [self.actor_adam, self.critics_adam, self.encoder_adam, self.alpha_adam]

    def step(self, batch: Batch, support: Tensor, mask: Tensor, latent_noise: Tensor, noise: Tensor) -> Tensor:
        """Make one update; return the ``DIAGNOSTICS`` in order.

        Args:
            batch: columns of each task's transitions, (tasks, n, width), as :class:`studio.rl.algorithms.sac.SACUpdate`
                has them.
            support, mask: see :meth:`studio.meta.task_encoder.FactorEncoder.forward`; a posterior for each
                transition, so that a batch holds many.
            latent_noise: standard normal, (tasks, n, latent).
            noise: standard normal, (2, tasks · n, width of an action): for the next state's action and the present
                state's.
        """
        rows = {name: column.flatten(0, 1) for name, column in batch.items()}
        rewards, discounts = self.settings.reward_scale * rows["rewards"].squeeze(-1), rows["discounts"].squeeze(-1)
        states, next_states = rows["observations"], rows["next_observations"]
        alpha = self.log_alpha.exp()

        def critic_loss(vector: Tensor, encoder: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            mean, variance = functional_call(self.policy.encoder, self.encoder.unflatten(encoder), (support, mask))
            z = (mean + variance.sqrt() * latent_noise).flatten(0, 1)
            latent = z.detach()
            next_inputs = torch.cat([next_states, latent], -1)
            next_actions, next_density = self.draw(self.actor.vector, next_inputs, noise[0])
            next_q = self.q(self.target, next_inputs, next_actions).amin(0)
            targets = rewards + discounts * (next_q - alpha * next_density)
            values = self.q(vector, torch.cat([states, z], -1), rows["actions"])
            critic, kl = (values - targets).square().mean(1).sum(), kl_to_prior(mean, variance).mean()
            return critic + self.settings.kl_weight * kl, (latent, critic, values.mean(), kl, variance.sqrt().mean())

        both = grad_and_value(critic_loss, (0, 1), has_aux=True)(self.critics.vector, self.encoder.vector)
        gradients, (_, (latent, critic, q, kl, deviation)) = both

        inputs = torch.cat([states, latent], -1)

        def actor_loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            actions, density = self.draw(vector, inputs, noise[1])
            values = self.q(self.critics.vector, inputs, actions).amin(0)
            return (alpha * density - values).mean(), density.mean()

        self.critics_adam.step(self.critics.vector, gradients[0], self.rate)
        self.encoder_adam.step(self.encoder.vector, gradients[1], self.rate)
        gradient, (actor, density) = grad_and_value(actor_loss, has_aux=True)(self.actor.vector)
        self.actor_adam.step(self.actor.vector, gradient, self.rate)
        if not self.settings.fixed_alpha:
            self.alpha_adam.step(self.log_alpha, -(density + self.target_entropy), self.rate)
        self.target.lerp_(self.critics.vector, self.settings.tau)
        return torch.stack([critic, actor, alpha, -density, q, kl, deviation])
