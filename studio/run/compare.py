"""Strategies × data sizes × seeds: what to run, and the table of what came out."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from studio.analysis.baselines import baselines
from studio.errors import DataError, ExperimentError
from studio.experiment import Comparison, Experiment, Pretraining, Selection
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.store.input_hashes import input_hashes
from studio.store.resolve import resolved
from studio.store.runs import RunInfo, experiment_of, list_runs, read_run

UNFINISHED = ("stopped", "interrupted")
NAMED = 6  # settings, at most, in a row's label; JSON has them all
COLUMNS = (
    "strategy", "episodes", "seeds", "success", "low", "high", "source_success", "trainable_parameters", "seconds",
    "peak_memory_mb", "transfer", "measure", "settings", "target", "samples",
)  # fmt: skip


def matrix(experiment: Experiment, registry: Registry) -> list[Experiment]:
    """The experiments of a comparison. The experiment's own parameters apply to its own strategy alone; others have
    theirs in the comparison. A strategy that learns from no demonstrations is run for the first of several numbers of
    them alone. Raises ExperimentError where parameters are of a strategy that is not compared."""
    plan, own, runs = experiment.comparison, experiment.strategy.id, []
    for id in plan.params:
        if id != own and id not in plan.strategies:
            raise ExperimentError(
                f"There are parameters for '{id}', which is not among the strategies that are compared.",
                f"comparison.params.{id}",
                "Add it to the strategies.",
            )
    kinds = registry.all("strategies")
    for place, episodes in enumerate(plan.episodes or [experiment.target.episodes]):
        for seed in plan.seeds or [experiment.seed]:
            for strategy in plan.strategies or [experiment.strategy.id]:
                if place and strategy in kinds and not kinds[strategy].needs_demonstrations:
                    continue
                params = experiment.strategy.params if strategy == own else plan.params.get(strategy, {})
                runs.append(
                    experiment.changed(
                        name=f"{experiment.name}-{strategy}-{episodes}-{seed}",
                        strategy={"id": strategy, "params": params},
                        seed=seed,
                        comparison={},
                        **{"target.episodes": episodes},
                    )
                )
    return runs


def run_all(
    experiments: Iterable[Experiment],
    registry: Registry,
    folder: Path,
    channels: Callable[[int, Experiment], Channels],
    drive: Callable[[Session], object],
    failed: Callable[[Session, Exception], object],
) -> list[RunInfo]:
    """Runs what has not been run yet; a finished run of the same content, robots and data included, is taken as it is,
    and one that was stopped or interrupted is gone on with. Ends where one is stopped.

    Args:
        channels: gives the channels of the session with this index.
        drive: runs a session (``Session.run``, with whatever the caller wants to do around it).
        failed: hears of a session that failed; the others go on.

    Raises:
        ExperimentError: an experiment cannot start. All are checked before the first one does.
    """
    begun: dict[Any, RunInfo] = {}
    for run in sorted(list_runs(folder), key=lambda run: run.state != "finished"):  # of either kind the newest first
        if run.state in ("finished", *UNFINISHED):
            begun.setdefault((run.experiment_hash, run.inputs), run)
    plans: list[tuple[Experiment, RunInfo | None]] = []
    for experiment in experiments:
        try:
            files = tuple(sorted(input_hashes(experiment, registry).items()))
            known = begun.get((resolved(experiment, registry).content_hash(), files))
        except (DataError, ExperimentError):
            known = None  # the check says what is wrong
        for problem in check(experiment, registry) if known is None or known.state != "finished" else []:
            message = f"'{experiment.name}' cannot start: {problem.message}"
            raise ExperimentError(message, problem.field, problem.remedy)
        plans.append((experiment, known))
    found: list[RunInfo] = []
    for index, (experiment, known) in enumerate(plans):
        if known is None or known.state != "finished":
            told = channels(index, experiment)
            if known is None:
                session = Session(experiment, registry, told, folder)
            else:
                session = Session.resume(known.folder, registry, told)
            try:
                drive(session)
            except Exception as error:
                told_of = session.state == "failed"  # it has a folder that says so
                if not told_of and not found:
                    raise
                failed(session, error)
                if not told_of:
                    break  # the place for runs is at fault, and the next would fare no better
            known = read_run(session.folder)
        found.append(known)
        if known.state not in ("finished", "failed"):
            break
    return found


@dataclass(eq=False)
class Group:
    """Finished runs that differ in nothing but their seeds.

    ``settings`` tells it from the groups of as many episodes of the same strategy: what is not the same in all of them,
    by dotted name; the strategy's own parameters without their prefix.
    """

    runs: list[RunInfo]
    experiment: Experiment
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def strategy(self) -> str:
        return self.experiment.strategy.id

    @property
    def episodes(self) -> int:
        return self.runs[0].episodes


def grouped(runs: Iterable[RunInfo]) -> tuple[list[Group], list[str]]:
    """The finished runs by episodes, strategy and configuration. Of those that share a seed the newest counts, and a
    sentence says so of each other one."""
    found: dict[tuple[int, str, str], dict[int, RunInfo]] = {}
    replaced = []
    for run in sorted({run.folder.resolve(): run for run in runs}.values(), key=lambda run: -run.created):
        if run.state != "finished":
            continue
        key = run.episodes, run.strategy, f"{_decisive(experiment_of(run)).content_hash()} {run.inputs}"
        counted = found.setdefault(key, {}).setdefault(run.seed, run)
        if counted is not run:
            newer = counted.folder.name
            replaced.append(f"{run.folder.name} is left out: {newer} is newer, of the same settings and seed.")
    groups = []
    for seeds in found.values():
        of_seeds = [seeds[seed] for seed in sorted(seeds)]
        groups.append(Group(of_seeds, _decisive(experiment_of(of_seeds[0]))))
    groups.sort(key=lambda group: (group.episodes, group.strategy, min(run.created for run in group.runs)))
    for _, rivals in itertools.groupby(groups, key=lambda group: (group.episodes, group.strategy)):
        _tell_apart([*rivals])
    return groups, replaced


def baselines_for(group: Group, groups: list[Group]) -> list[Group]:
    """The training without transfer (:mod:`studio.analysis.baselines`) on a group's target with as many episodes. Of
    several the one that differs in the strategy alone; all of them where that does not tell."""
    near = [g for g in groups if g.episodes == group.episodes and g.experiment.target == group.experiment.target]
    base = baselines(run for g in near for run in g.runs).get(group.episodes, [])
    found = [g for g in near if g.runs[0] in base]
    alone = {"strategy": Selection(), "pretraining": Pretraining()}  # which a training without transfer has none of
    wanted = group.experiment.model_copy(update=alone)
    alike = [g for g in found if g.experiment.model_copy(update=alone) == wanted]
    return alike if len(found) > 1 and alike else found


def row_label(row: dict[str, Any]) -> str:
    """A row's strategy, and what tells it from the strategy's other rows."""
    return row["strategy"] + (f": {_settings_text(row['settings'])}" if row["settings"] else "")


def table(runs: Iterable[RunInfo | Path]) -> list[dict[str, Any]]:
    """One row for each configuration and number of episodes, over seeds (see :func:`grouped`).

    ``low`` and ``high`` are the 95% interval of the mean: with one seed the run's own over episodes, with more a
    two-level bootstrap, over seeds and over each seed's episodes. Where the task has no success these are returns, as
    ``measure`` says. ``samples``: steps of experience that a training by reinforcement took. ``transfer`` compares with
    training without transfer (see :func:`held_against`): positive, negative, or unclear where the interval of the
    difference holds zero.
    """
    groups, _ = grouped(read_run(item) if isinstance(item, Path) else item for item in runs)
    rows = []
    for group in groups:
        sample, those = _resampled(group.runs), group.runs
        low, high = np.quantile(sample, [0.025, 0.975])
        if len(those) == 1:
            low, high = those[0].low, those[0].high
        rows.append(
            {
                "strategy": group.strategy,
                "episodes": group.episodes,
                "seeds": len(those),
                "success": _mean(run.success for run in those),
                "low": float(low),
                "high": float(high),
                "source_success": _mean(run.source_success for run in those),
                "trainable_parameters": those[0].trainable_parameters,
                "seconds": _mean(run.seconds for run in those),
                "peak_memory_mb": max(run.peak_memory_mb for run in those),
                "transfer": _transfer(group, sample, baselines_for(group, groups)),
                "measure": those[0].measure,
                "settings": group.settings,
                "target": f"{group.experiment.target.task} on {group.experiment.target.embodiment}",
                "samples": _mean(run.samples for run in those),
            }
        )
    return rows


def format_table(rows: list[dict[str, Any]], style: str) -> str:
    """The table as text: ``table``, ``md`` or ``csv``."""
    if style == "csv":
        stream = io.StringIO()
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(row | {"settings": _settings_text(row["settings"])} for row in rows)
        return stream.getvalue().rstrip()
    measures = sorted({row["measure"] for row in rows})
    measure = " or ".join(measures) or "success"
    header = ["strategy", "episodes", "seeds", f"{measure} [95%]", "source", "trained", "seconds", "MB", "transfer"]
    # columns for what is not the same in all rows, or not known of all
    more: dict[str, list[str]] = {}
    if len({row["target"] for row in rows}) > 1:
        more["target"] = [row["target"] for row in rows]
    if len(measures) > 1:
        more["measure"] = [row["measure"] for row in rows]
    if any(row["samples"] is not None for row in rows):
        more["samples"] = ["–" if row["samples"] is None else f"{row['samples']:,.0f}" for row in rows]
    header += more
    cells = [
        [
            row_label(row),
            str(row["episodes"]),
            str(row["seeds"]),
            f"{row['success']:.3f} [{row['low']:.3f}, {row['high']:.3f}]",
            "–" if row["source_success"] is None else f"{row['source_success']:.3f}",
            f"{row['trainable_parameters']:,}",
            "–" if row["seconds"] is None else f"{row['seconds']:.1f}",
            f"{row['peak_memory_mb']:.0f}",
            row["transfer"] or "–",
            *(column[place] for column in more.values()),
        ]
        for place, row in enumerate(rows)
    ]
    widths = [max(len(line[i]) for line in [header, *cells]) for i in range(len(header))]

    def line(values: list[str]) -> str:
        padded = [v.ljust(w) if i == 0 else v.rjust(w) for i, (v, w) in enumerate(zip(values, widths, strict=True))]
        return "| " + " | ".join(padded) + " |" if style == "md" else "  ".join(padded).rstrip()

    rule = ["-" * w for w in widths]
    return "\n".join([line(header), line(rule), *(line(c) for c in cells)])


def _resampled(group: list[RunInfo], resamples: int = 10_000) -> np.ndarray:
    """Bootstrap means over seeds, and within each over its episodes: binomial for successes; for returns normal, with
    the spread that the run's own interval shows."""
    rng = np.random.default_rng(0)
    if group[0].measure == "return":
        chosen = rng.integers(0, len(group), (resamples, len(group)))
        means, spreads = (np.array(v) for v in zip(*((r.success, (r.high - r.low) / 3.92) for r in group), strict=True))
        return np.asarray(rng.normal(means[chosen], spreads[chosen]).mean(1))
    rates = np.array([run.success for run in group])
    episodes = np.array([_episodes_of(run) for run in group])
    chosen = rng.integers(0, len(group), (resamples, len(group)))
    return rng.binomial(episodes[chosen], rates[chosen]).mean(1) / episodes.mean()


