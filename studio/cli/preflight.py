"""The command that looks at an imitation experiment before it trains."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from studio.cli.experiments import load_experiment
from studio.cli.progress import ShareLine
from studio.errors import ExperimentError
from studio.files import json_text, write_text
from studio.registry import shared_registry
from studio.run.preflight import preflight, preflight_run

SIGNS = {"ok": "ok     ", "warning": "WARNING", "problem": "PROBLEM", "skipped": "skipped"}


def preflight_of(options: argparse.Namespace) -> int:
    """Print what each check found. Return 1 where there is a problem, else 0."""
    line = ShareLine("preflight")

    def tick(done: int, total: int) -> None:
        line(done / total)

    if options.source.is_dir():
        if options.write is not None:
            raise ExperimentError("A run's experiment is not changed.", "--write", "Name an experiment's file instead.")
        results = preflight_run(options.source, shared_registry(), tick)
    else:
        experiment = load_experiment(options.source, options.set, seed=options.seed)
        results = preflight(experiment, shared_registry(), tick)
        if options.write is not None:
            changes = {name: value for result in results for name, value in result.changes.items()}
            write_text(options.write, experiment.changed(**changes).to_yaml())
    line.clear()
    if options.json:
        print(json_text({"checks": [asdict(result) for result in results]}))
    else:
        for result in results:
            print(f"{SIGNS[result.state]} {result.check}: {result.message}")
            if result.remedy:
                print(f"        {result.remedy}")
    return 1 if any(result.state == "problem" for result in results) else 0
