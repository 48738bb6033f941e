"""Images of a world with what was earned there, gathered by some way of acting; nothing is learned by reinforcement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from studio.rl.networks.pixels import PixelActorCritic, goals, privileged
from studio.sim.world import World

Acting = Literal["own_policy", "random", "expert"]


@dataclass
class Gathered:
    """``images`` (n, h, w, 3) uint8; ``rewards`` (n,): of the step that led there; ``states`` (n, width): what a critic
    may see of them, see :func:`studio.rl.networks.pixels.privileged`."""

    images: Tensor
    rewards: Tensor
    states: Tensor


class ImageCollector:
    """Gathers from the beginnings of new episodes, the same in every run: they depend on nothing that came before.

    Args:
        steps: of each simulation.
        seed: of the first episode; the next ``simulations × rounds`` are this gathering's.
    """

    def __init__(self, world: World, steps: int, seed: int, generator: torch.Generator) -> None:
        self.world, self.steps, self.seed, self.generator = world, steps, seed, generator

    @torch.no_grad()
    def gather(self, policy: PixelActorCritic, acting: Acting, turn: int) -> Gathered:
        """What is seen in round ``turn``; the policy acts with its exploration."""
        world, device = self.world, policy.low.device
        observation, _ = world.reset(seed=self.seed + turn * world.num_envs)
        images, rewards, states = [], [], []
        for _ in range(self.steps):
            native = self._act(policy, acting, observation)
            observation, reward, terminated, truncated, _ = world.step(native)
            within = ~(terminated | truncated)  # where an episode ended, the image is already of the next one
            images.append(torch.from_numpy(observation["image"][within]))
            rewards.append(torch.from_numpy(np.asarray(reward)[within]).float())
            states.append(torch.from_numpy(privileged(observation, goals(world))[within]))
        return Gathered(*(torch.cat(parts).to(device) for parts in (images, rewards, states)))

    def _act(self, policy: PixelActorCritic, acting: Acting, observation: dict[str, Any]) -> np.ndarray:
        if acting == "expert":
            return self.world.expert(slice(None))
        device, shape = policy.low.device, (self.world.num_envs, policy.params.outputs)
        noise = torch.randn(shape, generator=self.generator, device=device)
        if acting == "random":
            return policy.native(noise).cpu().numpy()
        features = policy(torch.from_numpy(observation["image"]).to(device))
        return policy.native(policy.actor(features) + noise * policy.log_std.exp()).cpu().numpy()
