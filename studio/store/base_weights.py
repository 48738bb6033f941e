"""The weights of a run's source policy. They are kept once, in ``base/``; checkpoints refer to those they share."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from studio.errors import DataError
from studio.nn.fingerprint import weights_hash

SAMPLE = 64  # bytes at either end of a tensor that are compared before the whole


class BaseWeights:
    """Tensors of a policy folder, read from disk when they are asked for.

    Raises:
        DataError: the folder is missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            self._file = safe_open(folder / "policy.safetensors", framework="pt")
        except (OSError, ValueError, SafetensorError) as error:
            raise DataError(
                f"The run's base policy cannot be read ({error}).", str(folder), "Restore the run's base folder."
            ) from None
        self.sha256 = str(config["weights_sha256"])
        self._names = set(self._file.keys())
        self._alike: dict[tuple[object, ...], list[str]] = {}
        for name in sorted(self._names):
            self._alike.setdefault(_sample(self.tensor(name)), []).append(name)

    def tensor(self, name: str) -> Tensor:
        """Return one tensor, in memory of its own."""
        found: Tensor = self._file.get_tensor(name)
        return found

    def has(self, name: str, tensor: Tensor) -> bool:
        """Whether the base has this tensor under this name, bit for bit."""
        return name in self._names and _same(self.tensor(name), tensor)

    def find(self, tensor: Tensor) -> str:
        """Return the name of a tensor with these bits; empty where the base has none."""
        alike = self._alike.get(_sample(tensor), [])
        return next((name for name in alike if _same(self.tensor(name), tensor)), "")

    def verify(self, sha256: str) -> None:
        """Raise DataError where these are not the weights with this hash."""
        if self.sha256 != sha256 or weights_hash({name: self.tensor(name) for name in self._names}) != sha256:
            words = f"The checkpoint was made on base weights {sha256[:16]}…; the run's base folder holds others."
            raise DataError(words, str(self.folder), "Restore the run's base folder.")


def base_of(run: Path) -> BaseWeights | None:
    """Return the base weights of a run; None where its policy descends from no other."""
    folder = run / "base"
    return BaseWeights(folder) if (folder / "config.json").exists() else None


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _sample(tensor: Tensor) -> tuple[object, ...]:
    flat = _bytes(tensor)
    ends = bytes(flat[:SAMPLE].tolist()), bytes(flat[-SAMPLE:].tolist())
    return tensor.dtype, tuple(tensor.shape), *ends


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal bit for bit: −0 is not 0, and a NaN is itself."""
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(_bytes(one), _bytes(other))
