"""Experiment: the validated, versioned description of one run.

Every field carries a title, a help line, a unit and a range; the window builds its forms from them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from studio.experiment.domain import Domain
from studio.experiment.hashing import RUNS, content_hash, decisive
from studio.experiment.messages import first_of
from studio.experiment.migration import earlier_words, migrated
from studio.experiment.plans import Budget, Comparison, EvaluationPlan, Pretraining, Selection
from studio.experiment.settings import Settings, setting
from studio.experiment.yaml_form import override, parse, read_text, written
from studio.seeds import LAST_SEED, source_seed

VERSION = 2


class Experiment(Settings):
    """One run, complete: source, target, strategy, budget, seeds, evaluation."""

    version: Literal[2] = setting(VERSION, "Version", "Version of this file's format.")
    name: str = setting(
        "experiment",
        "Name",
        "Name of the experiment; run folders are named after it.",
        min_length=1,
        max_length=80,
        pattern=r"^[\w.-]+$",
        decides=False,
    )
    title: str = setting(
        "", "Title", "Title in menus and headings; if empty, the name.", max_length=80, decides=False, since=2
    )
    description: str = setting(
        "", "Description", "What this experiment investigates, in a sentence or two.", decides=False
    )
    sources: list[Domain] = setting(
        [Domain(episodes=400)], "Source", "The domain to transfer from.", short="source", min_length=1
    )
    target: Domain = setting(Domain(embodiment="ur5_6dof"), "Target", "The domain to transfer to.")
    policy: Selection = setting(Selection(id="token_transformer"), "Policy", "The policy network.")
    pretraining: Pretraining = setting(Pretraining(), "Pretraining", "How the source policy is trained.")
    strategy: Selection = setting(Selection(id="lora"), "Strategy", "The transfer method.")
    budget: Budget = setting(Budget(), "Budget", "Training budget on the target.")
    evaluation: EvaluationPlan = setting(EvaluationPlan(), "Evaluation", "How the adapted policy is evaluated.")
    comparison: Comparison = setting(
        Comparison(),
        "Comparison",
        "What Compare runs: every combination of strategy, data size and seed.",
        decides=False,
    )
    seed: int = setting(0, "Seed", "Seed for demonstrations, initialization and batches.", ge=0, le=LAST_SEED)
    device: Literal["auto", "cpu", "cuda"] = setting("auto", "Device", "Device that trains the networks.")

    @property
    def heading(self) -> str:
        """The title, or the name in words where there is none."""
        return self.title or self.name.replace("_", " ")

    @property
    def source(self) -> Domain:
        """The first source: a source policy is trained and scored there."""
        return self.sources[0]

    @property
    def domains(self) -> dict[str, Domain]:
        """The target and all sources, by their fields' names: target, source, sources.1 …"""
        others = {f"sources.{place}": domain for place, domain in enumerate(self.sources) if place}
        return {"target": self.target, "source": self.source, **others}

    @property
    def demonstration_seeds(self) -> dict[str, int]:
        """The seed of each domain's demonstrations, by its field's name.

        The sources' are pretraining's; one that has the robot and task of an earlier source has scenes of its own.
        """
        seeds, seen = {"target": self.seed}, Counter[tuple[str, str]]()
        for name, domain in self.domains.items():
            if name != "target":
                kind = (domain.embodiment, domain.task)
                seeds[name] = source_seed(self.pretraining.seed, seen[kind])
                seen[kind] += 1
        return seeds

    @classmethod
    def load(cls, path: Path | str, overrides: Iterable[str] = ()) -> Experiment:
        """Read a YAML file.

        Args:
            path: the file.
            overrides: ``a.b=value`` strings, values in YAML syntax.

        Raises:
            ExperimentError: the file is missing, is not YAML, has an unknown key, or a value out of range.
        """
        return cls.from_yaml(read_text(Path(path)), overrides, str(path))

    @classmethod
    def from_yaml(cls, text: str, overrides: Iterable[str] = (), where: str = "") -> Experiment:
        """Read YAML text; see :meth:`load`."""
        raw = parse(text, where)
        for each in overrides:
            raw = override(cls, raw, each)
        return cls.from_dict(raw)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Experiment:
        """Check plain data and return the experiment; see :meth:`load` for errors."""
        try:
            return cls.model_validate(migrated(raw, VERSION))
        except ValidationError as error:
            raise first_of(error, cls) from None

    def to_yaml(self) -> str:
        """Return YAML text, complete with defaults."""
        return written(self.plain())

    def changed(self, **changes: Any) -> Experiment:
        """Return a changed copy, as :meth:`Settings.changed` does; raise ExperimentError where a value does not fit."""
        try:
            return super().changed(**changes)
        except ValidationError as error:
            raise first_of(error, type(self)) from None

    def content_hash(self) -> str:
        """Return the SHA-256 of what decides the result; see :mod:`studio.experiment.hashing`."""
        return content_hash(earlier_words(decisive(self, RUNS)))
