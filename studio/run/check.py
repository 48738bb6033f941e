"""Checks of an experiment before it starts: every problem in plain words, at its field."""

from __future__ import annotations

from typing import Any

from studio.contracts import RENAMED_ENTRIES, Problem, ResolvedDomain, Strategy
from studio.errors import StudioError
from studio.experiment import Domain, Experiment
from studio.meta.hidden_context import CONTEXT_KEYS
from studio.meta.task_split import held_out
from studio.registry import Registry
from studio.rl.learners import Algorithm, algorithm_of
from studio.run import devices
from studio.run.adapter_targets import check_targets
from studio.run.check_checkpoint import check_checkpoint
from studio.run.check_domain import Attempts, attempt_domain
from studio.run.conditions import check_conditions
from studio.run.spaces import observed_terms, spaces_of
from studio.run.unsupported import unsupported
from studio.seeds import DEMONSTRATIONS, demonstration_seed
from studio.sim.domains import resolve
from studio.sim.tasks import contexts
from studio.store.policies import check_params


def strategy_of(experiment: Experiment, registry: Registry) -> tuple[Any, Any]:
    """Return the strategy's class and its checked parameters. Raises ExperimentError."""
    kind = registry.get("strategies", experiment.strategy.id, "strategy.id")
    return kind, check_params(kind, experiment.strategy.params, "strategy.params")


def learns_from_demonstrations(experiment: Experiment, registry: Registry) -> dict[str, bool]:
    """Return whether a policy learns from demonstrations, for each of :attr:`Experiment.domains`.

    Raises:
        ExperimentError: there is no such strategy.
    """
    kind = registry.get("strategies", experiment.strategy.id, "strategy.id")
    policy = registry.all("policies").get(experiment.policy.id)
    cloned = policy is None or policy.is_cloned
    cloned = cloned and kind.requires.source_policy and experiment.pretraining.checkpoint is None
    learns = dict.fromkeys(experiment.domains, cloned or kind.requires.source_data)
    return learns | {"target": kind.requires.target_data}