def _episodes_of(run: RunInfo) -> int:
    return max(1, experiment_of(run).evaluation.episodes)


def _transfer(group: Group, sample: np.ndarray, base: list[Group]) -> str:
    if len(base) != 1 or base[0] is group:
        return ""
    scratch = np.random.default_rng(1).permutation(_resampled(base[0].runs))
    low, high = np.quantile(sample - scratch, [0.025, 0.975])
    return "positive" if low > 0 else "negative" if high < 0 else "unclear"


def _decisive(experiment: Experiment) -> Experiment:
    """The experiment with one value for all that a comparison varies, its strategies aside, and for what is no part of
    a configuration: names, and where and how the training goes on."""
    return experiment.model_copy(
        update={
            "name": "any",
            "description": "",
            "comparison": Comparison(),
            "seed": 0,
            "device": "auto",
            "target": experiment.target.model_copy(update={"episodes": 1}),
            "budget": experiment.budget.model_copy(update={"checkpoint_every": 1, "threads": 1}),
        }
    )


def _tell_apart(rivals: list[Group]) -> None:
    """Gives each group the settings that are not the same in all of them. Parameters that are not given say so."""
    leaves = [
        dict(_leaves(group.experiment)) | {f"file of {field}": digest[:8] for field, digest in group.runs[0].inputs}
        for group in rivals
    ]
    for name in dict.fromkeys(name for values in leaves for name in values):
        if len({(name in values, values.get(name)) for values in leaves}) > 1:
            for group, values in zip(rivals, leaves, strict=True):
                if name in values or ".params." in name:
                    group.settings[name.removeprefix("strategy.params.")] = values.get(name, "default")


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of each setting, items of lists by their index."""
    node = node.model_dump(mode="json") if isinstance(node, Experiment) else node
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, node


def _settings_text(settings: dict[str, Any]) -> str:
    shown = [f"{n}={v if isinstance(v, str) else json.dumps(v)}" for n, v in settings.items()]
    more = [f"… {len(shown) - NAMED} more"] if len(shown) > NAMED else []
    return ", ".join(shown[:NAMED] + more)


def _mean(values: Iterable[float]) -> float | None:
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else None
