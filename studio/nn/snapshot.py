"""Copies of a policy for viewers and checkpoints while it trains."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def snapshot(policy: Module) -> Module:
    """Return a copy in evaluation mode that later training leaves as it is.

    Frozen parameters (``requires_grad`` is False) are shared, not copied: of a large model with an adapter only the
    adapter takes time and memory. Trainable parameters, all buffers (running statistics change without a gradient) and
    whatever else the policy holds are copied.
    """
    shared = {id(parameter): parameter for parameter in policy.parameters() if not parameter.requires_grad}
    return copy.deepcopy(policy, dict(shared)).eval()
