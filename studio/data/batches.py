"""Batches that mix datasets; the batch of an iteration is always the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from studio.contracts import Batch, Episodes, TrainablePolicy, is_image
from studio.data.augment import Augment
from studio.seeds import batch_seed

CHUNK = 512  # samples whose features are computed at once


@dataclass(frozen=True)
class Mixed:
    """A dataset of a mixture.

    Args:
        domain: 0 of the target, 1 and up of the sources.
        embodiment: its row in the policy's tables.
        weight: its share of a batch, relative to the others'.
        labeled: whether its actions are cloned; else its samples have the weight 0, and zeros for actions.
    """

    episodes: Episodes
    domain: int = 0
    embodiment: int = 0
    weight: float = 1.0
    labeled: bool = True


class BatchSampler:
    """Draws batches from datasets: a batch depends on (seed, iteration) alone, so a resumed training sees the same.

    Each dataset fills its share of every batch, and lies whole in memory.

    Args:
        policy: says how observations become tensors, and where they are.
        augment: varies the images of every batch; None: they are left as they are.

    Raises:
        ValueError: there are no images to augment, a dataset gets no place in a batch, or their entries differ.
    """

    def __init__(
        self,
        policy: TrainablePolicy,
        datasets: Sequence[Mixed],
        batch_size: int,
        seed: int,
        augment: Augment | None = None,
    ) -> None:
        self.seed, self._augment = seed, augment
        self.counts = shares([dataset.weight for dataset in datasets], batch_size)
        if min(self.counts) == 0:
            raise ValueError(f"a batch of {batch_size} has no place for each of {len(datasets)} datasets")
        observations = [policy.tensors(dataset.episodes.observations) for dataset in datasets]
        if augment is None:
            observations = [policy.encoded(observed) for observed in observations]
        if len({frozenset(observed) for observed in observations}) > 1:
            raise ValueError("the datasets have different observations")
        if augment is not None and "image" not in observations[0]:
            raise ValueError("augmentation needs images")
        actions = [policy.tensors({"actions": _actions(dataset)})["actions"].float() for dataset in datasets]
        self._observations = _padded(observations)
        self._actions = _padded([{"actions": action} for action in actions])
        self._chunk = policy.chunk
        self._last = [_last_frames(d.episodes, action.device) for d, action in zip(datasets, actions, strict=True)]
        self._labels = [
            {
                name: torch.full((len(action),), row, device=action.device)
                for name, row in (("domain", d.domain), ("embodiment", d.embodiment))
            }
            for d, action in zip(datasets, actions, strict=True)
        ]
        self._weights: list[Tensor] | None = None
        if not all(dataset.labeled for dataset in datasets):
            self._weights = [
                torch.full((len(action),), float(d.labeled), device=action.device)
                for d, action in zip(datasets, actions, strict=True)
            ]
        self._features: list[Tensor] | None = None

    def batch(self, iteration: int) -> Batch:
        """Return the batch of an iteration, with features in place of observations where :meth:`freeze` was called."""
        generator = torch.Generator().manual_seed(batch_seed(self.seed, iteration))
        parts = []
        for index, count in enumerate(self.counts):
            rows = torch.randint(self._size(index), (count,), generator=generator)
            parts.append(self.part(index, rows))
        batch = _joined(parts)
        if self._augment is not None:
            varied = {e: self._augment(v, generator) for e, v in batch.observations.items() if is_image(e)}
            batch = batch.replace(observations={**batch.observations, **varied})
        return batch

    def freeze(self, features: Callable[[Batch], Tensor]) -> None:
        """Compute the features of all samples once, because they will not change.

        Raises:
            ValueError: images are augmented, so features differ from batch to batch.
        """
        if self._augment is not None:
            raise ValueError("augmented images have no features that could be computed once")
        with torch.no_grad():
            found = [torch.cat([features(part) for part in self.samples(i)]) for i in range(len(self.counts))]
        self._features, self._observations = found, [{} for _ in found]

    def samples(self, index: int) -> Iterator[Batch]:
        """Yield all samples of a dataset, in parts."""
        for rows in torch.arange(self._size(index)).split(CHUNK):
            yield self.part(index, rows)

    def _size(self, index: int) -> int:
        return len(self._actions[index]["actions"])

    def part(self, index: int, rows: Tensor) -> Batch:
        """Return some rows of one dataset, by its place among them."""
        labels = self._labels[index]
        rows = rows.to(labels["domain"].device)
        actions, mask = self._steps(index, rows)
        return Batch(
            {name: value[rows] for name, value in self._observations[index].items()},
            actions,
            labels["domain"][rows],
            labels["embodiment"][rows],
            mask=mask,
            weight=None if self._weights is None else self._weights[index][rows],
            features=None if self._features is None else self._features[index][rows],
        )

    def _steps(self, index: int, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the actions from these frames on, and which of a chunk's steps lie within the episode; the last action
        stands for those that do not."""
        actions = self._actions[index]["actions"]
        if self._chunk == 1:
            return actions[rows], None
        steps = rows[:, None] + torch.arange(self._chunk, device=rows.device)
        last = self._last[index][rows][:, None]
        return actions[torch.minimum(steps, last)], steps <= last


def _actions(dataset: Mixed) -> np.ndarray:
    """Return a dataset's actions, or zeros where they are not to be cloned: nothing behind can see them."""
    actions = dataset.episodes.actions
    return actions if dataset.labeled else np.zeros_like(actions)


def shares(weights: Sequence[float], total: int) -> list[int]:
    """Return how many of ``total`` each weight gets, in whole numbers that sum to it: largest remainders first."""
    exact = [total * weight / sum(weights) for weight in weights]
    counts = [int(share) for share in exact]
    order = sorted(range(len(weights)), key=lambda i: (counts[i] - exact[i], i))
    for i in order[: total - sum(counts)]:
        counts[i] += 1
    return counts


def _padded(parts: Sequence[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """Return the parts with each entry padded by zeros to its greatest width; images stay as they are."""
    widest = {name: max(part[name].shape[-1] for part in parts) for name in parts[0]}
    return [
        {
            name: value if value.dim() != 2 else pad(value, (0, widest[name] - value.shape[-1]))
            for name, value in part.items()
        }
        for part in parts
    ]


def _joined(parts: Sequence[Batch]) -> Batch:
    if len(parts) == 1:
        return parts[0]
    names = parts[0].observations
    return Batch(
        {name: torch.cat([part.observations[name] for part in parts]) for name in names},
        torch.cat([part.actions for part in parts]),
        torch.cat([part.domain for part in parts]),
        torch.cat([part.embodiment for part in parts]),
        mask=None if parts[0].mask is None else torch.cat([p.mask for p in parts if p.mask is not None]),
        weight=None if parts[0].weight is None else torch.cat([p.weight for p in parts if p.weight is not None]),
        features=None
        if parts[0].features is None
        else torch.cat([p.features for p in parts if p.features is not None]),
    )


def _last_frames(episodes: Episodes, device: torch.device) -> Tensor:
    """Return the index of the last frame of each frame's episode, (frames,)."""
    lengths = torch.as_tensor(episodes.lengths, dtype=torch.long)
    return (lengths.cumsum(0) - 1).repeat_interleave(lengths).to(device)
