"""A convolutional network that chooses one of a few actions from an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from studio.contracts import AdaptableBlock, Batch, EmbodimentSpec, Observation, Outputs
from studio.errors import ExperimentError
from studio.experiment import Settings, setting
from studio.nn.fingerprint import Fingerprint
from studio.nn.policy import BasePolicy


class ImageClassifier(BasePolicy):
    """Two convolutions with max-pooling, whose values are the features, and a perceptron for the choices' logits. Every
    channel of an image is normalized by its own mean and deviation, so that contrast and color count for less (Ulyanov
    et al. 2016, arXiv:1607.08022). It acts by the most probable choice."""

    id = "image_classifier"
    title = "Image classifier"
    summary = "Convolutional network that chooses one of a few discrete actions from an image."
    reference = "After the network for MNIST of Ganin et al. 2016, arXiv:1505.07818, figure 4a"
    controls = ("discrete",)
    entries = ("image",)
    loss_unit = "nats"
    gives_probabilities = True
    has_features = True

    class Params(Settings):
        """Size of the network."""

        choices: int = setting(10, "Choices", "Number of actions to choose from: the task's.", ge=2, le=10_000)
        channels: int = setting(
            24, "Channels", "Channels of the first convolution; the second has 8 more.", ge=4, le=256
        )
        width: int = setting(100, "Width", "Width of the hidden layer behind the features.", ge=4, le=4096)

    def __init__(self, params: Params | None = None, observation: str = "image") -> None:
        super().__init__()
        p = params or self.Params()
        self.params, self.observation = p, observation
        wider = p.channels + 8
        self.encoder = nn.Sequential(
            nn.Conv2d(3, p.channels, 5, stride=2, padding=2), nn.GroupNorm(p.channels, p.channels), nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(p.channels, wider, 5, padding=2), nn.GroupNorm(wider, wider), nn.ReLU(),
            nn.AdaptiveMaxPool2d(4), nn.Flatten(),
        )  # fmt: skip
        self.action_head = nn.Sequential(nn.Linear(16 * wider, p.width), nn.ReLU(), nn.Linear(p.width, p.choices))
        self.fingerprint = Fingerprint()
        self.prompt: nn.Parameter | None
        self.register_parameter("prompt", None)

    @property
    def adapter_targets(self) -> Sequence[str]:
        """Return the head's hidden layer."""
        return ("action_head.0",)

    @property
    def modules_to_save(self) -> Sequence[str]:
        """Return the base's fingerprint."""
        return ("fingerprint",)

    @property
    def trunk(self) -> Sequence[str]:
        """Return nothing: the head reads what the encoder gives."""
        return ()

    @property
    def head(self) -> str:
        return "action_head"

    def output_mask(self, slots: Sequence[int]) -> Tensor:
        """Return all choices: together they are the one slot of a discrete control."""
        return torch.full((self.params.choices,), 0 in slots)

    @property
    def blocks(self) -> Sequence[AdaptableBlock]:
        """Return nothing: there are no transformer blocks."""
        return ()

    @property
    def feature_width(self) -> int:
        return 16 * (self.params.channels + 8)

    @property
    def token_width(self) -> int:
        return self.feature_width

    def bind(self, embodiments: Sequence[EmbodimentSpec], keep: bool = False) -> None:
        """Check that every task has as many choices as the head; there are no statistics.

        Raises:
            ExperimentError: one has another number.
        """
        for spec in embodiments:
            if spec.choices != self.params.choices:
                words = f"The policy chooses among {self.params.choices} actions; the task has {spec.choices}."
                raise ExperimentError(words, "policy.params.choices", f"Set it to {spec.choices}.")

    def act(self, observation: Observation, memory: Any = None) -> tuple[np.ndarray, Any]:
        """Return the most probable choices, (n, 1); there is no memory."""
        with torch.inference_mode():
            return self(self.tensors(observation)).argmax(1, keepdim=True).float().cpu().numpy(), memory

    def probabilities(self, observation: Observation) -> np.ndarray:
        with torch.inference_mode():
            return self(self.tensors(observation)).softmax(1).cpu().numpy()

    def entropy(self, observation: Observation, memory: Any = None) -> np.ndarray:
        """Return the entropy of the choices' probabilities, (n,), nats."""
        p = self.probabilities(observation)
        return -(p * np.log(np.maximum(p, 1e-12))).sum(1)

    def tensors(self, observation: Observation) -> dict[str, Tensor]:
        """Return the entries that the policy reads, on its device: images as uint8."""
        device = next(self.parameters()).device
        return {
            name: torch.as_tensor(observation[name]).to(device) for name in ("image", "actions") if name in observation
        }

    def forward(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Return the choices' logits, (n, choices), for the entries that :meth:`tensors` returned."""
        return self.action_head(self._features(observation))

    def features(self, batch: Batch) -> Tensor:
        return self._features(batch.observations)

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        """Return the cross-entropy of the recorded choices; the prediction is the logits, (n, choices)."""
        features = self.features(batch) if batch.features is None else batch.features
        prediction = self.action_head(features)
        each = cross_entropy(prediction, batch.actions[:, 0].long(), reduction="none")
        loss = each.mean() if batch.weight is None else (each * batch.weight).sum() / batch.weight.sum()
        return loss, Outputs(features, prediction)

    def _features(self, observation: Mapping[str, Tensor]) -> Tensor:
        image = observation["image"].permute(0, 3, 1, 2).float().div(127.5).sub(1)
        return self.encoder(image)
