"""The spaces of several embodiments as tables: which slots each one has, and the statistics that normalize its values.

A policy is one network for all its embodiments. Every table has a row for each of them, (embodiments, width), and is
indexed by ``Batch.embodiment``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import SLOTS, Array, EmbodimentSpec
from studio.nn.action_space import Layout, pad, scatter_slots, slot_mask

LIMBS = 2  # end-effector coordinates: right (or only) limb, left limb
LEAST_STD = 1e-2


class Tables(nn.Module):
    """A module whose buffers are tables with a row for each embodiment.

    With a single embodiment, saved states hold the row without its first dimension: the file layout of policies that
    were saved before there could be several embodiments.
    """

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, _ in self.named_buffers(recurse=False):
            if len(destination[prefix + name]) == 1:
                destination[prefix + name] = destination[prefix + name][0]

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        given = dict(state_dict)
        for name, table in self.named_buffers(recurse=False):
            saved = given.get(prefix + name)
            if saved is not None:
                rows = saved if saved.dim() == table.dim() else saved[None]
                given[prefix + name] = rows
                if rows.shape[0] != table.shape[0]:
                    setattr(self, name, table.new_zeros(rows.shape[0], *table.shape[1:]))
        super()._load_from_state_dict(given, prefix, *rest)


class NormalizerTable(Tables):
    """Normalizes (x − mean) / std over the last dimension, and back, by embodiment. Saved, but never trained."""

    mean: Tensor
    std: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, width))
        self.register_buffer("std", torch.ones(1, width))

    def resize(self, rows: int) -> None:
        """Make every row a copy of the first."""
        self.mean, self.std = self.mean[:1].repeat(rows, 1), self.std[:1].repeat(rows, 1)

    def fit(self, row: int, mean: Tensor, std: Tensor, where: Tensor) -> None:
        """Set the statistics (width,) of a row's components ``where`` (bool); the others keep theirs."""
        self.mean[row, where] = mean[where].to(self.mean)
        self.std[row, where] = std[where].clamp_min(LEAST_STD).to(self.std)

    def forward(self, x: Tensor, embodiment: Tensor) -> Tensor:
        return (x - self.mean[embodiment]) / self.std[embodiment]

    def inverse(self, x: Tensor, embodiment: Tensor) -> Tensor:
        """Return normalized values in native units."""
        return x * self.std[embodiment] + self.mean[embodiment]


