"""Batches that mix datasets: each has its share, the same ones come again, and padding is only ever behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.contracts import Episodes
from studio.data.batches import BatchSampler, Mixed, shares
from tests.studio.il.test_cloning import SmallPolicy


def dataset(value: float, width: int, frames: int = 20) -> Episodes:
    positions = np.full((frames, width), value, np.float32)
    return Episodes({"joint_pos": positions}, np.full((frames, width), value, np.float32), np.array([frames]))


def test_a_batch_holds_each_dataset_by_its_weight() -> None:
    mixture = [Mixed(dataset(1, 2)), Mixed(dataset(2, 3), domain=1, embodiment=1, weight=3)]
    batch = BatchSampler(SmallPolicy(), mixture, 16, seed=0).batch(5)
    assert len(batch) == 16 and torch.equal(batch.domain, batch.embodiment)
    assert batch.domain.bincount().tolist() == [4, 12]
    assert batch.actions.shape == (16, 3) and batch.observations["joint_pos"].shape == (16, 3)
    assert torch.equal(batch.actions[batch.domain == 0], torch.tensor([1.0, 1.0, 0.0]).expand(4, 3))
    assert (batch.actions[batch.domain == 1] == 2).all()


def test_the_same_batch_comes_again_and_others_differ() -> None:
    episodes = Episodes({"x": np.arange(50.0)[:, None]}, np.arange(50.0)[:, None], np.array([50]))
    one, other = (BatchSampler(SmallPolicy(), [Mixed(episodes)], 8, seed=3) for _ in range(2))
    assert torch.equal(one.batch(7).actions, other.batch(7).actions)
    assert not torch.equal(one.batch(7).actions, one.batch(8).actions)


def test_features_computed_once_belong_to_their_samples() -> None:
    sampler = BatchSampler(SmallPolicy(), [Mixed(dataset(1, 2)), Mixed(dataset(2, 3), 1, 1)], 8, seed=0)
    sampler.freeze(lambda batch: batch.observations["joint_pos"].sum(1, keepdim=True))
    batch = sampler.batch(0)
    assert batch.features is not None and not batch.observations
    assert torch.equal(batch.features[:, 0], torch.where(batch.domain == 0, 2.0, 6.0))


def test_chunks_end_with_their_episode() -> None:
    values = np.arange(7.0, dtype=np.float32)[:, None]
    policy = SmallPolicy()
    policy.chunk = 3
    sampler = BatchSampler(policy, [Mixed(Episodes({"x": values}, values, np.array([4, 3])))], 64, seed=0)
    batch = sampler.batch(0)
    assert batch.actions.shape == (64, 3, 1) and batch.mask is not None
    wanted = {0: [0, 1, 2], 2: [2, 3], 3: [3], 4: [4, 5, 6], 6: [6]}
    for now, steps, exists in zip(batch.observations["x"][:, 0], batch.actions[..., 0], batch.mask, strict=True):
        if int(now) in wanted:
            assert steps[exists].tolist() == wanted[int(now)]


@pytest.mark.parametrize(
    ("weights", "total", "wanted"),
    [((1, 1), 5, [3, 2]), ((1,), 7, [7]), ((1, 2, 1), 8, [2, 4, 2]), ((1, 99), 10, [0, 10])],
)
def test_shares_are_whole_and_sum_to_the_batch(weights: tuple[float, ...], total: int, wanted: list[int]) -> None:
    assert shares(weights, total) == wanted and sum(wanted) == total


def test_a_dataset_without_a_place_in_the_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        BatchSampler(SmallPolicy(), [Mixed(dataset(1, 2)), Mixed(dataset(2, 2), weight=99)], 10, seed=0)
    other = Episodes({"goal": np.zeros((4, 2), np.float32)}, np.zeros((4, 2), np.float32), np.array([4]))
    with pytest.raises(ValueError, match="different observations"):
        BatchSampler(SmallPolicy(), [Mixed(dataset(1, 2)), Mixed(other)], 10, seed=0)
