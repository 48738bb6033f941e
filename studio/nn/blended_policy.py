"""A policy whose adapters are weighted while it acts."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Companion, Observation, TransitionScore
from studio.nn.policy import BasePolicy
from studio.nn.updates import check_alike

Array = np.ndarray


class BlendedPolicy:
    """Acts with base + Σ weight · (trained − base), a ``studio.contracts.Policy``.

    Any thread may set weights; the one that lets it act computes the sum, before its next action.

    Args:
        base: the policy without any adapter, for the robot that acts.
        trained: the same with one adapter each, merged.
        weights: one for each; 1 is the adapter as it was trained, 0 leaves it out.

    Raises:
        DataError: they are not policies of one kind for one robot.
    """

    plays_trials = False
    reads_support = False

    def __init__(self, base: BasePolicy, trained: Sequence[BasePolicy], weights: Sequence[float]) -> None:
        self._policy = copy.deepcopy(base).eval()
        start = {name: value.clone() for name, value in base.state_dict().items()}
        self._sums: list[tuple[Tensor, Tensor, list[Tensor]]] = []  # where it goes, base, differences
        states = [policy.state_dict() for policy in trained]
        for state in states:
            check_alike(start, state)
        for name, held in self._policy.state_dict().items():
            value = start[name]
            if value.is_floating_point() and any(not torch.equal(state[name], value) for state in states):
                self._sums.append((held, value, [state[name] - value for state in states]))
        self._wanted, self._present = tuple(weights), tuple(0.0 for _ in trained)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights that the next action is taken with."""
        return self._wanted

    def set_weights(self, weights: Sequence[float]) -> None:
        """Weight the adapters otherwise from the next action on."""
        self._wanted = tuple(weights)

    @property
    def params(self) -> Any:
        """The policy's settings."""
        return self._policy.params

    @property
    def is_recurrent(self) -> bool:
        """Whether value and entropy depend on the memory."""
        return self._policy.is_recurrent

    def act(self, observation: Observation, memory: Any = None) -> tuple[Array, Any]:
        """Return native actions (n, dof) under the weights that were set last, and the new memory."""
        self._apply()
        acting: Any = self._policy
        action, memory = acting.act(observation, memory)
        return action, memory

    def parameters(self) -> Iterator[Any]:
        """Return the parameters, under the weights that were applied last."""
        return self._policy.parameters()

    def value(self, observation: Observation, memory: Any = None) -> Array | None:
        """Return the policy's own value, None where it has no critic."""
        return self._policy.value(observation, memory)

    def entropy(self, observation: Observation, memory: Any = None) -> Array | None:
        """Return the policy's own entropy, None where it does not explore."""
        return self._policy.entropy(observation, memory)

    def probabilities(self, observation: Observation) -> Array | None:
        """Return the policy's own probabilities, None where it has none."""
        return self._policy.probabilities(observation)

    def companions(self) -> Mapping[str, Companion]:
        """Return what the base brings along."""
        return self._policy.companions()

    def transition_scores(self) -> TransitionScore | None:
        """Return what the base's path is colored by."""
        return self._policy.transition_scores()

    def _apply(self) -> None:
        wanted = self._wanted
        if wanted == self._present:
            return
        with torch.no_grad():
            for held, base, updates in self._sums:
                held.copy_(base)
                for update, weight in zip(updates, wanted, strict=True):
                    held.add_(update, alpha=weight)
        self._present = wanted
