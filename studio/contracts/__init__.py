"""What a plugin may contribute, and the words the rooms speak with each other.

Arrays are batch first. Nothing here imports torch, MuJoCo or Qt.
"""

from studio.contracts.arrays import SLOTS, Array, Ids, Observation
from studio.contracts.dataset import Format
from studio.contracts.embodiment import Embodiment, Limb
from studio.contracts.episodes import Episodes
from studio.contracts.panel import PanelInfo
from studio.contracts.policy import Companion, Policy, TransitionScore
from studio.contracts.problem import Metrics, Problem
from studio.contracts.requires import Requires
from studio.contracts.stateful import Stateful
from studio.contracts.strategy import Strategy
from studio.contracts.task import Simulation, Task

__all__ = [
    "SLOTS",
    "Array",
    "Companion",
    "Embodiment",
    "Episodes",
    "Format",
    "Ids",
    "Limb",
    "Metrics",
    "Observation",
    "PanelInfo",
    "Policy",
    "Problem",
    "Requires",
    "Simulation",
    "Stateful",
    "Strategy",
    "Task",
    "TransitionScore",
]
