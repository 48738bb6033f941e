"""Adversarial alignment of image features between two appearances of the same task.

The assumption is that features exist whose distribution is the same in both domains. A discriminator classifies the
domain from the features, the encoder learns to make that impossible, and the action head is reused. In reinforcement
learning the target's images depend on the policy that collects them: where it visits states that the source's images
never show, aligning the features destroys their information (assets/experiments/visual_counterexample.yaml).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from studio.contracts import Batch, Metrics, Outputs, Problem, Requires, Strategy
from studio.experiment import Curriculum, Experiment, setting
from studio.nn.domain_alignment import (
    Discriminator,
    adversarial_weight,
    domain_accuracy,
    domain_loss,
    mmd,
    probe,
    reverse_gradient,
)
from studio.registry import shared_registry
from studio.rl.algorithms.pixel_ppo import PixelParams, PixelPPO
from studio.rl.algorithms.ppo import UNITS
from studio.rl.collectors.images import CollectedImages, ImageCollector
from studio.rl.learners import check_ppo
from studio.rl.networks.pixels import PixelActorCritic
from studio.seeds import image_episode_seed

SAME = ("task", "embodiment", "control", "contexts")
BETAS = (0.5, 0.999)  # ADDA's, for both Adams: little momentum, since each side's objective changes with the other
COMPARED = 512  # number of features per domain for the MMD

_PARAMS: dict[str, Any] = {"simulations": 4, "steps": 8, "minibatch": 16, "epochs": 2, "physics_threads": 1}
_POINT = {
    "embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "image", "camera": "top",
    "image_size": 32,
}  # fmt: skip


class VisualDomainAdaptation(Strategy):
    """ADDA trains a second encoder for the target, before a frozen action head. DANN trains one encoder for both
    domains, on the source's states and the discriminator's reversed gradient, while the action head continues to train
    by reinforcement learning on the source."""

    id = "visual_domain_adaptation"
    title = "Visual domain adaptation"
    summary = (
        "Adapts an image-based policy to a different visual appearance of the same task by aligning the encoder's "
        "features (ADDA or DANN)."
    )
    reference = "Ganin et al. 2016 (arXiv:1505.07818); Tzeng et al. 2017 (arXiv:1702.05464)"
    tags = ("reinforcement", "vision")
    unused_budget = ("batch_size",)
    requires = Requires(source_policy=True, same_spaces=True, evaluate_at_zero=True)
    units = UNITS | {"source_reward": "a step", "target_reward": "a step", "reward_r2": "R²", "state_r2": "R²"}

    example = {
        "name": "example",
        "source": _POINT,
        "target": {**_POINT, "randomization": [{"field": "light_intensity", "low": 0.3, "high": 0.3}]},
        "policy": {"id": PixelActorCritic.id, "params": {"channels": 4, "points": 4, "width": 8}},
        "pretraining": {"iterations": 3, "params": {**_PARAMS, "first_images": 64, "first_steps": 2}},
        "strategy": {"params": {**_PARAMS, "gathered_steps": 4, "gradient_steps": 2}},
        "budget": {"iterations": 6, "checkpoint_every": 3, "threads": 1},
        "evaluation": {"episodes": 3, "source_episodes": 2},
        "device": "cpu",
    }
    example_variants = {"dann": {"strategy.params.variant": "dann"}}

    class Params(PixelParams):
        """Which images are aligned and how; DANN also trains on the source, with PPO's settings."""

        variant: Literal["adda", "dann"] = setting(
            "adda",
            "Variant",
            "adda: a second encoder for the target. dann: one encoder for both, which continues to train on the "
            "source.",
        )
        target_data: Literal["own_policy", "random", "expert"] = setting(
            "own_policy", "Target data", "What acts on the target while its images are collected."
        )
        gathered_steps: int = setting(
            16, "Collected steps", "Steps per simulation and domain in an iteration.", "steps", ge=1, le=10_000
        )
        gradient_steps: int = setting(
            12, "Gradient steps", "ADDA's gradient steps per iteration.", "steps", ge=1, le=10_000
        )
        alignment_rate: float = setting(
            3e-4, "Alignment rate", "Adam learning rate of ADDA's target encoder.", gt=0, le=1
        )
        discriminator_rate: float = setting(
            1e-3, "Discriminator rate", "Adam learning rate of ADDA's discriminator.", gt=0, le=1
        )
        discriminator_width: int = setting(
            64, "Discriminator", "Width of the discriminator's hidden layers.", ge=2, le=4096
        )
        domain_weight: float = setting(
            0.1,
            "Domain weight",
            "Final weight of DANN's reversed gradient; it rises from 0 during training.",
            ge=0,
            le=100,
        )

    def check(self, experiment: Experiment) -> list[Problem]:
        problems, source, target = [], experiment.source, experiment.target
        if experiment.policy.id != PixelActorCritic.id:
            message = f"'{self.title}' needs a policy that acts on images, which '{experiment.policy.id}' does not."
            problems.append(Problem("policy.id", message, f"Choose {PixelActorCritic.id}."))
        elif source.control == "discrete":
            message = f"The control is discrete: '{experiment.policy.id}' cannot be trained for it."
            problems.append(
                Problem("source.control", message, "Choose another control, or a task with continuous actions.")
            )
        for name, domain in (("source", source), ("target", target)):
            if not domain.observes("image"):
                message = f"'{self.title}' adapts image features, but the {name} does not observe images."
                problems.append(Problem(f"{name}.observation", message, "Set the observation to image."))
        for field in SAME:
            if getattr(source, field, None) != getattr(target, field, None):
                message = f"Source and target differ in {field}, not only in appearance."
                problems.append(
                    Problem(f"target.{field}", message, "Choose the same for both, and vary only the appearance.")
                )
        task = shared_registry().all("tasks").get(target.task)
        if self.params.target_data == "expert" and task is not None and not task.has_expert:
            message = f"The task '{target.task}' has no scripted expert."
            problems.append(
                Problem(
                    "strategy.params.target_data",
                    message,
                    "Let the policy collect its own images (target_data: own_policy).",
                )
            )
        if self.params.variant == "dann":
            problems += check_ppo(self.params, "strategy.params")
            if not self.params.encoder_epochs:
                message = "DANN aligns the encoder's features, but the encoder is not trained (0 epochs)."
                problems.append(
                    Problem("strategy.params.encoder_epochs", message, "Set at least one epoch for the encoder.")
                )
        return problems

    def setup(self, context: Any) -> None:
        plan, p = context.experiment, self.params
        self._iteration, self._total = 0, plan.budget.iterations
        self._policy: PixelActorCritic = context.policy(pretrained=True)
        self._source = copy.deepcopy(self._policy).eval()  # ADDA's frozen policy of the source
        self._generator = torch.Generator(context.device).manual_seed(plan.seed)
        self._worlds, self._collectors = [], []
        for place, domain in enumerate((plan.source, plan.target), 1):
            whole = domain.model_copy(update={"curriculum": Curriculum()})  # a round's images depend on no earlier ones
            world = context.world(whole, p.simulations, p.physics_threads)
            self._worlds.append(world)
            self._collectors.append(
                ImageCollector(world, p.gathered_steps, image_episode_seed(plan.seed, place), self._generator)
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            net = Discriminator(self._policy.params.features, p.discriminator_width).to(context.device)
        self._discriminator = net
        self._learner: PixelPPO | None = None
        if p.variant == "dann":
            self._domain = _Reversed(net, self._policy, p.domain_weight, self._generator)
            world = context.world(plan.source, p.simulations, p.physics_threads)
            self._worlds.append(world)
            self._learner = PixelPPO(
                self._policy,
                world,
                p,
                iterations=self._total,
                seed=plan.seed,
                log=context.log,
                auxiliary=[self._domain],
            )
        else:
            for part in (self._policy.actor, self._policy.critic, self._policy.decoder):
                part.requires_grad_(False)
            self._policy.log_std.requires_grad_(False)
            rates = (self._policy.encoder, p.alignment_rate), (net, p.discriminator_rate)
            self._optimizers = [torch.optim.Adam(part.parameters(), lr=rate, betas=BETAS) for part, rate in rates]

    def iterate(self) -> Iterator[Metrics]:
        training = self._learner.iterate() if self._learner is not None else None
        while self._iteration < self._total:
            source = self._collectors[0].collect(self._source_policy, "own_policy", self._iteration)
            target = self._collectors[1].collect(self._policy, self.params.target_data, self._iteration)
            if training is None:
                values = self._adda(source, target)
            else:
                self._domain.images = target.images
                values = dict(next(training).values)
            self._iteration += 1
            yield Metrics(self._iteration, self._total, values | self._measured(source, target))
        for world in self._worlds:
            world.close()

    def policy(self) -> Any:
        return self._policy

    def state_dict(self) -> dict[str, Any]:
        state: dict[str, Any] = {
            "iteration": self._iteration,
            "generator": self._generator.get_state(),
            "policy": {name: value.clone() for name, value in self._policy.state_dict().items()},
            "discriminator": {name: value.clone() for name, value in self._discriminator.state_dict().items()},
        }
        if self._learner is not None:
            return state | {"learner": self._learner.state_dict()}
        return state | {"optimizers": [copy.deepcopy(optimizer.state_dict()) for optimizer in self._optimizers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._iteration = int(state["iteration"])
        self._generator.set_state(state["generator"].cpu())
        self._policy.load_state_dict(state["policy"])
        self._discriminator.load_state_dict(state["discriminator"])
        if self._learner is not None:
            self._learner.load_state_dict(state["learner"])
        else:
            for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(kept)

    @property
    def _source_policy(self) -> PixelActorCritic:
        """Return the policy that acts, and computes features, on the source."""
        return self._policy if self._learner is not None else self._source

    def _adda(self, source: CollectedImages, target: CollectedImages) -> dict[str, float]:
        """Make alternating gradient steps of the discriminator and the target's encoder (Tzeng et al., equation 9)."""
        encoder, net, losses = self._policy.encoder, self._discriminator, []
        with torch.no_grad():
            source_features = self._source.encoder(source.images)
        for _ in range(self.params.gradient_steps):
            real = source_features[_random_rows(len(source_features), self.params.minibatch, self._generator)]
            adapted = encoder(target.images[_random_rows(len(target.images), self.params.minibatch, self._generator)])
            discriminator_loss = domain_loss(net(real), net(adapted.detach()))
            self._optimizers[1].zero_grad(set_to_none=True)
            discriminator_loss.backward()
            self._optimizers[1].step()
            encoder_loss = nn.functional.softplus(net(adapted)).mean()  # with inverted labels, as in a GAN
            self._optimizers[0].zero_grad(set_to_none=True)
            encoder_loss.backward()
            self._optimizers[0].step()
            losses.append(torch.stack([discriminator_loss, encoder_loss]).detach())
        discriminator_mean, encoder_mean = torch.stack(losses).mean(0).tolist()
        return {"domain_loss": discriminator_mean, "encoder_loss": encoder_mean}

    @torch.no_grad()
    def _measured(self, source: CollectedImages, target: CollectedImages) -> dict[str, float]:
        """Return how well the features are aligned, what a linear probe predicts from them, and the mean rewards."""
        source_features = self._source_policy.encoder(source.images)
        target_features = self._policy.encoder(target.images)
        net = self._discriminator
        compared = [
            features[_random_rows(len(features), COMPARED, self._generator)]
            for features in (source_features, target_features)
        ]
        return {
            "domain_accuracy": domain_accuracy(net(source_features), net(target_features)).item(),
            "mmd": mmd(*compared).item(),
            "reward_r2": probe(target_features, target.rewards),
            "state_r2": probe(target_features, target.states),
            "source_reward": source.rewards.mean().item(),
            "target_reward": target.rewards.mean().item(),
        }


class _Reversed(nn.Module):
    """The discriminator's auxiliary loss, on PPO's minibatches of the source and as many of the target's ``images``,
    with its gradient reversed before the encoder.

    Args:
        weight: final weight of the reversed gradient.
    """

    images: Tensor

    def __init__(self, net: Discriminator, policy: PixelActorCritic, weight: float, generator: torch.Generator) -> None:
        super().__init__()
        self.net, self.weight, self._encode, self._generator = net, weight, policy.encoder.forward, generator

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        source, weight = outputs.features, self.weight * adversarial_weight(batch.progress)
        target = self._encode(self.images[_random_rows(len(self.images), len(source), self._generator)])
        loss = domain_loss(*(self.net(reverse_gradient(part, weight)) for part in (source, target)))
        return loss, {"domain_loss": loss.detach(), "domain_weight": torch.tensor(weight, dtype=torch.float64)}


def _random_rows(count: int, drawn: int, generator: torch.Generator) -> Tensor:
    return torch.randint(count, (drawn,), generator=generator, device=generator.device)
