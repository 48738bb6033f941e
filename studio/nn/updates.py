"""What a training changed in a policy's weights: the spectrum of each layer's update, and weighted sums of updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from studio.errors import DataError

Array = np.ndarray
State = Mapping[str, Tensor]
SHARE = 0.99  # of an update's energy that a rank is asked to hold


@dataclass(frozen=True)
class Spectrum:
    """Singular values of one layer's update ΔW, largest first; those below float32's rounding error are left out."""

    layer: str
    shape: tuple[int, int]
    values: Array  # (rank,)

    @property
    def norm(self) -> float:
        """‖ΔW‖, Frobenius."""
        return float(np.sqrt((self.values**2).sum()))

    def energy(self, rank: int) -> float:
        """Return the share of ‖ΔW‖² that the best update of this rank holds (Eckart and Young 1936)."""
        total = float((self.values**2).sum())
        return float((self.values[:rank] ** 2).sum()) / total if total else 1.0

    def error(self, rank: int) -> float:
        """Return ‖ΔW − ΔW_r‖, Frobenius, of the best update of this rank."""
        return float(np.sqrt((self.values[rank:] ** 2).sum()))

    def rank_of(self, share: float = SHARE) -> int:
        """Return the lowest rank that holds a share of the energy; 0: nothing was changed."""
        squares = np.cumsum(self.values**2)
        return int(np.searchsorted(squares, share * squares[-1] * (1 - 1e-12))) + 1 if len(squares) else 0


def spectrum(layer: str, base: Tensor, trained: Tensor) -> Spectrum:
    """Return the spectrum of the update from one weight (out, in) to another."""
    values = torch.linalg.svdvals(_difference(base, trained)).cpu().numpy()
    return Spectrum(layer, (int(base.shape[0]), int(base.shape[1])), values[values > _rounding(trained)])


def low_rank(base: Tensor, trained: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return B (out, rank) and A (rank, in), whose product is the best update of this rank."""
    u, s, v = torch.linalg.svd(_difference(base, trained), full_matrices=False)
    root = s[:rank].sqrt()
    return (u[:, :rank] * root).to(base.dtype), (root[:, None] * v[:rank]).to(base.dtype)


def combined(base: State, trained: Sequence[State], weights: Sequence[float]) -> dict[str, Tensor]:
    """Return base + Σ weight · (trained − base); exact for merged adapters of any kind, and for modules trained whole.

    Raises:
        DataError: the states have other tensors, or other slots of actions: they were trained for other robots.
    """
    for state in trained:
        check_alike(base, state)
    return {
        name: sum(
            (w * (state[name] - value) for state, w in zip(trained, weights, strict=True)), start=value.clone()
        ) if value.is_floating_point() else value
        for name, value in base.items()
    }  # fmt: skip


def check_alike(one: State, other: State) -> None:
    """Raise DataError where a weighted sum of two states means nothing."""
    for name in sorted(one.keys() | other.keys()):
        here, there = one.get(name), other.get(name)
        if here is None or there is None or here.shape != there.shape:
            fits = False
        else:
            fits = here.is_floating_point() or torch.equal(here, there)
        if not fits:
            raise DataError(
                f"The adapters cannot be added: '{name}' differs in shape or in its slots.",
                "adapter",
                "Blend adapters of one policy for one robot.",
            )


def changed(base: State, trained: State) -> list[str]:
    """Return the names of all tensors that differ."""
    return [name for name, value in trained.items() if name not in base or not torch.equal(value, base[name])]


def under(names: Iterable[str], modules: Iterable[str]) -> set[str]:
    """Return those names of tensors that lie in one of the modules."""
    heads = tuple(f"{module}." for module in modules)
    return {name for name in names if name.startswith(heads)}


def _difference(base: Tensor, trained: Tensor) -> Tensor:
    return trained.detach().double() - base.detach().double()


def _rounding(weight: Tensor) -> float:
    """The spectral norm that rounding a weight to float32 alone would give its difference."""
    rows, columns = weight.shape
    size = float(weight.detach().double().square().mean().sqrt())
    return float(torch.finfo(torch.float32).eps) * size * (rows**0.5 + columns**0.5)
