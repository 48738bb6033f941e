"""Settings that an experiment may have and that its strategy or policy cannot use."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from studio.contracts import Problem, Requires
from studio.experiment import Domain, Experiment, Instructions


def unsupported(
    experiment: Experiment,
    title: str,
    requires: Requires,
    trial_policies: Collection[str] = (),
    reading_policies: Collection[str] = (),
) -> Iterator[Problem]:
    """Yield a problem for each setting that would be ignored.

    Args:
        title: the strategy's.
        requires: how many sources it learns from, and whether from instructions.
        trial_policies: the ids of those whose memory lasts over a trial.
        reading_policies: the ids of those that read instructions.
    """
    least, most = requires.sources
    count = len(experiment.sources)
    if most is not None and count > most:
        those = "one source" if most == 1 else f"at most {most} sources"
        yield Problem("source", f"'{title}' learns from {those}, and there are {count}.", "Remove the others.")
    elif count < least:
        yield Problem("source", f"'{title}' needs {least} sources, and there are {count}.", "Add more.")
    reads = experiment.policy.id in reading_policies
    for name, domain in experiment.domains.items():
        yield from _domain(name, domain)
        if domain.observes("instruction") and not reads:
            message = f"'{experiment.policy.id}' does not read instructions."
            remedy = f"Choose {' or '.join(reading_policies)}, or leave the instruction out."
            yield Problem(f"{name}.observation", message, remedy)
        if requires.instructions and not domain.observes("instruction"):
            message = f"'{title}' learns from instructions, and this domain observes none."
            remedy = "Choose a task that gives instructions, such as language_push, and add instruction."
            yield Problem(f"{name}.observation", message, remedy)
    if experiment.evaluation.plays_trials and experiment.policy.id not in trial_policies:
        message = f"'{experiment.policy.id}' keeps no memory from one episode to the next, so it cannot use shots."
        yield Problem("evaluation.shots", message, f"Set it to 0, or choose {' or '.join(trial_policies)}.")


def _domain(name: str, domain: Domain) -> Iterator[Problem]:
    sights = [entry for entry in domain.observation if entry != "instruction"]
    if not sights:
        message = "An instruction alone does not say where things are."
        yield Problem(f"{name}.observation", message, "Observe the image too.")
    elif len(sights) > 1:
        message = f"A policy observes one of {', '.join(sights)}."
        yield Problem(f"{name}.observation", message, "Choose one of them.")
    if domain.instructions != Instructions() and not domain.observes("instruction"):
        message = "The domain's instructions are not observed, so these settings have no effect."
        yield Problem(f"{name}.instructions", message, "Add instruction to the observation, or leave them out.")
    if len(domain.cameras) > 1:
        message = f"A policy sees one camera's images, and there are {len(domain.cameras)} cameras."
        yield Problem(f"{name}.camera", message, "Choose one of them.")
    if len(domain.datasets) > 1:
        message = f"Demonstrations come from one file, and there are {len(domain.datasets)}."
        yield Problem(f"{name}.dataset", message, "Choose one of them.")
