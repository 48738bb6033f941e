"""Widths of what a policy observes and commands in a domain, found by building its world."""

from __future__ import annotations

import functools
from typing import Any

from studio.contracts import Embodiment, Task
from studio.experiment import Curriculum, Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of


def observed_terms(domain: Domain) -> list[Any]:
    """Return the randomization terms whose values a policy observes."""
    return [term for term in domain.randomization if term.observed]


def spaces_of(domain: Domain, registry: Registry) -> tuple[dict[str, int], int]:
    """Return the widths of the entries of a domain's observations, without images, and of its actions."""
    embodiment, kind = embodiment_of(domain, registry), registry.get("tasks", domain.task, "task")
    changed = embodiment.model.stat().st_mtime_ns if embodiment.model.is_file() else 0
    nothing: dict[str, Any] = {"randomization": observed_terms(domain), "datasets": [], "curriculum": Curriculum()}
    return _world_widths(domain.model_copy(update=nothing).model_dump_json(), embodiment, kind, changed)


@functools.lru_cache(maxsize=64)
def _world_widths(domain: str, embodiment: Embodiment, task: type[Task], changed: int) -> tuple[dict[str, int], int]:
    import gymnasium

    from studio.sim.world import World

    world = World(Domain.model_validate_json(domain), task(), embodiment, 1, 1)
    space: Any = world.single_observation_space
    spaces = dict(space.spaces) if isinstance(space, gymnasium.spaces.Dict) else {"state": space}
    widths = {name: int(part.shape[0]) for name, part in sorted(spaces.items()) if name != "image"}
    world.close()
    return widths, world.actions.shape[1]
