"""What ``transfer-studio compare`` does."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio import paths
from studio.cli.experiments import load_experiment
from studio.cli.progress import STOPPED, ProgressLine
from studio.errors import ExperimentError, StudioError
from studio.files import json_text

if TYPE_CHECKING:  # the studio starts without torch
    from studio.experiment import Experiment
    from studio.registry import Registry
    from studio.store.runs import RunInfo

COMPARED = ("strategies", "episodes", "seeds", "stop_when_decided", "alpha")  # options that a comparison has as fields


@dataclass
class _Comparison:
    """What is compared.

    Args:
        runs: runs that exist, and those of the comparison once they were run.
        planned: runs of the comparisons that are to be run.
        to_decide: comparisons whose pairs stop as soon as they are decided.
        cells: runs of comparisons that are not run now, by strategy and episodes, and by seed.
        unread: sentences about folders that hold no run.
        unfinished: sentences about runs that have no final score.
        decisions: what was decided, as rows.
    """

    runs: list[RunInfo] = field(default_factory=list)
    planned: list[Experiment] = field(default_factory=list)
    to_decide: list[Experiment] = field(default_factory=list)
    cells: dict[tuple[str, int], dict[int, RunInfo | None]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)


def compare(options: argparse.Namespace) -> int:
    """Run a comparison, or tabulate runs that exist."""
    from studio.registry import shared_registry

    if options.screenshot:  # now, rather than after hours of training
        from studio.cli.qt_platform import choose_drawing_platform

        choose_drawing_platform()
    registry = shared_registry()
    compared = _gather(options, registry)
    asked = len(compared.runs) + len(compared.planned) + len(compared.unread)
    if not (compared.planned or options.no_run):
        _refuse_options_of_new_runs(options)
    if compared.planned:
        _run_and_decide(compared, options, registry)
    _print(compared, "json" if options.json else options.format)
    if options.screenshot:
        _take_screenshot(options, compared.runs)
    if compared.planned and any(run.state == "stopped" for run in compared.runs):
        return STOPPED
    finished = sum(run.state == "finished" for run in compared.runs)
    return 0 if options.no_run or finished == asked else 1


def _gather(options: argparse.Namespace, registry: Registry) -> _Comparison:
    """Read the runs and experiments that are named. Of several folders those that hold no run are left out."""
    from studio.run.decide import known_decision, pairs_of
    from studio.run.matrix import cells_of, matrix
    from studio.store.runs import read_run

    found = _Comparison()
    chosen = {name: vars(options)[name] for name in COMPARED}
    for source in options.sources:
        if source.is_dir():
            try:
                found.runs.append(read_run(source))
            except StudioError as error:
                if len(options.sources) == 1:
                    raise
                found.unread.append(f"{source.name} is left out: {error.message}")
            continue
        experiment = load_experiment(source, options.set, device=options.device, **chosen)
        if options.no_run:
            cells = cells_of(experiment, registry, options.out or paths.runs())
            runs = [run for seeds in cells.values() for run in seeds.values() if run is not None]
            found.cells |= cells
            found.runs += runs
            pairs = pairs_of(runs) if experiment.comparison.stop_when_decided else []
            found.decisions += [known_decision(pair, experiment).to_dict() for pair in pairs]
        else:
            found.planned += matrix(experiment, registry)
            found.to_decide += [experiment] if experiment.comparison.stop_when_decided else []
    found.unfinished = [_why_left_out(run) for run in found.runs if run.state != "finished"]
    return found


def _refuse_options_of_new_runs(options: argparse.Namespace) -> None:
    """Raise ExperimentError where an option is given that does nothing for runs that exist."""
    given = ["--" + name.replace("_", "-") for name in (*COMPARED, "set", "device", "out") if vars(options)[name]]
    if given:
        message = f"{given[0]} is for new runs, and only existing runs are given."
        raise ExperimentError(message, given[0], "Leave it out and name the runs, or give an experiment file.")


def _run_and_decide(compared: _Comparison, options: argparse.Namespace, registry: Registry) -> None:
    """Run what is planned, then decide the pairs unless it was stopped."""
    from studio.run.decide import DecisionSession
    from studio.run.matrix import run_all
    from studio.store.runs import read_run

    folder, planned = options.out or paths.runs(), compared.planned
    with ProgressLine(len(planned)) as line:
        compared.runs += run_all(planned, registry, folder, line.channels, line.drive, line.failed)
        for experiment in compared.to_decide if all(run.state != "stopped" for run in compared.runs) else ():
            session = DecisionSession(experiment, registry, line.channels(len(planned) - 1, experiment), folder)
            line.drive(session)
            compared.decisions += [found.to_dict() for found in session.decisions]
    compared.runs = [read_run(run.folder) for run in compared.runs]  # a decision may have played more episodes


def _print(compared: _Comparison, style: str) -> None:
    """Print the table to stdout, and what had to be left out to stderr."""
    from studio.analysis.comparison import table
    from studio.analysis.groups import grouped
    from studio.analysis.matrix_table import as_markdown, matrix_table
    from studio.analysis.table_format import format_table, row_label
    from studio.analysis.transfer_table import transfer_table

    rows, (transfer, left_out) = table(compared.runs), transfer_table(compared.runs)
    groups, replaced = grouped(compared.runs)
    missing = compared.unread + compared.unfinished + replaced
    for sentence in missing:
        print(sentence, file=sys.stderr)
    if style == "json":
        more = {"decisions": compared.decisions} if compared.to_decide or compared.decisions else {}
        print(json_text({"rows": rows, "transfer": transfer, "left_out": missing + left_out} | more))
    elif style == "matrix":
        cells = dict(compared.cells)
        for group in [] if cells else groups:
            label = row_label({"strategy": group.strategy, "settings": group.settings})
            cells[label, group.episodes] = {run.seed: run for run in group.runs}
        print(as_markdown(matrix_table(cells)))
        _print_decisions(compared.decisions)
    elif rows or style != "table":  # else the sentences above are all there is to say
        print(format_table(rows, style))
        if style == "table":
            _print_more(rows, compared.decisions, transfer, left_out)


def _why_left_out(run: RunInfo) -> str:
    """Return why a run is in no row, and what to do about it."""
    from studio.store.runs import read_status

    resume = f"Finish it with: transfer-studio resume {run.folder}"
    if run.state == "failed":
        said = read_status(run.folder).get("error", {})
        why = f"it failed. {said.get('message', '')} {said.get('remedy', '')}".strip()
    elif run.state in ("stopped", "interrupted"):
        why = f"it was {run.state} before its final score. {resume}"
    else:
        why = "it is not finished. Wait for its end."
    return f"{run.folder.name} is left out: {why}"


def _print_decisions(decisions: list[dict[str, Any]]) -> None:
    """Print what the pairs that stop when they are decided have decided, below the table."""
    from studio.analysis.table_format import format_decisions

    if decisions:
        print(f"\nSequential comparison:\n{format_decisions(decisions)}")


def _print_more(
    rows: list[dict[str, Any]],
    decisions: list[dict[str, Any]],
    transfer: list[dict[str, Any]],
    left_out: list[str],
) -> None:
    """Print what does not fit a row, below the table."""
    from studio.analysis.table_format import format_conditions, format_transfer

    if conditions := format_conditions(rows):
        print(f"\nOn the target under other conditions:\n{conditions}")
    _print_decisions(decisions)
    if transfer:
        print(f"\nAgainst training without transfer:\n{format_transfer(transfer)}")
    if left_out:
        print("\nTransfer over the training: " + "\n".join(left_out))


def _take_screenshot(options: argparse.Namespace, runs: list[RunInfo]) -> None:
    """Write a picture of the window with these runs."""
    from studio.cli.window import window_function

    first = options.sources[0]
    screenshot = window_function("screenshot")
    screenshot(options.screenshot, None if first.is_dir() else first, [run.folder for run in runs])
    print(f"Screenshot: {options.screenshot}", file=sys.stderr)
