"""A small transformer over tokens of what is observed: images, the goal, the instruction, joints, end effectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from studio.contracts import SLOTS, Problem, ResolvedDomain, is_image
from studio.experiment import setting
from studio.nn.encoders import FeaturePoints
from studio.nn.instructed_image import TOKENS, InstructedImage
from studio.nn.pretrained_encoders import encoder_files, encoder_problem
from studio.nn.pretrained_points import PretrainedPoints
from studio.nn.slot_policy import SlotParams, SlotPolicy
from studio.nn.spaces import widened
from studio.nn.text_encoders import CHARACTERS, check_text_encoder, text_encoder
from studio.nn.tokenizers import GOAL, Tokenizer, tokenizers_of
from studio.nn.transformer import Block

POINTS = "points"
ENCODER = "encoder"  # folder within a policy's, with the description of a pretrained encoder


class TokenTransformer(SlotPolicy):
    """A transformer with a readout token and an action head over the 32 unified slots, for one step or for a chunk.

    Each entry of the observation has its tokenizer, see :mod:`studio.nn.tokenizers`.
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
    is_transformer = True
    reads_instructions = True
    controls = ("end_effector", "joint")

    class Params(SlotParams):
        """Size of the network, its encoders, and how its actions are executed."""

        width: int = setting(64, "Width", "Width of the token embeddings.", ge=16, le=1024, multiple_of=8)
        layers: int = setting(2, "Layers", "Number of transformer blocks.", ge=1, le=24)
        heads: int = setting(4, "Heads", "Number of attention heads; must divide the width.", ge=1, le=16)
        points: int = setting(
            16, "Feature points", "Number of image feature points (spatial soft-argmax).", ge=4, le=128
        )
        channels: int = setting(16, "Channels", "Channels of the first convolution layer.", ge=8, le=256)
        text_encoder: str = setting(
            CHARACTERS,
            "Text encoder",
            "Reads the instruction, where it is observed. characters: a small encoder that learns with the policy, in "
            "any language. words: the same, but what words mean adds up, for combinations that training does not have. "
            "minilm: a pretrained English one, of the extra 'language'. Or a folder with a Hugging Face encoder. "
            "Pretrained ones stay frozen.",
            since=2,
        )
        instructed_channels: int = setting(
            8,
            "Instructed channels",
            "Where an instruction is observed: channels of the first convolution of a second network over the image, "
            "which the sentence modulates (FiLM); 0: there is none.",
            ge=0,
            le=256,
            since=2,
        )
        encoder: str = setting(
            POINTS,
            "Image encoder",
            "points: a small network that learns with the policy. xfeat: one that was trained to match photographs. Or "
            "a folder with a vision model of the transformers library.",
            since=2,
        )
        encoder_training: Literal["frozen", "lora", "full"] = setting(
            "frozen",
            "Encoder's training",
            "What of a pretrained image encoder is trained: nothing, low-rank updates of its layers, or all of it.",
            since=2,
        )
        encoder_rank: int = setting(
            8, "Encoder's rank", "Rank of the low-rank updates of a pretrained image encoder.", ge=1, le=256, since=2
        )

    def __init__(self, params: Params | None = None, observation: str = "image", folder: Path | None = None) -> None:
        """Make a new policy; ``folder``: that of a saved one, whose weights follow."""
        super().__init__()
        p = params or self.Params()
        self.params, self.tokenizers = p, tokenizers_of(observation.split("+"), p.points)
        for tokenizer in self.tokenizers:
            if is_image(tokenizer.entry):
                self.add_module(tokenizer.encoder, _image_points(p, folder))
            elif tokenizer.encoder:
                self.add_module(tokenizer.encoder, text_encoder(p.text_encoder, p.width))
            if tokenizer.embedding:
                self.add_module(tokenizer.embedding, nn.Linear(tokenizer.width, p.width))
        reads = {"image", "instruction"} <= {tokenizer.entry for tokenizer in self.tokenizers}
        self.instructed: InstructedImage | None = None
        if reads and p.instructed_channels and p.encoder == POINTS:
            self.instructed = InstructedImage(p.instructed_channels, p.width)
        tokens = sum(t.tokens for t in self.tokenizers) + (TOKENS if self.instructed else 0) + 1
        self.token_kind = nn.Parameter(0.02 * torch.randn(tokens, p.width))
        self.blocks = nn.ModuleList(Block(p.width, p.heads) for _ in range(p.layers))
        self.norm = nn.LayerNorm(p.width)
        self.action_head = nn.Sequential(nn.Linear(p.width, 256), nn.ReLU(), nn.Linear(256, p.chunk * SLOTS))
        self.make_spaces(observation)

    @classmethod
    def files(cls, params: Params) -> Sequence[Path]:
        return encoder_files(params.encoder)

    @classmethod
    def restored(cls, params: Params, observation: str, folder: Path) -> TokenTransformer:
        return cls(params, observation, folder)

    def save_description(self, folder: Path) -> None:
        for module in self.modules():
            if isinstance(module, PretrainedPoints):
                module.encoder.save_description(folder / ENCODER)

    @classmethod
    def check(cls, params: Params, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        read = {name: domain for name, domain in domains.items() if domain.domain.observes("instruction")}
        problems = check_text_encoder(params.text_encoder, read)
        found = None if params.encoder == POINTS else encoder_problem(params.encoder)
        return problems if found is None else [*problems, Problem("policy.params.encoder", *found)]

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
    def token_width(self) -> int:
        return self.params.width

    def encoded(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what :meth:`tensors` returned with the features of frozen encoders in place of their images."""
        for tokenizer in self.tokenizers:
            module = self.get_submodule(tokenizer.encoder) if tokenizer.encoder else None
            if isinstance(module, PretrainedPoints) and module.is_frozen:
                seen = {**seen, tokenizer.entry: module.computed_once(seen[tokenizer.entry], self._image)}
        return seen

    def read(self, observation: Mapping[str, Tensor], embodiment: Tensor) -> Tensor:
        """Return the readout token after the transformer, (n, width)."""
        n = len(embodiment)
        parts = [self._tokens(tokenizer, observation[tokenizer.entry], embodiment) for tokenizer in self.tokenizers]
        if self.instructed is not None:
            said = next(part for part, t in zip(parts, self.tokenizers, strict=True) if t.entry == "instruction")
            parts.append(self.instructed(self._image(observation["image"]), said[:, 0]))
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
                return self.get_submodule(tokenizer.encoder)(self._image(values))

    def _image(self, values: Tensor) -> Tensor:
        """Return images (n, h, w, 3) uint8 as (n, 3, h, w) in [0, 1]; maps of features as they are."""
        if values.dtype != torch.uint8:
            return values
        image = values.permute(0, 3, 1, 2).to(self.token_kind.dtype).div(255)
        return image.contiguous(memory_format=torch.channels_last)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        prompt = state_dict.get(f"{prefix}prompt")
        if prompt is not None and self.prompt is None:  # the saved policy had a prompt
            self.prompt = nn.Parameter(torch.empty_like(prompt, device=self.token_kind.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _image_points(params: TokenTransformer.Params, folder: Path | None) -> FeaturePoints | PretrainedPoints:
    if params.encoder == POINTS:
        return FeaturePoints(params.points, params.channels)
    described = None if folder is None else folder / ENCODER
    return PretrainedPoints(params.encoder, params.points, params.encoder_training, params.encoder_rank, described)
