"""A Q-network over discrete actions, trained by deep Q-learning."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Outputs
from studio.errors import ExperimentError
from studio.experiment import setting
from studio.rl.networks.policy import FlatPolicy, MLPParams
from studio.rl.networks.squashed import MLPEnsemble

Array = np.ndarray


class QPolicy(FlatPolicy):
    """Acts greedily on Q(s, ·) of a flattened observation, (n, actions). With an observed goal it is a universal value
    function Q(s, g, ·) (Schaul et al. 2015): state and goal are one input.

    A policy without ``inputs`` is blank: :meth:`fit` gives it a world's sizes and initializes its weights.
    """

    id = "q_mlp"
    title = "Q MLP"
    summary = "MLP with a Q-value for each discrete action; for deep Q-learning (DQN)."
    reference = "Mnih et al. 2015, Human-level control through deep reinforcement learning (Nature 518)"
    algorithm = "dqn"  # the key in studio.rl.learners of what trains it as a source policy

    class Params(MLPParams):
        """Size of the network."""

        outputs: int = setting(0, "Outputs", "Number of actions; 0: the task's.", ge=0, le=100_000, derived=True)

    def fit(self, inputs: int, low: Array, high: Array, seed: int) -> None:
        """Build the network for observations of width ``inputs`` and a discrete control's range, (1,) each.

        Raises:
            ExperimentError: the range is not a discrete control's.
        """
        if len(low) != 1 or low[0] != 0 or high[0] < 1:
            message = f"'{self.id}' chooses among discrete actions, but this control is continuous."
            raise ExperimentError(message, "policy.id", "Choose squashed_mlp, or a task with discrete control.")
        self.make(seed, inputs=inputs, outputs=int(high[0]) + 1)

    def _build(self) -> None:
        p = self.params
        self.q = MLPEnsemble([p.inputs, *[p.width] * p.layers, p.outputs])
        self.register_buffer("low", torch.zeros(1))

    def forward(self, observations: Tensor) -> Tensor:
        """Return the Q-value of each action, (n, actions), for flattened observations (n, inputs)."""
        values: Tensor = self.q(observations)[0]
        return values

    def outputs(self, rows: Tensor) -> Outputs:
        return self.q.outputs(rows)

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return the greedy actions (n, 1); there is no memory."""
        with torch.inference_mode():
            best = self(self._inputs(observation)).argmax(-1, keepdim=True)
            return best.float().cpu().numpy(), memory

    def value(self, observation: Any, memory: Any = None) -> Array:
        """Return max Q(s, a), (n,), in the scale of the rewards."""
        with torch.inference_mode():
            return self(self._inputs(observation)).amax(-1).cpu().numpy()
