"""PPO from images, with an encoder that is trained apart from actor and critic.

Convolutions take nearly all the time, and the policy's gradient is a weak signal for them. So the encoder is trained to
let a linear layer predict the simulation's state from its features, first on images of random actions and then on those
of the policy. PPO's epochs use the features computed while acting (Stooke et al. 2021, "Decoupling Representation
Learning from Reinforcement Learning", arXiv:2009.08319, with another objective for the encoder).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from studio.contracts import AuxiliaryLoss, Metrics
from studio.experiment import setting
from studio.rl.algorithms.encoder_training import EncoderTraining
from studio.rl.algorithms.on_policy import OnPolicyLearner
from studio.rl.algorithms.ppo import DIAGNOSTICS, UNITS, ppo_loss
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.collectors.images import ImageCollector
from studio.rl.collectors.pixel_rollouts import PixelRollout, PixelRollouts
from studio.rl.networks.distributions import Normal
from studio.rl.networks.pixels import PixelActorCritic
from studio.seeds import training_episode_seed
from studio.sim.world import World

COLUMNS = ("actions", "log_probs", "advantages", "returns")  # of a rollout, that PPO's loss reads
FIRST_STEPS = 64  # steps of each simulation in a round of the encoder's pretraining


class PixelParams(PPOParams):
    """Optimization and collection."""

    learning_rate: float = setting(1e-3, "Learning rate", "Adam learning rate.", gt=0, le=1)
    anneal: bool = setting(True, "Anneal", "Decays the learning rates linearly to 0 over the budget.")
    gamma: float = setting(0.9, "γ", "Discount factor per step.", ge=0, le=1)
    encoder_rate: float = setting(
        3e-4,
        "Encoder rate",
        "Adam learning rate of the image encoder. Keep it low enough for the head to follow the changing features.",
        gt=0,
        le=1,
    )
    encoder_epochs: int = setting(
        1, "Encoder epochs", "Passes of the encoder's training over an iteration's images.", ge=0, le=1000
    )
    update: Literal["eager"] = setting(
        "eager", "Update", "Convolutions do not run faster compiled, so this is always eager."
    )


class PixelPPOParams(PixelParams):
    """Optimization and collection, with the pretraining of a new encoder."""

    first_images: int = setting(
        16_384, "Pretraining images", "Images from random actions that the encoder is pretrained on.", "images",
        ge=0, le=10**7,
    )  # fmt: skip
    first_steps: int = setting(
        500, "Pretraining steps", "Gradient steps of the encoder's pretraining.", "steps", ge=0, le=10**6
    )
    first_rate: float = setting(
        3e-3, "Pretraining rate", "Adam learning rate of the encoder's pretraining.", gt=0, le=1
    )


class PixelPPO(OnPolicyLearner[PixelRollout]):
    """Trains a policy in a world that observes images. The policy's parameters change in place.

    Args:
        settings: ``PixelPPOParams`` to pretrain the encoder first.
        iterations: number of rollouts, over which the learning rates are annealed if ``anneal`` is set.
        log: receives sentences for the run's log.
        auxiliary: losses on the encoder's features beside that of the predicted states, trained with the encoder's
            rate. Their batch holds the images (``image``), the critic's normalized input (``state``) and the actions.
    """

    units = UNITS
    diagnostics = (*DIAGNOSTICS, "state_loss")
    settings: PixelParams
    auxiliary: AuxiliaryLosses

    def __init__(
        self,
        policy: PixelActorCritic,
        world: World,
        settings: PixelParams,
        *,
        iterations: int,
        seed: int,
        log: Callable[[str], None] = lambda text: None,
        auxiliary: Sequence[AuxiliaryLoss] = (),
    ) -> None:
        self.policy, self.settings, self.iterations, self.log = policy, settings, iterations, log
        self.iteration, self.seed, s = 0, seed, settings
        self.auxiliary = AuxiliaryLosses(auxiliary, policy.encoder, 0.0)
        self.generator = torch.Generator(policy.device).manual_seed(seed)
        self.rollouts = PixelRollouts(world, policy, s.steps, s.gamma, s.gae_lambda, seed, self.generator)
        self.head = [*policy.actor.parameters(), *policy.critic.parameters(), policy.log_std]
        self.optimizer = torch.optim.Adam(self.head, eps=1e-5, fused=True)
        self.encoder = EncoderTraining(policy, self.auxiliary)

    def iterate(self) -> Iterator[Metrics]:
        """Pretrain a new encoder; then collect, learn, and yield the metrics of each iteration."""
        if not self.iteration and isinstance(self.settings, PixelPPOParams):
            self.pretrain_encoder(self.settings)
        yield from super().iterate()

    def prepare(self, share: float) -> Callable[..., Tensor]:
        self.optimizer.param_groups[0]["lr"] = self.settings.learning_rate * share
        self.encoder.set_rate(self.settings.encoder_rate * share)
        return self.step

    @property
    def learning_rate(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def learn(self, rollout: PixelRollout, step: Callable[..., Tensor]) -> Tensor:
        """Train actor and critic, then the encoder; return the mean diagnostics, the encoder's loss last."""
        diagnostics = [step(rollout, rows) for rows in self._minibatches(self.settings.epochs)]
        losses = [
            self.encoder.step(rollout.images[rows], rollout.observations[rows], rollout.actions[rows])
            for rows in self._minibatches(self.settings.encoder_epochs)
        ]
        encoder_loss = torch.stack(losses).mean(0, keepdim=True) if losses else rollout.returns.new_zeros(1)
        return torch.cat([torch.stack(diagnostics).mean(0), encoder_loss])

    def step(self, rollout: PixelRollout, rows: Tensor) -> Tensor:
        """Make a gradient step of actor and critic on some rows of a rollout; return the diagnostics."""
        policy, features = self.policy, rollout.features[rows]
        columns = rollout.columns()
        batch = {name: columns[name][rows] for name in COLUMNS}
        values = policy.state_value(features, rollout.observations[rows])
        loss, diagnostics = ppo_loss(Normal(policy.actor(features), policy.log_std), values, batch, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.head, self.settings.max_gradient_norm)
        self.optimizer.step()
        return torch.cat([diagnostics, norm[None]])

    def pretrain_encoder(self, first: PixelPPOParams) -> None:
        """Pretrain the encoder on images of random actions in many episodes."""
        if not first.first_images or not first.first_steps:
            return
        rollouts, moments = self.rollouts, self.policy.moments
        rounds = -(-first.first_images // (rollouts.world.num_envs * FIRST_STEPS))
        collector = ImageCollector(rollouts.world, FIRST_STEPS, training_episode_seed(self.seed), self.generator)
        parts = [collector.collect(self.policy, "random", index) for index in range(rounds)]
        images, states = torch.cat([part.images for part in parts]), torch.cat([part.states for part in parts])
        rollouts.samples += len(images)
        moments.update(states)
        self.encoder.set_rate(first.first_rate)
        for _ in range(first.first_steps):
            rows = torch.randint(len(images), (first.minibatch,), generator=self.generator, device=images.device)
            self.encoder.step(images[rows], moments(states[rows]))
        rollouts.restart()

    def _minibatches(self, epochs: int) -> Iterator[Tensor]:
        samples = self.settings.steps * self.rollouts.world.num_envs
        for _ in range(epochs):
            order = torch.randperm(samples, generator=self.generator, device=self.generator.device)
            # the advantages of a single sample cannot be normalized
            yield from (rows for rows in order.split(self.settings.minibatch) if len(rows) > 1)

    def state_dict(self) -> dict[str, Any]:
        """Return all that training continues from, the policy's parameters and statistics included."""
        optimizers = (self.optimizer, self.encoder.optimizer)
        return {
            "iteration": self.iteration,
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            "optimizers": [copy.deepcopy(optimizer.state_dict()) for optimizer in optimizers],
            "generator": self.generator.get_state(),
            "auxiliary": self.auxiliary.state_dict(),
            **self.rollouts.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.iteration = int(state["iteration"])
        self.policy.load_state_dict(state["policy"])
        for optimizer, saved in zip((self.optimizer, self.encoder.optimizer), state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.generator.set_state(state["generator"].cpu())
        if "auxiliary" in state:  # in checkpoints of earlier versions the strategy alone saved the losses' parameters
            self.auxiliary.load_state_dict(state["auxiliary"])
        self.rollouts.load_state_dict(state)
