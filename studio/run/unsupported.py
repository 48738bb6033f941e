"""Settings that an experiment may have and that its strategy or policy cannot use."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from studio.contracts import Problem, Strategy
from studio.experiment import Domain, Experiment, Instructions
from studio.nn.policy import BasePolicy


def unsupported(
    experiment: Experiment, kind: type[Strategy], policies: Mapping[str, type[BasePolicy]]
) -> Iterator[Problem]:
    """Yield a problem for each setting that would be ignored.

    Args:
        kind: the strategy's class.
        policies: all that there are, by id.
    """
    title, (least, most) = kind.title, kind.requires.sources
    count = len(experiment.sources)
    if most is not None and count > most:
        those = "one source" if most == 1 else f"at most {most} sources"
        yield Problem("source", f"'{title}' learns from {those}, and there are {count}.", "Remove the others.")
    elif count < least:
        yield Problem("source", f"'{title}' needs {least} sources, and there are {count}.", "Add more.")
    chosen = policies.get(experiment.policy.id)
    if kind.requires.transformer and chosen is not None and not chosen.is_transformer:
        fitting = " or ".join(id for id, policy in policies.items() if policy.is_transformer)
        yield Problem("policy.id", f"'{title}' adds to a transformer, and '{chosen.id}' is none.", f"Choose {fitting}.")
    reading_policies = [id for id, policy in policies.items() if policy.reads_instructions]
    for name, domain in experiment.domains.items():
        yield from _domain(name, domain)
        if chosen is not None:
            yield from _unread(name, domain, chosen)
        if domain.observes("instruction") and experiment.policy.id not in reading_policies:
            message = f"'{experiment.policy.id}' does not read instructions."
            remedy = f"Choose {' or '.join(reading_policies)}, or leave the instruction out."
            yield Problem(f"{name}.observation", message, remedy)
        if kind.requires.instructions and not domain.observes("instruction"):
            message = f"'{title}' learns from instructions, and this domain observes none."
            remedy = "Choose a task that gives instructions, such as language_push, and add instruction."
            yield Problem(f"{name}.observation", message, remedy)
    if experiment.evaluation.uses_shots:
        trial_policies = [id for id, policy in policies.items() if policy.plays_trials]
        if not kind.adapts:
            yield from _trials(experiment, trial_policies)
        elif not kind.requires.task_family:
            yield from _support(experiment)
        elif experiment.evaluation.keep_best and chosen is not None and not chosen.reads_support:
            message = f"The best policy would be chosen before any shot, and what '{title}' makes of shots is scored."
            yield Problem("evaluation.keep_best", message, "Turn it off, or set evaluation.shots to 0.")


def _trials(experiment: Experiment, trial_policies: Collection[str]) -> Iterator[Problem]:
    if experiment.policy.id not in trial_policies:
        message = f"'{experiment.policy.id}' keeps no memory from one episode to the next, so it cannot use shots."
        yield Problem("evaluation.shots", message, f"Set it to 0, or choose {' or '.join(trial_policies)}.")


def _support(experiment: Experiment) -> Iterator[Problem]:
    """Yield what is wrong with the numbers of the target's episodes that a policy is to be adapted to."""
    shots, episodes = experiment.evaluation.shots, experiment.target.episodes
    if 0 in shots:
        message = "Without a support episode there is nothing to adapt to."
        yield Problem("evaluation.shots", message, "Choose numbers from 1 up, or 0 alone for all of the target's.")
    if max(shots) > episodes:
        message = f"The policy is to be adapted to {max(shots)} episodes, and the target has {episodes}."
        yield Problem("evaluation.shots", message, f"Choose at most {episodes}, or raise target.episodes.")
    if experiment.evaluation.held_out != "none":
        message = "The policy is adapted to one task, and there are several held-out ones."
        yield Problem("evaluation.held_out", message, "Set it to none, and give the target's context.")
    if experiment.evaluation.keep_best:
        message = "The best policy is adapted already, so it cannot be scored after other numbers of episodes."
        yield Problem("evaluation.keep_best", message, "Turn it off, or set evaluation.shots to 0.")


def _domain(name: str, domain: Domain) -> Iterator[Problem]:
    sights = [entry for entry in domain.observation if entry != "instruction"]
    if not sights:
        message = "An instruction alone does not say where things are."
        yield Problem(f"{name}.observation", message, "Observe the image too.")
    if domain.instructions != Instructions() and not domain.observes("instruction"):
        message = "The domain's instructions are not observed, so these settings have no effect."
        yield Problem(f"{name}.observation", message, "Add instruction to the observation, or leave them out.")
    if len(domain.datasets) > 1:
        message = f"Demonstrations come from one file, and there are {len(domain.datasets)}."
        yield Problem(f"{name}.dataset", message, "Choose one of them.")


def _unread(name: str, domain: Domain, policy: type[BasePolicy]) -> Iterator[Problem]:
    """Yield what a policy does not read of a domain's observation."""
    for entry in domain.observation:
        if policy.entries and entry not in (*policy.entries, "instruction"):
            message = f"'{policy.id}' does not read the observation's {entry}."
            yield Problem(f"{name}.observation", message, f"Choose {' or '.join(policy.entries)}, or another policy.")
    if policy.several_entries:
        return
    sights = [entry for entry in domain.observation if entry != "instruction"]
    if len(sights) > 1:
        message = f"The policy observes one of {', '.join(sights)}."
        yield Problem(f"{name}.observation", message, "Choose one of them, or token_transformer as the policy.")
    if len(domain.images) > 1:
        message = f"The policy sees one camera's images, and there are {len(domain.images)} cameras."
        yield Problem(f"{name}.camera", message, "Choose one of them, or token_transformer as the policy.")
