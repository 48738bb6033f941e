"""Experiment: the validated, versioned description of one run, and its YAML form.

Every field carries a title, a help line, a unit and a range; the window builds its forms from them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import BaseModel, ValidationError, field_validator

from studio.errors import ExperimentError
from studio.experiment.randomization import PARTED, Curriculum, RandomizationField, RandomizationTerm, expand
from studio.experiment.settings import Settings, assign, setting
from studio.seeds import LAST_SEED

VERSION = 1


class _Twice(yaml.YAMLError):
    """A key of a mapping stands there twice."""


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:  # libyaml's is four times as fast, where it is built in
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):
    """As safe as its base; of a key that stands twice the last would count, and nobody would be told."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise _Twice(f"'{key.value}' appears twice, the second time on line {key.start_mark.line + 1}")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


__all__ = [
    "PARTED", "Budget", "Comparison", "Curriculum", "Domain", "EvaluationPlan", "Experiment", "Pretraining",
    "RandomizationField", "RandomizationTerm", "Selection", "Settings", "content_hash", "plain_validation", "setting",
]  # fmt: skip


class Domain(Settings):
    """Task × embodiment × shift, and optionally a dataset of episodes from it."""

    embodiment: str = setting("franka_7dof", "Embodiment", "A built-in robot, or the path of an MJCF or URDF file.")
    task: str = setting("reach", "Task", "What the robot has to do.")
    control: Literal["end_effector", "joint", "motor", "discrete"] = setting(
        "end_effector",
        "Control",
        "What an action means: a step of the end effector, a step of each joint, each motor's own command, or one of "
        "the task's choices.",
    )
    observation: Literal["image", "goal", "state"] = setting(
        "image",
        "Observation",
        "A camera image, the goal's coordinates (to study transfer without vision), or the robot's state.",
    )
    camera: str = setting("front", "Camera", "The camera whose image the policy observes.")
    image_size: int = setting(64, "Image size", "Width and height of the camera image.", "px", ge=32, le=256)
    episodes: int = setting(
        50, "Episodes", "Number of demonstrations the policy learns from.", "episodes", ge=1, le=100_000
    )
    dataset: Path | None = setting(
        None, "Dataset", "HDF5 file of demonstrations; if empty, the scripted expert records them."
    )
    randomization: list[RandomizationTerm] = setting(
        [], "Randomization", "What varies from episode to episode: a list of terms, or the name of a preset."
    )
    contexts: list[list[float]] = setting(
        [], "Contexts", "For a task family: the contexts that episodes are drawn from; if empty, the whole family."
    )
    curriculum: Curriculum = setting(
        Curriculum(), "Curriculum", "Widens the ranges as long as the policy succeeds at their ends during training."
    )
    stand_in: Path | None = setting(
        None,
        "Stand-in robot",
        "A robot with hidden parameters that stands in for a real one: its file, or the name of a shipped one (heavy).",
    )

    @field_validator("randomization", mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if value is False:  # what YAML makes of "off"
            return []
        return expand(value) if isinstance(value, str) else value

    def cache_key(self) -> dict[str, Any]:
        """What decides the episodes drawn from it, for content hashes, but for the files it names. Settings of a term
        that came later are left out at their defaults, so that what was made before them is still found; the curriculum
        is of training alone."""
        whole = self.model_dump(mode="json", exclude={"dataset", "stand_in", "curriculum"})
        whole["randomization"] = [term.cache_key() for term in self.randomization]
        if not self.contexts:
            del whole["contexts"]
        return whole


class Selection(Settings):
    """A registered contribution and its own parameters (checked against its ``Params``)."""

    id: str = setting("", "Kind", "Id of the contribution.")
    params: dict[str, Any] = setting(
        {}, "Parameters", "Parameters of the contribution; omitted ones keep their defaults."
    )


class Pretraining(Settings):
    """How the source policy is made. Cached by the content hash of everything that goes into it."""

    iterations: int = setting(
        3000,
        "Iterations",
        "Gradient steps on source demonstrations; for reinforcement learning, rollouts with their updates.",
        "steps",
        ge=1,
        le=10_000_000,
    )
    batch_size: int = setting(128, "Batch size", "Frames per gradient step.", "frames", ge=1, le=65_536)
    learning_rate: float = setting(
        1e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
    )
    seed: int = setting(0, "Seed", "Seed for training the source policy.", ge=0, le=LAST_SEED)
    params: dict[str, Any] = setting(
        {},
        "Algorithm parameters",
        "Parameters of the reinforcement learning algorithm that trains the source policy; omitted ones keep their "
        "defaults.",
    )

    def cache_key(self) -> dict[str, Any]:
        """What decides the source policy, for content hashes; the settings that came later are left out where empty."""
        return self.model_dump(mode="json", exclude=None if self.params else {"params"})


class Budget(Settings):
    """Training budget on the target."""

    iterations: int = setting(
        800,
        "Iterations",
        "Gradient steps on the target; for reinforcement learning, rollouts with their updates.",
        ge=1,
        le=10_000_000,
    )
    batch_size: int = setting(64, "Batch size", "Frames per gradient step.", "frames", ge=1, le=65_536)
    checkpoint_every: int = setting(200, "Checkpoint every", "Steps from one checkpoint to the next.", "steps", ge=1)
    threads: int = setting(
        1,
        "Threads",
        "CPU threads for PyTorch; 0 uses every core. For small policies one thread is as fast.",
        "threads",
        ge=0,
        le=1024,
    )


class EvaluationPlan(Settings):
    """How the result is scored. Evaluation seeds are never used for demonstrations."""

    episodes: int = setting(
        200,
        "Target episodes",
        "Number of episodes on the target in the final evaluation.",
        "episodes",
        ge=1,
        le=100_000,
    )
    source_episodes: int = setting(
        100,
        "Source episodes",
        "Number of episodes on the source in the final evaluation, to measure forgetting; 0 skips it.",
        "episodes",
        ge=0,
        le=100_000,
    )
    every: int = setting(
        0, "Evaluate every", "Steps between interim evaluations; 0 evaluates only at the end.", "steps", ge=0
    )
    short_episodes: int = setting(
        50, "Interim episodes", "Number of episodes in an interim evaluation.", "episodes", ge=1, le=100_000
    )
    seed: int = setting(
        10_000,
        "Seed",
        "Seed of the first evaluation episode; the following episodes count up from it.",
        ge=0,
        le=LAST_SEED,
    )


class Comparison(Settings):
    """What ``compare`` runs: strategies × data sizes × seeds."""

    strategies: list[str] = setting(
        [], "Strategies", "Ids of the strategies to compare; if empty, only the experiment's own."
    )
    episodes: list[int] = setting(
        [], "Episodes", "Numbers of target demonstrations to compare; if empty, only the target's own."
    )
    seeds: list[int] = setting([], "Seeds", "Seeds to run; if empty, only the experiment's own.")
    params: dict[str, dict[str, Any]] = setting(
        {},
        "Parameters",
        "Parameters by strategy id, for strategies other than the experiment's own; omitted ones keep their defaults.",
    )


class Experiment(Settings):
    """One run, complete: source, target, strategy, budget, seeds, evaluation."""

    version: Literal[1] = setting(VERSION, "Version", "Version of this file's format.")
    name: str = setting(
        "experiment",
        "Name",
        "Name of the experiment; run folders are named after it.",
        min_length=1,
        max_length=80,
        pattern=r"^[\w.-]+$",
    )
    description: str = setting("", "Description", "What this experiment investigates, in a sentence or two.")
    source: Domain = setting(Domain(episodes=400), "Source", "The domain to transfer from.")
    target: Domain = setting(Domain(embodiment="ur5_6dof"), "Target", "The domain to transfer to.")
    policy: Selection = setting(Selection(id="token_transformer"), "Policy", "The policy network.")
    pretraining: Pretraining = setting(Pretraining(), "Pretraining", "How the source policy is trained.")
    strategy: Selection = setting(Selection(id="lora"), "Strategy", "The transfer method.")
    budget: Budget = setting(Budget(), "Budget", "Training budget on the target.")
    evaluation: EvaluationPlan = setting(EvaluationPlan(), "Evaluation", "How the adapted policy is evaluated.")
    comparison: Comparison = setting(
        Comparison(), "Comparison", "What Compare runs: every combination of strategy, data size and seed."
    )
    seed: int = setting(0, "Seed", "Seed for demonstrations, initialization and batches.", ge=0, le=LAST_SEED)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "Device", "Device that trains the networks.")

    @classmethod
    def load(cls, path: Path | str, overrides: Iterable[str] = ()) -> Experiment:
        """Reads a YAML file.

        Args:
            path: the file.
            overrides: ``a.b=value`` strings, values in YAML syntax.

        Raises:
            ExperimentError: the file is missing, is not YAML, has an unknown key, or a value out of range.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
            raise ExperimentError(f"The experiment file {reason}.", str(path), "Check the path.") from None
        except UnicodeDecodeError:
            raise ExperimentError("The experiment file is not text.", str(path), "Choose a YAML file.") from None
        return cls.from_yaml(text, overrides, str(path))

    @classmethod
    def from_yaml(cls, text: str, overrides: Iterable[str] = (), where: str = "") -> Experiment:
        """Reads YAML text; see :meth:`load`."""
        try:
            raw = yaml.load(text, _Loader)  # noqa: S506
        except _Twice as error:
            raise ExperimentError(f"{error}.", where, "Keep one of them.") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" at line {min(mark.line + 1, len(text.splitlines()))}" if mark else ""  # not after the last one
            raise ExperimentError(f"The file is not valid YAML{line}.", where, "Fix that line.") from None
        if not isinstance(raw, dict):
            raise ExperimentError("The file holds no experiment.", where, "Start from assets/experiments/demo.yaml.")
        for override in overrides:
            _override(raw, override)
        return cls.from_dict(raw)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Experiment:
        """Checks plain data and gives the experiment; see :meth:`load` for errors."""
        try:
            return cls.model_validate(_migrate(raw))
        except ValidationError as error:
            raise _plain(error, cls) from None

    def to_yaml(self) -> str:
        """YAML text, complete with defaults."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def changed(self, **changes: Any) -> Experiment:
        """As :meth:`Settings.changed`; raises ExperimentError where a value does not fit."""
        try:
            return super().changed(**changes)
        except ValidationError as error:
            raise _plain(error, type(self)) from None

    def content_hash(self) -> str:
        """SHA-256 of what decides the result: everything but name, description, comparison, and the threads."""
        decisive = self.model_dump(mode="json", exclude={"name", "description", "comparison"})
        del decisive["budget"]["threads"]
        decisive["strategy"]["params"] = _translated(decisive["strategy"]["params"], EARLIER_VALUES)
        decisive["pretraining"] = self.pretraining.cache_key()
        for name in ("source", "target"):
            domain = decisive[name]
            if not domain["curriculum"]["enabled"]:
                del domain["curriculum"]
            if not domain["contexts"]:
                del domain["contexts"]
            for term in domain["randomization"]:
                if not term["observed"]:
                    del term["observed"]
        return content_hash(decisive)