def check(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return all problems; an experiment starts with none."""
    attempt = Attempts()
    problems = attempt.problems
    for name, domain in experiment.domains.items():
        problems += attempt_domain(name, domain, registry, attempt)
    attempt("device", lambda: devices.choose(experiment.device))
    attempt("policy.params", lambda: check_params(
        registry.get("policies", experiment.policy.id, "policy.id"), experiment.policy.params, "policy.params"
    ))  # fmt: skip
    found = attempt("strategy.id", lambda: strategy_of(experiment, registry))
    if found is not None:
        kind, params = found
        strategy = attempt("strategy.id", lambda: kind(params))
        if strategy is not None:
            problems += strategy.check(experiment)
            if kind.requires.same_spaces and not problems:
                problems += attempt("target.task", lambda: _same_spaces(experiment, registry)) or []
            if not problems:
                problems += attempt("policy.params.ignored", lambda: _ignored(experiment, registry)) or []
            problems += unsupported(experiment, kind, registry.all("policies"))
            if not problems:
                problems += attempt("strategy.id", lambda: _strategy(strategy, experiment, registry)) or []
            if not problems:
                problems += attempt("policy.params", lambda: _policy(experiment, registry)) or []
            if not problems:
                problems += check_conditions(experiment, registry.get("tasks", experiment.target.task, "task")())
            if not problems:
                problems += attempt("evaluation.held_out", lambda: _held_out(experiment, registry)) or []
            problems += _demonstrations(experiment, kind, registry)
            if kind.requires.source_policy and not problems:
                problems += attempt("pretraining.checkpoint", lambda: check_checkpoint(experiment, registry)) or []
            if not problems:
                problems += attempt("strategy.params", lambda: check_targets(experiment, registry)) or []
            problems += _seeds(experiment, registry)
            problems += _family(experiment.source, kind, registry)
            problems += _selection(experiment, registry)
            if kind.requires.source_policy and not any(p.field == "target.observation" for p in problems):
                problems += _other_observations(experiment)
            sizes = {d.image_size for d in experiment.domains.values() if d.observes("image")}
            if kind.requires.source_policy and len(sizes) > 1:
                problems.append(
                    Problem(
                        "target.image_size", "Source and target images differ in size.", "Choose the same for both."
                    )
                )
    return problems


def _other_observations(experiment: Experiment) -> list[Problem]:
    """Return the problem of sources and a target that observe different things. The first camera may be another one."""
    target = experiment.target
    if any(source.observation != target.observation for source in experiment.sources):
        message = "Source and target have different observations."
        return [Problem("target.observation", message, "Choose the same for both.")]
    if any([*source.images] != [*target.images] for source in experiment.sources):
        message = "Source and target have different cameras beside the first."
        return [Problem("target.camera", message, "Choose the same for both, in the same order.")]
    return []


def _seeds(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return the problem of evaluation seeds among those of the demonstrations that a policy learns from."""
    plan, learns = experiment.evaluation, learns_from_demonstrations(experiment, registry)
    seeds = {"target": experiment.seed, "source": experiment.pretraining.seed}
    for role, seed in seeds.items():
        first = demonstration_seed(seed)
        count = max(plan.episodes, plan.source_episodes, plan.short_episodes)
        if learns[role] and first - count < plan.seed < first + DEMONSTRATIONS:
            message = f"The {role}'s demonstrations have seeds from {first:,} on, and the evaluation would reach them."
            return [Problem("evaluation.seed", message, f"Choose at most {DEMONSTRATIONS - count:,}.")]
    return []


def _held_out(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return the problem of a best policy that would be chosen on the held-out tasks that it is scored on.

    Raises:
        ExperimentError: the target has no such held-out tasks.
    """
    target, plan = resolve(experiment.target, registry), experiment.evaluation
    scored, chosen = (held_out(target, plan.held_out, plan.seed, choosing) for choosing in (False, True))
    if plan.held_out == "none" or not plan.keep_best:
        return []
    if not {tuple(context) for context in scored.domain.contexts} & {tuple(c) for c in chosen.domain.contexts}:
        return []
    words = f"The family of '{target.task.id}' keeps no tasks to choose the best policy on beside those of the score."
    return [Problem("evaluation.keep_best", words, "Turn it off, or set evaluation.held_out to none.")]


def _selection(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return why no best policy can be chosen."""
    plan = experiment.evaluation
    policy = registry.all("policies").get(experiment.policy.id)
    if plan.keep_best_by != "score" and policy is not None and not policy.gives_probabilities:
        words = f"'{experiment.policy.id}' does not give probabilities of choices to choose the best policy by."
        return [Problem("evaluation.keep_best_by", words, "Set it to score.")]
    if not plan.keep_best or plan.every:
        return []
    words = "The best policy is chosen by interim evaluations, and there are none."
    return [Problem("evaluation.keep_best", words, "Set evaluation.every, or turn keep_best off.")]


def _demonstrations(experiment: Experiment, kind: Any, registry: Registry) -> list[Problem]:
    """Return what keeps a policy from learning by demonstrations: its kind, a curriculum, a task without an expert."""
    problems = []
    policy = registry.all("policies").get(experiment.policy.id)
    reinforced = algorithm_of(policy)
    if kind.requires.demonstrations and policy is not None and not policy.is_cloned:
        message = f"'{policy.id}' cannot be trained by behavior cloning."
        cloned = [id for id, other in registry.all("policies").items() if other.is_cloned]
        problems.append(Problem("policy.id", message, f"Choose {' or '.join(cloned)}."))
    if kind.requires.source_policy and reinforced is not None:
        problems += _reinforcement(experiment, reinforced)
    wanted = learns_from_demonstrations(experiment, registry)
    controls = policy.controls if policy is not None else ()
    for name, domain in experiment.domains.items():
        if wanted[name] and controls and domain.control not in controls:
            message = f"'{experiment.policy.id}' cannot act under the control '{domain.control}' of the {name}."
            fits = registry.all("policies").items()
            fit = [id for id, other in fits if other.is_cloned and domain.control in other.controls]
            remedy = f"Choose {' or '.join(fit)}." if fit else "Choose a reinforcement-learning strategy."
            problems.append(Problem("policy.id", message, remedy))
        if domain.curriculum.enabled and kind.requires.demonstrations:
            message = f"'{kind.title}' learns from demonstrations: a curriculum has no training to follow."
            remedy = "Turn the curriculum off, or choose a reinforcement-learning strategy."
            problems.append(Problem(f"{name}.curriculum.enabled", message, remedy))
        task = registry.all("tasks").get(domain.task)
        if wanted[name] and task is not None and domain.dataset is None and not task.has_expert:
            message = f"The task '{task.id}' has no scripted expert, so there is nothing to learn from."
            remedy = "Give a dataset of demonstrations, or choose a reinforcement-learning strategy."
            problems.append(Problem(f"{name}.dataset", message, remedy))
    return problems


def _same_spaces(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return why one network does not fit the observations and actions of both source and target."""
    source, target = experiment.source, experiment.target
    observed = [list(dict.fromkeys(term.key for term in observed_terms(domain))) for domain in (source, target)]
    if observed[0] != observed[1]:
        ours, theirs = (", ".join(keys) or "none" for keys in observed)
        message = f"The source observes the dynamics parameters {ours}, the target {theirs}."
        return [Problem("target.randomization", message, "Observe the same ones in both, in the same order.")]
    if all(getattr(source, f) == getattr(target, f) for f in ("embodiment", "task", "control", "observation")):
        return []
    (parts, moved), (other_parts, other_moved) = spaces_of(source, registry), spaces_of(target, registry)
    width, other_width = sum(parts.values()), sum(other_parts.values())
    if (width, moved) == (other_width, other_moved):
        return []
    message = f"The source's observations and actions are {width} and {moved} wide, the target's {other_width} and "
    return [
        Problem("target.task", f"{message}{other_moved}.", "Choose tasks with the same observation and action spaces.")
    ]


def _policy(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return what the policy itself finds wrong."""
    kind = registry.get("policies", experiment.policy.id, "policy.id")
    params = check_params(kind, experiment.policy.params, "policy.params")
    found: list[Problem] = kind.check(params, _resolved(experiment, registry))
    return found


def _strategy(strategy: Strategy, experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return what the strategy finds wrong with the tasks of the domains."""
    return strategy.check_domains(experiment, _resolved(experiment, registry))


def _resolved(experiment: Experiment, registry: Registry) -> dict[str, ResolvedDomain]:
    """Return the experiment's domains with their tasks and embodiments."""
    return {name: resolve(domain, registry) for name, domain in experiment.domains.items()}


def _ignored(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return why a policy cannot ignore what ``policy.params.ignored`` names."""
    names = {RENAMED_ENTRIES.get(name, name) for name in experiment.policy.params.get("ignored") or ()}
    if not names:
        return []
    kind = registry.get("policies", experiment.policy.id, "policy.id")
    present = list(spaces_of(experiment.source, registry)[0])
    unknown = sorted(names - {*present, *kind.Params().ignored})  # what it ignores by default need not be there
    entries = [name for name in present if not (kind.infers_task and name in CONTEXT_KEYS)]
    blind = kind.needs_observation and not experiment.source.observes("image") and names.issuperset(entries)
    if not unknown and not blind:
        return []
    message = f"The observation has no entry '{unknown[0]}'." if unknown else "The policy would observe nothing."
    remedy = f"The entries are: {', '.join(entries)}; leave it at least one."
    return [Problem("policy.params.ignored", message, remedy)]


def _family(source: Domain, kind: Any, registry: Registry) -> list[Problem]:
    """Return why the source is not the task family that the strategy needs."""
    task = registry.all("tasks").get(source.task)
    if not kind.requires.task_family or task is None:
        return []
    if task.context or any(term.observed for term in source.randomization):
        return [p.within("source") for p in contexts.degenerate_family(source, task())]
    families = {id: other for id, other in registry.all("tasks").items() if other.context}
    robot = registry.all("embodiments").get(source.embodiment)
    fit = [id for id, other in families.items() if robot is not None and not other().check(robot)]
    message = f"The task '{task.id}' is not a task family, and '{kind.title}' needs one."
    remedy = f"Choose one of: {', '.join(fit or families)}; or observe a randomized value."
    return [Problem("source.task", message, remedy)]


def _reinforcement(experiment: Experiment, algorithm: Algorithm) -> list[Problem]:
    """Return the problems of the settings that the source policy is trained with."""
    if experiment.pretraining.iterations == 0 and experiment.pretraining.checkpoint is None:
        words = "A policy that learns by reinforcement knows nothing before its pretraining."
        return [Problem("pretraining.iterations", words, "Choose at least 1, or give a checkpoint.")]
    try:
        settings = check_params(algorithm, experiment.pretraining.params, "pretraining.params")
    except StudioError as error:
        return [Problem(error.field, error.message, error.remedy)]
    return algorithm.check(settings, "pretraining.params", experiment.pretraining.iterations)
