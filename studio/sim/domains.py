"""From the names in a domain to the embodiment and the task."""

from __future__ import annotations

from pathlib import Path

from studio.contracts import Embodiment, ResolvedDomain, Task
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.robots.open_model import open_model


def embodiment_of(domain: Domain, registry: Registry) -> Embodiment:
    """The registered embodiment, or one made of the MJCF or URDF file the domain names."""
    if domain.embodiment.lower().endswith((".xml", ".mjcf", ".urdf")):
        return open_model(Path(domain.embodiment))
    found: Embodiment = registry.get("embodiments", domain.embodiment, "embodiment")
    return found


def task_of(domain: Domain, registry: Registry) -> Task:
    """The registered task."""
    task: Task = registry.get("tasks", domain.task, "task")()
    return task


def resolve(domain: Domain, registry: Registry) -> ResolvedDomain:
    """Return the domain with its task and embodiment. Raises ExperimentError where one is unknown."""
    return ResolvedDomain(domain, task_of(domain, registry), embodiment_of(domain, registry))