def content_hash(data: Any) -> str:
    """SHA-256 (hex) of plain data, independent of key order."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _migrate(raw: dict[str, Any]) -> dict[str, Any]:
    version = raw.get("version", VERSION)
    if isinstance(version, int) and version > VERSION:
        raise ExperimentError(
            f"The experiment has format version {version}; this program reads up to {VERSION}.",
            "version",
            "Update Transfer Studio.",
        )
    strategy, comparison = raw.get("strategy"), raw.get("comparison")
    if isinstance(strategy, dict) and isinstance(strategy.get("params"), dict):
        raw = {**raw, "strategy": {**strategy, "params": _translated(strategy["params"], PRESENT_VALUES)}}
    if isinstance(comparison, dict) and isinstance(comparison.get("params"), dict):
        params = {
            id: _translated(own, PRESENT_VALUES) if isinstance(own, dict) else own
            for id, own in comparison["params"].items()
        }
        raw = {**raw, "comparison": {**comparison, "params": params}}
    return raw


# values of parameters that the first experiments had under another name; content hashes are of that name
PRESENT_VALUES = {("goals", "dreamt"): "self_generated"}
EARLIER_VALUES = {(name, new): old for (name, old), new in PRESENT_VALUES.items()}


def _translated(params: dict[str, Any], values: dict[tuple[str, str], str]) -> dict[str, Any]:
    return {
        name: values.get((name, value), value) if isinstance(value, str) else value for name, value in params.items()
    }


def _override(raw: dict[str, Any], override: str) -> None:
    dotted, equals, value = override.partition("=")
    if not equals:
        raise ExperimentError(f"'{override}' is not of the form a.b=value.", "--set", "Write --set target.episodes=20.")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ExperimentError(f"'{value}' is not a YAML value.", dotted, "Quote it.") from None
    assign(raw, dotted.strip(), parsed)


WANTED = {
    "int": "Give a whole number", "float": "Give a number", "bool": "Give true or false", "string": "Give a text",
    "list": "Give a list", "dict": "Give names with values", "model": "Give names with values",
}  # fmt: skip


def plain_validation(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[ExperimentError]:
    """Pydantic's findings as plain sentences, each with its dotted field and a remedy."""
    found = []
    for item in error.errors():
        field = prefix + ".".join(str(part) for part in item["loc"])
        context, kind = item.get("ctx", {}), item["type"]
        value = json.dumps(item.get("input"), default=str)
        value = value if len(value) <= 60 else value[:57] + "…"
        if kind == "extra_forbidden":
            close = difflib.get_close_matches(str(item["loc"][-1]), _keys(model, item["loc"][:-1]), 1)
            remedy = f"Did you mean '{close[0]}'?" if close else "Remove it."
            found.append(ExperimentError("There is no such setting.", field, remedy))
        elif kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
            bound = next(iter(context.values()))
            word = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below"}.get(
                kind, "at most"
            )
            limit = f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
            found.append(ExperimentError(f"{value} is out of range.", field, f"It must be {word} {limit}."))
        elif kind == "literal_error":
            found.append(ExperimentError(f"{value} is not a choice.", field, f"Choose {context['expected']}."))
        elif kind == "value_error":
            message, _, remedy = (f"{part[:1].upper()}{part[1:]}." for part in str(context["error"]).partition("; "))
            found.append(ExperimentError(message, field, remedy if len(remedy) > 1 else ""))
        else:
            # int_parsing, int_type, int_from_float and the like: what is wanted comes first
            remedy = (
                item["msg"] if kind.endswith(("_short", "_long")) else WANTED.get(kind.partition("_")[0], item["msg"])
            )
            if kind == "string_pattern_mismatch":  # of names alone
                remedy = "Use letters, digits, '.', '-' and '_'"
            found.append(ExperimentError(f"{value} does not fit.", field, f"{remedy}."))
    return found


def _plain(error: ValidationError, model: type[BaseModel]) -> ExperimentError:
    found = plain_validation(error, model)
    first = found[0]
    if len(found) > 1:
        rest = "; ".join(f"{e.field}: {e.message}" for e in found[1:])
        return ExperimentError(first.message, first.field, f"{first.remedy} Also wrong: {rest}".strip())
    return first


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for part in loc:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
