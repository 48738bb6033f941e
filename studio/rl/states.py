"""Nests of NumPy arrays as nests of tensors, as checkpoints keep them, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def tensors(nest: Any) -> Any:
    """Arrays become tensors that share their memory; the rest stays."""
    if isinstance(nest, dict):
        return {key: tensors(value) for key, value in nest.items()}
    return torch.from_numpy(nest) if isinstance(nest, np.ndarray) else nest


def arrays(nest: Any) -> Any:
    """Tensors become arrays; the rest stays."""
    if isinstance(nest, dict):
        return {key: arrays(value) for key, value in nest.items()}
    return nest.cpu().numpy() if isinstance(nest, torch.Tensor) else nest
