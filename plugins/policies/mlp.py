"""A multilayer perceptron over the goal, joints and end effectors: the least that behavior cloning needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from studio.contracts import SLOTS
from studio.contracts.policy import AdaptableBlock
from studio.experiment import setting
from studio.nn.slot_policy import SlotParams, SlotPolicy
from studio.nn.spaces import widened
from studio.nn.tokenizers import GOAL, tokenizers_of


class MLP(SlotPolicy):
    """Hidden layers over all that is observed side by side, and a linear action head over the 32 unified slots."""

    id = "mlp"
    title = "Multilayer perceptron"
    summary = "Perceptron over the goal's coordinates, joints and end effectors, for tasks without images."
    entries = ("goal",)
    controls = ("end_effector", "joint")
    reference = "Mandlekar et al. 2021 (robomimic, arXiv:2108.03298): behavior cloning from low-dimensional states"

    class Params(SlotParams):
        """Size of the network, slots, and how actions are executed."""

        width: int = setting(256, "Width", "Width of the hidden layers.", ge=8, le=4096)
        layers: int = setting(2, "Layers", "Number of hidden layers.", ge=1, le=16)
        joints: bool = setting(
            True,
            "Joints",
            "Read the joints. Off: the goal and the end effectors alone, which mean the same on every robot.",
            since=2,
        )

    def __init__(self, params: Params | None = None, observation: str = "goal") -> None:
        super().__init__()
        p = params or self.Params()
        if observation != "goal":
            raise ValueError(f"it reads the goal's coordinates, not {observation.replace('+', ' and ')}")
        self.params, self.tokenizers = p, tokenizers_of(["goal"], 0)
        read = (tokenizer for tokenizer in self.tokenizers if p.joints or tokenizer.entry != "joint_pos")
        self.input_layer = nn.Linear(sum(tokenizer.width for tokenizer in read), p.width)
        self.hidden = nn.ModuleList(nn.Linear(p.width, p.width) for _ in range(p.layers - 1))
        self.action_head = nn.Linear(p.width, p.chunk * SLOTS)
        self.make_spaces(observation)

    @property
    def adapter_targets(self) -> Sequence[str]:
        """Return the hidden layers behind the first, which reads the robot's own joints."""
        return [f"hidden.{place}" for place in range(len(self.hidden))]

    @property
    def modules_to_save(self) -> Sequence[str]:
        """Return the first layer, the action head, the statistics and the base's fingerprint."""
        return ("input_layer", "action_head", "spaces", "fingerprint")

    @property
    def trunk(self) -> Sequence[str]:
        """Return the hidden layers behind the first."""
        return ("hidden",)

    @property
    def blocks(self) -> Iterable[AdaptableBlock]:
        """Return nothing: it is no transformer."""
        return ()

    @property
    def token_width(self) -> int:
        """Return 0: it reads no tokens."""
        return 0

    def read(self, observation: Mapping[str, Tensor], embodiment: Tensor) -> Tensor:
        spaces = self.spaces
        parts = [spaces.goal(widened(observation["goal"], GOAL), embodiment)]
        if self.params.joints:
            parts.append(spaces.joint_tokens(observation["joint_pos"], embodiment))
        parts.append(spaces.end_effector_tokens(observation["eef_pos"], embodiment))
        x = torch.relu(self.input_layer(torch.cat(parts, 1)))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return x
