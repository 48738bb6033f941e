"""The base class of policies, with defaults for all that is optional."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor, nn

from studio.contracts import Companion, Observation, Problem, ResolvedDomain, TransitionScore

Array = np.ndarray


class BasePolicy(nn.Module):
    """Implements ``studio.contracts.Policy`` but for ``act``. A subclass overrides what it has to offer beside it."""

    contributes = "policies"
    is_recurrent: ClassVar[bool] = False
    plays_trials: ClassVar[bool] = False  # see studio.contracts.TrialPolicy
    reads_support: ClassVar[bool] = False  # see studio.contracts.SupportPolicy
    infers_task: ClassVar[bool] = False  # the strategies that train it hide the context ω from it
    needs_observation: ClassVar[bool] = True  # at least an entry of a task's: what a trial adds is not enough
    reads_instructions: ClassVar[bool] = False
    entries: ClassVar[tuple[str, ...]] = ()  # of an observation, that it can read; empty: all but instructions
    is_transformer: ClassVar[bool] = False  # whether prompts, and parts of blocks, can be added to it
    several_entries: ClassVar[bool] = False  # whether it reads observations of several entries and of several cameras
    gives_probabilities: ClassVar[bool] = False  # of discrete choices
    has_features: ClassVar[bool] = False  # that can be looked at: see studio.contracts.FeaturePolicy
    controls: ClassVar[tuple[str, ...]] = ()  # that it can act in; empty: any
    loss_unit: ClassVar[str] = "MSE"  # of its cloning loss
    is_cloned: ClassVar[bool] = True  # learns from batches: see studio.contracts.TrainablePolicy
    algorithm: ClassVar[str] = ""  # the key in studio.rl.learners of what trains it as a source policy; empty: none
    params: Any = None

    @property
    def chunk(self) -> int:
        """Return 1: it gives one action at a time."""
        return 1

    @property
    def embodiments(self) -> int:
        """Return 0: it has no tables."""
        return 0

    def __init__(self) -> None:
        super().__init__()
        self._companions: dict[str, Companion] = {}

    @classmethod
    def check(cls, params: Any, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        """Return why a policy with these ``Params`` cannot be trained in an experiment's domains, given by their
        fields' names (target, source …); empty if it can. Problems of its own are at ``policy.params.NAME``."""
        return []

    @classmethod
    def files(cls, params: Any) -> Sequence[Path]:
        """Return a user's own files that a policy with these parameters is made from; their contents decide results."""
        return ()

    @classmethod
    def restored(cls, params: Any, observation: str, folder: Path) -> Self:
        """Return the policy of a policy folder, whose weights are still to be loaded.

        Args:
            folder: what :meth:`save_description` has written to.
        """
        kind: Any = cls
        policy: Self = kind(params, observation)
        return policy

    def save_description(self, folder: Path) -> None:
        """Write what :meth:`restored` needs beside parameters and weights; by default there is nothing."""

    def value(self, observation: Observation, memory: Any = None) -> Array | None:
        """Return None: there is no critic."""
        return None

    def entropy(self, observation: Observation, memory: Any = None) -> Array | None:
        """Return None: it does not explore."""
        return None

    def encoded(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the entries as they are: nothing is frozen."""
        return seen

    def probabilities(self, observation: Observation) -> Array | None:
        """Return None: it does not choose among discrete actions."""
        return None

    def take_spaces(self, other: BasePolicy) -> None:
        """Take slots and statistics of another policy of this kind; by default there are none, and it fits as it is."""

    def attach(self, name: str, companion: Companion) -> None:
        """Add what is saved beside the policy as ``name`` and copied with it, in place of another of this name."""
        self._companions[name] = companion

    def companions(self) -> Mapping[str, Companion]:
        """Return what was attached, by name."""
        return self._companions

    def transition_scores(self) -> TransitionScore | None:
        """Return the first score that a companion offers; None: there is none."""
        offered = (companion.transition_scores() for companion in self._companions.values())
        return next((scores for scores in offered if scores is not None), None)
