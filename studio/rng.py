"""Random numbers for many episodes at once, each episode's from its own seed.

A generator object for each episode costs more than a short episode's physics. Here number k of an episode is a hash of
(seed, k), so one call fills a column for every episode, and an episode's numbers do not depend on which others begin
with it. The hash is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from studio.errors import StudioError

Array = np.ndarray
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


def checked_seeds(seeds: Sequence[Any], count: int) -> list[int | None]:
    """The seeds of ``count`` episodes, plain integers; None where none is given. Raises StudioError where they are
    others."""
    if len(seeds) != count:
        raise StudioError(
            f"{len(seeds)} seeds are given for {count} episodes.", "seed", "Give one for each, or one alone."
        )
    for seed in seeds:
        if seed is not None and not (isinstance(seed, Integral) and 0 <= int(seed) < 1 << 63):
            raise StudioError(f"{seed!r} is no seed.", "seed", "Give a whole number from 0 to 2⁶³ − 1.")
    return [None if seed is None else int(seed) for seed in seeds]


def _mix(z: Array) -> Array:
    z = (z ^ (z >> _S30)) * _FIRST
    z = (z ^ (z >> _S27)) * _SECOND
    return np.asarray(z ^ (z >> _S31))


class EpisodeRng:
    """The random numbers of some episodes.

    Args:
        seeds: one for each episode, (n,) integers.
        stream: another stream has other numbers for the same seed.
    """

    def __init__(self, seeds: Sequence[int] | Array, stream: int | Array = 0) -> None:
        self.seeds = np.asarray(seeds, np.uint64)
        streams = np.broadcast_to(np.asarray(stream, np.uint64), self.seeds.shape)
        self._state = _mix(_mix(self.seeds + _GAMMA) ^ _mix(streams * _FIRST + _SECOND))
        self._drawn = 0

    def __len__(self) -> int:
        return len(self.seeds)

    def uniform(self, low: float | Array = 0.0, high: float | Array = 1.0, shape: tuple[int, ...] = ()) -> Array:
        """Uniform in [low, high), (n, *shape)."""
        count = math.prod(shape)
        counters = np.arange(self._drawn + 1, self._drawn + 1 + count, dtype=np.uint64)
        self._drawn += count
        bits = _mix(self._state[:, None] + counters * _GAMMA)
        unit = (bits >> _S11).astype(float) * 2.0**-53
        return np.asarray(low + (np.asarray(high) - low) * unit.reshape(len(self.seeds), *shape))

    def normal(self, shape: tuple[int, ...] = ()) -> Array:
        """Standard normal, (n, *shape), by Box and Muller's transform."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(shape=shape)))
        return np.asarray(radius * np.cos(2 * np.pi * self.uniform(shape=shape)))

    def generators(self) -> list[np.random.Generator]:
        """Return a generator for each episode, for draws that loop (rejection); much slower."""
        return [np.random.default_rng([int(seed), self._drawn]) for seed in self.seeds]
