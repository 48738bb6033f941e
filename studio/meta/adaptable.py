"""A policy that is trained to be adapted: its loss is that of the parameters after an inner loop."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from studio.contracts import Batch, Outputs, TrainablePolicy
from studio.meta.inner_loop import adapt, rate_of, scaled_log_rates

Entries = dict[str, Any]  # of a batch: observations (by entry), actions, domain, embodiment


class Adaptable(nn.Module):
    """A policy with the rates of its inner loop, for each adapted parameter and step, which may be learned.

    Sources: a rate for each tensor: Antoniou et al. 2019 (MAML++), arXiv:1810.09502; for each number of it: Li et al.
    2017 (Meta-SGD), arXiv:1707.09835; a part of the policy alone: Raghu et al. 2020 (ANIL), arXiv:1909.09157.

    Args:
        steps: of the inner loop.
        rate: what all rates start from.
        learn_rates: whether the outer loop trains them.
        first_order: whether inner gradients are constants to the outer loop.
        modules: names of the policy's modules that the inner loop changes; none: all.
        elementwise: every number of a tensor has rates of its own, instead of every tensor.

    Raises:
        ValueError: the policy has no parameter in one of the modules.
    """

    def __init__(
        self,
        policy: TrainablePolicy,
        steps: int,
        rate: float,
        learn_rates: bool = False,
        first_order: bool = False,
        modules: Sequence[str] = (),
        elementwise: bool = False,
    ) -> None:
        super().__init__()
        self.inner = _PolicyLoss(policy)
        self.steps, self.first_order = steps, first_order
        inner = dict(self.inner.named_parameters())
        for module in modules:
            if not any(_inside(name, module) for name in inner):
                raise ValueError(f"the policy has no parameter in '{module}'")
        self.names = [name for name in inner if not modules or any(_inside(name, module) for module in modules)]
        shapes = [inner[name].shape if elementwise else torch.Size() for name in self.names]
        self.scaled_log_rates = scaled_log_rates(shapes, steps, rate, learn_rates)

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

    def adapted(self, policy: TrainablePolicy, support: Batch) -> TrainablePolicy:
        """Return a copy of a policy with this one's parameters, adapted to all rows of a support."""
        made = copy.deepcopy(policy)
        inner = _PolicyLoss(made)
        with sdpa_kernel(SDPBackend.MATH):
            found = self._adapted(inner, {n: v.detach() for n, v in inner.named_parameters()}, _entries(support), True)
        with torch.no_grad():
            for name, value in inner.named_parameters():
                value.copy_(found[name])
        return made

    def _query(self, support: Entries, query: Entries) -> tuple[Tensor, Tensor, Tensor]:
        found = self._adapted(self.inner, dict(self.inner.named_parameters()), support, self.first_order)
        outputs: tuple[Tensor, Tensor, Tensor] = functional_call(self.inner, found, (query,))
        return outputs

    def _adapted(
        self, inner: _PolicyLoss, parameters: Mapping[str, Tensor], support: Entries, first_order: bool
    ) -> dict[str, Tensor]:
        """Return all parameters, of which those that are adapted are found by the inner loop."""
        kept = {name: value for name, value in parameters.items() if name not in self.names}
        rates = {n: rate_of(v) for n, v in zip(self.names, self.scaled_log_rates, strict=True)}
        found = adapt(
            {name: parameters[name] for name in self.names},
            lambda given, rows: functional_call(inner, {**kept, **given}, (rows,))[0],
            support,
            self.steps,
            rates,
            first_order,
        )
        return {**kept, **found}


class _PolicyLoss(nn.Module):
    """A policy whose call is its loss, as ``functional_call`` needs it."""

    def __init__(self, policy: TrainablePolicy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, entries: Entries) -> tuple[Tensor, Tensor, Tensor]:
        loss, outputs = self.policy.loss(Batch(**entries))
        return loss, outputs.features, outputs.prediction


def _inside(name: str, module: str) -> bool:
    return name.startswith(f"policy.{module}.")


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
