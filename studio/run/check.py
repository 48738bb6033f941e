"""Whether an experiment can start: every problem in plain words, at its field."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from studio.contracts import RENAMED_ENTRIES, Embodiment, Problem, Task
from studio.data.datasets import format_of
from studio.errors import DataError, StudioError
from studio.experiment import Domain, Experiment
from studio.registry import Registry
from studio.rl.learners import Algorithm, algorithm_of
from studio.run import devices
from studio.run.check_checkpoint import check_checkpoint
from studio.run.spaces import observed_terms, spaces_of
from studio.run.unsupported import unsupported
from studio.seeds import DEMONSTRATIONS, demonstration_seed
from studio.sim.domains import embodiment_of, task_of
from studio.sim.hidden_dynamics import check_hidden_dynamics
from studio.sim.randomization.curriculum import check_curriculum
from studio.sim.tasks import contexts
from studio.store.policies import check_params


def strategy_of(experiment: Experiment, registry: Registry) -> tuple[Any, Any]:
    """The strategy's class and its checked parameters. Raises ExperimentError."""
    kind = registry.get("strategies", experiment.strategy.id, "strategy.id")
    return kind, check_params(kind, experiment.strategy.params, "strategy.params")


def learns_from_demonstrations(experiment: Experiment, registry: Registry) -> dict[str, bool]:
    """Role → whether a policy learns from demonstrations there. Raises ExperimentError."""
    kind = registry.get("strategies", experiment.strategy.id, "strategy.id")
    reinforced = algorithm_of(registry.all("policies").get(experiment.policy.id))
    trains_source = kind.requires.source_policy and experiment.pretraining.checkpoint is None
    return {
        "target": kind.requires.target_data,
        "source": (trains_source and reinforced is None) or kind.requires.source_data,
    }


class _Attempts:
    """Runs parts of a check; what one raises becomes a problem."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def __call__(self, prefix: str, work: Callable[[], Any]) -> Any:
        """Return what ``work`` returns, or None where it raised; ``prefix`` is then the problem's field."""
        try:
            return work()
        except StudioError as error:
            inside = error.field if error.field in ("embodiment", "task", "camera") else ""
            field = error.field if error.field.startswith(("strategy", "policy", "device", "pretraining")) else prefix
            field = f"{field}.{inside}" if inside and not field.endswith(inside) else field
            self.problems.append(Problem(field, error.message, error.remedy))
            return None


def check_domain(name: str, domain: Domain, registry: Registry) -> list[Problem]:
    """Return all problems of one domain, at fields that begin with ``name`` (target or source)."""
    attempt = _Attempts()
    found = _domain(name, domain, registry, attempt)
    return attempt.problems + found


