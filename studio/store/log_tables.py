"""The tables of a run's HDF5 log, each one growing dataset of a compound type.

``metrics`` (stage, name, unit, step, seconds, value), ``evaluations``, ``episodes``, ``randomization`` and ``devices``.
Once SWMR is on, HDF5 allows no new datasets; long tables take any metric a strategy thinks of.
"""

from __future__ import annotations

import numpy as np

SCHEMA = 1
TABLES: dict[str, list[tuple[str, str]]] = {
    "metrics": [("stage", "S16"), ("name", "S96"), ("unit", "S24"), ("step", "i8"), ("seconds", "f8"), ("value", "f8")],
    "evaluations": [
        ("stage", "S16"), ("domain", "S8"), ("step", "i8"), ("episodes", "i8"), ("seed", "i8"), ("success", "f8"),
        ("low", "f8"), ("high", "f8"), ("mean_return", "f8"), ("final", "?"),
    ],
    "episodes": [
        ("domain", "S8"), ("step", "i8"), ("seed", "i8"), ("success", "?"), ("return", "f8"), ("length", "i8"),
    ],
    "randomization": [("domain", "S8"), ("step", "i8"), ("seed", "i8"), ("name", "S96"), ("value", "f8")],
    "devices": [
        ("time", "f8"), ("cpu_percent", "f8"), ("memory_mb", "f8"), ("gpu_percent", "f8"), ("gpu_memory_mb", "f8"),
    ],
}  # fmt: skip
# by a term's key (field, or field:parts); three rows where a term has three numbers; of a term drawn again within the
# episode the mean; NaN where the model's own field of view was kept. Of a family of tasks also ``context:component``
RANDOMIZED = "factor; s for delay; m for places; degrees for field of view; px for blur; the sensor's unit for noise"
PACKED = ("metrics", "episodes", "randomization")
UNITS = {
    "metrics": {"seconds": "s of training, pauses excluded", "step": "iterations"},
    "evaluations": {"success": "share of episodes, or a return", "low": "of 95% interval", "high": "of 95% interval"},
    "episodes": {"return": "sum of rewards", "length": "control steps"},
    "randomization": {"value": RANDOMIZED},
    "devices": {"time": "s since the epoch", "cpu_percent": "% of one core", "memory_mb": "MB", "gpu_percent": "%",
                "gpu_memory_mb": "MB"},
}  # fmt: skip


def columns_of(name: str, values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Return the columns that a term's values are logged as: one, or one for each of its three numbers."""
    if values.ndim == 1:
        return [(name, values)]
    return [(f"{name}_{axis}", values[:, i]) for i, axis in enumerate("rgb" if name == "color" else "xyz")]
