"""A small transformer over tokens: image feature points, proprioception, end effectors (or the goal)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import SLOTS, Embodiment, Observation
from studio.experiment import Domain, Settings, setting
from studio.nn.action_space import masked_mse, pad, slot_mask, unpad
from studio.nn.fingerprint import Fingerprint
from studio.nn.policy import BasePolicy
from studio.nn.transformer import Block, FeaturePoints, Normalizer

LIMBS = 2  # end-effector coordinates: right (or only) limb, left limb
GOAL = 6  # coordinates of a goal, at most; shorter ones are padded with zeros


class TokenTransformer(BasePolicy):
    """Tokens → transformer → readout token → action head over the 32 slots. Un-normalizes inside.

    Nothing outside needs to know statistics, slots or masks: ``act`` takes native observations, gives native actions.
    """

    id = "token_transformer"
    title = "Token transformer"
    summary = (
        "Transformer over image feature points, proprioception and end effector pose, with an action head over 32 "
        "unified slots."
    )
    reference = (
        "After Octo (arXiv:2405.12213) and RDT (arXiv:2410.07864); feature points: Levine et al. 2016 "
        "(arXiv:1504.00702)"
    )

    class Params(Settings):
        """Size of the network."""

        width: int = setting(64, "Width", "Width of the token embeddings.", ge=16, le=1024, multiple_of=8)
        layers: int = setting(2, "Layers", "Number of transformer blocks.", ge=1, le=24)
        heads: int = setting(4, "Heads", "Number of attention heads; must divide the width.", ge=1, le=16)
        points: int = setting(
            16, "Feature points", "Number of image feature points (spatial soft-argmax).", ge=4, le=128
        )
        channels: int = setting(16, "Channels", "Channels of the first convolution layer.", ge=8, le=256)
        layout: Literal["semantic", "front"] = setting(
            "semantic",
            "Action slots",
            "unified: each slot has a fixed meaning across robots. front: actions come first, padding at the end.",
        )

    def __init__(self, params: Params | None = None, observation: str = "image") -> None:
        super().__init__()
        p = params or self.Params()
        self.params, self.observation = p, observation
        self.points = FeaturePoints(p.points, p.channels) if observation == "image" else None
        self.point_embedding = nn.Linear(3 if observation == "image" else GOAL, p.width)
        self.joint_embedding = nn.Linear(2 * SLOTS, p.width)
        self.end_effector_embedding = nn.Linear(2 * 3 * LIMBS, p.width)
        scene_tokens = p.points if observation == "image" else 1
        self.token_kind = nn.Parameter(0.02 * torch.randn(scene_tokens + 3, p.width))
        self.blocks = nn.ModuleList(Block(p.width, p.heads) for _ in range(p.layers))
        self.norm = nn.LayerNorm(p.width)
        self.action_head = nn.Sequential(nn.Linear(p.width, 256), nn.ReLU(), nn.Linear(256, SLOTS))
        self.spaces = Spaces(3 if observation == "image" else GOAL)
        self.fingerprint = Fingerprint()

    def bind(
        self, embodiment: Embodiment, domain: Domain, statistics: dict[str, dict[str, np.ndarray]], keep: bool
    ) -> None:
        """Fits slots, masks and normalization to a domain.

        Args:
            statistics: of the domain's dataset, as ``Episodes.statistics`` gives them.
            keep: metric quantities the policy already knows (end-effector positions, end-effector actions) keep their
                statistics, so that a meter means the same number as before; joint quantities always take the new ones.
        """
        self.spaces.bind(embodiment, domain, statistics, keep, self.params.layout)

    def act(self, observation: Observation, memory: Any = None) -> tuple[np.ndarray, Any]:
        """Native actions (n, width) in [−1, 1] as a NumPy array; there is no memory."""
        with torch.inference_mode():
            unified = self.head(self.features(self.tensors(observation)))
            native = unpad(self.spaces.action.inverse(unified), self.spaces.action_mask)
        return native.clamp(-1, 1).cpu().numpy(), memory

    def tensors(self, observation: Observation) -> dict[str, Tensor]:
        """Arrays → tensors on the policy's device; images stay uint8."""
        device = self.token_kind.device
        return {
            k: torch.as_tensor(np.asarray(v) if not torch.is_tensor(v) else v).to(device)
            for k, v in observation.items()
        }

    def forward(self, observation: dict[str, Tensor]) -> Tensor:
        """Normalized unified actions, (n, 32)."""
        return self.head(self.features(observation))

    def features(self, observation: dict[str, Tensor]) -> Tensor:
        """The readout token after the transformer, (n, width)."""
        spaces, n = self.spaces, len(observation["joint_pos"])
        if self.points is not None:
            image = observation["image"].permute(0, 3, 1, 2).to(self.token_kind.dtype).div(255)
            scene = self.point_embedding(self.points(image.contiguous(memory_format=torch.channels_last)))
        else:
            scene = self.point_embedding(spaces.goal(_widened(observation["goal"], GOAL)))[:, None]
        joints = spaces.joint_tokens(observation["joint_pos"], observation.get("gripper_pos"))
        ends = spaces.end_effector_tokens(observation["eef_pos"])
        tokens = torch.cat(
            [
                scene,
                self.joint_embedding(joints)[:, None],
                self.end_effector_embedding(ends)[:, None],
                scene.new_zeros(n, 1, scene.shape[-1]),
            ],
            1,
        )
        tokens = tokens + self.token_kind
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, -1])

    def head(self, features: Tensor) -> Tensor:
        """Features (n, width) → normalized unified actions (n, 32)."""
        return self.action_head(features)

    def targets(self, actions: Tensor) -> Tensor:
        """Native actions (n, dof) → normalized unified targets (n, 32)."""
        return self.spaces.action(pad(actions, self.spaces.action_mask))

    def loss(self, prediction: Tensor, targets: Tensor) -> Tensor:
        """Mean squared error over the embodiment's own slots."""
        return masked_mse(prediction, targets, self.spaces.action_mask)