def check(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Return all problems; an experiment starts with none."""
    attempt = _Attempts()
    problems = attempt.problems
    for name, domain in (("target", experiment.target), ("source", experiment.source)):
        problems += _domain(name, domain, registry, attempt)
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
            problems += unsupported(experiment, kind.title, kind.requires)
            problems += _teachers(experiment, kind, registry)
            if kind.requires.source_policy and not problems:
                problems += attempt("pretraining.checkpoint", lambda: check_checkpoint(experiment, registry)) or []
            problems += _seeds(experiment, registry)
            problems += _family(experiment.source, kind, registry)
            problems += _selection(experiment)
            said = any(p.field == "target.observation" for p in problems)
            if (
                kind.requires.source_policy
                and experiment.source.observation != experiment.target.observation
                and not said
            ):
                problems.append(
                    Problem(
                        "target.observation",
                        "Source and target have different observations.",
                        "Choose the same for both.",
                    )
                )
            sizes = {d.image_size for d in (experiment.source, experiment.target) if d.observes("image")}
            if kind.requires.source_policy and len(sizes) > 1:
                problems.append(
                    Problem(
                        "target.image_size", "Source and target images differ in size.", "Choose the same for both."
                    )
                )
    return problems


def _seeds(experiment: Experiment, registry: Registry) -> list[Problem]:
    """A policy is not scored on the episodes that it was taught by."""
    plan, learns = experiment.evaluation, learns_from_demonstrations(experiment, registry)
    seeds = {"target": experiment.seed, "source": experiment.pretraining.seed}
    for role, seed in seeds.items():
        first = demonstration_seed(seed)
        count = max(plan.episodes, plan.source_episodes, plan.short_episodes)
        if learns[role] and first - count < plan.seed < first + DEMONSTRATIONS:
            message = f"The {role}'s demonstrations have seeds from {first:,} on, and the evaluation would reach them."
            return [Problem("evaluation.seed", message, f"Choose at most {DEMONSTRATIONS - count:,}.")]
    return []


def _selection(experiment: Experiment) -> list[Problem]:
    """Return why no best policy can be chosen."""
    plan = experiment.evaluation
    if not plan.keep_best or plan.every:
        return []
    words = "The best policy is chosen by interim evaluations, and there are none."
    return [Problem("evaluation.keep_best", words, "Set evaluation.every, or turn keep_best off.")]


def _domain(name: str, domain: Domain, registry: Registry, attempt: Any) -> list[Problem]:
    problems: list[Problem] = []
    embodiment = attempt(f"{name}.embodiment", lambda: embodiment_of(domain, registry))
    task = attempt(f"{name}.task", lambda: task_of(domain, registry))
    if embodiment is not None and task is not None:
        unfit = task.check(embodiment)
        problems += [Problem(f"{name}.{p.field}", p.message, p.remedy) for p in unfit]
        if domain.randomization and not unfit:  # an unfit model may not even compile with the task
            found = attempt(f"{name}.randomization", lambda: _randomization(domain, embodiment, task))
            problems += [Problem(f"{name}.{p.field}", p.message, p.remedy) for p in found or []]
    if task is not None:
        problems += [Problem(f"{name}.{p.field}", p.message, p.remedy) for p in check_curriculum(domain, task)]
        problems += [Problem(f"{name}.{p.field}", p.message, p.remedy) for p in contexts.problems(domain, task)]
        for field, chosen, offered in (
            ("control", domain.control, task.controls),
            *(("observation", entry, task.observations) for entry in domain.observation if entry != "instruction"),
        ):
            if chosen not in offered:
                words = f"The task '{task.id}' has no {field} '{chosen}'."
                problems.append(Problem(f"{name}.{field}", words, f"It has: {', '.join(offered)}."))
    if embodiment is not None and domain.observes("image") and domain.camera not in embodiment.cameras:
        has = ", ".join(embodiment.cameras) or "none"
        problems.append(Problem(f"{name}.camera", f"There is no camera '{domain.camera}'.", f"It has: {has}."))
    if domain.hidden_dynamics is not None:
        file = domain.hidden_dynamics
        attempt(f"{name}.hidden_dynamics", lambda: check_hidden_dynamics(file))
    if domain.dataset is not None:
        attempt(f"{name}.dataset", lambda: _dataset(domain, registry))
    return problems


def _teachers(experiment: Experiment, kind: Any, registry: Registry) -> list[Problem]:
    """Domains that a policy is to learn from by demonstrations, and that have none."""
    problems = []
    policy = registry.all("policies").get(experiment.policy.id)
    reinforced = algorithm_of(policy)
    if kind.requires.target_data and reinforced is not None:
        message = f"'{experiment.policy.id}' is for reinforcement learning; '{kind.title}' learns from demonstrations."
        problems.append(Problem("policy.id", message, "Choose token_transformer."))
    if kind.requires.source_policy and reinforced is not None:
        problems += _reinforcement(experiment, reinforced)
    wanted = learns_from_demonstrations(experiment, registry)
    for name, domain in (("target", experiment.target), ("source", experiment.source)):
        if domain.curriculum.enabled and kind.requires.target_data:
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
    """Whether one network fits the source's and the target's observations and actions."""
    source, target = experiment.source, experiment.target
    observed = [list(dict.fromkeys(term.key for term in observed_terms(domain))) for domain in (source, target)]
    if observed[0] != observed[1]:
        ours, theirs = (", ".join(keys) or "none" for keys in observed)
        message = f"The source observes the dynamics parameters {ours}, the target {theirs}."
        return [Problem("target.randomization", message, "Observe the same ones in both, in the same order.")]
    if all(getattr(source, f) == getattr(target, f) for f in ("embodiment", "task", "control", "observation")):
        return []
    (parts, moved), (other_parts, other_moved) = spaces_of(source, registry), spaces_of(target, registry)
    seen, wanted = sum(parts.values()), (sum(other_parts.values()), other_moved)
    if (seen, moved) == wanted:
        return []
    message = f"The source's observations and actions are {seen} and {moved} wide, the target's {wanted[0]} and "
    return [
        Problem("target.task", f"{message}{wanted[1]}.", "Choose tasks with the same observation and action spaces.")
    ]


def _ignored(experiment: Experiment, registry: Registry) -> list[Problem]:
    """Whether what a policy is not to see is there, and something else too."""
    names = [RENAMED_ENTRIES.get(name, name) for name in experiment.policy.params.get("ignored") or ()]
    if not names or algorithm_of(registry.all("policies").get(experiment.policy.id)) is None:
        return []
    parts, _ = spaces_of(experiment.source, registry)
    unknown = [name for name in names if name not in parts]
    if not unknown and set(parts) - set(names):
        return []
    message = f"The observation has no entry '{unknown[0]}'." if unknown else "The policy would observe nothing."
    return [Problem("policy.params.ignored", message, f"The entries are: {', '.join(parts)}; leave it at least one.")]


def _family(source: Domain, kind: Any, registry: Registry) -> list[Problem]:
    """Whether the source is one task alone where the strategy needs a family."""
    task = registry.all("tasks").get(source.task)
    if not kind.requires.task_family or task is None:
        return []
    if task.context or any(term.observed for term in source.randomization):
        return [Problem(f"source.{p.field}", p.message, p.remedy) for p in contexts.degenerate_family(source, task())]
    families = [id for id, other in registry.all("tasks").items() if other.context]
    message = f"The task '{task.id}' is not a task family, and '{kind.title}' needs one."
    return [Problem("source.task", message, f"Choose one of: {', '.join(families)}; or observe a randomized value.")]


def _reinforcement(experiment: Experiment, algorithm: Algorithm) -> list[Problem]:
    """What the source policy's learner cannot do."""
    try:
        settings = check_params(algorithm, experiment.pretraining.params, "pretraining.params")
    except StudioError as error:
        return [Problem(error.field, error.message, error.remedy)]
    return algorithm.check(settings, "pretraining.params", experiment.pretraining.iterations)


def _randomization(domain: Domain, embodiment: Embodiment, task: Task) -> list[Problem]:
    """What of the domain's terms its model does not have."""
    from studio.sim.randomization.fields import check_terms

    changed = embodiment.model.stat().st_mtime_ns if embodiment.model.is_file() else 0
    kind: Any = type(task)
    return check_terms(domain.randomization, _model(embodiment, kind, changed))


@functools.lru_cache(maxsize=16)
def _model(embodiment: Embodiment, task: type[Task], changed: int) -> Any:
    """The compiled model, kept while the file's time of change stays: an experiment is checked at every edit."""
    from studio.sim.scene import build

    return build(embodiment, task()).model


def _dataset(domain: Domain, registry: Registry) -> None:
    """Find what would stop a run later, before it starts."""
    assert domain.dataset is not None
    where = str(domain.dataset)
    about = format_of(domain.dataset, registry).describe(domain.dataset)
    width = len(task_of(domain, registry).slots(embodiment_of(domain, registry), domain.control))
    if not about["frames"]:
        raise DataError("The dataset holds no episodes.", where, "Choose one with at least one demonstration.")
    if about["action_width"] != width:
        raise DataError(
            f"Actions have {about['action_width']} components; this embodiment and control need {width}.",
            where,
            "Choose the embodiment the data was recorded on, or the other control.",
        )
    if about["episodes_with_nan"]:
        first = about["episodes_with_nan"][0]
        raise DataError(f"The actions hold NaN or infinity, first in {first}.", where, "Remove those episodes.")
    if about["episodes"] < domain.episodes:
        raise DataError(
            f"The dataset holds {about['episodes']} episodes; the experiment needs {domain.episodes}.",
            where,
            "Ask for fewer episodes or choose a larger dataset.",
        )
    size = about["image_size"]
    if domain.observes("image") and size != domain.image_size:
        raise DataError(
            f"The dataset's images are {size} px; the experiment needs {domain.image_size} px."
            if size
            else "The dataset has no images.",
            where,
            f"Set image_size to {size}." if size else "Choose another dataset, or observe the goal.",
        )
