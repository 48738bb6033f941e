"""The experiment that a command names, with what its options change."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def load_experiment(path: Path, options: argparse.Namespace) -> Any:
    """Return the experiment of a file. Raises ExperimentError where it, or an option, is wrong."""
    from studio.experiment import Experiment

    overrides = [*options.set]
    if options.device:
        overrides.append(f"device={options.device}")
    if getattr(options, "seed", None) is not None:
        overrides.append(f"seed={options.seed}")
    for name in ("strategies", "episodes", "seeds"):
        given = getattr(options, name, None)
        if given:
            overrides.append(f"comparison.{name}={json.dumps(given)}")
    if getattr(options, "stop_when_decided", False):
        overrides.append("comparison.stop_when_decided=true")
    if getattr(options, "alpha", None) is not None:
        overrides.append(f"comparison.alpha={options.alpha}")
    return Experiment.load(path, overrides)
