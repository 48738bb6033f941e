"""Samples as translucent robots in the viewport: one for those that look alike, with a label of what differs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QCoreApplication

from studio.contracts import Ghost
from widgets.randomization.quantities import groups as quantity_groups
from widgets.style import theme

# fields that change how the robot moves
MOVING = ("friction", "mass", "damping", "armature", "gravity", "actuator_gain", "actuator_delay")
NAMED = 3  # quantities in a label
OPACITY = 0.3  # of one robot, at most
TOGETHER = 0.7  # opacity of all robots where they lie one over the other


def ghosts(poses: np.ndarray, values: Mapping[str, np.ndarray], alike: Sequence[Sequence[int]]) -> list[Ghost]:
    """Return one ghost for each group of samples that look alike.

    Args:
        poses: (n, nq).
        values: what was drawn for each sample, (n,) or (n, 3) by the randomization's key.
        alike: samples by number, in groups of those that look alike.
    """
    opacity = min(OPACITY, 1 - (1 - TOGETHER) ** (1 / max(1, len(alike))))
    made = []
    for group in alike:
        hue = theme.series(group[0])
        color = (hue.redF(), hue.greenF(), hue.blueF(), opacity)
        made.append(Ghost(poses[group[0]], color, _label(group, len(poses), values)))
    return made


def _label(group: Sequence[int], samples: int, values: Mapping[str, np.ndarray]) -> str:
    names = ", ".join(str(sample + 1) for sample in group)
    if len(group) == samples > 1:
        head = _words("all {0} samples look alike").format(samples)
    elif len(group) > 1:
        head = _words("{0} look alike").format(names)
    else:
        head = names
    differing = ", ".join(_range(key, values[key][list(group)]) for key in _most_varied(values))
    return f"{head}: {differing}" if differing else head


def _most_varied(values: Mapping[str, np.ndarray]) -> list[str]:
    """Return the keys that change the motion and spread widest for their size, at most ``NAMED``."""
    spreads = {
        key: float(np.ptp(drawn) / np.abs(drawn).max())
        for key, drawn in values.items()
        if key.partition(":")[0] in MOVING and np.ptp(drawn) > 0
    }
    return sorted(spreads, key=lambda key: -spreads[key])[:NAMED]


def _range(key: str, drawn: np.ndarray) -> str:
    """Return a quantity's name with its values: ``mass 0.84 ×``, ``damping of elbow 0.61–1.9 ×``."""
    field, _, parts = key.partition(":")
    quantity = next(q for _, listed in quantity_groups(_words) for q in listed if q.field == field)
    name = quantity.label.lower() + (_words(" of {0}").format(parts) if parts else "")
    low, high = f"{drawn.min():.3g}", f"{drawn.max():.3g}"
    numbers = low if low == high else f"{low}–{high}"
    return f"{name} {numbers} {quantity.unit}"


def _words(text: str) -> str:
    return QCoreApplication.translate("SampleGhosts", text)
