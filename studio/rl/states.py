"""Nested dicts of NumPy arrays as nested dicts of tensors, as checkpoints store them, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def tensors(nest: Any) -> Any:
    """Return the nest with arrays as tensors that share their memory."""
    if isinstance(nest, dict):
        return {key: tensors(value) for key, value in nest.items()}
    return torch.from_numpy(nest) if isinstance(nest, np.ndarray) else nest


def arrays(nest: Any) -> Any:
    """Return the nest with tensors as arrays."""
    if isinstance(nest, dict):
        return {key: arrays(value) for key, value in nest.items()}
    return nest.cpu().numpy() if isinstance(nest, torch.Tensor) else nest
