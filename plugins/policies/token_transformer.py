"""A small transformer over tokens of image feature points (or the goal), the instruction, joints and end effectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import SLOTS, Batch, EmbodimentSpec, Observation, Outputs
from studio.experiment import Settings, setting
from studio.nn.action_space import masked_mse
from studio.nn.encoders import FeaturePoints
from studio.nn.fingerprint import Fingerprint
from studio.nn.policy import BasePolicy
from studio.nn.spaces import LIMBS, Spaces, widened
from studio.nn.text_encoders import CHARACTERS, text_encoder
from studio.nn.transformer import Block

GOAL = 6  # coordinates of a goal, at most; shorter ones are padded with zeros


class TokenTransformer(BasePolicy):
    """A transformer with a readout token and an action head over the 32 unified slots.

    Statistics, slots and masks are internal: ``act`` takes native observations and returns native actions.
    """

    id = "token_transformer"
    reads_instructions = True
    title = "Token transformer"
    summary = (
        "Transformer over image feature points, instruction, proprioception and end effector pose, with an action head "
        "over 32 unified slots."
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
            "semantic: each slot has a fixed meaning across robots. front: actions come first, padding at the end.",
        )
        text_encoder: str = setting(
            CHARACTERS,
            "Text encoder",
            "Reads the instruction, where it is observed. characters: a small encoder that learns with the policy, in "
            "any language.",
            since=2,
        )

    def __init__(self, params: Params | None = None, observation: str = "image") -> None:
        super().__init__()
        p = params or self.Params()
        self.params, self.observation = p, observation
        entries = observation.split("+")
        sees = "image" in entries
        self.points = FeaturePoints(p.points, p.channels) if sees else None
        self.point_embedding = nn.Linear(3 if sees else GOAL, p.width)
        self.text_encoder = text_encoder(p.text_encoder, p.width) if "instruction" in entries else None
        self.joint_embedding = nn.Linear(2 * SLOTS, p.width)
        self.end_effector_embedding = nn.Linear(2 * 3 * LIMBS, p.width)
        scene_tokens = (p.points if sees else 1) + (self.text_encoder is not None)
        self.token_kind = nn.Parameter(0.02 * torch.randn(scene_tokens + 3, p.width))
        self.blocks = nn.ModuleList(Block(p.width, p.heads) for _ in range(p.layers))
        self.norm = nn.LayerNorm(p.width)
        self.action_head = nn.Sequential(nn.Linear(p.width, 256), nn.ReLU(), nn.Linear(256, SLOTS))
        self.spaces = Spaces(3 if sees else GOAL)
        self.fingerprint = Fingerprint()
        self.prompt: nn.Parameter | None
        self.register_parameter("prompt", None)

    @property
    def adapter_targets(self) -> Sequence[str]:
        """Return the attention's projections."""
        return ("q_proj", "k_proj", "v_proj", "o_proj")

    @property
    def modules_to_save(self) -> Sequence[str]:
        """Return the action head, the robot's embeddings and statistics, and the base's fingerprint."""
        return ("action_head", "joint_embedding", "end_effector_embedding", "spaces", "fingerprint")

    @property
    def trunk(self) -> Sequence[str]:
        """Return the transformer's blocks and the norm behind them."""
        return ("blocks", "norm")

    @property
    def head(self) -> str:
        """Return the action head."""
        return "action_head"

    @property
    def feature_width(self) -> int:
        return self.params.width

    @property
    def token_width(self) -> int:
        return self.params.width

    def bind(self, embodiments: Sequence[EmbodimentSpec], keep: bool = False) -> None:
        self.spaces.bind(embodiments, keep, self.params.layout)

    def take_spaces(self, other: BasePolicy) -> None:
        assert isinstance(other, TokenTransformer)
        self.spaces.load_state_dict(other.spaces.state_dict())

    def act(self, observation: Observation, memory: Any = None) -> tuple[np.ndarray, Any]:
        """Return native actions (n, dof) in [−1, 1] of the first embodiment; there is no memory."""
        with torch.inference_mode():
            native = self.spaces.native(self(self.tensors(observation)))
        return native.clamp(-1, 1).cpu().numpy(), memory

    def tensors(self, observation: Observation) -> dict[str, Tensor]:
        """Return the entries that the policy reads, on its device: images as uint8, gripper openings behind the joint
        positions."""
        device = self.token_kind.device
        names = ["image" if self.points is not None else "goal", "joint_pos", "gripper_pos", "eef_pos", "actions"]
        if self.text_encoder is not None:
            names.append("instruction")
        entries = {name: torch.as_tensor(observation[name]).to(device) for name in names if name in observation}
        if "gripper_pos" in entries:
            entries["joint_pos"] = torch.cat([entries["joint_pos"], entries.pop("gripper_pos")], 1)
        return entries

    def forward(self, observation: Mapping[str, Tensor], embodiment: Tensor | None = None) -> Tensor:
        """Return normalized unified actions, (n, 32), for the entries that :meth:`tensors` returned."""
        return self.action_head(self._features(observation, embodiment))

    def features(self, batch: Batch) -> Tensor:
        """Return the readout token after the transformer, (n, width)."""
        return self._features(batch.observations, batch.embodiment)

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        """Return the mean squared error of normalized actions over each sample's own slots."""
        features = self.features(batch) if batch.features is None else batch.features
        prediction = self.action_head(features)
        targets = self.spaces.actions(batch.actions, batch.embodiment)
        mask = self.spaces.action_mask[batch.embodiment]
        return masked_mse(prediction, targets, mask, batch.weight), Outputs(features, prediction)

    def _features(self, observation: Mapping[str, Tensor], embodiment: Tensor | None) -> Tensor:
        spaces, n = self.spaces, len(observation["joint_pos"])
        if embodiment is None:
            embodiment = torch.zeros(n, dtype=torch.long, device=self.token_kind.device)
        if self.points is not None:
            image = observation["image"].permute(0, 3, 1, 2).to(self.token_kind.dtype).div(255)
            scene = self.point_embedding(self.points(image.contiguous(memory_format=torch.channels_last)))
        else:
            scene = self.point_embedding(spaces.goal(widened(observation["goal"], GOAL), embodiment))[:, None]
        if self.text_encoder is not None:
            scene = torch.cat([scene, self.text_encoder(observation["instruction"])[:, None]], 1)
        joints = spaces.joint_tokens(observation["joint_pos"], embodiment)
        ends = spaces.end_effector_tokens(observation["eef_pos"], embodiment)
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
        if self.prompt is not None:
            tokens = torch.cat([self.prompt.expand(n, -1, -1), tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, -1])

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        prompt = state_dict.get(f"{prefix}prompt")
        if prompt is not None and self.prompt is None:  # the saved policy had a prompt
            self.prompt = nn.Parameter(torch.empty_like(prompt, device=self.token_kind.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
