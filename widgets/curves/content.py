"""What one plot shows: which curves, from which runs. Pure data; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QColor

from widgets.curves.curve import Curve, Options, average_curve, line_curve, score_curve
from widgets.curves.data import ADAPT, DEVICES, PRETRAIN, SEPARATOR, Axis, RunData, Series
from widgets.curves.groups import context_of, group_of, is_group, members, tints
from widgets.curves.seed_average import Averages, whole
from widgets.curves.tasks import metric_of, of_task, task_of
from widgets.style import theme

# Evaluations have plots of their own, by their measure. What a strategy logs is no evaluation, whatever its name is.
EVALUATION = "evaluation/"
SUCCESS, LOAD, MEMORY, LOSS = f"{EVALUATION}success", "load", "memory", "loss"
# by default the loss, the success, the load; and the returns, which only tasks without success have
TRIAL_RETURN = "trial_return"
RETURNS = ("return", TRIAL_RETURN, f"{EVALUATION}return")
DEFAULT_METRICS = (LOSS, SUCCESS, *RETURNS, LOAD, MEMORY)
SEED_SHADE = 0.45  # share of a group's color that its seeds have
RAW_UP_TO = 8  # runs; behind more of them the raw lines are a haze
DOMAINS = ("target", "source")
Key = tuple[str, str]  # (metric, stage); the stage of load and memory is empty


@dataclass
class Content:
    """The lines of one plot, and the small marks on its lower edge."""

    key: Key
    curves: list[Curve] = field(default_factory=list)
    checkpoints: list[tuple[QColor, np.ndarray]] = field(default_factory=list)
    unit: str = ""
    log: bool = False

    @property
    def contexts(self) -> dict[str, Curve]:
        """The curve of each context in a plot with a line for each context; empty for other plots."""
        return {curve.kind: curve for curve in self.curves} if is_group(self.key[0]) else {}


def horizontal(key: Key, axis: Axis) -> tuple[str, str]:
    """What the horizontal axis of a plot measures: plots where this is equal share their range."""
    metric, stage = key
    return ("time", "") if metric in (LOAD, MEMORY) else (axis, "" if axis == "time" else stage)


def available(runs: Iterable[RunData]) -> list[Key]:
    """Return every plot that the runs have data for, in the order of the dock; the default ones come first."""
    found: dict[Key, None] = {}
    runs = list(runs)
    plots = {run: _plots(run) for run in runs}
    tasks = {run.task for run, keys in plots.items() if any(_is_return(metric) for metric, _ in keys)}
    for run, keys in plots.items():
        for metric, stage in keys:
            apart = len(tasks) > 1 and _is_return(metric)
            found[of_task(metric, run.task) if apart else metric, stage] = None
    if runs:  # these have their place from the start, so that nothing jumps when the first number comes
        found.update({(LOAD, ""): None, (MEMORY, ""): None})
        if not any(_is_return(metric_of(metric)) for metric, _ in found):  # else it may be judged by its return
            found[SUCCESS, ADAPT] = None
    rank = {metric: float(place) for place, metric in enumerate(DEFAULT_METRICS)}

    def order(key: Key) -> tuple[float, str, bool]:
        place = rank[RETURNS[-1]] + 0.5 if is_group(key[0]) else rank.get(metric_of(key[0]), len(rank))
        return place, key[0], key[1] != PRETRAIN

    return sorted(found, key=order)


def build(
    key: Key,
    runs: Iterable[RunData],
    options: Options,
    color: Callable[[RunData], QColor],
    averages: Averages | None = None,
    opened: Collection[str] = (),
) -> Content:
    """Return the content of one plot.

    Args:
        averages: keeps the averages over seeds.
        opened: groups whose seeds are shown beside their average.
    """
    metric, stage = metric_of(key[0]), key[1]
    content = Content(key)
    task = task_of(key[0])
    runs = [run for run in runs if task is None or run.task == task]
    groups: dict[str, list[RunData]] = {}
    for run in runs:
        if run.group:
            groups.setdefault(run.group, []).append(run)
    averaged = {of: members for of, members in groups.items() if len(members) > 1}
    for of, alike in averaged.items():
        content.curves += _averages(key, alike, options, color(alike[0]), averages or Averages(), of in opened)
    groups_of = {run.folder: run.group for run in runs if run.group in averaged}
    runs = [run for run in runs if run.is_shown and (run.group not in averaged or run.group in opened)]
    raw = len(runs) + len(averaged) <= RAW_UP_TO and not averaged
    for run in runs:
        tint = color(run)
        if run.group in averaged:  # its average is in the full color
            tint = theme.blend(tint, theme.color("plot_background"), SEED_SHADE)
        if metric.startswith(EVALUATION):
            for domain in DOMAINS:
                series = run.scores.get((stage, metric.removeprefix(EVALUATION), domain))
                if series is not None and len(series):
                    content.curves.append(score_curve(run, domain, series, tint, options.axis))
        elif metric in (LOAD, MEMORY):
            for name, (plot, kind, unit) in DEVICES.items():
                series = run.devices.get(name)
                if plot == metric and series is not None and len(series):
                    content.unit = unit
                    content.curves.append(line_curve(run, kind, series, tint, Options("time"), kind == "GPU", raw))
        elif is_group(metric):
            names = members(metric, [name for of, name in run.metrics if of == stage])
            for name, shade in zip(names, tints(names, tint, len(runs) == 1), strict=True):
                series = run.metrics[stage, name]
                few = len(runs) * len(names) <= RAW_UP_TO
                content.unit, content.log = content.unit or series.unit, options.log_y
                content.curves.append(line_curve(run, context_of(name), series, shade, options, False, few))
        else:
            series = run.metrics.get((stage, metric))
            if series is not None and len(series):
                content.unit = content.unit or series.unit
                content.log = options.log_y
                content.curves.append(line_curve(run, "", series, tint, options, False, raw))
        if stage:
            content.checkpoints.append((tint, _checkpoints(run, stage, options.axis)))
    for curve in content.curves:
        if curve.run is not None:
            curve.group = groups_of.get(curve.run, "")
    return content


def group_label(runs: list[RunData]) -> str:
    """What an average is called: what its runs have in common, and how many there are."""
    parts = [run.label.split(SEPARATOR) for run in runs]
    common = [part for part in parts[0] if all(part in other for other in parts[1:])]
    if not common:  # the runs beside it have it in common too
        names = [run.name.split(SEPARATOR) for run in runs]
        common = [part for part in names[0] if all(part in other for other in names[1:])]
    return SEPARATOR.join([*common, *filter(None, [runs[0].distinction]), _seeds(len(runs))])


def _seeds(count: int) -> str:
    return QCoreApplication.translate("CurvePlot", "{0} seeds").format(count)


def _averages(
    key: Key, runs: list[RunData], options: Options, color: QColor, averages: Averages, is_open: bool
) -> list[Curve]:
    """Return the averages of a group in one plot: one for each domain, device or context that two of its runs have."""
    metric, stage = metric_of(key[0]), key[1]
    label, curves = group_label(runs), list[Curve]()

    def add(kind: str, found: list[Series], options: Options, shade: QColor, secondary: bool = False) -> Curve | None:
        if len(found) < 2:
            return None
        average = averages.of(found, options.axis, options.smoothing)
        curve = average_curve(label, kind, average, shade, options.log_y)
        curve.group, curve.seeds, curve.is_open, curve.secondary = runs[0].group, len(found), is_open, secondary
        curve.unit = found[0].unit
        curves.append(curve)
        return curve

    if metric.startswith(EVALUATION):
        measure = metric.removeprefix(EVALUATION)
        for domain in DOMAINS:
            found = whole([run.scores.get((stage, measure, domain)) for run in runs])
            curve = add(domain, found, Options(options.axis), color, domain == "source")
            if curve is not None and curve.band is not None:
                curve.low, curve.high = curve.band
                if measure == "success":
                    curve.low, curve.high = np.clip(curve.low, 0, 1), np.clip(curve.high, 0, 1)
                curve.band = curve.reach = None
    elif metric in (LOAD, MEMORY):
        for name, (plot, kind, _) in DEVICES.items():
            if plot == metric:
                add(kind, whole([run.devices.get(name) for run in runs]), Options("time"), color, kind == "GPU")
    elif is_group(metric):
        names = members(metric, dict.fromkeys(name for run in runs for of, name in run.metrics if of == stage))
        for name, shade in zip(names, tints(names, color, False), strict=True):
            add(context_of(name), whole([run.metrics.get((stage, name)) for run in runs]), options, shade)
    else:
        add("", whole([run.metrics.get((stage, metric)) for run in runs]), options, color)
    return curves


def _plots(run: RunData) -> dict[Key, None]:
    """Return the plots that have data of one run, independent of the other runs."""
    metrics: dict[Key, None] = {(group_of(metric), stage): None for stage, metric in run.metrics}
    return metrics | {(EVALUATION + measure, stage): None for stage, measure, _ in run.scores}


def _is_return(metric: str) -> bool:
    return metric in RETURNS or is_group(metric)


def _checkpoints(run: RunData, stage: str, axis: Axis) -> np.ndarray:
    steps = np.array([step for of, step in run.checkpoints if of == stage], np.float64)
    return np.array([run.seconds_at(stage, step) for step in steps]) if axis == "time" else steps
