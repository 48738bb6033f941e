"""What ``transfer-studio identify`` does."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Any

from studio.cli.progress import ShareLine
from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.files import write_text
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sysid.calibration import chosen, simulation_of, terms_around
from studio.sysid.entry import explains, identify, misfit, plant_for, record
from studio.sysid.ranges import FIELDS
from studio.sysid.recordings import read_recordings, write_recordings


def identify_for(experiment: Experiment, registry: Registry, options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Return the result as plain data and as a table.

    Raises:
        StudioError: a field, a file or a value does not fit.
    """
    if options.dataset is not None and options.hidden:
        raise ExperimentError(
            "Recordings of a file have hidden values of their own.", "--hidden", "Leave out --hidden or --dataset."
        )
    for option in ("record", "write"):
        _check_target(getattr(options, option), f"--{option}")
    domain = getattr(experiment, options.domain)
    simulation = simulation_of(experiment, options.domain) if options.write is not None else ""
    resolved = resolve(domain, registry)
    if options.dataset is not None:
        recordings = read_recordings(options.dataset)
    else:
        recordings = record(resolved, _values(options.hidden) or None, None, experiment.seed)
    if options.record is not None:
        write_recordings(recordings, options.record)
    start = time.perf_counter()
    found = identify(
        resolved,
        recordings,
        options.fields or FIELDS,
        method=options.method,
        seed=experiment.seed,
        tick=ShareLine("identify"),
    )
    seconds = time.perf_counter() - start
    plant, recordings = plant_for(resolved, recordings)
    before, after = misfit(plant, recordings, {}), misfit(plant, recordings, chosen(found))
    about = {
        "method": options.method,
        "seconds": seconds,
        "misfit_before": before,
        "misfit_after": after,
        "explained": explains(before, after),
        "estimates": {name: estimate.to_dict() for name, estimate in found.items()},
    }
    lines = [
        f"{name:<15} {e.value:8.4g}  [{e.low:.4g}, {e.high:.4g}]"
        if e.identifiable
        else f"{name:<15} not identifiable: {e.reason}"
        for name, e in found.items()
    ]
    lines.append(f"difference from simulation: {before:.3g} × the sensors' noise before, {after:.3g} × after")
    if not explains(before, after):
        lines.append("The simulation does not explain the recordings: the intervals are not to be trusted.")
    if options.write is not None:
        terms = terms_around(experiment.domains[simulation], found)
        write_text(options.write, experiment.changed(**{f"{simulation}.randomization": terms}).to_yaml())
        named = [*chosen(found)]
        about["written"] = {"file": str(options.write), "domain": simulation, "fields": named}
        robot = "" if simulation == options.domain else f"; the {options.domain} is the robot and stays as it is"
        lines.append(f"{options.write}: the {simulation} is randomized in {', '.join(named) or 'nothing new'}{robot}.")
    return about, "\n".join(lines)


def _check_target(file: Path | None, option: str) -> None:
    """Raise ExperimentError where a file cannot be written, before the long work."""
    if file is None:
        return
    if file.is_dir():
        raise ExperimentError(f"{option} names a folder.", str(file), "Name a file.")
    if not file.parent.is_dir():
        raise ExperimentError(f"The folder of {option} does not exist.", str(file), "Make it, or choose another.")
    if not os.access(file.parent, os.W_OK):
        raise ExperimentError(f"The folder of {option} cannot be written.", str(file), "Choose another.")


def _values(given: list[str]) -> dict[str, float]:
    values = {}
    for pair in given:
        name, _, value = pair.partition("=")
        try:
            values[name] = float(value)
        except ValueError:
            raise ExperimentError(f"'{pair}' is not of the form field=number.", "--hidden", "Write mass=1.2.") from None
    return values
