"""A run's strategy as it stands at its newest checkpoint, to be asked further: what it adapts to, what it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from studio.contracts import ResolvedDomain, Strategy
from studio.errors import DataError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run import devices
from studio.run.check import strategy_of
from studio.run.context import SessionContext
from studio.sim.domains import resolve
from studio.store.restore import latest_state


@dataclass(frozen=True)
class RestoredStrategy:
    """A strategy with the state of a checkpoint, which nothing trains further.

    Args:
        step: of the checkpoint.
    """

    experiment: Experiment
    strategy: Strategy
    target: ResolvedDomain
    step: int


def restored_strategy(
    run: Path, registry: Registry, tick: Callable[[int, int], None] = lambda done, total: None
) -> RestoredStrategy:
    """Return the strategy of a run, finished or not, as its newest training state has it.

    Args:
        tick: called with (done, total) while demonstrations are made that are not in the cache; it may raise to leave.

    Raises:
        DataError: the folder is no run, it has no readable training state, or the state is of another experiment.
        ExperimentError: something that the experiment names is missing here.
    """
    experiment = run_experiment(run)
    kind, params = strategy_of(experiment, registry)
    found = latest_state(run, "adapt")
    if found is None:
        raise DataError("The run has no training state yet.", str(run), "Let it reach its first checkpoint.")
    step, state = found
    strategy: Strategy = kind(params)
    target = resolve(experiment.target, registry)
    strategy.setup(
        SessionContext(
            experiment,
            registry,
            devices.choose(experiment.device),
            tuple(resolve(strategy.training_source(domain), registry) for domain in experiment.sources),
            target,
            run / "base" if kind.requires.source_policy else None,
            kind.requires.target_data,
            tick,
            lambda sentence: None,
        )
    )
    try:
        strategy.load_state_dict(state["training"])
    except (KeyError, TypeError, ValueError, RuntimeError):
        words = f"The checkpoint at step {step} does not belong to the training that experiment.yaml describes."
        raise DataError(words, str(run), "Restore experiment.yaml (log.h5 has its text).") from None
    return RestoredStrategy(experiment, strategy, target, step)


def run_experiment(run: Path) -> Experiment:
    """Return a run's experiment. Raises DataError where the folder is no run."""
    if not (run / "experiment.yaml").is_file():
        raise DataError("There is no run in this folder.", str(run), "Name the folder of a run.")
    return Experiment.load(run / "experiment.yaml")