class Spaces(Tables):
    """The slots, masks and statistics of a policy's embodiments."""

    action_mask: Tensor  # (embodiments, 32) bool
    joint_mask: Tensor  # (embodiments, 32) bool: joints, and the grippers of a task that grips
    end_effector_mask: Tensor  # (embodiments, 6) bool

    def __init__(self, goal: int) -> None:
        super().__init__()
        self.action, self.joint, self.end_effector = (NormalizerTable(w) for w in (SLOTS, SLOTS, 3 * LIMBS))
        self.goal = NormalizerTable(goal)
        self.register_buffer("action_mask", torch.zeros(1, SLOTS, dtype=torch.bool))
        self.register_buffer("joint_mask", torch.zeros(1, SLOTS, dtype=torch.bool))
        self.register_buffer("end_effector_mask", torch.zeros(1, 3 * LIMBS, dtype=torch.bool))

    def bind(self, embodiments: Sequence[EmbodimentSpec], keep: bool, layout: Layout) -> None:
        """Make a row for each embodiment; see ``TrainablePolicy.bind``."""
        device = self.action_mask.device
        known_action, known_end = self.action_mask[0].cpu(), self.end_effector_mask[0].cpu()
        for normalizer in (self.action, self.joint, self.end_effector, self.goal):
            normalizer.resize(len(embodiments))
        masks = [
            self._bind_row(row, spec, keep, layout, known_action, known_end) for row, spec in enumerate(embodiments)
        ]
        self.action_mask, self.joint_mask, self.end_effector_mask = (
            torch.stack(rows).to(device) for rows in zip(*masks, strict=True)
        )

    def _bind_row(
        self, row: int, spec: EmbodimentSpec, keep: bool, layout: Layout, known_action: Tensor, known_end: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        embodiment, statistics = spec.embodiment, dict(spec.statistics)
        grips = len(statistics["actions"]["mean"]) > len(embodiment.slots(spec.control))
        slots, moving = embodiment.slots(spec.control, grips), embodiment.slots(spec.control)
        action = slot_mask(slots, layout)
        hands = [limb.gripper_slot for limb in embodiment.limbs if grips and limb.gripper]
        joint = slot_mask((*embodiment.slots("joint"), *hands), layout)
        if grips:
            statistics["actions"] = _open_or_closed(statistics["actions"], slots, moving)
            statistics["joint_pos"] = {
                s: np.concatenate([statistics["joint_pos"][s], statistics["gripper_pos"][s]]) for s in ("mean", "std")
            }
        end = torch.arange(3 * LIMBS) < 3 * len(embodiment.limbs)
        metric = keep and spec.control == "end_effector"
        for normalizer, key, mask, known in (
            (self.action, "actions", action, known_action if metric else torch.zeros_like(action)),
            (self.joint, "joint_pos", joint, torch.zeros_like(joint)),
            (self.end_effector, "eef_pos", end, known_end if keep else torch.zeros_like(end)),
        ):
            mean, std = (pad(torch.as_tensor(statistics[key][s]).float(), mask) for s in ("mean", "std"))
            device = normalizer.mean.device
            normalizer.fit(row, mean.to(device), std.to(device), (mask & ~known).to(device))
        if "goal" in statistics and not keep:
            width, device = self.goal.mean.shape[1], self.goal.mean.device
            mean, std = (widened(torch.as_tensor(statistics["goal"][s]).float(), width) for s in ("mean", "std"))
            here = torch.arange(width) < len(statistics["goal"]["mean"])
            self.goal.fit(row, mean.to(device), std.to(device), here.to(device))
        return action, joint, end

    def actions(self, native: Tensor, embodiment: Tensor) -> Tensor:
        """Return native actions, (n, widest) or chunks (n, chunk, widest), as normalized unified targets (…, 32)."""
        if native.dim() == 3:
            n, chunk, _ = native.shape
            return self.actions(native.flatten(0, 1), embodiment.repeat_interleave(chunk)).view(n, chunk, SLOTS)
        return self.action(scatter_slots(native, self.action_mask[embodiment]), embodiment)

    def native(self, unified: Tensor, row: int = 0) -> Tensor:
        """Return normalized unified actions (…, 32) of one embodiment as native ones (…, dof)."""
        rows = torch.full(unified.shape[:-1], row, device=unified.device)
        return self.action.inverse(unified, rows)[..., self.action_mask[row]]

    def joint_tokens(self, native: Tensor, embodiment: Tensor) -> Tensor:
        """Return tokens (n, 64), normalized values and mask, for joint positions with gripper openings behind them,
        (n, widest)."""
        return _token(native, self.joint, self.joint_mask[embodiment], embodiment)

    def end_effector_tokens(self, native: Tensor, embodiment: Tensor) -> Tensor:
        """Return tokens (n, 12), normalized values and mask, for end-effector positions (n, widest)."""
        return _token(native, self.end_effector, self.end_effector_mask[embodiment], embodiment)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input; PEFT expects a callable module."""
        return x


def _token(native: Tensor, normalizer: NormalizerTable, mask: Tensor, embodiment: Tensor) -> Tensor:
    values = normalizer(scatter_slots(native, mask), embodiment) * mask
    return torch.cat([values, mask.to(values)], -1)


def _open_or_closed(actions: Any, slots: Sequence[int], moving: Sequence[int]) -> dict[str, Array]:
    """Return the statistics of actions with those of the grippers replaced by mean 0 and deviation 1.

    Open and closed mean the same on every robot, and a gripper that never moved in the data has no deviation.
    """
    gripper = np.array([slot not in moving for slot in slots])
    return {"mean": np.where(gripper, 0.0, actions["mean"]), "std": np.where(gripper, 1.0, actions["std"])}


def widened(values: Tensor, width: int) -> Tensor:
    """Return values (…, d) padded with zeros to (…, width)."""
    return nn.functional.pad(values, (0, width - values.shape[-1]))
