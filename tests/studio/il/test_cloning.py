"""Behavior cloning with augmented images: the same batches after a resumption, and refusals in plain words."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from studio.contracts import Batch, Episodes, Outputs
from studio.data.augment import Augment
from studio.data.batches import BatchSampler, Mixed
from studio.experiment import Experiment
from studio.il.cloning import BehaviorCloning
from studio.registry import Registry
from tests import tiny

FRAMES = 40


class SmallPolicy(nn.Module):
    """The least that behavior cloning asks of a policy. It keeps the images that it was shown."""

    chunk = 1

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(8 * 8 * 3, 2)
        self.seen: list[Tensor] = []

    def tensors(self, arrays: dict[str, Any]) -> dict[str, Tensor]:
        return {key: torch.as_tensor(value) for key, value in arrays.items()}

    def encoded(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        return seen

    def features(self, batch: Batch) -> Tensor:
        self.seen.append(batch.observations["image"].clone())
        return batch.observations["image"].flatten(1).float() / 255

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        features = self.features(batch) if batch.features is None else batch.features
        prediction = self.linear(features)
        return (prediction - batch.actions).square().mean(), Outputs(features, prediction)


def episodes(key: str = "image") -> Episodes:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (FRAMES, 8, 8, 3), dtype=np.uint8)
    return Episodes({key: images}, rng.uniform(-1, 1, (FRAMES, 2)).astype(np.float32), np.array([FRAMES]))


def sampler(policy: SmallPolicy, augment: Augment | None, key: str = "image") -> BatchSampler:
    return BatchSampler(policy, [Mixed(episodes(key))], 16, 3, augment)


def learner(policy: SmallPolicy, augment: Augment | None) -> BehaviorCloning:
    batches = sampler(policy, augment)
    return BehaviorCloning(policy, batches, list(policy.parameters()), iterations=12, learning_rate=1e-2)


def test_augmented_images_are_varied_copies_of_the_batch_that_plain_training_sees() -> None:
    plain, varied = SmallPolicy(), SmallPolicy()
    list(learner(plain, None).iterate())
    list(learner(varied, Augment()).iterate())
    originals = episodes().observations["image"]
    assert all(any(np.array_equal(image, o) for o in originals) for image in plain.seen[0].numpy())
    assert len(plain.seen) == len(varied.seen) == 12
    same = np.array([[torch.equal(a, b) for a, b in zip(x, y)] for x, y in zip(plain.seen, varied.seen)])
    assert abs(same.mean() - 0.5**5) < 0.06  # all five left out, of 192 images
    list(learner(untouched := SmallPolicy(), Augment(probability=0.0)).iterate())
    assert all(torch.equal(a, b) for a, b in zip(plain.seen, untouched.seen))
    assert torch.equal(plain.linear.weight, untouched.linear.weight)


def test_a_resumed_training_sees_the_same_augmented_images() -> None:
    whole, first, second = SmallPolicy(), SmallPolicy(), SmallPolicy()
    list(learner(whole, Augment()).iterate())
    before = learner(first, Augment())
    list(islice(before.iterate(), 5))
    second.load_state_dict(first.state_dict())
    after = learner(second, Augment())
    after.load_state_dict(before.state_dict())
    torch.manual_seed(99)  # nothing hangs on the global generator
    list(after.iterate())
    assert all(torch.equal(a, b) for a, b in zip(whole.seen, first.seen + second.seen, strict=True))
    assert torch.equal(whole.linear.weight, second.linear.weight)


def test_features_that_are_computed_once_are_not_augmented() -> None:
    with pytest.raises(ValueError, match="features"):
        sampler(SmallPolicy(), Augment()).freeze(SmallPolicy().features)
    with pytest.raises(ValueError, match="images"):
        sampler(SmallPolicy(), Augment(), "goal")


def problems(strategy: str, observation: str, augment: bool) -> list[str]:
    params = {"augment_images": augment}
    domain = {"observation": observation}
    plan = Experiment.from_dict({"source": domain, "target": domain, "strategy": {"id": strategy, "params": params}})
    kind = Registry().get("strategies", strategy, "strategy.id")
    return [f"{p.field}: {p.message}" for p in kind(kind.Params(**params)).check(plan)]


@pytest.mark.parametrize("strategy", ["from_scratch", "full_finetuning", "lora", "feature_extraction"])
def test_what_cannot_be_augmented_is_said_before_a_run(strategy: str) -> None:
    where = "strategy.params.augment_images"
    assert problems(strategy, "image", False) == problems(strategy, "goal", False) == []
    frozen = f"{where}: Frozen features are computed once, so images cannot be augmented."
    nothing = f"{where}: There are no images to augment."
    assert problems(strategy, "image", True) == ([frozen] if strategy == "feature_extraction" else [])
    assert problems(strategy, "goal", True) == [frozen if strategy == "feature_extraction" else nothing]


def test_a_run_with_augmented_images_learns_something_else(runs: Path) -> None:
    """The whole way, through the strategy's parameter."""
    weights = []
    for augment in (False, True):
        plan = tiny.experiment("from_scratch", **{"strategy.params": {"augment_images": augment}})
        session = tiny.run(plan, runs / str(augment))
        assert session.state == "finished"
        weights.append(tiny.tensors(session.folder / "policy" / "policy.safetensors"))
    assert weights[0].keys() == weights[1].keys()
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
