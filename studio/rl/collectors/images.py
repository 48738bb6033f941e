"""Collects images and rewards from a world, for training an encoder without reinforcement learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from studio.rl.networks.pixels import PixelActorCritic, goals, privileged
from studio.sim.world import World

Behavior = Literal["own_policy", "random", "expert"]


@dataclass
class CollectedImages:
    """``images`` (n, h, w, 3) uint8; ``rewards`` (n,) of the steps that led to them; ``states`` (n, width), as from
    :func:`studio.rl.networks.pixels.privileged`."""

    images: Tensor
    rewards: Tensor
    states: Tensor


class ImageCollector:
    """Collects from the first steps of new episodes, whose seeds depend on the number of the round alone.

    Args:
        steps: steps of each simulation.
        seed: the first episode's; the following ``simulations × rounds`` seeds belong to this collector.
    """

    def __init__(self, world: World, steps: int, seed: int, generator: torch.Generator) -> None:
        self.world, self.steps, self.seed, self.generator = world, steps, seed, generator

    @torch.no_grad()
    def collect(self, policy: PixelActorCritic, behavior: Behavior, index: int) -> CollectedImages:
        """Return the images of round ``index``, from 0; the policy acts with its exploration."""
        world, device = self.world, policy.device
        observation, _ = world.reset(seed=self.seed + index * world.num_envs)
        images, rewards, states = [], [], []
        for _ in range(self.steps):
            native = self._act(policy, behavior, observation)
            observation, reward, terminated, truncated, _ = world.step(native)
            within = ~(terminated | truncated)  # where an episode ended, the image is the next episode's first
            images.append(torch.from_numpy(observation["image"][within]))
            rewards.append(torch.from_numpy(np.asarray(reward)[within]).float())
            states.append(torch.from_numpy(privileged(observation, goals(world))[within]))
        return CollectedImages(*(torch.cat(parts).to(device) for parts in (images, rewards, states)))

    def _act(self, policy: PixelActorCritic, behavior: Behavior, observation: dict[str, Any]) -> np.ndarray:
        if behavior == "expert":
            return self.world.expert(slice(None))
        device, shape = policy.device, (self.world.num_envs, policy.params.outputs)
        noise = torch.randn(shape, generator=self.generator, device=device)
        if behavior == "random":
            return policy.native(noise).cpu().numpy()
        features = policy(torch.from_numpy(observation["image"]).to(device))
        return policy.native(policy.actor(features) + noise * policy.log_std.exp()).cpu().numpy()


class PairedImages:
    """Collects images of a source and a target, round by round.

    Its state is the number of the next round, and the generator that both collectors draw from.
    """

    def __init__(self, source: ImageCollector, target: ImageCollector) -> None:
        self.source, self.target, self.round = source, target, 0

    def collect(
        self, source: PixelActorCritic, target: PixelActorCritic, behaviors: tuple[Behavior, Behavior]
    ) -> tuple[CollectedImages, CollectedImages]:
        """Return the images of the next round: ``behaviors`` are what acts on the source and on the target."""
        images = (
            self.source.collect(source, behaviors[0], self.round),
            self.target.collect(target, behaviors[1], self.round),
        )
        self.round += 1
        return images

    def state_dict(self) -> dict[str, Any]:
        """Return the number of rounds so far, and the generator's state."""
        return {"iteration": self.round, "generator": self.source.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.round = int(state["iteration"])
        self.source.generator.set_state(state["generator"].cpu())
