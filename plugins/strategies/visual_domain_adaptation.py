"""Two looks of one world: the encoder learns to make of the target's images the features that the source's give.

"If two domains are the same in essence, there are two encoders whose features have one distribution" (the invariance
assumption of user document 2). A discriminator tells the two domains' features apart, the encoder learns to fool it,
and the head that makes actions of features is none the wiser. What reinforcement learning adds: the target's images are
those that some policy sees. One that goes astray sees what the source never shows, and to hide that from the
discriminator, so that document, the encoder forgets how things go (assets/experiments/visual_counterexample.yaml).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from studio.contracts import Metrics, Problem, Requires, Strategy
from studio.experiment import Curriculum, Experiment, setting
from studio.nn.domain_alignment import Discriminator, domain_accuracy, domain_loss, mmd, probe, reverse_gradient
from studio.registry import shared_registry
from studio.rl.algorithms.pixel_ppo import PixelParams, PixelPPO
from studio.rl.algorithms.ppo import UNITS
from studio.rl.collectors.images import Gathered, ImageCollector
from studio.rl.learners import check_ppo
from studio.rl.networks.pixels import PixelActorCritic
from studio.seeds import image_episode_seed

SAME = ("task", "embodiment", "control", "contexts")
BETAS = (0.5, 0.999)  # ADDA's, of both Adams: what one side learned of the other is soon out of date
COMPARED = 512  # features that distances are taken of

_PARAMS: dict[str, Any] = {"simulations": 4, "steps": 8, "minibatch": 16, "epochs": 2, "physics_threads": 1}
_POINT = {
    "embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "image", "camera": "top",
    "image_size": 32,
}  # fmt: skip


class VisualDomainAdaptation(Strategy):
    """ADDA: a second encoder beside the source's, adapted before a head that stands still. DANN: one encoder for both
    looks, which goes on learning to tell the source's state while its gradient from the discriminator is turned; the
    head goes on learning by reinforcement on the source."""

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
        """Whose images are aligned and how; DANN also goes on by reinforcement on the source, with PPO's settings."""

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
                    "Let the policy collect its own images (target_data: policy).",
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
        self._source = copy.deepcopy(self._policy).eval()  # ADDA's fixed side, and what acts there
        self._generator = torch.Generator(context.device).manual_seed(plan.seed)
        self._worlds, self._gatherings = [], []
        for place, domain in enumerate((plan.source, plan.target), 1):
            whole = domain.model_copy(update={"curriculum": Curriculum()})  # what is gathered depends on no history
            world = context.world(whole, p.simulations, p.physics_threads)
            self._worlds.append(world)
            self._gatherings.append(
                ImageCollector(world, p.gathered_steps, image_episode_seed(plan.seed, place), self._generator)
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            net = Discriminator(self._policy.params.features, p.discriminator_width).to(context.device)
        self._discriminator = net
        self._learner: PixelPPO | None = None
        if p.variant == "dann":
            self._domain = _Reversed(net, self._policy, self._generator)
            world = context.world(plan.source, p.simulations, p.physics_threads)
            self._worlds.append(world)
            self._learner = PixelPPO(
                self._policy, world, p, iterations=self._total, seed=plan.seed, say=context.log, extra=self._domain
            )
        else:
            for part in (self._policy.actor, self._policy.critic, self._policy.decoder):
                part.requires_grad_(False)
            self._policy.log_std.requires_grad_(False)
            rates = (self._policy.encoder, p.alignment_rate), (net, p.discriminator_rate)
            self._optimizers = [torch.optim.Adam(part.parameters(), lr=rate, betas=BETAS) for part, rate in rates]

    def iterate(self) -> Iterator[Metrics]:
        turns = self._learner.iterate() if self._learner is not None else None
        while self._iteration < self._total:
            source = self._gatherings[0].gather(self._on_source, "own_policy", self._iteration)
            target = self._gatherings[1].gather(self._policy, self.params.target_data, self._iteration)
            if turns is None:
                values = self._adda(source, target)
            else:
                share = self._iteration / self._total
                weight = self.params.domain_weight * (
                    2 / (1 + math.exp(-10 * share)) - 1
                )  # Ganin et al., section 5.2.2
                self._domain.begin(target.images, weight)
                values = {**next(turns).values, "domain_loss": self._domain.loss, "domain_weight": weight}
            self._iteration += 1
            yield Metrics(self._iteration, self._total, values | self._found(source, target))
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
    def _on_source(self) -> PixelActorCritic:
        """What acts, and makes features, on the source."""
        return self._policy if self._learner is not None else self._source

    def _adda(self, source: Gathered, target: Gathered) -> dict[str, float]:
        """Gradient steps of the discriminator and of the target's encoder in turn (Tzeng et al., equation 9)."""
        encoder, net, losses = self._policy.encoder, self._discriminator, []
        with torch.no_grad():
            fixed = self._source.encoder(source.images)
        for _ in range(self.params.gradient_steps):
            wanted = fixed[_some(len(fixed), self.params.minibatch, self._generator)]
            made = encoder(target.images[_some(len(target.images), self.params.minibatch, self._generator)])
            told = domain_loss(net(wanted), net(made.detach()))
            self._optimizers[1].zero_grad(set_to_none=True)
            told.backward()
            self._optimizers[1].step()
            fooled = nn.functional.softplus(net(made)).mean()  # the target's features pass as the source's
            self._optimizers[0].zero_grad(set_to_none=True)
            fooled.backward()
            self._optimizers[0].step()
            losses.append(torch.stack([told, fooled]).detach())
        domain, encoding = torch.stack(losses).mean(0).tolist()
        return {"domain_loss": domain, "encoder_loss": encoding}

    @torch.no_grad()
    def _found(self, source: Gathered, target: Gathered) -> dict[str, float]:
        """How alike the features are, what they say of the reward, and what was earned."""
        one, other = self._on_source.encoder(source.images), self._policy.encoder(target.images)
        net = self._discriminator
        rows = (_some(len(features), COMPARED, self._generator) for features in (one, other))
        near = [features[chosen] for features, chosen in zip((one, other), rows, strict=True)]
        return {
            "domain_accuracy": domain_accuracy(net(one), net(other)).item(),
            "mmd": mmd(near[0], near[1]).item(),
            "reward_r2": probe(other, target.rewards),
            "state_r2": probe(other, target.states),
            "source_reward": source.rewards.mean().item(),
            "target_reward": target.rewards.mean().item(),
        }


class _Reversed(nn.Module):
    """The discriminator's loss on PPO's minibatches of the source beside as many images of the target; the encoder
    gets its gradient turned around."""

    def __init__(self, net: Discriminator, policy: PixelActorCritic, generator: torch.Generator) -> None:
        super().__init__()
        self.net, self._encode, self._generator = net, policy.encoder.forward, generator
        self._losses: list[Tensor] = []

    def begin(self, images: Tensor, weight: float) -> None:
        """The target's images of this iteration, and how much the turned gradient weighs."""
        self._images, self._weight, self._losses = images, weight, []

    def forward(self, features: Tensor) -> Tensor:
        other = self._encode(self._images[_some(len(self._images), len(features), self._generator)])
        loss = domain_loss(*(self.net(reverse_gradient(part, self._weight)) for part in (features, other)))
        self._losses.append(loss.detach())
        return loss

    @property
    def loss(self) -> float:
        """Mean of this iteration."""
        return float(torch.stack(self._losses).mean())


def _some(count: int, wanted: int, generator: torch.Generator) -> Tensor:
    return torch.randint(count, (wanted,), generator=generator, device=generator.device)
