"""A run that gets more iterations than it was started with."""

from __future__ import annotations

from pathlib import Path

from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from studio.store.checkpoint import list_checkpoints


def lengthened(run: Path, experiment: Experiment, iterations: int, finished: bool) -> Experiment:
    """Return the run's experiment with more iterations.

    Raises:
        DataError: the run is finished, and the training state it would continue from was deleted.
        ExperimentError: ``iterations`` is not more than the run's own.
    """
    planned = experiment.budget.iterations
    if iterations <= planned:
        words = f"The run already has a budget of {planned} iterations; {iterations} would not lengthen it."
        raise ExperimentError(words, "--iterations", f"Ask for more than {planned}.")
    states = [
        step for stage, step, folder in list_checkpoints(run) if stage == "adapt" and (folder / "state.json").exists()
    ]
    if finished and not states:
        words = "The run's last training state was deleted, so it cannot be lengthened."
        raise DataError(words, str(run), "Start a new run with more iterations.")
    return experiment.changed(**{"budget.iterations": iterations})
