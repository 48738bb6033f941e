"""How good a policy of discrete choices seems to be, by its own probabilities: no reward and no label is read."""

from __future__ import annotations

from typing import Any

import numpy as np

from studio.contracts import Array, Observation, Policy


class ProbabilityRecorder:
    """Acts as a policy does, and keeps the probabilities of its choices."""

    plays_trials = False
    reads_support = False

    def __init__(self, policy: Policy) -> None:
        self._policy, self._found = policy, list[Array]()

    def act(self, observation: Observation, memory: object = None) -> tuple[Array, Any]:
        """Return what the policy does."""
        probabilities = self._policy.probabilities(observation)
        assert probabilities is not None, "the policy does not choose among discrete actions"
        self._found.append(probabilities)
        return self._policy.act(observation, memory)

    def mutual_information(self) -> float:
        """Return the estimate of all observations so far; see :func:`mutual_information`."""
        return mutual_information(np.concatenate(self._found))


def mutual_information(probabilities: Array) -> float:
    """Return the mutual information of observations and choices, nats, for probabilities (n, choices).

    It is high where each choice is certain and all choices are made about equally often: the entropy of the mean less
    the mean of the entropies. Source: Shi and Sha 2012, arXiv:1206.6438, equation 7; as a criterion for choosing a
    model: Musgrave, Belongie and Lim 2021, arXiv:2111.15672.
    """
    return float(_entropy(probabilities.mean(0)) - _entropy(probabilities).mean())


def _entropy(probabilities: Array) -> Array:
    return -(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(-1)
