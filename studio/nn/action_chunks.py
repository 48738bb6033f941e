"""Action chunks: a policy predicts several steps at once, which are executed one after the other or averaged.

Source: Zhao et al. 2023 (ACT, arXiv:2304.13705), section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class ChunkExecution:
    """How predicted chunks become one action for each control step.

    Open loop, a chunk is executed to its end before the next one is predicted. With temporal ensembling a chunk is
    predicted at every step, and the action is the mean of what all chunks say of that step, with the weights
    exp(−decay · i), i = 0 for the oldest chunk.

    Args:
        chunk: steps of a prediction.
        decay: of the weights; None: open loop.
    """

    chunk: int
    decay: float | None = None

    def act(self, predict: Callable[[Tensor], Tensor], count: int, memory: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the actions of this step, (n, dof), and the memory for the next.

        Args:
            predict: returns the chunks, (rows, chunk, dof), of some rows of the observation, given by their indices.
            count: n, the rows of the observation.
            memory: what the last call returned, of the rows that go on; None: all episodes begin.
        """
        return self._open_loop(predict, count, memory) if self.decay is None else self._ensemble(predict, count, memory)

    def _open_loop(
        self, predict: Callable[[Tensor], Tensor], count: int, memory: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        if memory is None:
            plan = predict(torch.arange(count))
            step = torch.zeros(count, dtype=torch.long, device=plan.device)
        else:
            plan, step = memory["plan"], memory["step"]
            used_up = (step == self.chunk).nonzero()[:, 0]
            if len(used_up):
                plan = plan.index_copy(0, used_up, predict(used_up))
                step = step.index_fill(0, used_up, 0)
        return plan[torch.arange(count, device=plan.device), step], {"plan": plan, "step": step + 1}

    def _ensemble(
        self, predict: Callable[[Tensor], Tensor], count: int, memory: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert self.decay is not None
        plan = predict(torch.arange(count))
        if memory is None:
            total = torch.zeros_like(plan)
            weight, age = (torch.zeros_like(plan[..., 0]) for _ in range(2))
        else:
            total, weight, age = memory["total"], memory["weight"], memory["age"]
        newest = torch.exp(-self.decay * age)  # age: how many chunks have said something of a step before
        total, weight, age = total + newest[..., None] * plan, weight + newest, age + 1
        action = total[:, 0] / weight[:, 0, None]
        return action, {"total": _shifted(total), "weight": _shifted(weight), "age": _shifted(age)}


def _shifted(steps: Tensor) -> Tensor:
    """Return (n, chunk, …) moved on by a step, with zeros for the one that is new."""
    return torch.cat([steps[:, 1:], torch.zeros_like(steps[:, :1])], 1)
