"""Batches of tasks: for each one frames of some episodes to adapt to, and frames of others to be judged on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Batch, TrainablePolicy
from studio.data.batches import BatchSampler, Mixed
from studio.seeds import batch_seed


class TaskBatches:
    """Draws tasks, and support and query frames of each; a batch depends on (seed, iteration) alone.

    The support's episodes and the query's are disjoint.

    Args:
        policy: says how observations become tensors, and where they are.
        tasks: the demonstrations of each task.
        per_batch: tasks in a batch, at most all of them.
        support: episodes that a task is adapted to: in each batch a number from 1 to this.
        frames: of the support, and of the query, of each task.

    Raises:
        ValueError: a task has no episode left for the query.
    """

    def __init__(
        self, policy: TrainablePolicy, tasks: Sequence[Mixed], per_batch: int, support: int, frames: int, seed: int
    ) -> None:
        self._rows = BatchSampler(policy, tasks, len(tasks), seed)
        self._episodes = [_frames(mixed.episodes.lengths) for mixed in tasks]
        fewest = min(len(found) for found in self._episodes)
        if fewest <= support:
            raise ValueError(f"{support} of {fewest} episodes are the support, and none is left for the query")
        self.per_batch, self.support, self.frames, self.seed = min(per_batch, len(tasks)), support, frames, seed

    def batch(self, iteration: int) -> Batch:
        """Return the batch of an iteration, (tasks, 2 · frames, …), of each task the support's rows first."""
        generator = torch.Generator().manual_seed(batch_seed(self.seed, iteration))
        count = 1 + int(torch.randint(self.support, (), generator=generator))
        chosen = torch.randperm(len(self._episodes), generator=generator)[: self.per_batch]
        return stacked([self._rows.part(int(task), self._draw(int(task), count, generator)) for task in chosen])

    def _draw(self, task: int, count: int, generator: torch.Generator) -> Tensor:
        """Return rows of a task's frames, (2 · frames,): of ``count`` episodes, then of the others."""
        episodes = self._episodes[task]
        order = torch.randperm(len(episodes), generator=generator).tolist()
        parts = []
        for own in (order[:count], order[count:]):
            rows = torch.cat([episodes[place] for place in own])
            parts.append(rows[torch.randint(len(rows), (self.frames,), generator=generator)])
        return torch.cat(parts)


def stacked(batches: Sequence[Batch]) -> Batch:
    """Return batches of the same length and entries as one, with a leading dimension."""
    return Batch(
        {name: torch.stack([batch.observations[name] for batch in batches]) for name in batches[0].observations},
        torch.stack([batch.actions for batch in batches]),
        torch.stack([batch.domain for batch in batches]),
        torch.stack([batch.embodiment for batch in batches]),
        mask=None if batches[0].mask is None else torch.stack([b.mask for b in batches if b.mask is not None]),
    )


def _frames(lengths: np.ndarray) -> list[Tensor]:
    """Return the rows of each episode's frames."""
    return list(torch.arange(int(lengths.sum())).split(lengths.tolist()))
