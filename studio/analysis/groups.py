"""Which runs are seeds of one configuration, and which are the training without transfer to compare them with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.analysis.baselines import baselines
from studio.experiment import Comparison, Experiment, Pretraining, Selection
from studio.store.runs import RunInfo, experiment_of


@dataclass(eq=False)
class Group:
    """Finished runs that differ in nothing but their seeds.

    ``settings``: what is not the same in all groups of the same strategy and number of episodes, by dotted name; the
    strategy's own parameters without their prefix.
    """

    runs: list[RunInfo]
    experiment: Experiment
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def strategy(self) -> str:
        return self.experiment.strategy.id

    @property
    def episodes(self) -> int:
        return self.runs[0].episodes


def grouped(runs: Iterable[RunInfo]) -> tuple[list[Group], list[str]]:
    """Group the finished runs by episodes, strategy and configuration.

    Of those that share a seed the newest counts; a sentence names each of the others."""
    found: dict[tuple[int, str, str], dict[int, RunInfo]] = {}
    replaced = []
    for run in sorted({run.folder.resolve(): run for run in runs}.values(), key=lambda run: -run.created):
        if run.state != "finished":
            continue
        key = run.episodes, run.strategy, f"{_decisive(experiment_of(run)).content_hash()} {run.inputs}"
        counted = found.setdefault(key, {}).setdefault(run.seed, run)
        if counted is not run:
            newer = counted.folder.name
            replaced.append(f"{run.folder.name} is left out: {newer} is newer, of the same settings and seed.")
    groups = []
    for seeds in found.values():
        of_seeds = [seeds[seed] for seed in sorted(seeds)]
        groups.append(Group(of_seeds, _decisive(experiment_of(of_seeds[0]))))
    groups.sort(key=lambda group: (group.episodes, group.strategy, min(run.created for run in group.runs)))
    for _, rivals in itertools.groupby(groups, key=lambda group: (group.episodes, group.strategy)):
        _name_differences([*rivals])
    return groups, replaced


def baselines_for(group: Group, groups: list[Group]) -> list[Group]:
    """Return the training without transfer (:mod:`studio.analysis.baselines`) on a group's target and episodes.

    Of several the one that differs in the strategy alone; all of them where that does not decide it."""
    near = [g for g in groups if g.episodes == group.episodes and g.experiment.target == group.experiment.target]
    base = baselines(run for g in near for run in g.runs).get(group.episodes, [])
    found = [g for g in near if g.runs[0] in base]
    alone = {"strategy": Selection(), "pretraining": Pretraining()}  # which a training without transfer has none of
    wanted = group.experiment.model_copy(update=alone)
    alike = [g for g in found if g.experiment.model_copy(update=alone) == wanted]
    return alike if len(found) > 1 and alike else found


def _decisive(experiment: Experiment) -> Experiment:
    """Return the experiment with one value for all that a comparison varies, its strategies aside.

    So too for what is no part of a configuration: names, and where and how the training runs."""
    return experiment.model_copy(
        update={
            "name": "any",
            "description": "",
            "comparison": Comparison(),
            "seed": 0,
            "device": "auto",
            "target": experiment.target.model_copy(update={"episodes": 1}),
            "budget": experiment.budget.model_copy(update={"checkpoint_every": 1, "threads": 1}),
        }
    )


def _name_differences(rivals: list[Group]) -> None:
    """Give each group the settings that are not the same in all of them; "default" stands for a parameter left out."""
    found = [
        dict(leaves(group.experiment)) | {f"file of {field}": digest[:8] for field, digest in group.runs[0].inputs}
        for group in rivals
    ]
    for name in dict.fromkeys(name for values in found for name in values):
        if len({(name in values, values.get(name)) for values in found}) > 1:
            for group, values in zip(rivals, found, strict=True):
                if name in values or ".params." in name:
                    group.settings[name.removeprefix("strategy.params.")] = values.get(name, "default")


def leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of each setting, items of lists by their index."""
    node = node.plain() if isinstance(node, Experiment) else node
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, node
