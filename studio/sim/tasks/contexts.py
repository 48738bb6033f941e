"""Contexts: which task of its family an episode is, and the dynamics parameters that a policy observes.

A context ω is drawn from the episode's own seed, so it depends neither on the other simulations nor on the threads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.contracts import Observation, Problem, Task
from studio.experiment import Domain, RandomizationTerm
from studio.experiment.randomization import POSITIVE
from studio.rng import EpisodeRng

if TYPE_CHECKING:
    import mujoco

Array = np.ndarray
PREFIX = "context:"  # before a component's name, where it stands among the values of randomization
STREAM = 6  # of an episode's random numbers: which of the domain's contexts it is
LEAST = math.exp(-5)  # a factor of 0 has no logarithm


def draw(task: Task, choices: Sequence[Sequence[float]], rng: EpisodeRng) -> Array:
    """A context for each episode, (n, components): of the whole family, or one of ``choices``."""
    whole = task.family(rng)  # drawn in any case: what the task draws after it stays the same
    if not choices:
        return whole
    unit = EpisodeRng(rng.seeds, STREAM).uniform()
    return np.asarray(choices, float)[(unit * len(choices)).astype(int)]


def named(task: Task, contexts: Array) -> dict[str, Array]:
    """The components (n, components) by their keys, ``context:velocity``."""
    return {f"{PREFIX}{name}": contexts[:, place] for place, name in enumerate(task.context)}


def logged(domain: Domain, task: Task) -> tuple[str, ...]:
    """Return the keys of what is drawn for an episode of a domain: its randomization terms', then the context's."""
    terms = dict.fromkeys(term.key for term in domain.randomization)
    return (*terms, *(f"{PREFIX}{name}" for name in task.context))


def problems(domain: Domain, task: Task) -> list[Problem]:
    """What is wrong with a domain's contexts for its task."""
    if not domain.contexts:
        return []
    if not task.context:
        words = f"The task '{task.id}' has no contexts: it is not a task family."
        return [
            Problem("contexts", words, "Leave the contexts empty, or choose a family such as half_cheetah_velocity.")
        ]
    width, found = len(task.context), []
    for place, context in enumerate(domain.contexts):
        if len(context) != width:
            count = f"{len(context)} number{'s' * (len(context) != 1)}"
            words = f"The context {_words(context)} has {count}; a context of '{task.id}' has {width}."
            found.append(Problem(f"contexts.{place}", words, f"Give {', '.join(task.context)}."))
        else:
            found += [Problem(f"contexts.{place}", p.message, p.remedy) for p in task.check_context(context)]
    return found


def varies(term: RandomizationTerm) -> bool:
    """Whether a term's value is not the same in every episode."""
    from studio.sim.randomization.fields import NOMINAL  # it loads MuJoCo, which most checks do not need

    if not term.probability:
        return False
    return term.low < term.high or (term.probability < 1 and term.low != NOMINAL[term.field])


def context_observable(domain: Domain) -> bool:
    """Whether a policy observes a value in which instances of the dynamics differ."""
    return any(term.observed and varies(term) for term in domain.randomization)


def degenerate_family(domain: Domain, task: Task) -> list[Problem]:
    """Why the episodes of a task family, or of observed dynamics, are all of one task after all."""
    if context_observable(domain) or (task.context and len({*map(tuple, domain.contexts)}) != 1):
        return []
    if task.context:
        words = "There is only one context, so there is only one task to learn."
        return [Problem("contexts", words, "Give several that differ, or none for the whole family.")]
    words = "The observed dynamics parameters are the same in every episode, so there is only one task to learn."
    return [Problem("randomization", words, "Widen their ranges, or choose a family of tasks.")]


class DynamicsSensor:
    """What a policy observes of the randomized dynamics: the values of the observed terms.

    A mass or a gain is observed as the logarithm of its factor, anything else as its difference from the model's own
    value; so a value means the same whatever the term's range is.
    """

    def __init__(self, terms: Sequence[RandomizationTerm], model: mujoco.MjModel, camera: str) -> None:
        from studio.sim.randomization.fields import (
            nominal_value,  # it loads MuJoCo, which a check of contexts does not need
        )

        fields = {term.key: term.field for term in terms if term.observed}
        self._terms = {
            key: (field in POSITIVE and field != "camera_fov", nominal_value(key, model, camera))
            for key, field in fields.items()
        }

    def observe(self, values: Mapping[str, Array], ids: Any) -> Observation:
        """``dynamics_params`` (n, width) float32 for the simulations ``ids``; nothing where no term is observed."""
        if not self._terms:
            return {}
        columns = []
        for key, (factor, rest) in self._terms.items():
            now = values[key][ids]
            now = np.where(np.isnan(now), rest, now)  # the model's own field of view
            now = np.log(np.maximum(now, LEAST)) if factor else now - rest
            columns.append(now.reshape(len(now), -1))
        return {"dynamics_params": np.concatenate(columns, 1).astype(np.float32)}


def _words(context: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:g}' for value in context)}]"
