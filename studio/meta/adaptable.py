"""A policy that is trained to be adapted: its loss is that of the parameters after an inner loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from studio.contracts import Batch, Outputs, TrainablePolicy
from studio.meta.inner_loop import adapt

Entries = dict[str, Any]  # of a batch: observations (by entry), actions, domain, embodiment


class Adaptable(nn.Module):
    """A policy with the rates of its inner loop, (parameters, steps), which may be learned.

    Args:
        steps: of the inner loop.
        rate: what all rates start from.
        learn_rates: whether the outer loop trains them.
        first_order: whether inner gradients are constants to the outer loop.
    """

    def __init__(
        self, policy: TrainablePolicy, steps: int, rate: float, learn_rates: bool = False, first_order: bool = False
    ) -> None:
        super().__init__()
        self.inner = _PolicyLoss(policy)
        self.steps, self.first_order = steps, first_order
        self.names = [name for name, _ in self.inner.named_parameters()]
        start = torch.full((len(self.names), steps), math.log(rate))
        self.log_rates = nn.Parameter(start, requires_grad=learn_rates)

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        """Return the query's loss after adaptation to the support, (), the mean over tasks, with the query's outputs.

        Args:
            batch: (tasks, rows, …), of each task the support's rows and then as many of the query.
        """
        half = batch.actions.shape[1] // 2
        entries = _entries(batch)
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels have no second derivative
            losses, features, prediction = torch.vmap(self._query)(
                _rows(entries, slice(half)), _rows(entries, slice(half, None))
            )
        return losses.mean(), Outputs(features, prediction)

    def adapted(self, policy: TrainablePolicy, support: Batch) -> Any:
        """Return a copy of a policy with this one's parameters, adapted to all rows of a support."""
        made = cast(Any, copy.deepcopy(policy))
        inner = _PolicyLoss(made)
        with sdpa_kernel(SDPBackend.MATH):
            found = adapt(
                {name: value.detach() for name, value in inner.named_parameters()},
                lambda given, rows: functional_call(inner, dict(given), (rows,))[0],
                _entries(support),
                self.steps,
                self._rates(),
            )
        with torch.no_grad():
            for name, value in inner.named_parameters():
                value.copy_(found[name])
        return made

    def _query(self, support: Entries, query: Entries) -> tuple[Tensor, Tensor, Tensor]:
        found = adapt(
            dict(self.inner.named_parameters()),
            lambda given, rows: functional_call(self.inner, dict(given), (rows,))[0],
            support,
            self.steps,
            self._rates(),
            self.first_order,
        )
        outputs: tuple[Tensor, Tensor, Tensor] = functional_call(self.inner, found, (query,))
        return outputs

    def _rates(self) -> Mapping[str, Tensor]:
        return dict(zip(self.names, self.log_rates.exp(), strict=True))


class _PolicyLoss(nn.Module):
    """A policy whose call is its loss, as ``functional_call`` needs it."""

    def __init__(self, policy: TrainablePolicy) -> None:
        super().__init__()
        self.policy: Any = policy

    def forward(self, entries: Entries) -> tuple[Tensor, Tensor, Tensor]:
        loss, outputs = self.policy.loss(Batch(**entries))
        return loss, outputs.features, outputs.prediction


def _entries(batch: Batch) -> Entries:
    entries = {
        "observations": dict(batch.observations),
        "actions": batch.actions,
        "domain": batch.domain,
        "embodiment": batch.embodiment,
    }
    return entries if batch.mask is None else {**entries, "mask": batch.mask}


def _rows(entries: Entries, rows: slice) -> Entries:
    """Return some rows of every task, (tasks, rows, …)."""
    return {
        name: {entry: part[:, rows] for entry, part in value.items()} if isinstance(value, dict) else value[:, rows]
        for name, value in entries.items()
    }
