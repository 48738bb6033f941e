"""Where a strategy places its adapter: the policy's modules, those that the targets name, and what would be trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from studio.contracts import Problem
from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.il.peft_adapters import ALL_LINEAR, PeftStrategy, is_named
from studio.nn.updates import under
from studio.registry import Registry
from studio.store.policies import check_params

FIELD = "strategy.params.target_modules"


@dataclass(frozen=True)
class Part:
    """One module of a policy.

    Args:
        name: dotted.
        numbers: of its parameters, its children's among them.
        adaptable: whether an adapter can be placed on it: it is a linear layer that is not trained whole.
        whole: whether it is trained and saved whole beside the adapter.
    """

    name: str
    kind: str
    numbers: int
    adaptable: bool
    whole: bool


def adapter_strategy(experiment: Experiment, registry: Registry) -> PeftStrategy | None:
    """Return the experiment's strategy with its parameters, if it places an adapter of PEFT; else None.

    Raises:
        ExperimentError: it is unknown, or a parameter is wrong.
    """
    kind = registry.get("strategies", experiment.strategy.id, "strategy.id")
    if not issubclass(kind, PeftStrategy):
        return None
    found: PeftStrategy = kind(check_params(kind, experiment.strategy.params, "strategy.params"))
    return found


def hollow_policy(experiment: Experiment, registry: Registry) -> Any:
    """Return the experiment's policy without any memory for its weights."""
    kind = registry.get("policies", experiment.policy.id, "policy.id")
    params = check_params(kind, experiment.policy.params, "policy.params")
    try:
        with torch.device("meta"):
            return kind(params, experiment.target.observation_kind)
    except ValueError as error:
        raise ExperimentError(f"The policy cannot be built ({error}).", "policy.params", "Change its size.") from None


def check_targets(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return the targets that name no layer of the policy, as problems, for a strategy that places an adapter."""
    strategy = adapter_strategy(experiment, registry)
    if strategy is None:
        return []
    parts = module_tree(hollow_policy(experiment, registry))
    unknown = unmatched(strategy.params.target_modules, parts)
    if not unknown:
        return []
    known = dict.fromkeys(part.name.rpartition(".")[2] for part in parts if part.adaptable)
    words = f"The policy has no linear layer '{unknown[0]}' that an adapter can be placed on."
    return [Problem(FIELD, words, f"Choose from {', '.join(known)}; or all_linear alone.")]


def module_tree(policy: Any) -> list[Part]:
    """Return all modules that have parameters, each before its children."""
    names = [name for name, _ in policy.named_modules() if name]
    whole = under((f"{name}." for name in names), policy.modules_to_save)
    found = []
    for name, module in policy.named_modules():
        numbers = sum(parameter.numel() for parameter in module.parameters())
        if name and numbers:
            is_whole = f"{name}." in whole
            adaptable = isinstance(module, nn.Linear) and not is_whole
            found.append(Part(name, type(module).__name__, numbers, adaptable, is_whole))
    return found


def matched(targets: Sequence[str], parts: Iterable[Part]) -> list[str]:
    """Return the adaptable modules that these targets name: whole names, their ends, or all of them."""
    everything = [*targets] == [ALL_LINEAR]
    return [part.name for part in parts if part.adaptable and (everything or is_named(part.name, targets))]


def unmatched(targets: Sequence[str], parts: Sequence[Part]) -> list[str]:
    """Return the targets that name no layer that an adapter can be placed on."""
    return [target for target in targets if not matched([target], parts)]


def shortest(layers: Iterable[str], parts: Sequence[Part]) -> list[str]:
    """Return targets that name these layers and no others: a last name where all that have it are meant."""
    chosen, by_end = set(layers), defaultdict[str, list[str]](list)
    for part in parts:
        if part.adaptable:
            by_end[part.name.rpartition(".")[2]].append(part.name)
    targets: list[str] = []
    for end, names in by_end.items():
        if chosen.issuperset(names) and matched([end], parts) == names:
            targets.append(end)
        else:
            targets += [name for name in names if name in chosen]
    return targets


def trainable_numbers(strategy: PeftStrategy, policy: Any, iterations: int) -> int:
    """Return how many numbers PEFT would train, the whole modules among them. ``policy`` may be hollow, and is used up.

    Raises:
        ExperimentError: the adapter cannot be placed on the targets.
    """
    try:
        placed = strategy.place(policy, iterations)
    except ValueError as error:
        raise ExperimentError(
            f"The adapter cannot be placed ({error}).", FIELD, "Name linear layers of the policy."
        ) from None
    return int(placed.get_nb_trainable_parameters()[0])
