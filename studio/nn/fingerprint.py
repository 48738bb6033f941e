"""A policy's fingerprint: the hash of the base weights that an adapter was trained on, saved among its weights.

PEFT stores no hash of a local base model (``base_model_name_or_path`` is null). This module's buffer is saved with the
adapter (``modules_to_save``) and compared when any loader loads the adapter, so that a wrong base is refused.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from studio.errors import DataError


def weights_hash(state: dict[str, Tensor]) -> str:
    """Return the SHA-256 of names, shapes and bytes of all tensors but the fingerprint's own."""
    digest = hashlib.sha256()
    for name in sorted(state):
        if name.startswith("fingerprint."):
            continue
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class Fingerprint(nn.Module):
    """Holds the base's hash; refuses a state that was trained on another base, with DataError."""

    base: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("base", torch.zeros(32, dtype=torch.uint8))

    @property
    def hash(self) -> str:
        """Return the hex digest; empty: the policy has no base."""
        return bytes(self.base.cpu().tolist()).hex() if self.base.any() else ""

    def mark(self, digest: str) -> None:
        """Store the hash of the weights that are the base from now on."""
        self.base.copy_(torch.tensor(list(bytes.fromhex(digest)), dtype=torch.uint8))

    def forward(self, x: Any) -> Any:
        """Return the input; PEFT expects a callable module."""
        return x

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        given = state_dict.get(prefix + "base")
        if given is not None and self.base.any() and given.any() and not torch.equal(given.cpu(), self.base.cpu()):
            wanted = bytes(given.cpu().tolist()).hex()
            raise DataError(
                f"The adapter was trained on base {wanted}, this base is {self.hash}.",
                "adapter",
                "Load it on the base it was trained on.",
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
