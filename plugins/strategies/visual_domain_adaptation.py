"""Alignment of image features between two appearances of the same task.

The assumption is that features exist whose distribution is the same in both domains; the action head is reused. A
distribution does not say which state has which features: an encoder that changes freely can match it with states
exchanged, and the policy fails. So little of it is adapted: where colors and light differ, its first layer, which
leaves where things are as it was; where the camera stands elsewhere, an affine map of the points that it found. In
reinforcement learning the target's images also depend on the policy that collects them: where it visits states that the
source's images never show, aligning the features destroys their information
(assets/experiments/visual_poor_target.yaml).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from torch import nn

from studio.contracts import Context, Metrics, Problem, Requires, Stateful, Strategy
from studio.experiment import Curriculum, Experiment, setting
from studio.nn.adda import ADDA, random_rows
from studio.nn.color_matching import color_change
from studio.nn.domain_alignment import Discriminator, domain_accuracy, mmd, probe
from studio.nn.feature_matching import FeatureMatching
from studio.nn.point_placement import PointPlacement
from studio.nn.reversed_domain_loss import ReversedDomainLoss
from studio.registry import shared_registry
from studio.rl.algorithms.pixel_ppo import PixelParams, PixelPPO
from studio.rl.algorithms.ppo import UNITS
from studio.rl.collectors.images import Behavior, CollectedImages, ImageCollector, PairedImages
from studio.rl.learners import check_ppo
from studio.rl.networks.pixels import PixelActorCritic
from studio.seeds import image_episode_seed

SAME = ("task", "embodiment", "control", "contexts")
COMPARED = 512  # number of features per domain for the MMD

_PARAMS: dict[str, Any] = {"simulations": 4, "steps": 8, "minibatch": 16, "epochs": 2, "physics_threads": 1}
_POINT = {
    "embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "image", "camera": "top",
    "image_size": 32,
}  # fmt: skip


class VisualDomainAdaptation(Strategy):
    """ADDA and MMD train a second encoder for the target, before a frozen action head: until a discriminator cannot
    tell the domains from the features, or until the discrepancy of the features is least. DANN trains one encoder for
    both domains, on the source's states and the discriminator's reversed gradient, while the action head continues to
    train by reinforcement learning on the source."""

    id = "visual_domain_adaptation"
    title = "Visual domain adaptation"
    summary = (
        "Adapts an image-based policy to a different visual appearance of the same task by aligning the encoder's "
        "features (ADDA, MMD or DANN)."
    )
    reference = (
        "Ganin et al. 2016 (arXiv:1505.07818); Tzeng et al. 2017 (arXiv:1702.05464); Long et al. 2015 "
        "(arXiv:1502.02791)"
    )
    tags = ("reinforcement", "vision")
    unused_budget = ("batch_size",)
    requires = Requires(source_policy=True, same_spaces=True, evaluate_at_zero=True)
    units = UNITS | {"source_reward": "a step", "target_reward": "a step", "reward_r2": "R²", "state_r2": "R²"}
    domain_accuracy = "domain_accuracy"

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
    example_variants = {
        "dann": {"strategy.params.variant": "dann"},
        "mmd": {"strategy.params.variant": "mmd", "strategy.params.adapted_layers": "points"},
    }

    class Params(PixelParams):
        """Which images are aligned and how; DANN also trains on the source, with PPO's settings."""

        variant: Literal["adda", "dann", "mmd"] = setting(
            "adda",
            "Variant",
            "adda, mmd: a second encoder for the target, trained against a discriminator or to the least discrepancy. "
            "dann: one encoder for both, which continues to train on the source.",
        )
        adapted_layers: Literal["all", "first", "last", "points"] = setting(
            "all",
            "Adapted layers",
            "Of the second encoder: all; the first alone, which reads the colors and leaves positions as they are; "
            "the last alone, which reads the positions; or points: one affine map of its feature points, six numbers, "
            "which makes up for another camera.",
            since=2,
        )
        match_colors: bool = setting(
            False,
            "Match colors",
            "Starts from a second encoder whose first layer is scaled to the target's colors: the mean and standard "
            "deviation of red, green and blue become the source's.",
            since=2,
        )
        source_data: Behavior = setting(
            "own_policy", "Source data", "What acts on the source while its images are collected.", since=2
        )
        target_data: Behavior = setting(
            "own_policy", "Target data", "What acts on the target while its images are collected."
        )
        gathered_steps: int = setting(
            16, "Collected steps", "Steps per simulation and domain in an iteration.", "steps", ge=1, le=10_000
        )
        gradient_steps: int = setting(
            12, "Gradient steps", "Gradient steps of ADDA or MMD per iteration.", "steps", ge=1, le=10_000
        )
        alignment_rate: float = setting(3e-4, "Alignment rate", "Adam learning rate of the second encoder.", gt=0, le=1)
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
            if getattr(source, field) != getattr(target, field):
                message = f"Source and target differ in {field}, not only in appearance."
                problems.append(
                    Problem(f"target.{field}", message, "Choose the same for both, and vary only the appearance.")
                )
        task = shared_registry().all("tasks").get(target.task)  # both domains have the same
        for field, behavior in (("source_data", self.params.source_data), ("target_data", self.params.target_data)):
            if behavior == "expert" and task is not None and not task.has_expert:
                message = f"The task '{target.task}' has no scripted expert."
                remedy = f"Let the policy collect its own images ({field}: own_policy)."
                problems.append(Problem(f"strategy.params.{field}", message, remedy))
        if self.params.variant == "dann":
            unused = {
                "adapted_layers": self.params.adapted_layers != "all",
                "match_colors": self.params.match_colors,
                "source_data": self.params.source_data != "own_policy",
            }
            for field in (name for name, changed in unused.items() if changed):
                message = f"DANN trains one encoder for both domains while the policy acts: {field} has no effect."
                remedy = "Leave it as it is by default, or choose the variant mmd or adda."
                problems.append(Problem(f"strategy.params.{field}", message, remedy))
            problems += check_ppo(self.params, "strategy.params")
            if not self.params.encoder_epochs:
                message = "DANN aligns the encoder's features, but the encoder is not trained (0 epochs)."
                problems.append(
                    Problem("strategy.params.encoder_epochs", message, "Set at least one epoch for the encoder.")
                )
        return problems

    def setup(self, context: Context[Any]) -> None:
        plan, p = context.experiment, self.params
        self._total = plan.budget.iterations
        policy: Any = context.policy(pretrained=True)
        self._policy: PixelActorCritic = policy
        self._source = copy.deepcopy(self._policy).eval()  # the frozen policy of the source, beside a second encoder
        self._generator = torch.Generator(context.device).manual_seed(plan.seed)
        self._worlds = []
        for domain in (plan.source, plan.target):
            whole = domain.model_copy(update={"curriculum": Curriculum()})  # a round's images depend on no earlier ones
            self._worlds.append(context.world(whole, p.simulations, p.physics_threads))
        collectors = [
            ImageCollector(world, p.gathered_steps, image_episode_seed(plan.seed, place), self._generator)
            for place, world in enumerate(self._worlds, 1)
        ]
        self._images = PairedImages(*collectors)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            net = Discriminator(self._policy.params.features, p.discriminator_width)
        self._discriminator = net.to(context.device)
        self._placement: PointPlacement | None = None
        self._learner: PixelPPO | ADDA | FeatureMatching
        self._learner = self._one_encoder(context) if p.variant == "dann" else self._second_encoder()

    def _one_encoder(self, context: Context[Any]) -> PixelPPO:
        """Return what trains one policy for both domains: PPO on the source, with the reversed gradient (DANN)."""
        p, plan, encoder = self.params, context.experiment, self._policy.encoder
        self._domain = ReversedDomainLoss(self._discriminator, encoder.forward, p.domain_weight, self._generator)
        world = context.world(plan.source, p.simulations, p.physics_threads)
        self._worlds.append(world)
        losses = [self._domain]
        return PixelPPO(
            self._policy, world, p, iterations=self._total, seed=plan.seed, log=context.log, auxiliary=losses
        )

    def _second_encoder(self) -> ADDA | FeatureMatching:
        """Return what trains the target's encoder, or a part of it, before the frozen rest of the policy."""
        p, policy = self.params, self._policy
        for part in (policy.actor, policy.critic, policy.decoder):
            part.requires_grad_(False)
        policy.log_std.requires_grad_(False)
        encoder: nn.Module = policy.encoder
        layers = {"all": encoder, "first": policy.encoder.first_layer, "last": policy.encoder.last}
        if p.adapted_layers == "points":
            encoder = layers["points"] = self._placement = PointPlacement(policy.encoder)
        adapted = list(layers[p.adapted_layers].parameters())
        sizes: dict[str, Any] = {"batch": p.minibatch, "steps": p.gradient_steps, "generator": self._generator}
        if p.variant == "mmd":
            return FeatureMatching(encoder, self._source.encoder, adapted, rate=p.alignment_rate, **sizes)
        rates = {"encoder_rate": p.alignment_rate, "discriminator_rate": p.discriminator_rate}
        return ADDA(encoder, self._source.encoder, self._discriminator, adapted, **rates, **sizes)

    def iterate(self) -> Iterator[Metrics]:
        training = self._learner.iterate() if isinstance(self._learner, PixelPPO) else iter(())
        while self._images.round < self._total:
            behaviors = self.params.source_data, self.params.target_data
            source, target = self._images.collect(self._source_policy, self._policy, behaviors)
            if not isinstance(self._learner, PixelPPO):
                if self.params.match_colors and self._images.round == 1:
                    self._policy.encoder.recolor(*color_change(source.images, target.images))
                values = self._learner.learn(source.images, target.images)
                if self._placement is not None:
                    self._placement.write()
            else:
                self._domain.images = target.images
                values = dict(next(training).values)
            yield Metrics(self._images.round, self._total, values | self._measured(source, target))
        for world in self._worlds:
            world.close()

    def policy(self) -> Any:
        return self._policy

    def aligns_to_source_policy(self) -> bool:
        return bool(self.params.variant != "dann")

    def stateful(self) -> Mapping[str, Stateful]:
        parts: dict[str, Stateful] = {"policy": self._policy, "discriminator": self._discriminator}
        if self._placement is not None:
            parts["placement"] = self._placement
        return {**parts, "images": self._images, "learner": self._learner}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a checkpoint; in those of earlier versions some parts are not nested."""
        earlier = {"images": state, "learner": state} if "images" not in state else {}
        super().load_state_dict({**earlier, **state})

    @property
    def _source_policy(self) -> PixelActorCritic:
        """Return the policy that acts, and computes features, on the source."""
        return self._policy if isinstance(self._learner, PixelPPO) else self._source

    @torch.no_grad()
    def _measured(self, source: CollectedImages, target: CollectedImages) -> dict[str, float]:
        """Return how well the features are aligned, what a linear probe predicts from them, and the mean rewards."""
        source_features = self._source_policy.encoder(source.images)
        target_features = self._policy.encoder(target.images)
        net = self._discriminator
        compared = [
            features[random_rows(len(features), COMPARED, self._generator)]
            for features in (source_features, target_features)
        ]
        accuracy = {}
        if self.params.variant != "mmd":  # which trains no discriminator
            accuracy["domain_accuracy"] = domain_accuracy(net(source_features), net(target_features)).item()
        return {
            **accuracy,
            "mmd": mmd(*compared).item(),
            "reward_r2": probe(target_features, target.rewards),
            "state_r2": probe(target_features, target.states),
            "source_reward": source.rewards.mean().item(),
            "target_reward": target.rewards.mean().item(),
        }