class Spaces(nn.Module):
    """An embodiment's masks and statistics: all that binds the network to a body. Buffers only."""

    action_mask: Tensor
    joint_mask: Tensor
    end_effector_mask: Tensor

    def __init__(self, goal: int) -> None:
        super().__init__()
        self.action, self.joint, self.end_effector = Normalizer(SLOTS), Normalizer(SLOTS), Normalizer(3 * LIMBS)
        self.goal = Normalizer(goal)
        self.register_buffer("action_mask", torch.zeros(SLOTS, dtype=torch.bool))
        self.register_buffer("joint_mask", torch.zeros(SLOTS, dtype=torch.bool))
        self.register_buffer("end_effector_mask", torch.zeros(3 * LIMBS, dtype=torch.bool))

    def bind(self, embodiment: Embodiment, domain: Domain, statistics: Any, keep: bool, layout: Any) -> None:
        grips = len(statistics["actions"]["mean"]) > len(embodiment.slots(domain.control))
        slots, moving = embodiment.slots(domain.control, grips), embodiment.slots(domain.control)
        action = slot_mask(slots, layout)
        hands = [limb.gripper_slot for limb in embodiment.limbs if grips and limb.gripper]
        joint = slot_mask((*embodiment.slots("joint"), *hands), layout)
        statistics = dict(statistics)
        if grips:
            # a gripper's action is open or closed and means the same on every body; one that never moved in the data
            # has no spread to be scaled by
            still = np.array([slot not in moving for slot in slots])
            statistics["actions"] = {
                "mean": np.where(still, 0.0, statistics["actions"]["mean"]),
                "std": np.where(still, 1.0, statistics["actions"]["std"]),
            }
            statistics["joint_pos"] = {
                s: np.concatenate([statistics["joint_pos"][s], statistics["gripper_pos"][s]]) for s in ("mean", "std")
            }
        end = torch.arange(3 * LIMBS) < 3 * len(embodiment.limbs)
        metric = keep and domain.control == "end_effector"
        known_action = self.action_mask.cpu() if metric else torch.zeros_like(action)
        known_end = self.end_effector_mask.cpu() if keep else torch.zeros_like(end)
        for normalizer, key, mask, known in (
            (self.action, "actions", action, known_action),
            (self.joint, "joint_pos", joint, torch.zeros_like(joint)),
            (self.end_effector, "eef_pos", end, known_end),
        ):
            mean, std = (pad(torch.as_tensor(statistics[key][s]).float(), mask) for s in ("mean", "std"))
            device = normalizer.mean.device
            normalizer.fit(mean.to(device), std.to(device), (mask & ~known).to(device))
        if "goal" in statistics and not keep:
            width = len(self.goal.mean)
            mean, std = (_widened(torch.as_tensor(statistics["goal"][s]).float(), width) for s in ("mean", "std"))
            known = torch.arange(width) < len(statistics["goal"]["mean"])
            device = self.goal.mean.device
            self.goal.fit(mean.to(device), std.to(device), known.to(device))
        self.action_mask.copy_(action)
        self.joint_mask.copy_(joint)
        self.end_effector_mask.copy_(end)

    def joint_tokens(self, native: Tensor, openings: Tensor | None) -> Tensor:
        """(n, joints) → (n, 64): normalized positions in their slots, and the mask.

        Args:
            openings: (n, limbs) of the grippers, m, where the task grips.
        """
        if openings is not None:
            native = torch.cat([native, openings], 1)
        return self._token(native, self.joint, self.joint_mask)

    def end_effector_tokens(self, native: Tensor) -> Tensor:
        """(n, 3·limbs) → (n, 12): normalized positions, and the mask."""
        return self._token(native, self.end_effector, self.end_effector_mask)

    def forward(self, x: Tensor) -> Tensor:
        """Identity; the module holds buffers, and PEFT expects something callable."""
        return x

    @staticmethod
    def _token(native: Tensor, normalizer: Normalizer, mask: Tensor) -> Tensor:
        values = normalizer(pad(native, mask)) * mask
        return torch.cat([values, mask.to(values).expand_as(values)], -1)


def _widened(values: Tensor, width: int) -> Tensor:
    """(…, d) → (…, width), zeros behind."""
    return nn.functional.pad(values, (0, width - values.shape[-1]))
