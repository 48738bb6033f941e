"""What a policy learns from: the samples of one gradient step, and what the policy makes of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Samples for one gradient step, of one domain or of several, of one embodiment or of several.

    Native values of embodiments of different widths are padded to the widest: the first entries of a row are the
    embodiment's own, and a policy never reads those behind them.

    Args:
        observations: by entry: ``image`` (n, h, w, 3) uint8, ``instruction`` (n, 96) uint8, ``joint_pos`` (n, widest),
            ``eef_pos``, ``goal`` ….
        actions: native, (n, widest), in [−1, 1]; (n, chunk, widest) for a policy that predicts chunks.
        domain: (n,) long: 0 is the target, 1 and up the sources in their order.
        embodiment: (n,) long: the row of the tables that ``TrainablePolicy.bind`` made.
        weight: (n,), how much each sample counts; None: all alike.
        mask: (n, chunk) bool, which steps of an action chunk exist: none behind an episode's end; None: one step each.
        features: (n, width), where the policy's features were computed before; None: they are computed.
        progress: the share of the training that is done, 0 to 1, for schedules.
    """

    observations: Mapping[str, Tensor]
    actions: Tensor
    domain: Tensor
    embodiment: Tensor
    weight: Tensor | None = None
    mask: Tensor | None = None
    features: Tensor | None = None
    progress: float = 0.0

    def __len__(self) -> int:
        return len(self.actions)

    def replace(self, **changes: Any) -> Batch:
        """Return a batch with some fields changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class Outputs:
    """What a policy computed for a batch: the features its head reads, (n, width), and the head's prediction."""

    features: Tensor
    prediction: Tensor


class AuxiliaryLoss(Protocol):
    """A loss beside the learner's own: domain-adversarial, discrepancy of features, a consistency …

    One with parameters of its own is also a module: its strategy gives them to the learner and names it in
    ``Strategy.stateful``.
    """

    def __call__(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Return the loss, (), which is added to the learner's, and values to be logged, each ()."""


class Batches(Protocol):
    """Batches by the number of the iteration: the same one each time it is asked for."""

    def batch(self, iteration: int) -> Batch:
        """Return the batch of an iteration."""
