"""Checks of one domain: whether its world can be made, and its dataset read."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from studio.contracts import Embodiment, Problem, ResolvedDomain, Task
from studio.data.datasets import examine
from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.hidden_dynamics import check_hidden_dynamics
from studio.sim.randomization.curriculum import check_curriculum
from studio.sim.tasks import contexts


class Attempts:
    """Runs parts of a check; what one raises becomes a problem."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __call__(self, prefix: str, work: Callable[[], Any]) -> Any:
        """Return what ``work`` returns, or None where it raised; ``prefix`` is then the problem's field."""
        try:
            return work()
        except StudioError as error:
            inside = error.field if error.field in ("embodiment", "task", "camera") else ""
            field = error.field if error.field.startswith(("strategy", "policy", "device", "pretraining")) else prefix
            field = f"{field}.{inside}" if inside and not field.endswith(inside) else field
            self.problems.append(Problem(field, error.message, error.remedy))
            return None


def check_domain(name: str, domain: Domain, registry: Registry) -> list[Problem]:
    """Return all problems of one domain, at fields that begin with ``name`` (target or source)."""
    attempt = Attempts()
    found = attempt_domain(name, domain, registry, attempt)
    return attempt.problems + found


def attempt_domain(name: str, domain: Domain, registry: Registry, attempt: Attempts) -> list[Problem]:
    """Return problems of a domain; what is raised on the way is among ``attempt``'s."""
    problems: list[Problem] = []
    embodiment = attempt(f"{name}.embodiment", lambda: embodiment_of(domain, registry))
    task = attempt(f"{name}.task", lambda: task_of(domain, registry))
    if embodiment is not None and task is not None:
        unfit = task.check(embodiment)
        problems += [p.within(name) for p in unfit]
        if domain.randomization and not unfit:  # an unfit model may not even compile with the task
            found = attempt(f"{name}.randomization", lambda: _randomization(domain, embodiment, task))
            problems += [p.within(name) for p in found or []]
    if task is not None:
        problems += [p.within(name) for p in check_curriculum(domain, task)]
        problems += [p.within(name) for p in contexts.problems(domain, task)]
        for field, chosen, offered in (
            ("control", domain.control, task.controls),
            *(("observation", entry, task.observations) for entry in domain.observation),
            ("placement", domain.placement, task.placements),
        ):
            if chosen not in offered:
                words = f"The task '{task.id}' has no {field} '{chosen}'."
                problems.append(Problem(f"{name}.{field}", words, f"It has: {', '.join(offered)}."))
        if domain.observes("instruction") and task.languages:
            for unknown in set(domain.instructions.languages) - set(task.languages):
                words = f"The task '{task.id}' has no instructions in '{unknown}'."
                remedy = f"Choose from: {', '.join(task.languages)}."
                problems.append(Problem(f"{name}.instructions.languages", words, remedy))
    for camera in domain.images.values() if embodiment is not None else ():
        if camera not in embodiment.cameras:
            has = ", ".join(embodiment.cameras) or "none"
            problems.append(Problem(f"{name}.camera", f"There is no camera '{camera}'.", f"It has: {has}."))
    if domain.hidden_dynamics is not None:
        file = domain.hidden_dynamics
        attempt(f"{name}.hidden_dynamics", lambda: check_hidden_dynamics(file))
    if domain.dataset is not None and embodiment is not None and task is not None:
        resolved = ResolvedDomain(domain, task, embodiment)
        suits = attempt(f"{name}.dataset", lambda: examine(resolved))
        if suits is not None:
            problems += [p.within(name) for p in suits.problems]
    if domain.dataset is None and (domain.dataset_split or domain.dataset_camera):
        field = "dataset_split" if domain.dataset_split else "dataset_camera"
        words = "There is no dataset, so nothing can be chosen of it."
        problems.append(Problem(f"{name}.{field}", words, "Choose a dataset, or leave this empty."))
    return problems


def _randomization(domain: Domain, embodiment: Embodiment, task: Task) -> list[Problem]:
    """Return the randomization terms whose field or parts the model does not have."""
    from studio.sim.randomization.fields import check_terms

    changed = embodiment.model.stat().st_mtime_ns if embodiment.model.is_file() else 0
    kind: Any = type(task)
    return check_terms(domain.randomization, compiled_model(embodiment, kind, changed))


@functools.lru_cache(maxsize=16)
def compiled_model(embodiment: Embodiment, task: type[Task], changed: int) -> Any:
    """Return the compiled model, kept while the file's time of change stays: an experiment is checked at every edit."""
    from studio.sim.scene import build

    return build(embodiment, task()).model
