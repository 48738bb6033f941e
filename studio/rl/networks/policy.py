"""Bases of the policies for reinforcement learning, and the settings that those on flattened observations share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Outputs
from studio.errors import ExperimentError
from studio.experiment import Settings, setting
from studio.nn.fingerprint import Fingerprint
from studio.nn.policy import BasePolicy
from studio.rl.networks.observations import flatten

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray


class MLPParams(Settings):
    """Size of the networks of a policy on flattened observations, and which entries it ignores."""

    width: int = setting(256, "Width", "Width of the hidden layers.", ge=4, le=4096)
    layers: int = setting(2, "Layers", "Number of hidden layers.", ge=1, le=8)
    inputs: int = setting(
        0, "Inputs", "Width of the observation; 0: as the task has it.", ge=0, le=100_000, derived=True
    )
    outputs: int = setting(0, "Outputs", "Width of the action; 0: as the task has it.", ge=0, le=10_000, derived=True)
    ignored: list[str] = setting(
        [], "Ignored", "Observation entries that the policy does not receive, such as the goal."
    )


class ReinforcementPolicy(BasePolicy):
    """Base of the policies for reinforcement learning: blank until a world's sizes are known.

    A subclass's ``fit`` passes the sizes to :meth:`make`; its ``_build`` creates the networks that ``params`` describe.
    """

    id: ClassVar[str]
    is_cloned = False
    sizes: ClassVar[tuple[str, ...]] = ("inputs", "outputs")  # fields of ``Params`` that are 0 while it is blank
    low: Tensor
    high: Tensor

    class Params(Settings):
        """Size of the networks."""

    def __init__(self, params: Any = None, observation: str = "state") -> None:
        super().__init__()
        self.params: Any = params or self.Params()
        self.observation = observation
        self.fingerprint = Fingerprint()
        if all(getattr(self.params, size) for size in self.sizes):
            self._build()

    @property
    def device(self) -> torch.device:
        """Return the device of its weights; not of a blank one, which has none."""
        return self.low.device

    def set_ranges(self, low: Array, high: Array) -> None:
        """Take the range of continuous actions, (width,) each."""
        self.low.copy_(torch.as_tensor(low))
        self.high.copy_(torch.as_tensor(high))

    def make(self, seed: int, **sizes: int) -> None:
        """Build the networks for a world's sizes; the same seed gives the same weights."""
        self.params = self.params.model_copy(update=sizes)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._build()

    def bind(self, *domain: Any, **settings: Any) -> None:
        """Raise ExperimentError: behavior cloning needs another network."""
        raise ExperimentError(
            f"'{self.id}' cannot be trained by behavior cloning.", "policy.id", "Choose token_transformer."
        )

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load a state as a module does; a state saved without the scale of rewards leaves it reset."""
        fresh = {name: value for name, value in self.state_dict().items() if name.startswith("rewards.")}
        return super().load_state_dict({**fresh, **state}, strict, assign)

    def _build(self) -> None:
        raise NotImplementedError

    def _add_ranges(self) -> None:
        """Add buffers for the range of continuous actions; [−1, 1] until :meth:`fit`."""
        self.register_buffer("low", -torch.ones(self.params.outputs))
        self.register_buffer("high", torch.ones(self.params.outputs))

    def outputs(self, rows: Tensor) -> Outputs:
        """Return the last hidden layer, and means or Q-values, (n, …) each, for the network's inputs (n, width)."""
        raise NotImplementedError

    def _inputs(self, observation: Any) -> Tensor:
        """Return the network's input for an observation, (n, inputs) float32 on the policy's device."""
        rows = flatten(observation, self.params.ignored)
        return torch.as_tensor(rows, dtype=torch.float32, device=self.device)


class FlatPolicy(ReinforcementPolicy):
    """Base of the policies on flattened observations."""

    class Params(MLPParams):
        """Size of the networks."""

    def fit_to(self, world: World, seed: int) -> None:
        """Build the networks for a world's observations and actions; the same seed gives the same weights."""
        self.fit(self._width(world), world.control.low, world.control.high, seed)

    def _width(self, world: World) -> int:
        """Return the width of a world's observations, without the entries that are ignored."""
        return int(flatten(world.observe(slice(1)), self.params.ignored).shape[1])
