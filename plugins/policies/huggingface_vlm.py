"""A Hugging Face vision-language model as policy: images and an instruction in, action tokens or an action out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from studio.contracts import SLOTS, Batch, EmbodimentSpec, Observation, Outputs, Problem, ResolvedDomain
from studio.contracts.policy import AdaptableBlock
from studio.errors import DataError, ExperimentError
from studio.experiment import Settings, setting
from studio.nn.action_bins import BINS, ActionBins, binned, centers
from studio.nn.action_chunks import ChunkExecution
from studio.nn.action_prompts import Prompts
from studio.nn.action_space import step_weights
from studio.nn.fingerprint import Fingerprint
from studio.nn.policy import BasePolicy
from studio.nn.small_vlm import Sizes, new_model
from studio.nn.spaces import Spaces
from studio.nn.vision_language import check_name, open_model, restored_model, save_description

DESCRIPTION = "model"  # folder of the model's configuration and processor, in a policy folder
SUFFIXES = (".json", ".safetensors")  # of what a model is made of
WIDE = 3.0  # standard deviations: a state token's bins lie within so many of the mean


class HuggingFaceVLM(BasePolicy):
    """Reads one prompt per sample: the image, the instruction, and the end effectors' positions as tokens.

    The last 256 tokens of the vocabulary are bins. ``tokens``: they are the answer, one for each dimension of the
    action, each seen by the next. ``l1``: one more token for each step of a chunk is read out by a small head, all of
    them at once.
    """

    id = "huggingface_vlm"
    reads_instructions = True
    entries = ("image",)
    has_features = True
    title = "Vision-language model (Hugging Face)"
    summary = (
        "A vision-language model from a folder or the Hugging Face hub, or a small new one, that answers an image and "
        "an instruction with action tokens, or by an L1 head."
    )
    reference = (
        "OpenVLA: arXiv:2406.09246; L1 head: OpenVLA-OFT, arXiv:2502.19645; state as tokens: π0.5, arXiv:2504.16054; "
        "architecture of a new one: SmolVLM, arXiv:2504.05299"
    )

    class Params(Settings):
        """Which model it is, and how it acts."""

        model: str = setting(
            "",
            "Model",
            "Folder of a model with its processor, or its name on the Hugging Face hub; if empty, a small new one of "
            "the sizes below.",
        )
        head: Literal["tokens", "l1"] = setting(
            "tokens",
            "Action head",
            "tokens: each dimension of the action is a token, of 256 bins. l1: a small head on the last hidden state, "
            "trained by the absolute error.",
        )
        prompt: str = setting(
            "{instruction}", "Prompt", "What the model reads behind the image; {instruction} stands for the sentence."
        )
        instruction: str = setting("", "Instruction", "What is asked for where the observation holds no instruction.")
        chunk: int = setting(
            1,
            "Action chunk",
            "How many steps an L1 head predicts at once; they are executed without looking again.",
            "steps",
            ge=1,
            le=100,
        )
        state: bool = setting(True, "State tokens", "Give the end effectors' positions as tokens behind the prompt.")
        width: int = setting(128, "Width", "Of a new model: width of the language model.", ge=32, multiple_of=32)
        layers: int = setting(3, "Layers", "Of a new model: blocks of the language model.", ge=1, le=48)
        vision_width: int = setting(
            96, "Vision width", "Of a new model: width of the vision model.", ge=32, multiple_of=32
        )
        vision_layers: int = setting(2, "Vision layers", "Of a new model: blocks of the vision model.", ge=1, le=48)
        patch: int = setting(8, "Patch", "Of a new model: width of an image patch.", "px", ge=2, le=64)
        merge: int = setting(
            2, "Merge", "Of a new model: so many patches across and down become one token.", "patches", ge=1, le=64
        )
        image_size: int = setting(
            64, "Image size", "Of a new model: width that images are resized to.", "px", ge=16, le=512
        )

    def __init__(
        self, params: Params | None = None, observation: str = "image", opened: tuple[Any, Any] | None = None
    ) -> None:
        super().__init__()
        p = params or self.Params()
        self.params, self.observation = p, observation
        if opened is None and p.model:
            opened = open_model(p.model)
        elif opened is None:
            opened = new_model(
                Sizes(p.width, p.layers, p.vision_width, p.vision_layers, p.patch, p.merge, p.image_size)
            )
        self.model, processor = opened
        self.prompts = Prompts(processor, p.prompt, p.model)
        width = self.token_width
        if p.head == "l1":
            self.action_head = nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, SLOTS))
        self.spaces, self.bins = Spaces(3), ActionBins()
        self.execution = ChunkExecution(p.chunk)
        self.fingerprint = Fingerprint()
        self.register_parameter("prompt", None)

    @classmethod
    def restored(cls, params: Params, observation: str, folder: Path) -> Self:
        """Return the policy of a policy folder, whose weights are still to be loaded: its model is described there."""
        return cls(params, observation, restored_model(str(folder / DESCRIPTION)))

    def save_description(self, folder: Path) -> None:
        """Write what the policy is made from beside its weights: the model's configuration and its processor."""
        save_description(self.model, self.prompts.processor, folder / DESCRIPTION)

    @classmethod
    def check(cls, params: Params, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        """Return why the model cannot be had, or cannot act in these domains."""
        if params.chunk > 1 and params.head == "tokens":
            words = "Chunks of actions are predicted by the L1 head alone."
            return [Problem("policy.params.chunk", words, "Set it to 1, or the head to l1.")]
        for resolved in domains.values():
            if not (params.instruction or resolved.domain.observes("instruction")):
                words = "The model is asked for nothing: the observation holds no instruction."
                return [Problem("policy.params.instruction", words, f"Write one, such as: {resolved.task.title}.")]
        try:
            if params.model:
                check_name(params.model)
        except DataError as error:
            return [Problem(error.field, error.message, error.remedy)]
        return []

    @classmethod
    def files(cls, params: Params) -> Sequence[Path]:
        """Return the files of the model's folder; a model of the hub has none of the user's own."""
        folder = Path(params.model).expanduser()
        return sorted(file for file in folder.glob("*") if file.suffix in SUFFIXES) if params.model else ()

    @property
    def adapter_targets(self) -> Sequence[str]:
        """Return the attention's projections."""
        return ("q_proj", "k_proj", "v_proj", "o_proj")

    @property
    def modules_to_save(self) -> Sequence[str]:
        """Return the robot's statistics, the base's fingerprint, and the L1 head where there is one."""
        own = ("spaces", "bins", "fingerprint")
        return own if self.params.head == "tokens" else ("action_head", *own)

    @property
    def trunk(self) -> Sequence[str]:
        """Return the language model."""
        return (self._name_of(self.model.get_decoder()),)

    @property
    def head(self) -> str:
        """Return the L1 head, or the layer that gives the tokens' scores."""
        return "action_head" if self.params.head == "l1" else self._name_of(self.model.get_output_embeddings())

    def output_mask(self, slots: Sequence[int]) -> Tensor:
        """Raise ExperimentError: the head's outputs are no slots of an action."""
        raise ExperimentError(
            "The answers of a Hugging Face model cannot be mapped to another robot's actions.",
            "strategy.id",
            "Choose vla_lora, lora or full_finetuning.",
        )

    @property
    def chunk(self) -> int:
        return self.params.chunk

    @property
    def blocks(self) -> Iterable[AdaptableBlock]:
        """Return none: a model of the library has no places for prefixes, bottlenecks or prompts."""
        return ()

    @property
    def embodiments(self) -> int:
        return len(self.spaces.action_mask)

    @property
    def feature_width(self) -> int:
        return self.token_width * (self.chunk if self.params.head == "l1" else self.bins.dimensions)

    @property
    def token_width(self) -> int:
        return int(self.model.get_input_embeddings().weight.shape[1])

    def bind(self, embodiments: Sequence[EmbodimentSpec], keep: bool = False) -> None:
        self.spaces.bind(embodiments, keep, "semantic")
        self.bins.bind(embodiments, self.spaces.action_mask, keep)

    def take_spaces(self, other: BasePolicy) -> None:
        assert isinstance(other, HuggingFaceVLM)
        self.spaces.load_state_dict(other.spaces.state_dict())
        self.bins.load_state_dict(other.bins.state_dict())

    def act(self, observation: Observation, memory: Any = None) -> tuple[np.ndarray, Any]:
        """Return native actions (n, dof) in [−1, 1] of the first embodiment; the memory is what remains of chunks."""
        with torch.inference_mode():
            seen = self.tensors(observation)
            if self.chunk == 1:
                native = self._native(seen)
            else:
                native, memory = self.execution.act(
                    lambda rows: self._native({name: value[rows] for name, value in seen.items()}),
                    len(seen["image"]),
                    memory,
                )
        return native.clamp(-1, 1).cpu().numpy(), memory

    def tensors(self, observation: Observation) -> dict[str, Tensor]:
        """Return the entries that the policy reads, on its device: images as uint8."""
        device = self.spaces.action_mask.device
        names = ["image", "eef_pos", "actions"]
        if "instruction" in self.observation.split("+"):
            names.append("instruction")
        return {name: torch.as_tensor(observation[name]).to(device) for name in names if name in observation}

    def features(self, batch: Batch) -> Tensor:
        """Return the hidden states that the head reads, one after the other, (n, width): of a chunk's steps, or of an
        action's dimensions, of which the later have seen the earlier ones of the demonstrated action."""
        return self._hidden(batch.observations, batch.embodiment, batch.actions).flatten(1)

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        """Return the cross-entropy of the action tokens, or the absolute error of scaled actions, over each sample's
        own dimensions."""
        features = self.features(batch) if batch.features is None else batch.features
        if self.params.head == "l1":
            prediction, mask = self._steps(features), self.bins.mask[batch.embodiment]
            mask = mask if self.chunk == 1 else mask[:, None].expand(prediction.shape)
            error = (prediction - self.bins.scaled(batch.actions, batch.embodiment)).abs()
            each = torch.where(mask, error, 0.0).sum(-1) / mask.sum(-1)
        else:
            hidden = features.unflatten(1, (self.bins.dimensions, -1))
            first = self.prompts.first_bin
            scores = self.model.get_output_embeddings()(hidden)[..., first : first + BINS]
            wanted, real = self.bins.of_dimensions(batch.actions, batch.embodiment)
            each = cross_entropy(scores.transpose(1, 2), wanted, reduction="none")
            each = torch.where(real, each, 0.0).sum(-1) / real.sum(-1)
            prediction = self.bins.in_slots(centers(scores.argmax(-1)), batch.embodiment)
        weight = step_weights(batch)
        loss = each.mean() if weight is None else (each * weight).sum() / weight.sum()
        return loss, Outputs(features, prediction)

    def inputs(self, observation: Mapping[str, Tensor], embodiment: Tensor) -> dict[str, Tensor]:
        """Return the model's own inputs for entries that :meth:`tensors` returned, up to where the answer begins."""
        sentences = observation.get("instruction", self.params.instruction)
        inputs = self.prompts.inputs(observation["image"], sentences)
        if self.params.state:
            used = self.spaces.end_effector_mask.any(0)
            state = self.spaces.end_effector_tokens(observation["eef_pos"], embodiment)[:, : len(used)]
            inputs = self.prompts.followed(inputs, self.prompts.first_bin + binned(state[:, used] / WIDE))
        return inputs

    def decoding(self) -> dict[str, Any]:
        """Return how the model's ``generate`` is asked for the tokens of one action."""
        return self.prompts.decoding(self.bins.dimensions, self.model.get_output_embeddings().weight.shape[0])

    def _native(self, observation: Mapping[str, Tensor]) -> Tensor:
        """Return native actions of the first embodiment, (n, dof) or chunks (n, chunk, dof)."""
        embodiment = torch.zeros(len(observation["image"]), dtype=torch.long, device=self.bins.mask.device)
        if self.params.head == "l1":
            return self.bins.native(self._steps(self._hidden(observation, embodiment, None).flatten(1)))
        return self.bins.native(self.bins.in_slots(centers(self._answers(observation, embodiment)), embodiment))

    def _steps(self, features: Tensor) -> Tensor:
        """Return what the L1 head makes of features: scaled actions (n, 32), or chunks (n, chunk, 32)."""
        scaled: Tensor = self.action_head(features.unflatten(1, (self.chunk, -1)))
        return scaled[:, 0] if self.chunk == 1 else scaled

    def _hidden(self, observation: Mapping[str, Tensor], embodiment: Tensor, actions: Tensor | None) -> Tensor:
        """Return the last hidden states where the answer is read: (n, chunk or dims, width)."""
        inputs, first = self.inputs(observation, embodiment), self.prompts.first_bin
        if self.params.head == "l1":  # tokens that say nothing mark the places
            answer = torch.full((len(embodiment), self.chunk), first + BINS // 2, device=embodiment.device)
            count = self.chunk
        else:
            assert actions is not None, "the tokens of an action are learned from the demonstrated action"
            answer, count = first + self.bins.of_dimensions(actions, embodiment)[0][:, :-1], self.bins.dimensions
        inputs = self.prompts.followed(inputs, answer)
        hidden: Tensor = self.model.base_model(**inputs, use_cache=False).last_hidden_state
        return hidden[:, -count:]

    def _answers(self, observation: Mapping[str, Tensor], embodiment: Tensor) -> Tensor:
        """Return the bins (n, dims) of the action tokens that the model answers with, each the likeliest."""
        inputs, count = self.inputs(observation, embodiment), self.bins.dimensions
        answered = self.model.generate(**inputs, **self.decoding())
        return answered[:, -count:] - self.prompts.first_bin

    def _name_of(self, module: nn.Module) -> str:
        return next(name for name, other in self.named_modules() if other is module)
