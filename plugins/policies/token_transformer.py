"""A small transformer over tokens of what is observed: images, the goal, the instruction, joints, end effectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from studio.contracts import SLOTS, Batch, EmbodimentSpec, Observation, Outputs, Problem, ResolvedDomain
from studio.experiment import Settings, setting
from studio.nn.action_chunks import ChunkExecution
from studio.nn.action_space import masked_mse, slot_mask, step_weights
from studio.nn.adapters import restored_action_map
from studio.nn.encoders import FeaturePoints
from studio.nn.fingerprint import Fingerprint
from studio.nn.policy import BasePolicy
from studio.nn.spaces import Spaces, widened
from studio.nn.text_encoders import CHARACTERS, check_text_encoder, text_encoder
from studio.nn.tokenizers import GOAL, Tokenizer, is_image, tokenizers_of
from studio.nn.transformer import Block


class TokenTransformer(BasePolicy):
    """A transformer with a readout token and an action head over the 32 unified slots, for one step or for a chunk.

    Each entry of the observation has its tokenizer, see :mod:`studio.nn.tokenizers`. Statistics, slots and masks are
    internal: ``act`` takes native observations and returns native actions.
    """

    id = "token_transformer"
    title = "Token transformer"
    summary = (
        "Transformer over image feature points, instruction, proprioception and end effector pose, with an action head "
        "over 32 unified slots."
    )
    reference = (
        "After Octo (arXiv:2405.12213) and RDT (arXiv:2410.07864); feature points: Levine et al. 2016 "
        "(arXiv:1504.00702); action chunks: Zhao et al. 2023 (ACT, arXiv:2304.13705)"
    )
    several_entries = True
    reads_instructions = True

    class Params(Settings):
        """Size of the network, and how its actions are executed."""

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
            "any language. minilm: a pretrained English one, of the extra 'language'. Or a folder with a Hugging Face "
            "encoder. Pretrained ones stay frozen.",
            since=2,
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

    def __init__(self, params: Params | None = None, observation: str = "image") -> None:
        super().__init__()
        p = params or self.Params()
        self.params, self.observation = p, observation
        inputs = observation.split("+")
        self.tokenizers = tokenizers_of(inputs, p.points)
        for tokenizer in self.tokenizers:
            if is_image(tokenizer.entry):
                self.add_module(tokenizer.encoder, FeaturePoints(p.points, p.channels))
            elif tokenizer.encoder:
                self.add_module(tokenizer.encoder, text_encoder(p.text_encoder, p.width))
            if tokenizer.embedding:
                self.add_module(tokenizer.embedding, nn.Linear(tokenizer.width, p.width))
        self.token_kind = nn.Parameter(0.02 * torch.randn(sum(t.tokens for t in self.tokenizers) + 1, p.width))
        self.blocks = nn.ModuleList(Block(p.width, p.heads) for _ in range(p.layers))
        self.norm = nn.LayerNorm(p.width)
        self.action_head: nn.Module = nn.Sequential(nn.Linear(p.width, 256), nn.ReLU(), nn.Linear(256, p.chunk * SLOTS))
        self.execution = ChunkExecution(p.chunk, p.ensemble_decay if p.temporal_ensemble else None)
        self.spaces = Spaces(GOAL if "goal" in inputs else 3)
        self.fingerprint = Fingerprint()
        self.prompt: nn.Parameter | None
        self.register_parameter("prompt", None)

    @classmethod
    def check(cls, params: Params, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        read = {name: domain for name, domain in domains.items() if domain.domain.observes("instruction")}
        return check_text_encoder(params.text_encoder, read)

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

    def output_mask(self, slots: Sequence[int]) -> Tensor:
        return slot_mask(slots, self.params.layout).repeat(self.params.chunk)

    @property
    def chunk(self) -> int:
        return self.params.chunk

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
        device = self.token_kind.device
        names = (*(tokenizer.entry for tokenizer in self.tokenizers), "gripper_pos", "actions")
        entries = {name: torch.as_tensor(observation[name]).to(device) for name in names if name in observation}
        if "gripper_pos" in entries:
            entries["joint_pos"] = torch.cat([entries["joint_pos"], entries.pop("gripper_pos")], 1)
        return entries

    def forward(self, observation: Mapping[str, Tensor], embodiment: Tensor | None = None) -> Tensor:
        """Return normalized unified actions, (n, 32) or chunks (n, chunk, 32), for what :meth:`tensors` returned."""
        return self._predict(self._features(observation, embodiment))

    def features(self, batch: Batch) -> Tensor:
        """Return the readout token after the transformer, (n, width)."""
        return self._features(batch.observations, batch.embodiment)

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        """Return the mean squared error of normalized actions over each sample's own slots."""
        features = self.features(batch) if batch.features is None else batch.features
        prediction = self._predict(features)
        targets = self.spaces.actions(batch.actions, batch.embodiment)
        mask = self.spaces.action_mask[batch.embodiment]
        if self.chunk > 1:
            mask = mask[:, None].expand(prediction.shape)
        return masked_mse(prediction, targets, mask, step_weights(batch)), Outputs(features, prediction)

    def _predict(self, features: Tensor) -> Tensor:
        found = self.action_head(features)
        return found if self.chunk == 1 else found.unflatten(-1, (self.chunk, SLOTS))

    def _features(self, observation: Mapping[str, Tensor], embodiment: Tensor | None) -> Tensor:
        n = len(observation["joint_pos"])
        if embodiment is None:
            embodiment = torch.zeros(n, dtype=torch.long, device=self.token_kind.device)
        parts = [self._tokens(tokenizer, observation[tokenizer.entry], embodiment) for tokenizer in self.tokenizers]
        readout = parts[0].new_zeros(n, 1, self.params.width)
        tokens = torch.cat([*parts, readout], 1) + self.token_kind
        if self.prompt is not None:
            tokens = torch.cat([self.prompt.expand(n, -1, -1), tokens], 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens[:, -1])

    def _tokens(self, tokenizer: Tokenizer, values: Tensor, embodiment: Tensor) -> Tensor:
        """Return the tokens of an entry, (n, tokens, width)."""
        read = self._read(tokenizer, values, embodiment)
        return self.get_submodule(tokenizer.embedding)(read) if tokenizer.embedding else read

    def _read(self, tokenizer: Tokenizer, values: Tensor, embodiment: Tensor) -> Tensor:
        """Return what an embedding reads of an entry, (n, tokens, width)."""
        match tokenizer.entry:
            case "goal":
                return self.spaces.goal(widened(values, GOAL), embodiment)[:, None]
            case "joint_pos":
                return self.spaces.joint_tokens(values, embodiment)[:, None]
            case "eef_pos":
                return self.spaces.end_effector_tokens(values, embodiment)[:, None]
            case "instruction":
                return self.get_submodule(tokenizer.encoder)(values)[:, None]
            case _:
                image = values.permute(0, 3, 1, 2).to(self.token_kind.dtype).div(255)
                return self.get_submodule(tokenizer.encoder)(image.contiguous(memory_format=torch.channels_last))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        prompt = state_dict.get(f"{prefix}prompt")
        if prompt is not None and self.prompt is None:  # the saved policy had a prompt
            self.prompt = nn.Parameter(torch.empty_like(prompt, device=self.token_kind.device))
        self.action_head = restored_action_map(self.action_head, state_dict, f"{prefix}action_head.")
        super()._load_from_state_dict(state_dict, prefix, *rest)
