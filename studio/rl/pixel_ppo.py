"""PPO from images: as :mod:`studio.rl.ppo`, for a policy whose encoder sees uint8 images and whose critic may see more.

Images are kept as bytes until a minibatch is used. Nothing is compiled: nearly all the time is convolutions.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from studio.contracts import Metrics
from studio.experiment import setting
from studio.rl.advantages import gae
from studio.rl.moments import Moments
from studio.rl.pixels import PixelActorCritic, goals, privileged
from studio.rl.policy import log_prob
from studio.rl.ppo import DIAGNOSTICS, UNITS, PPOParams, ppo_loss
from studio.rl.states import arrays, tensors
from studio.sim.world import World

Array = np.ndarray
KEPT = ("image", "goal", "seen", "return", "length", "whole")  # arrays of a learner that the next rollout begins with
SEEDS = 32  # bits: a training's episodes have seeds from (seed + 1) << SEEDS on, where no evaluation looks


class PixelPPOParams(PPOParams):
    """Optimization and collection."""

    learning_rate: float = setting(1e-3, "Learning rate", "Adam's.", gt=0, le=1)
    anneal: bool = setting(True, "Anneal", "The learning rate falls linearly to 0 over the budget.")
    epochs: int = setting(4, "Epochs", "Passes over an iteration's samples.", ge=1, le=1000)
    gamma: float = setting(0.9, "γ", "Discount of a step.", ge=0, le=1)
    state_weight: float = setting(
        1.0, "State weight", "Of the loss of a linear layer that reads the state out of the features.", ge=0, le=100
    )
    update: Literal["eager"] = setting("eager", "Update", "Convolutions gain nothing from compiling.")


class Extra(Protocol):
    """A loss beside PPO's on the same features, of a module whose own parameters learn with the policy's."""

    def __call__(self, features: Tensor) -> Tensor: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


@dataclass
class PixelRollout:
    """(time · env, …) tensors, time-major; actions in units of their range."""

    images: Tensor  # uint8
    states: Tensor  # normalized: what the critic may see
    actions: Tensor
    log_probs: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor


class PixelPPO:
    """Trains a policy on a world that observes images. The policy's parameters change in place.

    Args:
        iterations: rollouts; the learning rate falls over them where it is annealed.
        extra: one more loss on every minibatch's features.
    """

    units = UNITS

    def __init__(
        self,
        policy: PixelActorCritic,
        world: World,
        settings: PixelPPOParams,
        *,
        iterations: int,
        seed: int,
        say: Callable[[str], None] = lambda text: None,
        extra: Extra | None = None,
    ) -> None:
        self.policy, self.world, self.settings, self.iterations, self.say = policy, world, settings, iterations, say
        self.iteration, self.extra = 0, extra
        self.device = policy.low.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.learned = [p for p in policy.parameters() if p.requires_grad]
        whole = [*self.learned, *(extra.parameters() if extra is not None else ())]
        self.optimizer = torch.optim.Adam(whole, lr=settings.learning_rate, eps=1e-5, fused=True)
        self.samples = settings.steps * world.num_envs
        n = world.num_envs
        self.reward_moments = Moments(1).to(self.device)
        self._discounted = torch.zeros(n, dtype=torch.float64, device=self.device)
        self._take(world.reset(seed=(seed + 1) << SEEDS)[0])
        world.steps[:] = np.arange(n) * world.task.horizon // n  # so that episodes don't all end together
        self._return, self._length, self._whole = np.zeros(n), np.zeros(n, int), world.steps == 0
        self.finished: deque[tuple[float, float]] = deque(maxlen=n)  # (return, length) of the latest episodes

    def iterate(self) -> Iterator[Metrics]:
        """Collects, learns, and yields what it found, until the budget is spent."""
        while self.iteration < self.iterations:
            share = self.iteration / self.iterations if self.settings.anneal else 0.0
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.learning_rate * (1 - share)
            began = time.perf_counter()
            rollout = self.collect()
            diagnostics = self.learn(rollout)
            self.iteration += 1
            values = dict(zip(DIAGNOSTICS, diagnostics.tolist(), strict=True))
            if self.finished:
                values["return"], values["episode_length"] = np.mean(self.finished, axis=0).tolist()
            error = (rollout.returns - rollout.values).var() / (rollout.returns.var() + 1e-8)
            values |= {"explained_variance": 1 - error.item(), "samples": float(self.iteration * self.samples)}
            values |= {"learning_rate": self.optimizer.param_groups[0]["lr"], "diverged": float(self.world.diverged)}
            values["steps_per_second"] = self.samples / (time.perf_counter() - began)
            yield Metrics(self.iteration, self.iterations, values)

    @torch.no_grad()
    def collect(self) -> PixelRollout:
        """The next steps of every simulation."""
        policy, world, shape = self.policy, self.world, (self.settings.steps, self.world.num_envs)
        images = np.empty((*shape, *self._image.shape[1:]), np.uint8)
        seen = np.empty((*shape, policy.params.state), np.float32)
        rewards, terminated, truncated = np.empty(shape), np.empty(shape, bool), np.empty(shape, bool)
        diverged = np.zeros(shape, bool)
        noise = torch.randn(*shape, policy.params.outputs, generator=self.generator, device=self.device)
        features, means = torch.empty(*shape, policy.params.features, device=self.device), torch.empty_like(noise)
        actions = noise * policy.log_std.exp()
        cut: list[tuple[int, int, Array, Array]] = []  # time, env, image and state that time cut an episode off in
        for t in range(len(images)):
            images[t], seen[t] = self._image, self._seen
            features[t] = policy(torch.from_numpy(images[t]).to(self.device))
            means[t] = policy.actor(features[t])
            actions[t] += means[t]
            step = world.step(policy.native(actions[t]).cpu().numpy())
            observation, rewards[t], terminated[t], truncated[t], info = step
            if "final_obs" in info:
                diverged[t] = info["diverged"]
                for i in np.flatnonzero(truncated[t] & ~diverged[t]).tolist():
                    last = {key: value[None] for key, value in info["final_obs"][i].items()}
                    cut.append((t, i, last["image"], privileged(last, self._goal[i : i + 1])))
            self._take(observation)
            self._count(rewards[t], terminated[t], truncated[t])
        states = policy.moments(torch.from_numpy(seen).to(self.device).flatten(0, 1)).view(*shape, -1)
        values = policy.judge(features, states)
        next_values = torch.cat([values[1:], self._judge(self._image, self._seen)[None]])
        if cut:
            times, envs, pictures, last_states = zip(*cut, strict=True)
            next_values[times, envs] = self._judge(np.concatenate(pictures), np.concatenate(last_states))
        next_values = torch.where(torch.from_numpy(diverged).to(self.device), values, next_values)
        next_values.masked_fill_(torch.from_numpy(terminated).to(self.device), 0.0)
        ended = torch.from_numpy(terminated | truncated).to(self.device)
        paid = self._normalize_rewards(torch.from_numpy(rewards).to(self.device), ended)
        advantages = gae(paid, values, next_values, ended, self.settings.gamma, self.settings.gae_lambda)
        policy.moments.update(torch.from_numpy(seen).to(self.device).flatten(0, 1))
        log_probs = log_prob(actions, means, policy.log_std)
        kept = torch.from_numpy(images).to(self.device)
        batch = (kept, states, actions, log_probs, values, advantages, advantages + values)
        return PixelRollout(*(tensor.flatten(0, 1) for tensor in batch))

    def learn(self, rollout: PixelRollout) -> Tensor:
        """Epochs of minibatches over a rollout; mean diagnostics."""
        policy, s, found = self.policy, self.settings, []
        columns = ("actions", "log_probs", "advantages", "returns")
        for _ in range(s.epochs):
            order = torch.randperm(self.samples, generator=self.generator, device=self.device)
            for rows in order.split(s.minibatch):
                if len(rows) < 2:  # a single sample has no spread to normalize by
                    continue
                batch = {name: getattr(rollout, name)[rows] for name in columns}
                features = policy(rollout.images[rows])
                values = policy.judge(features, rollout.states[rows])
                loss, diagnostics = ppo_loss(policy.actor(features), policy.log_std, values, batch, s)
                told = smooth_l1_loss(policy.decoder(features), rollout.states[rows])
                loss = loss + s.state_weight * told
                if self.extra is not None:
                    loss = loss + self.extra(features)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                norm = nn.utils.clip_grad_norm_(self.learned, s.max_gradient_norm)
                self.optimizer.step()
                found.append(torch.cat([diagnostics, norm[None]]))
        return torch.stack(found).mean(0)

    def state_dict(self) -> dict[str, Any]:
        """Everything that training goes on from, the policy's parameters and statistics included."""
        return {
            "iteration": self.iteration,
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "world": tensors(self.world.state_dict()),
            "rewards": {name: value.clone() for name, value in self.reward_moments.state_dict().items()},
            "discounted": self._discounted.clone(),
            "kept": {name: torch.from_numpy(getattr(self, f"_{name}").copy()) for name in KEPT},
            "finished": [list(pair) for pair in self.finished],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self.iteration = int(state["iteration"])
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.world.load_state_dict(arrays(state["world"]))
        self.reward_moments.load_state_dict(state["rewards"])
        self._discounted = state["discounted"].to(self.device)
        for name in KEPT:
            setattr(self, f"_{name}", state["kept"][name].cpu().numpy().copy())
        self.finished.clear()
        self.finished.extend((float(r), float(k)) for r, k in state["finished"])

    def _take(self, observation: dict[str, Array]) -> None:
        """Keeps what is seen now."""
        self._image, self._goal = observation["image"], goals(self.world)
        self._seen = privileged(observation, self._goal)

    def _judge(self, images: Array, seen: Array) -> Tensor:
        """Values of images (n, h, w, 3) and what the critic may see of their states (n, width)."""
        states = self.policy.moments(torch.from_numpy(seen).to(self.device))
        return self.policy.judge(self.policy(torch.from_numpy(images).to(self.device)), states)

    def _count(self, reward: Array, terminated: Array, truncated: Array) -> None:
        self._return += reward
        self._length += 1
        ended = np.flatnonzero(terminated | truncated)
        if len(ended):
            whole = ended[terminated[ended] | self._whole[ended]]
            self.finished.extend(zip(self._return[whole].tolist(), self._length[whole].tolist(), strict=True))
            self._return[ended], self._length[ended], self._whole[ended] = 0, 0, True

    def _normalize_rewards(self, rewards: Tensor, ended: Tensor) -> Tensor:
        """Rewards over the standard deviation of the discounted return (as Gymnasium's NormalizeReward), float32."""
        discounted, keep = torch.empty_like(rewards), 1 - ended.to(rewards.dtype)
        for t in range(len(rewards)):
            discounted[t] = self._discounted * self.settings.gamma + rewards[t]
            self._discounted = discounted[t] * keep[t]
        self.reward_moments.update(discounted.reshape(-1, 1))
        return (rewards.float() * self.reward_moments.scale()).clamp_(-10, 10)
