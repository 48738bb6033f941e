"""Conditions under which a policy is scored beside its score: what it should bear, and what should make it fail."""

from __future__ import annotations

from collections.abc import Iterator

from studio.contracts import Problem, ResolvedDomain, Task
from studio.experiment import Experiment

JOINED = "+"  # "chinese+paraphrases": both at once
GIVEN = ("shuffled", "blank")


def conditions_of(task: Task) -> tuple[str, ...]:
    """Return the conditions that a task offers: each of its languages alone, held-out wordings, shuffled and blank
    instructions, and its objects' other placements."""
    read = (*task.languages, "paraphrases", *GIVEN) if task.languages else ()
    return (*read, *task.placements[1:])


def under(target: ResolvedDomain, condition: str) -> ResolvedDomain:
    """Return the target under a condition; several are joined by ``+``. Its episodes have the seeds of the score's."""
    domain, task = target.domain, target.task
    for part in condition.split(JOINED):
        if part in task.placements:
            domain = domain.changed(placement=part)
        elif part in GIVEN:
            domain = domain.changed(**{"instructions.given": part})
        elif part == "paraphrases":
            domain = domain.changed(**{"instructions.wording": "held_out"})
        else:
            domain = domain.changed(**{"instructions.languages": [part]})
    return target.changed(domain)


def check_conditions(experiment: Experiment, task: Task) -> Iterator[Problem]:
    """Yield a problem for each condition that the target's task does not offer, or that has no effect there."""
    offered = conditions_of(task)
    has = f"It offers: {', '.join(offered)}." if offered else "Leave evaluation.conditions empty."
    for condition in experiment.evaluation.conditions:
        for part in condition.split(JOINED):
            words = ""
            if part not in offered:
                words = f"The task '{task.id}' offers no condition '{part}'."
            elif part not in task.placements and not experiment.target.observes("instruction"):
                words = f"The target does not observe the instruction, so the condition '{part}' has no effect."
            if words:
                yield Problem("evaluation.conditions", words, has)
