"""What the Adapters panel asks of the engine. All of it is slow, so none belongs on the UI thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import Stopped
from studio.experiment import Experiment
from studio.registry import Registry

if TYPE_CHECKING:
    from studio.nn.blended_policy import BlendedPolicy
    from studio.nn.updates import Spectrum
    from studio.run.adapter_loss import ActionLoss
    from studio.run.adapter_targets import Part
    from studio.run.evaluate import Evaluation
    from studio.store.adapters import Adapted, AdapterInfo


@dataclass(frozen=True)
class Targets:
    """The modules of the experiment's policy, and what its strategy would train of them."""

    parts: list[Part]
    chosen: list[str]  # names of the modules that get an adapter
    unmatched: list[str]  # targets that name none
    total: int  # numbers of the policy
    places_adapter: bool  # whether the strategy places one of PEFT
    trainable: int | None  # None: it places none, or it cannot be placed
    problem: str  # why it cannot; empty: it can


def list_adapters(runs: Path) -> list[AdapterInfo]:
    """Return all adapters of a runs folder."""
    from studio.store.adapters import list_adapters as read

    return read(runs)


def spectra(folder: Path, registry: Registry) -> tuple[Adapted, list[Spectrum]]:
    """Read an adapter, and return it with the spectrum of each layer's update."""
    from studio.store.adapters import open_adapter

    adapted = open_adapter(folder, registry=registry)
    return adapted, adapted.spectra()


def playable(folders: Sequence[Path], registry: Registry) -> tuple[BlendedPolicy, Adapted, Experiment]:
    """Return a policy whose adapters can be weighted while it acts, the first adapter, and its experiment.

    Raises:
        DataError: the adapters are of different bases or robots.
    """
    from studio.nn.blended_policy import BlendedPolicy
    from studio.run.adapter_loss import adapter_experiment
    from studio.store.adapter_files import check_one_base
    from studio.store.adapters import open_adapter

    opened = [open_adapter(folder, registry=registry) for folder in folders]
    check_one_base(opened)
    first = opened[0]
    policy = BlendedPolicy(first.base, [one.policy for one in opened], [1.0] + [0.0] * (len(opened) - 1))
    return policy, first, adapter_experiment(first.folder)


def write_pruned(folder: Path, rank: int, to: Path, registry: Registry) -> Path:
    """Write an adapter cut to a rank."""
    from studio.store.adapter_files import ranks_for, write_adapter
    from studio.store.adapters import open_adapter

    adapted = open_adapter(folder, registry=registry)
    ranks = ranks_for(adapted.spectra(), rank)
    return write_adapter(adapted, ranks, to, f"The updates of {folder.name}, cut to rank {rank} at most.")


def write_blend(folders: Sequence[Path], weights: Sequence[float], to: Path, registry: Registry) -> Path:
    """Write an adapter that is a weighted sum of others."""
    from studio.store.adapter_files import blended, ranks_for, write_adapter
    from studio.store.adapters import open_adapter

    blend = blended([open_adapter(folder, registry=registry) for folder in folders], weights)
    parts = ", ".join(f"{weight:g} × {folder.name}" for weight, folder in zip(weights, folders, strict=True))
    return write_adapter(blend, ranks_for(blend.spectra()), to, f"A blend of {parts}.")


def write_merged(folder: Path, to: Path, registry: Registry) -> Path:
    """Write an adapter's policy with the adapter folded in."""
    from studio.store.adapter_files import write_merged as write
    from studio.store.adapters import open_adapter

    return write(open_adapter(folder, registry=registry), to)


def trash(folders: Sequence[Path]) -> None:
    """Move adapters to the trash."""
    from studio.store.adapters import trash_adapter

    for folder in folders:
        trash_adapter(folder)


def pruning_actions(adapted: Adapted, found: Sequence[Spectrum], rank: int, registry: Registry) -> ActionLoss:
    """Return how pruning to a rank changes the actions on the target's recorded states."""
    from studio.run.adapter_loss import action_loss, adapter_experiment, recorded_states
    from studio.store.adapter_files import pruned, ranks_for

    policy, _ = pruned(adapted, ranks_for(found, rank))
    return action_loss(adapted.policy, policy, recorded_states(adapter_experiment(adapted.folder), registry))


def pruning_success(
    adapted: Adapted, found: Sequence[Spectrum], rank: int, registry: Registry, keep_on: Callable[[], bool]
) -> tuple[Evaluation, Evaluation]:
    """Return the scores before and after pruning to a rank, on the same seeds. Raises Stopped where it shall end."""
    from studio.run.adapter_loss import adapter_experiment, success_of
    from studio.store.adapter_files import pruned, ranks_for

    def tick(_done: int, _total: int) -> None:
        if not keep_on():
            raise Stopped

    experiment = adapter_experiment(adapted.folder)
    policy, _ = pruned(adapted, ranks_for(found, rank))
    episodes = experiment.evaluation.episodes
    before, after = (success_of(one, experiment, registry, episodes, tick) for one in (adapted.policy, policy))
    return before, after


def targets(experiment: Experiment, registry: Registry) -> Targets:
    """Return the policy's modules, and what would be trained. Raises ExperimentError where the policy has a problem."""
    from studio.errors import ExperimentError
    from studio.run.adapter_targets import (
        adapter_strategy,
        hollow_policy,
        matched,
        module_tree,
        trainable_numbers,
        unmatched,
    )

    policy = hollow_policy(experiment, registry)
    parts, total = module_tree(policy), sum(parameter.numel() for parameter in policy.parameters())
    strategy = adapter_strategy(experiment, registry)
    if strategy is None:
        return Targets(parts, [], [], total, False, None, "")
    wanted = strategy.params.target_modules
    chosen, missing = matched(wanted, parts), unmatched(wanted, parts)
    try:
        count = trainable_numbers(strategy, policy, experiment.budget.iterations) if chosen else None
        problem = ""
    except ExperimentError as error:
        count, problem = None, error.message
    return Targets(parts, chosen, missing, total, True, count, problem)
