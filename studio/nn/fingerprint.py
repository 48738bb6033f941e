"""A policy's fingerprint: the hash of the base weights an adapter was trained on, kept where the adapter keeps weights.

PEFT knows no hash for a base of one's own (``base_model_name_or_path`` is null). This module's buffer is saved with the
adapter (``modules_to_save``) and compared when the adapter is loaded, by whatever loader: a wrong base is refused.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from studio.errors import DataError


def weights_hash(state: dict[str, Tensor]) -> str:
    """SHA-256 over names, shapes and bytes of all tensors but the fingerprint's own."""
    digest = hashlib.sha256()
    for name in sorted(state):
        if name.startswith("fingerprint."):
            continue
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


class Fingerprint(nn.Module):
    """Holds the base's hash; refuses a state that was made on another base."""

    base: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("base", torch.zeros(32, dtype=torch.uint8))

    @property
    def hash(self) -> str:
        """Hex digest, or empty where the policy descends from no base."""
        return bytes(self.base.cpu().tolist()).hex() if self.base.any() else ""

    def mark(self, digest: str) -> None:
        """Takes the hash of the weights that are now the base."""
        self.base.copy_(torch.tensor(list(bytes.fromhex(digest)), dtype=torch.uint8))

    def forward(self, x: Any) -> Any:
        """Identity."""
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
