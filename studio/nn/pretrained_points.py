"""Feature points of a pretrained vision encoder, which is frozen, adapted by low-rank updates, or trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from studio.nn.encoders import feature_points
from studio.nn.pretrained_encoders import load_weights, make_encoder

Training = Literal["frozen", "lora", "full"]
SHARPNESS = 2.0  # log of the first temperature of the soft-argmax; the maps vary more than those of new convolutions
SCALE = 2.0  # of low-rank updates: alpha / rank
AT_ONCE = 256  # images
MOST_BYTES = 2**31  # of features that are kept in memory


class PretrainedPoints(nn.Module):
    """Locates ``points`` mixtures of an encoder's features in the image.

    (n, 3, h, w) in [0, 1], or the encoder's normalized map of it, (n, width, rows, columns) → (n, points, 3), as
    :class:`studio.nn.encoders.FeaturePoints`.

    Args:
        name: of the encoder, see :func:`studio.nn.pretrained_encoders.make_encoder`.
        training: what of the encoder is trained: nothing, low-rank updates of its layers, or all of it. Statistics of
            its normalization stay as they are.
        rank: of the updates.
        folder: a saved policy's, with the encoder's description; the weights follow with the policy's. None: they are
            loaded.
    """

    def __init__(
        self, name: str, points: int, training: Training = "frozen", rank: int = 8, folder: Path | None = None
    ) -> None:
        super().__init__()
        self.encoder = make_encoder(name, folder)
        if folder is None and not next(self.encoder.parameters()).is_meta:  # a hollow one has no place for weights
            load_weights(name, self.encoder)
        self.encoder.eval()
        self.is_frozen = training == "frozen"
        if training != "full":
            freeze(self.encoder)
        if training == "lora":
            add_low_rank(self.encoder, rank)
        self.mixtures = nn.Conv2d(self.encoder.width, points, 1)
        self.log_temperature = nn.Parameter(torch.full((points, 1), SHARPNESS))

    def train(self, mode: bool = True) -> PretrainedPoints:
        """Set training mode, but for the encoder's."""
        super().train(mode)
        self.encoder.eval()
        return self

    def maps(self, image: Tensor) -> Tensor:
        """Return the encoder's features, each place's with mean square 1, (n, width, rows, columns)."""
        found = self.encoder(image)
        return functional.normalize(found, dim=1) * found.shape[1] ** 0.5

    def computed_once(self, images: Tensor, prepared: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the features of all images, (n, width, rows, columns); the images where they would fill the memory.

        Args:
            prepared: makes of images what :meth:`maps` reads.
        """
        with torch.no_grad():
            first, *others = images.split(AT_ONCE)
            found = self.maps(prepared(first))
            if found[0].nbytes * len(images) > MOST_BYTES:
                return images
            return torch.cat([found, *(self.maps(prepared(some)) for some in others)])

    def forward(self, image: Tensor) -> Tensor:
        maps = self.maps(image) if image.shape[1] == 3 else image
        return feature_points(self.mixtures(maps), self.log_temperature)


class LowRank(nn.Module):
    """A weight plus SCALE · B A, with B zero at the start (Hu et al. 2021, arXiv:2106.09685).

    Kernels of convolutions count as matrices of (outputs, inputs · height · width).
    """

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        outputs, inputs = weight.flatten(1).shape
        rank = min(rank, outputs, inputs)
        self.a = nn.Parameter(torch.randn(rank, inputs) * inputs**-0.5)
        self.b = nn.Parameter(torch.zeros(outputs, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + SCALE * (self.b @ self.a).view_as(weight)


def freeze(module: nn.Module) -> None:
    """Make all parameters buffers: saved and moved as before, but trained by nothing, whatever it unfreezes."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())


def add_low_rank(module: nn.Module, rank: int) -> None:
    """Give all linear layers and convolutions low-rank updates."""
    for part in list(module.modules()):
        if isinstance(part, nn.Linear | nn.Conv2d):
            parametrize.register_parametrization(part, "weight", LowRank(part.weight, rank))
