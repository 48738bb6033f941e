"""Metrics that are one quantity in several contexts, ``return/velocity 0.5``: one plot, a line for each context.

A metric's name is ``return/`` and its context: a name with a number or a range (``velocity 0.5``, ``mass 0.6..0.8``),
or words. Contexts of one name share a plot, whose key is ``return/`` and that name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QColor

from widgets.style import theme

PREFIX = "return/"
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_NUMBERED = re.compile(rf"(?:(?P<name>.*?)[\s=]+)?(?P<low>{_NUMBER})(?:\.\.(?P<high>{_NUMBER}))?$")
PALE = 0.4  # share of a run's color that its first context has, where several runs lie over each other


def is_group(metric: str) -> bool:
    """Whether a plot of this key has a line for each context."""
    return metric.startswith(PREFIX)


def group_of(metric: str) -> str:
    """The key of the plot that a metric belongs to: its own name, or its group's."""
    if not is_group(metric):
        return metric
    found = _NUMBERED.match(metric[len(PREFIX) :])
    return PREFIX + ((found["name"] or "") if found else "")


def group_name(group: str) -> str:
    """A group in words."""
    name = group[len(PREFIX) :] or QCoreApplication.translate("CurvePlot", "context")
    return QCoreApplication.translate("CurvePlot", "Return by {0}").format(name.replace("_", " "))


def context_of(metric: str) -> str:
    """A member's context for reading: its number or its range; its words where it has none."""
    text = metric[len(PREFIX) :]
    found = _NUMBERED.match(text)
    if found is None:
        return text
    return " … ".join(part for part in (found["low"], found["high"]) if part).replace("-", "−")


def members(group: str, metrics: Iterable[str]) -> list[str]:
    """The metrics of a group, in order: by number, then words as they are written."""
    return sorted((metric for metric in metrics if is_group(metric) and group_of(metric) == group), key=_order)


def tints(metrics: list[str], run: QColor, alone: bool) -> list[QColor]:
    """A color for each member. Numbers run over a scale from dark to bright, words have hues of their own; of several
    runs each keeps its hue, and its contexts go from pale to full."""
    shares = [i / max(1, len(metrics) - 1) for i in range(len(metrics))]
    if not alone:
        return [paler(run, share) for share in shares]
    if all(_NUMBERED.match(metric[len(PREFIX) :]) for metric in metrics):
        return [theme.sequential(share) for share in shares]
    return [theme.series(i) for i in range(len(metrics))]


def paler(run: QColor, share: float) -> QColor:
    """A run's color at its ``share``-th context, in [0, 1]."""
    return theme.blend(run, theme.color("plot_background"), PALE + (1 - PALE) * share)


def _order(metric: str) -> tuple[float, str]:
    found = _NUMBERED.match(metric[len(PREFIX) :])
    return (float(found["low"]) if found else math.inf, metric)
