"""A domain whose names have been looked up."""

from __future__ import annotations

from dataclasses import dataclass

from studio.contracts.embodiment import Embodiment
from studio.contracts.task import Task
from studio.experiment import Domain


@dataclass(frozen=True)
class ResolvedDomain:
    """A domain with its task and its embodiment: looked up once, then handed on.

    The task serves to ask what it is like; whoever simulates makes one of its own with :meth:`new_task`.
    """

    domain: Domain
    task: Task
    embodiment: Embodiment

    def new_task(self) -> Task:
        """Return a task for one simulation, which may keep arrays of that simulation."""
        return type(self.task)()

    def changed(self, domain: Domain) -> ResolvedDomain:
        """Return this with other settings of the same task and embodiment: another randomization, other contexts."""
        return ResolvedDomain(domain, self.task, self.embodiment)
