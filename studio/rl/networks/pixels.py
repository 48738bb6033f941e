"""An actor on images, and a critic that may read the simulation's state in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import Batch, Ids
from studio.experiment import Settings, setting
from studio.nn.encoders import Encoder
from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.networks.distributions import normal_entropy
from studio.rl.networks.mlp import network
from studio.rl.networks.policy import ReinforcementPolicy

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray


class PixelActorCritic(ReinforcementPolicy):
    """An image encoder with an action head.

    The critic is used in training only, so it may read the simulation's state, from which values are easier to learn
    (asymmetric actor-critic). A policy without ``image`` is blank: :meth:`fit` gives it sizes, ranges and weights.
    """

    id = "pixel_actor_critic"
    title = "Pixel actor-critic"
    summary = (
        "Actor on camera images with a critic on the simulation's state (asymmetric actor-critic); for "
        "reinforcement learning."
    )
    reference = "Pinto et al. 2017, Asymmetric Actor Critic for Image-Based Robot Learning (arXiv:1710.06542)"
    sizes = ("image", "outputs")
    has_features = True
    algorithm = "pixel_ppo"  # the key in studio.rl.learners of what trains it as a source policy

    class Params(Settings):
        """Size of the networks, and the critic's input."""

        channels: int = setting(16, "Channels", "Channels of the first convolution layer.", ge=1, le=512)
        points: int = setting(16, "Points", "Number of image feature points (spatial soft-argmax).", ge=1, le=512)
        features: int = setting(32, "Features", "Width of the encoder's features.", ge=2, le=4096)
        width: int = setting(64, "Width", "Width of the hidden layers of actor head and critic.", ge=4, le=4096)
        layers: int = setting(1, "Layers", "Hidden layers of actor head and critic.", ge=1, le=8)
        critic: Literal["state", "features"] = setting(
            "state", "Critic", "Input of the critic: the simulation's state with the goal, or the encoder's features."
        )
        log_std: float = setting(
            -1.5, "Log-std", "Logarithm of the initial standard deviation of the actions.", ge=-5, le=2
        )
        image: int = setting(
            0, "Image", "Width and height of the image; 0: as the domain has it.", "px", ge=0, le=256, derived=True
        )
        state: int = setting(
            0, "State", "Width of the critic's state; 0: as the task has it.", ge=0, le=100_000, derived=True
        )
        outputs: int = setting(
            0, "Outputs", "Width of the action; 0: as the task has it.", ge=0, le=10_000, derived=True
        )

    def fit(self, image: int, state: int, low: Array, high: Array, seed: int) -> None:
        """Build the networks for images of ``image`` px, a critic's state of width ``state``, and actions within
        ``low`` to ``high`` (width,)."""
        self.make(seed, image=image, state=state, outputs=len(low))
        self.set_ranges(low, high)

    def fit_to(self, world: World, seed: int) -> None:
        """Call :meth:`fit` with the sizes and ranges of a world that observes images."""
        width = privileged(world.observe(slice(1)), goals(world, slice(1))).shape[1]
        self.fit(world.domain.image_size, width, world.control.low, world.control.high, seed)

    def _build(self) -> None:
        p = self.params
        self.encoder = Encoder(p.channels, p.points, p.features)
        hidden = [p.width] * p.layers
        self.actor = network([p.features, *hidden, p.outputs], 0.01)
        self.critic = network([p.state if p.critic == "state" else p.features, *hidden, 1], 1.0)
        self.decoder = nn.Linear(p.features, p.state)  # for training: predicts the state from the features
        self.log_std = nn.Parameter(torch.full((p.outputs,), p.log_std))
        self.moments = RunningMeanStd(p.state)
        self.rewards = RunningMeanStd(1)  # of discounted returns: the scale of the critic's values
        self._add_ranges()

    def forward(self, images: Tensor) -> Tensor:
        """Return features (n, features) of images (n, h, w, 3) uint8."""
        return self.encoder(images)

    def tensors(self, observation: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the images, (n, h, w, 3) uint8, on the policy's device."""
        return {"image": torch.as_tensor(np.ascontiguousarray(observation["image"]), device=self.device)}

    def features(self, batch: Batch) -> Tensor:
        """Return the encoder's features, (n, features)."""
        return self(batch.observations["image"])

    def state_value(self, features: Tensor, state: Tensor) -> Tensor:
        """Return the critic's V, (…,), in the scale of the normalized rewards.

        Args:
            features: (…, features); read if ``params.critic`` is "features".
            state: normalized, (…, state); read otherwise.
        """
        return self.critic(state if self.params.critic == "state" else features).squeeze(-1)

    def act(self, observation: Mapping[str, Any], memory: Any = None) -> tuple[Array, Any]:
        """Return the means as native actions (n, outputs) within their range; there is no memory."""
        with torch.inference_mode():
            images = self.tensors(observation)["image"]
            return self.native(self.actor(self.encoder(images))).cpu().numpy(), memory

    def entropy(self, observation: Mapping[str, Any], memory: Any = None) -> Array:
        """Return the entropy of the exploring action distribution, (n,), nats, with actions scaled to [−1, 1]."""
        with torch.inference_mode():
            return np.full(len(observation["image"]), float(normal_entropy(self.log_std)))

    def native(self, actions: Tensor) -> Tensor:
        """Return actions scaled to [−1, 1] in the world's own units, clipped to their range."""
        return self.low + (self.high - self.low) * (actions.clamp(-1, 1) + 1) / 2


def privileged(observation: Mapping[str, Any], goal: Array) -> Array:
    """Return the critic's input: an observation's entries but the image, then the goal; (n, width) float32."""
    parts = [np.asarray(observation[key]) for key in sorted(observation) if key != "image"]
    return np.concatenate([*parts, goal], 1).astype(np.float32)


def goals(world: World, ids: Ids = slice(None)) -> Array:
    """Return the goals of a world's simulations, (n, goal_width); for a task without goals (n, 0)."""
    if "goal" not in world.task.observations:
        return np.empty((len(world.env_indices(ids)), 0))
    return np.asarray(world.task.goal(world, ids))
