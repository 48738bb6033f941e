"""What ``transfer-studio compare`` does."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from studio import paths
from studio.cli.experiments import load_experiment
from studio.cli.progress import STOPPED, ProgressLine
from studio.errors import ExperimentError, StudioError
from studio.files import json_text

COMPARED = ("strategies", "episodes", "seeds", "stop_when_decided", "alpha")  # options that a comparison has as fields


def compare(options: argparse.Namespace) -> int:
    """Run a comparison, or tabulate runs that exist."""
    from studio.analysis.comparison import table
    from studio.analysis.groups import grouped
    from studio.analysis.matrix_table import as_markdown, matrix_table
    from studio.analysis.table_format import (
        format_conditions,
        format_decisions,
        format_table,
        format_transfer,
        row_label,
    )
    from studio.analysis.transfer_table import transfer_table
    from studio.experiment import Experiment
    from studio.registry import shared_registry
    from studio.run.decide import DecisionSession
    from studio.run.matrix import cells_of, matrix, run_all
    from studio.store.runs import RunInfo, read_run

    if options.screenshot:  # now, rather than after hours of training
        from studio.cli.qt_platform import choose_drawing_platform

        choose_drawing_platform()
    runs: list[RunInfo] = []
    experiments: list[Experiment] = []
    to_decide: list[Experiment] = []
    decisions: list[dict[str, Any]] = []
    cells: dict[tuple[str, int], dict[int, RunInfo | None]] = {}
    registry, unread = shared_registry(), list[str]()
    chosen = {name: vars(options)[name] for name in COMPARED}
    for source in options.sources:
        if not source.is_dir():
            compared = load_experiment(source, options.set, device=options.device, **chosen)
            if options.no_run:
                found = cells_of(compared, registry, options.out or paths.runs())
                cells |= found
                runs += [run for seeds in found.values() for run in seeds.values() if run is not None]
                continue
            experiments += matrix(compared, registry)
            to_decide += [compared] if compared.comparison.stop_when_decided else []
            continue
        try:
            runs.append(read_run(source))
        except StudioError as error:
            if len(options.sources) == 1:
                raise
            unread.append(f"{source.name} is left out: {error.message}")
    asked = len(runs) + len(experiments) + len(unread)
    given = ["--" + name.replace("_", "-") for name in (*COMPARED, "set", "device", "out") if vars(options)[name]]
    if given and not (experiments or options.no_run):
        message = f"{given[0]} is for new runs, and only existing runs are given."
        raise ExperimentError(message, given[0], "Leave it out and name the runs, or give an experiment file.")
    if experiments:
        to = options.out or paths.runs()
        with ProgressLine(len(experiments)) as line:
            runs += run_all(experiments, registry, to, line.channels, line.drive, line.failed)
            for compared in to_decide if all(run.state != "stopped" for run in runs) else ():
                session = DecisionSession(compared, registry, line.channels(len(experiments) - 1, compared), to)
                line.drive(session)
                decisions += [found.to_dict() for found in session.decisions]
        runs = [read_run(run.folder) for run in runs]  # a decision may have played more episodes
    rows, (transfer, left_out), (_, replaced) = table(runs), transfer_table(runs), grouped(runs)
    for sentence in [*unread, *replaced]:
        print(sentence, file=sys.stderr)
    style = "json" if options.json else options.format
    if style == "json":
        more = {"decisions": decisions} if to_decide else {}
        print(json_text({"rows": rows, "transfer": transfer, "left_out": unread + replaced + left_out} | more))
    elif style == "matrix":
        for group in [] if cells else grouped(runs)[0]:
            label = row_label({"strategy": group.strategy, "settings": group.settings})
            cells[label, group.episodes] = {run.seed: run for run in group.runs}
        print(as_markdown(matrix_table(cells)))
    else:
        print(format_table(rows, style))
        if (conditions := format_conditions(rows)) and style == "table":
            print(f"\nOn the target under other conditions:\n{conditions}")
        if decisions and style == "table":
            print(f"\nSequential comparison:\n{format_decisions(decisions)}")
        if transfer and style == "table":
            print(f"\nAgainst training without transfer:\n{format_transfer(transfer)}")
        if left_out and style == "table":
            print("\nTransfer over the training: " + "\n".join(left_out))
    if options.screenshot:
        from studio.cli.window import window_function

        first = options.sources[0]
        screenshot = window_function("screenshot")
        screenshot(options.screenshot, None if first.is_dir() else first, [run.folder for run in runs])
        print(f"Screenshot: {options.screenshot}", file=sys.stderr)
    if any(run.state == "stopped" for run in runs) and experiments:
        return STOPPED
    if options.no_run:
        return 0
    return 0 if sum(run.state == "finished" for run in runs) == asked else 1
