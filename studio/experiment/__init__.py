"""What a person asks for: experiments in YAML, their domains and randomization, and the base of all settings."""

from studio.experiment.domain import Domain
from studio.experiment.experiment import Experiment
from studio.experiment.hashing import content_hash
from studio.experiment.instructions import Instructions
from studio.experiment.messages import plain_validation
from studio.experiment.plans import Budget, Comparison, EvaluationPlan, Pretraining, Selection
from studio.experiment.presets import PresetSettings
from studio.experiment.randomization import PARTED, Curriculum, RandomizationField, RandomizationTerm
from studio.experiment.settings import Settings, setting

__all__ = [
    "PARTED",
    "Budget",
    "Comparison",
    "Curriculum",
    "Domain",
    "EvaluationPlan",
    "Experiment",
    "Instructions",
    "PresetSettings",
    "Pretraining",
    "RandomizationField",
    "RandomizationTerm",
    "Selection",
    "Settings",
    "content_hash",
    "plain_validation",
    "setting",
]
