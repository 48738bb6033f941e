"""Settings that an experiment may have and that its strategy or policy cannot use."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from studio.contracts import Problem, Requires
from studio.experiment import Domain, Experiment


def unsupported(
    experiment: Experiment, title: str, requires: Requires, trial_policies: Collection[str] = ()
) -> Iterator[Problem]:
    """Yield a problem for each setting that would be ignored.

    Args:
        title: the strategy's.
        requires: how many sources it learns from.
        trial_policies: the ids of those whose memory lasts over a trial.
    """
    least, most = requires.sources
    count = len(experiment.sources)
    if most is not None and count > most:
        those = "one source" if most == 1 else f"at most {most} sources"
        yield Problem("source", f"'{title}' learns from {those}, and there are {count}.", "Remove the others.")
    elif count < least:
        yield Problem("source", f"'{title}' needs {least} sources, and there are {count}.", "Add more.")
    yield from _domain("target", experiment.target)
    for place, domain in enumerate(experiment.sources):
        yield from _domain(f"sources.{place}" if place else "source", domain)
    if experiment.evaluation.plays_trials and experiment.policy.id not in trial_policies:
        message = f"'{experiment.policy.id}' keeps no memory from one episode to the next, so it cannot use shots."
        yield Problem("evaluation.shots", message, f"Set it to 0, or choose {' or '.join(trial_policies)}.")


def _domain(name: str, domain: Domain) -> Iterator[Problem]:
    if domain.observes("instruction"):
        message = "No policy reads instructions yet."
        yield Problem(f"{name}.observation", message, "Choose image, goal or state.")
    elif len(domain.observation) > 1:
        message = f"A policy observes one of {', '.join(domain.observation)}."
        yield Problem(f"{name}.observation", message, "Choose one of them.")
    if len(domain.cameras) > 1:
        message = f"A policy sees one camera's images, and there are {len(domain.cameras)} cameras."
        yield Problem(f"{name}.camera", message, "Choose one of them.")
    if len(domain.datasets) > 1:
        message = f"Demonstrations come from one file, and there are {len(domain.datasets)}."
        yield Problem(f"{name}.dataset", message, "Choose one of them.")
