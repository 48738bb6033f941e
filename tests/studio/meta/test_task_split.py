"""Tasks of a family that are kept out of training."""

from __future__ import annotations

import numpy as np
import pytest

from studio.contracts import ResolvedDomain
from studio.errors import ExperimentError
from studio.experiment import Domain
from studio.meta.task_split import held_out, split
from studio.registry import shared_registry
from studio.sim.domains import resolve


def family(task: str, embodiment: str, **settings: object) -> ResolvedDomain:
    asked = {"task": task, "embodiment": embodiment, "control": "motor", "observation": "state"} | settings
    return resolve(Domain.model_validate(asked), shared_registry())


def test_held_out_tasks_are_those_of_the_split() -> None:
    points = family("point_navigation", "point")
    assert held_out(points, "none", 3) is points
    for which in ("inside", "outside"):
        found = np.array(held_out(points, which, 3).domain.contexts)
        assert np.array_equal(found, getattr(split(points, 3), which))
        assert ((np.abs(found) <= 0.5) == (which == "inside")).all() and len(found) == 20


def test_the_best_policy_is_chosen_on_other_tasks_than_it_is_scored_on() -> None:
    points = family("point_navigation", "point")
    for which in ("inside", "outside"):
        scored, chosen = (held_out(points, which, 3, choosing).domain.contexts for choosing in (False, True))
        assert len(chosen) == len(scored) == 20 and not {*map(tuple, chosen)} & {*map(tuple, scored)}


@pytest.mark.parametrize(
    ("domain", "which", "words"),
    [
        (("hopper", "hopper"), "inside", "not a task family"),
        (("half_cheetah_direction", "half_cheetah"), "inside", "has 2 tasks, and training draws them all"),
        (("ant_direction", "ant"), "outside", "no tasks outside its range"),
    ],
)
def test_held_out_says_why_a_family_has_none(domain: tuple[str, str], which: str, words: str) -> None:
    with pytest.raises(ExperimentError, match=words) as error:
        held_out(family(*domain), which, 0)
    assert error.value.field == "evaluation.held_out" and error.value.remedy


def test_held_out_does_not_replace_contexts_that_were_chosen() -> None:
    with pytest.raises(ExperimentError, match="contexts are chosen already"):
        held_out(family("point_navigation", "point", contexts=[[0.1, 0.2]]), "inside", 0)
