"""The base of policies whose actions are in the unified slots: statistics, masks, the loss, and chunks of actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import SLOTS, Batch, EmbodimentSpec, Observation, Outputs
from studio.experiment import Settings, setting
from studio.nn.action_chunks import ChunkExecution
from studio.nn.action_space import masked_mse, slot_mask, step_weights
from studio.nn.adapters import restored_action_map
from studio.nn.fingerprint import Fingerprint
from studio.nn.policy import BasePolicy
from studio.nn.spaces import Spaces
from studio.nn.tokenizers import GOAL, Tokenizer


class SlotParams(Settings):
    """Slots, and how actions are executed."""

    layout: Literal["semantic", "front"] = setting(
        "semantic",
        "Action slots",
        "semantic: each slot has a fixed meaning across robots. front: actions come first, padding at the end.",
    )
    chunk: int = setting(
        1,
        "Action chunk",
        "How many steps are predicted at once. They are executed without looking again, unless ensembled.",
        "steps",
        ge=1,
        le=100,
        since=2,
    )
    temporal_ensemble: bool = setting(
        False,
        "Temporal ensemble",
        "Predict a chunk at every step, and execute the weighted mean of what the chunks say of it.",
        since=2,
    )
    ensemble_decay: float = setting(
        0.01,
        "Ensemble decay",
        "The prediction that is i chunks younger than the oldest has the weight exp(−decay · i).",
        ge=0,
        le=10,
        since=2,
    )


class SlotPolicy(BasePolicy):
    """A subclass makes its modules, ``tokenizers`` and ``action_head`` among them, and calls :meth:`make_spaces`; it
    returns what the head reads in :meth:`read`.

    Statistics, slots and masks are internal: ``act`` takes native observations and returns native actions.
    """

    has_features = True
    tokenizers: Sequence[Tokenizer]  # of the entries that it reads
    action_head: nn.Module  # (n, feature width) → (n, chunk · 32)
    prompt: nn.Parameter | None

    def read(self, observation: Mapping[str, Tensor], embodiment: Tensor) -> Tensor:
        """Return the features, (n, width), of what :meth:`tensors` returned."""
        raise NotImplementedError

    def make_spaces(self, observation: str) -> None:
        """Add the tables of embodiments and the base's fingerprint."""
        self.observation = observation
        self.spaces = Spaces(GOAL if "goal" in observation.split("+") else 3)
        self.fingerprint = Fingerprint()
        p = self.params
        self.execution = ChunkExecution(p.chunk, p.ensemble_decay if p.temporal_ensemble else None)
        self.register_parameter("prompt", None)

    @property
    def head(self) -> str:
        """Return the action head."""
        return "action_head"

    def output_mask(self, slots: Sequence[int]) -> Tensor:
        """Return which outputs of the head are these slots, (chunk · 32,) bool."""
        return slot_mask(slots, self.params.layout).repeat(self.params.chunk)

    @property
    def embodiments(self) -> int:
        return len(self.spaces.action_mask)

    @property
    def chunk(self) -> int:
        return cast(int, self.params.chunk)

    @property
    def feature_width(self) -> int:
        return cast(int, self.params.width)

    def bind(self, embodiments: Sequence[EmbodimentSpec], keep: bool = False) -> None:
        self.spaces.bind(embodiments, keep, self.params.layout)

    def take_spaces(self, other: BasePolicy) -> None:
        assert isinstance(other, SlotPolicy)
        self.spaces.load_state_dict(other.spaces.state_dict())

    def act(self, observation: Observation, memory: Any = None) -> tuple[np.ndarray, Any]:
        """Return native actions (n, dof) in [−1, 1] of the first embodiment; the memory is what remains of chunks."""
        with torch.inference_mode():
            seen = self.tensors(observation)
            if self.chunk == 1:
                native = self.spaces.native(self(seen))
            else:
                native, memory = self.execution.act(
                    lambda rows: self.spaces.native(self({name: value[rows] for name, value in seen.items()})),
                    len(seen["joint_pos"]),
                    memory,
                )
        return native.clamp(-1, 1).cpu().numpy(), memory

    def tensors(self, observation: Observation) -> dict[str, Tensor]:
        """Return the entries that the policy reads, on its device: images as uint8, gripper openings behind the joint
        positions."""
        device = self.spaces.action_mask.device
        names = (*(tokenizer.entry for tokenizer in self.tokenizers), "gripper_pos", "actions")
        entries = {name: torch.as_tensor(observation[name]).to(device) for name in names if name in observation}
        if "gripper_pos" in entries:
            entries["joint_pos"] = torch.cat([entries["joint_pos"], entries.pop("gripper_pos")], 1)
        return entries

    def forward(self, observation: Mapping[str, Tensor], embodiment: Tensor | None = None) -> Tensor:
        """Return normalized unified actions, (n, 32) or chunks (n, chunk, 32), for what :meth:`tensors` returned."""
        if embodiment is None:
            joints = observation["joint_pos"]
            embodiment = torch.zeros(len(joints), dtype=torch.long, device=joints.device)
        return self._predict(self.read(observation, embodiment))

    def features(self, batch: Batch) -> Tensor:
        """Return what the head reads, (n, width)."""
        return self.read(batch.observations, batch.embodiment)

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        """Return the mean squared error of normalized actions over each sample's own slots, and steps that exist."""
        features = self.features(batch) if batch.features is None else batch.features
        prediction = self._predict(features)
        targets = self.spaces.actions(batch.actions, batch.embodiment)
        mask = self.spaces.action_mask[batch.embodiment]
        if self.chunk > 1:
            mask = mask[:, None].expand(prediction.shape)
        return masked_mse(prediction, targets, mask, step_weights(batch)), Outputs(features, prediction)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        self.action_head = restored_action_map(self.action_head, state_dict, f"{prefix}action_head.")
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _predict(self, features: Tensor) -> Tensor:
        found: Tensor = self.action_head(features)
        return found if self.chunk == 1 else found.unflatten(-1, (self.chunk, SLOTS))
