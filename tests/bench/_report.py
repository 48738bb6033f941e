"""Rows of a bench's result, and intervals over its seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import numpy as np


def row(
    id: str, value: float, unit: str, target: str = "", met: bool | None = None, seeds: Iterable[float] = ()
) -> dict[str, Any]:
    """A figure, what was asked, whether that was met (None: nothing was asked); ``seeds``: what each of them gave."""
    each = [float(value) for value in seeds]
    return {"id": id, "value": value, "unit": unit, "target": target, "met": met} | ({"seeds": each} if each else {})


def seed_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95% bootstrap interval of the mean of values (seeds, tasks); both are drawn again."""
    rng = np.random.default_rng(0)
    seeds, tasks = values.shape
    means = [values[rng.integers(seeds, size=seeds)][:, rng.integers(tasks, size=tasks)].mean() for _ in range(4000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def finish(rows: list[dict[str, Any]]) -> None:
    """Print the rows as the last line, in JSON, as ``transfer-studio bench`` reads it."""
    print(json.dumps({"rows": rows}))
