"""Returns of several tasks have plots of their own: their scales have nothing in common.

The key of such a plot is the metric and its task, ``return @ half_cheetah``; where all runs do one task, it is the
metric alone.
"""

from __future__ import annotations

SEPARATOR = " @ "


def of_task(metric: str, task: str) -> str:
    """Return the key of a metric's plot for one task."""
    return f"{metric}{SEPARATOR}{task}"


def metric_of(key: str) -> str:
    """Return a plot's metric, or its group of metrics, without the task."""
    return key.partition(SEPARATOR)[0]


def task_of(key: str) -> str | None:
    """Return the task whose runs alone a plot shows; None where it shows all runs."""
    _, found, task = key.partition(SEPARATOR)
    return task if found else None
