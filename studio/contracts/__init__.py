"""What a plugin may contribute, and the types that the packages share.

Arrays are batch first. Nothing here imports torch, MuJoCo or Qt.
"""

from studio.contracts.adaptation import EXPERT, ReferenceLine, Shots, TaskSplit
from studio.contracts.arrays import RENAMED_ENTRIES, SLOTS, Array, Ids, Observation, is_image
from studio.contracts.batch import AuxiliaryLoss, Batch, Batches, Outputs
from studio.contracts.context import Context
from studio.contracts.dataset import WHOLE, Fault, Format, Note, Reading, SplitError, Survey
from studio.contracts.decorations import Ball, Decoration, Ghost, Line
from studio.contracts.domain import ResolvedDomain
from studio.contracts.embodiment import Embodiment, Limb
from studio.contracts.episodes import Episodes
from studio.contracts.panel import PanelInfo, ShowsFields, ShutsDown
from studio.contracts.player import ContextComponent, PlayerInfo, PlayerProtocol, PolicyChoice, RandomizationValues
from studio.contracts.policy import (
    Act,
    AdaptableBlock,
    Companion,
    EmbodimentSpec,
    FeaturePolicy,
    LatentPolicy,
    Policy,
    SupportPolicy,
    TrainablePolicy,
    TransitionScore,
    TrialPolicy,
)
from studio.contracts.problem import CheckResult, Metrics, Problem
from studio.contracts.requires import Requires
from studio.contracts.stateful import Stateful
from studio.contracts.strategy import Strategy, check_methods
from studio.contracts.task import NAMESPACE, Simulation, Task, task_name

__all__ = [
    "EXPERT",
    "NAMESPACE",
    "RENAMED_ENTRIES",
    "SLOTS",
    "WHOLE",
    "Act",
    "AdaptableBlock",
    "Array",
    "AuxiliaryLoss",
    "Ball",
    "Batch",
    "Batches",
    "CheckResult",
    "Companion",
    "Context",
    "ContextComponent",
    "Decoration",
    "Embodiment",
    "EmbodimentSpec",
    "Episodes",
    "Fault",
    "FeaturePolicy",
    "Format",
    "Ghost",
    "Ids",
    "LatentPolicy",
    "Limb",
    "Line",
    "Metrics",
    "Note",
    "Observation",
    "Outputs",
    "PanelInfo",
    "PlayerInfo",
    "PlayerProtocol",
    "Policy",
    "PolicyChoice",
    "Problem",
    "RandomizationValues",
    "Reading",
    "ReferenceLine",
    "Requires",
    "ResolvedDomain",
    "Shots",
    "ShowsFields",
    "ShutsDown",
    "Simulation",
    "SplitError",
    "Stateful",
    "Strategy",
    "SupportPolicy",
    "Survey",
    "Task",
    "TaskSplit",
    "TrainablePolicy",
    "TransitionScore",
    "TrialPolicy",
    "check_methods",
    "is_image",
    "task_name",
]
