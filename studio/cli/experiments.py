"""The experiment that a command names, with what its options change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the studio starts without torch
    from studio.experiment import Experiment


def load_experiment(
    path: Path, changes: Sequence[str], *, device: str | None = None, seed: int | None = None, **comparison: Any
) -> Experiment:
    """Return the experiment of a file. Raises ExperimentError where it, or an option, is wrong.

    Args:
        changes: ``a.b=value`` strings.
        device: trains the networks; None: the experiment's own.
        seed: None: the experiment's own.
        comparison: fields of the comparison; None, False or empty: the experiment's own.
    """
    from studio.experiment import Experiment

    overrides = [*changes]
    if device is not None:
        overrides.append(f"device={device}")
    if seed is not None:
        overrides.append(f"seed={seed}")
    overrides += [f"comparison.{name}={json.dumps(given)}" for name, given in comparison.items() if given]
    return Experiment.load(path, overrides)
