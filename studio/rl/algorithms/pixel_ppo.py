"""PPO from images, with an encoder that is trained apart from actor and critic.

Convolutions take nearly all the time, and the policy's gradient is a weak signal for them. So the encoder is trained to
let a linear layer predict the simulation's state from its features, first on images of random actions and then on those
of the policy. PPO's epochs use the features computed while acting (Stooke et al. 2021, "Decoupling Representation
Learning from Reinforcement Learning", arXiv:2009.08319, with another objective for the encoder).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from studio.contracts import AuxiliaryLoss, Metrics, Outputs
from studio.experiment import setting
from studio.rl.advantages import gae
from studio.rl.algorithms.ppo import DIAGNOSTICS, UNITS, PPOParams, ppo_loss
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.collectors.episode_statistics import EpisodeStatistics, diverged_sentence, stagger
from studio.rl.collectors.images import ImageCollector
from studio.rl.networks.gaussian import log_prob
from studio.rl.networks.pixels import PixelActorCritic, goals, privileged
from studio.rl.reward_scale import RewardScale
from studio.rl.states import arrays, tensors
from studio.seeds import training_episode_seed
from studio.sim.world import World

Array = np.ndarray
KEPT = {"image": "_image", "goal": "_goal", "seen": "_state"}  # the arrays that the next rollout starts with
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


@dataclass
class PixelRollout:
    """(time · env, …) tensors, time-major; actions in units of their range."""

    images: Tensor  # uint8
    features: Tensor  # computed while acting
    states: Tensor  # the critic's input, normalized
    actions: Tensor
    log_probs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor


class PixelPPO:
    """Trains a policy in a world that observes images. The policy's parameters change in place.

    Args:
        settings: ``PixelPPOParams`` to pretrain the encoder first.
        iterations: number of rollouts, over which the learning rates are annealed if ``anneal`` is set.
        log: receives sentences for the run's log.
        auxiliary: losses on the encoder's features beside that of the predicted states, trained with the encoder's
            rate. Their batch holds the images (``image``), the critic's normalized input (``state``) and the actions.
    """

    units = UNITS

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
        self.policy, self.world, self.settings, self.iterations, self.log = policy, world, settings, iterations, log
        self.iteration, self.seed = 0, seed
        self.auxiliary = AuxiliaryLosses(auxiliary, policy.encoder, 0.0)
        self.device = policy.low.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.head = [*policy.actor.parameters(), *policy.critic.parameters(), policy.log_std]
        encoder = [*policy.encoder.parameters(), *policy.decoder.parameters(), *self.auxiliary.own]
        self.optimizers = [torch.optim.Adam(part, eps=1e-5, fused=True) for part in (self.head, encoder)]
        self.samples = 0  # environment steps so far, over all simulations
        self.reward_scale = RewardScale(policy.rewards, world.num_envs, settings.gamma)
        self._reset(seed)
        self.statistics = EpisodeStatistics(world)

    def iterate(self) -> Iterator[Metrics]:
        """Collect, learn, and yield the metrics of each iteration until the budget is spent."""
        if not self.iteration and isinstance(self.settings, PixelPPOParams):
            self.pretrain_encoder(self.settings)
        while self.iteration < self.iterations:
            share = self.iteration / self.iterations if self.settings.anneal else 0.0
            self._set_rates(1 - share, self.settings.encoder_rate)
            self.auxiliary.progress = self.iteration / self.iterations
            started, before, samples = time.perf_counter(), self.world.diverged, self.samples
            rollout = self.collect()
            if self.world.diverged > before:
                self.log(diverged_sentence(self.world.diverged - before))
            diagnostics = self.learn(rollout)
            self.iteration += 1
            values = dict(zip((*DIAGNOSTICS, "state_loss"), diagnostics.tolist(), strict=True))
            values |= self.statistics.metrics() | self.auxiliary.metrics()
            error = (rollout.returns - rollout.values).var() / (rollout.returns.var() + 1e-8)
            values |= {"explained_variance": 1 - error.item(), "samples": float(self.samples)}
            values |= {
                "learning_rate": self.optimizers[0].param_groups[0]["lr"],
                "diverged": float(self.world.diverged),
            }
            values["steps_per_second"] = (self.samples - samples) / (time.perf_counter() - started)
            yield Metrics(self.iteration, self.iterations, values)

    @torch.no_grad()
    def collect(self) -> PixelRollout:
        """Return the next ``settings.steps`` steps of every simulation."""
        policy, world, shape = self.policy, self.world, (self.settings.steps, self.world.num_envs)
        images = np.empty((*shape, *self._image.shape[1:]), np.uint8)
        raw_states = np.empty((*shape, policy.params.state), np.float32)
        rewards, terminated, truncated = np.empty(shape), np.empty(shape, bool), np.empty(shape, bool)
        diverged = np.zeros(shape, bool)
        noise = torch.randn(*shape, policy.params.outputs, generator=self.generator, device=self.device)
        features, means = torch.empty(*shape, policy.params.features, device=self.device), torch.empty_like(noise)
        actions = noise * policy.log_std.exp()
        final: list[tuple[int, int, Array, Array]] = []  # time, env, last image and state of each truncated episode
        for t in range(len(images)):
            images[t], raw_states[t] = self._image, self._state
            features[t] = policy(torch.from_numpy(images[t]).to(self.device))
            means[t] = policy.actor(features[t])
            actions[t] += means[t]
            step = world.step(policy.native(actions[t]).cpu().numpy())
            observation, rewards[t], terminated[t], truncated[t], info = step
            if "final_obs" in info:
                diverged[t] = info["diverged"]
                for i in np.flatnonzero(truncated[t] & ~diverged[t]).tolist():
                    last = {key: value[None] for key, value in info["final_obs"][i].items()}
                    final.append((t, i, last["image"], privileged(last, self._goal[i : i + 1])))
            self._keep(observation)
            self.statistics.count(rewards[t], terminated[t], truncated[t], info)
        self.samples += rewards.size
        states = policy.moments(torch.from_numpy(raw_states).to(self.device).flatten(0, 1)).view(*shape, -1)
        values = policy.state_value(features, states)
        next_values = torch.cat([values[1:], self._values(self._image, self._state)[None]])
        if final:
            times, envs, last_images, last_states = zip(*final, strict=True)
            next_values[times, envs] = self._values(np.concatenate(last_images), np.concatenate(last_states))
        next_values = torch.where(torch.from_numpy(diverged).to(self.device), values, next_values)
        next_values.masked_fill_(torch.from_numpy(terminated).to(self.device), 0.0)
        ended = torch.from_numpy(terminated | truncated).to(self.device)
        scaled_rewards = self.reward_scale(torch.from_numpy(rewards).to(self.device), ended)
        advantages = gae(scaled_rewards, values, next_values, ended, self.settings.gamma, self.settings.gae_lambda)
        policy.moments.update(torch.from_numpy(raw_states).to(self.device).flatten(0, 1))
        log_probs = log_prob(actions, means, policy.log_std)
        batch = (
            torch.from_numpy(images).to(self.device),
            features,
            states,
            actions,
            log_probs,
            values,
            advantages,
            advantages + values,
        )
        return PixelRollout(*(tensor.flatten(0, 1) for tensor in batch))

    def learn(self, rollout: PixelRollout) -> Tensor:
        """Train actor and critic, then the encoder; return the mean diagnostics, the encoder's loss last."""
        policy, s, found = self.policy, self.settings, []
        for rows in self._minibatches(s.epochs):
            batch = {name: getattr(rollout, name)[rows] for name in COLUMNS}
            features = rollout.features[rows]
            values = policy.state_value(features, rollout.states[rows])
            loss, diagnostics = ppo_loss(policy.actor(features), policy.log_std, values, batch, s)
            self.optimizers[0].zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(self.head, s.max_gradient_norm)
            self.optimizers[0].step()
            found.append(torch.cat([diagnostics, norm[None]]))
        losses = [
            self.encoder_step(rollout.images[rows], rollout.states[rows], rollout.actions[rows])
            for rows in self._minibatches(s.encoder_epochs)
        ]
        encoder_loss = torch.stack(losses).mean(0, keepdim=True) if losses else torch.zeros(1, device=self.device)
        return torch.cat([torch.stack(found).mean(0), encoder_loss])

    def encoder_step(self, images: Tensor, states: Tensor, actions: Tensor | None = None) -> Tensor:
        """Make a gradient step of the encoder on images (n, h, w, 3) of normalized states (n, width); return the loss
        of the predicted states. Without actions (n, width) there are no auxiliary losses."""
        features = self.policy(images)
        predicted = self.policy.decoder(features)
        # robust to outliers, as parts of the state may be out of view
        loss = state_loss = smooth_l1_loss(predicted, states)
        if actions is not None and self.auxiliary.losses:
            observations = {"image": images, "state": states}
            loss = loss + self.auxiliary.loss(Outputs(features, predicted), observations, actions)
        self.optimizers[1].zero_grad(set_to_none=True)
        loss.backward()
        self.optimizers[1].step()
        return state_loss.detach()

    def pretrain_encoder(self, first: PixelPPOParams) -> None:
        """Pretrain the encoder on images of random actions in many episodes."""
        if not first.first_images or not first.first_steps:
            return
        moments = self.policy.moments
        rounds = -(-first.first_images // (self.world.num_envs * FIRST_STEPS))
        collector = ImageCollector(self.world, FIRST_STEPS, training_episode_seed(self.seed), self.generator)
        parts = [collector.collect(self.policy, "random", index) for index in range(rounds)]
        images, states = torch.cat([part.images for part in parts]), torch.cat([part.states for part in parts])
        self.samples += len(images)
        moments.update(states)
        self._set_rates(1.0, first.first_rate)
        for _ in range(first.first_steps):
            rows = torch.randint(len(images), (first.minibatch,), generator=self.generator, device=self.device)
            self.encoder_step(images[rows], moments(states[rows]))
        self._reset(self.seed)

    def _minibatches(self, epochs: int) -> Iterator[Tensor]:
        for _ in range(epochs):
            order = torch.randperm(
                self.settings.steps * self.world.num_envs, generator=self.generator, device=self.device
            )
            # the advantages of a single sample cannot be normalized
            yield from (rows for rows in order.split(self.settings.minibatch) if len(rows) > 1)

    def _set_rates(self, share: float, encoder_rate: float) -> None:
        for optimizer, rate in zip(self.optimizers, (self.settings.learning_rate, encoder_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share

    def _reset(self, seed: int) -> None:
        self._keep(self.world.reset(seed=training_episode_seed(seed))[0])
        stagger(self.world)

    def state_dict(self) -> dict[str, Any]:
        """Return all that training continues from, the policy's parameters and statistics included."""
        return {
            "iteration": self.iteration,
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            "optimizers": [copy.deepcopy(optimizer.state_dict()) for optimizer in self.optimizers],
            "generator": self.generator.get_state(),
            "world": tensors(self.world.state_dict()),
            "rewards": self.reward_scale.state_dict(),
            "kept": {name: torch.from_numpy(getattr(self, own).copy()) for name, own in KEPT.items()},
            "statistics": self.statistics.state_dict(),
            "samples": self.samples,
            "auxiliary": self.auxiliary.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self.iteration = int(state["iteration"])
        self.policy.load_state_dict(state["policy"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.generator.set_state(state["generator"].cpu())
        self.world.load_state_dict(arrays(state["world"]))
        self.reward_scale.load_state_dict(state["rewards"])
        for name, own in KEPT.items():
            setattr(self, own, state["kept"][name].cpu().numpy().copy())
        self.statistics.load_state_dict(state["statistics"])
        self.samples = int(state["samples"])
        if "auxiliary" in state:  # in checkpoints of earlier versions the strategy alone saved the losses' parameters
            self.auxiliary.load_state_dict(state["auxiliary"])

    def _keep(self, observation: dict[str, Array]) -> None:
        self._image, self._goal = observation["image"], goals(self.world)
        self._state = privileged(observation, self._goal)

    def _values(self, images: Array, states: Array) -> Tensor:
        """Return the critic's values for images (n, h, w, 3) and states (n, width), not yet normalized."""
        normalized = self.policy.moments(torch.from_numpy(states).to(self.device))
        return self.policy.state_value(self.policy(torch.from_numpy(images).to(self.device)), normalized)
