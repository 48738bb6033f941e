"""What a person asks for: experiments in YAML, their domains and randomization, and the base of all settings."""

from studio.experiment.experiment import (
    PARTED,
    Budget,
    Comparison,
    Curriculum,
    Domain,
    EvaluationPlan,
    Experiment,
    Pretraining,
    RandomizationField,
    RandomizationTerm,
    Selection,
    Settings,
    content_hash,
    plain_validation,
    setting,
)

__all__ = [
    "PARTED",
    "Budget",
    "Comparison",
    "Curriculum",
    "Domain",
    "EvaluationPlan",
    "Experiment",
    "Pretraining",
    "RandomizationField",
    "RandomizationTerm",
    "Selection",
    "Settings",
    "content_hash",
    "plain_validation",
    "setting",
]
