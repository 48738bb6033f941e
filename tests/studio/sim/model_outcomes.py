"""What the studio makes of a model's file: refused in plain words, or a robot in a world; anything else is an error."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from studio import paths
from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.run.check_domain import check_domain
from studio.sim.domains import embodiment_of, task_of
from studio.sim.world import World
from studio.store.inspect import describe

STEPS = 3  # control steps of the expert


def model_outcome(path: Path, registry: Registry) -> str:
    """Return "refused" or "moves". Raises AssertionError where words are not plain or the parts of the studio disagree,
    and whatever it raises that is no StudioError."""
    domain = Domain(embodiment=str(path), task="reach", observation="goal")
    about = _tried(lambda: describe(path))
    if about is not None:
        json.dumps(about)
    problems = check_domain("target", domain, registry)
    for problem in problems:
        plain_words(problem.message, problem.remedy)
    assert about is not None or problems, "what cannot be inspected is a problem before the start"
    moved = _tried(lambda: _moved(domain, registry))
    return "refused" if moved is None else "moves"


def _moved(domain: Domain, registry: Registry) -> bool:
    world = World(domain, task_of(domain, registry), embodiment_of(domain, registry), 1, 1)
    try:
        ids = np.zeros(1, int)
        world.reset_envs(ids, [0])
        for _ in range(STEPS):
            world.advance(world.expert(ids), ids)
            reward = world.reward(ids)
            assert np.isfinite(reward).all()
    finally:
        world.close()
    return True


def _tried(work: Callable[[], Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # MuJoCo's own, on a model's inertia
            return work()
    except StudioError as error:
        assert error.field and str(paths.cache()) not in str(error), str(error)
        plain_words(error.message, error.remedy)
        return None


def plain_words(message: str, remedy: str) -> None:
    """Assert that a message is a sentence for people, with a remedy."""
    assert message and remedy and "\n" not in message, message
    assert not re.search(r"Error\b|ERROR|Traceback|\bbug\b|\bfault\b|NoneType|object has no", message), message
