"""Actions as tokens: each dimension in 256 uniform bins between the 1st and the 99th percentile of the demonstrations.

After OpenVLA (Kim et al. 2024, arXiv:2406.09246, section 3.2). OpenVLA-OFT (arXiv:2502.19645) scales actions for
its L1 head by the same percentiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from studio.contracts import SLOTS, EmbodimentSpec
from studio.nn.action_space import scatter_slots
from studio.nn.spaces import Tables

BINS = 256
LEAST_RANGE = 2e-2  # of a dimension that hardly moves in the data


class ActionBins(Tables):
    """The range of each embodiment's actions: slots between ``low`` and ``high`` are scaled to [−1, 1] and binned.

    Tables have a row for each embodiment, (embodiments, 32); slots that a robot lacks have the range [−1, 1].
    """

    low: Tensor
    high: Tensor
    mask: Tensor  # bool: the robot's own slots

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", -torch.ones(1, SLOTS))
        self.register_buffer("high", torch.ones(1, SLOTS))
        self.register_buffer("mask", torch.zeros(1, SLOTS, dtype=torch.bool))

    def bind(self, embodiments: Sequence[EmbodimentSpec], masks: Tensor, keep: bool) -> None:
        """Take the percentiles of embodiments whose slots are ``masks`` (embodiments, 32).

        Args:
            keep: slots of end-effector control that are known keep their range, so that a token means the same step.
        """
        known, first = self.mask[0].cpu(), (self.low[0].cpu(), self.high[0].cpu())
        lows, highs = [], []
        for spec, mask in zip(embodiments, masks.cpu(), strict=True):
            low, high = (torch.as_tensor(spec.statistics["actions"][q]).float()[None] for q in ("q01", "q99"))
            low, high = (scatter_slots(values, mask[None])[0] for values in (low, high))
            middle, half = (low + high) / 2, ((high - low) / 2).clamp_min(LEAST_RANGE / 2)
            kept = known & mask & torch.tensor(keep and spec.control == "end_effector")
            lows.append(torch.where(kept, first[0], torch.where(mask, middle - half, -1.0)))
            highs.append(torch.where(kept, first[1], torch.where(mask, middle + half, 1.0)))
        device = self.low.device
        self.low, self.high = torch.stack(lows).to(device), torch.stack(highs).to(device)
        self.mask = masks.to(device)

    def scaled(self, native: Tensor, embodiment: Tensor) -> Tensor:
        """Return native actions, (n, widest) or chunks (n, chunk, widest), in their slots, (…, 32): −1 and 1 are the
        percentiles."""
        if native.dim() == 3:
            n, chunk, _ = native.shape
            return self.scaled(native.flatten(0, 1), embodiment.repeat_interleave(chunk)).view(n, chunk, SLOTS)
        low, high = self.low[embodiment], self.high[embodiment]
        values = scatter_slots(native, self.mask[embodiment])
        return torch.where(self.mask[embodiment], 2 * (values - low) / (high - low) - 1, 0.0)

    def native(self, scaled: Tensor, row: int = 0) -> Tensor:
        """Return scaled actions (…, 32) of one embodiment as native ones, (…, dof)."""
        values = (scaled + 1) / 2 * (self.high[row] - self.low[row]) + self.low[row]
        return values[..., self.mask[row]]

    @property
    def dimensions(self) -> int:
        """Dimensions of the widest robot's actions."""
        return int(self.mask.sum(-1).max())

    def of_dimensions(self, native: Tensor, embodiment: Tensor) -> tuple[Tensor, Tensor]:
        """Return the bins (n, dimensions) of native actions, a robot's own dimensions first, and which of them are
        real."""
        order, real = self._order(embodiment)
        return binned(self.scaled(native, embodiment)).gather(1, order), real

    def in_slots(self, values: Tensor, embodiment: Tensor) -> Tensor:
        """Return values of dimensions (n, dimensions) in their slots, (n, 32), zeros elsewhere."""
        order, real = self._order(embodiment)
        return values.new_zeros(len(values), SLOTS).scatter_add(1, order, torch.where(real, values, 0.0))

    def _order(self, embodiment: Tensor) -> tuple[Tensor, Tensor]:
        """Return the slot of each dimension, (n, dimensions), and which dimensions a sample's robot has."""
        mask = self.mask[embodiment]
        order = (~mask).long().argsort(dim=1, stable=True)[:, : self.dimensions]
        return order, mask.gather(1, order)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input; PEFT expects a callable module."""
        return x


def binned(scaled: Tensor) -> Tensor:
    """Return the bins (long, 0 to 255) of values; those beyond [−1, 1] fall into the outermost."""
    return ((scaled + 1) / 2 * BINS).floor().long().clamp(0, BINS - 1)


def centers(bins: Tensor) -> Tensor:
    """Return the centers of bins, in [−1, 1]."""
    return (bins + 0.5) * (2 / BINS) - 1
