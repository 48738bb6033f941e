"""Augmentation: every transform comes with its own probability and range, and from the generator alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from studio.data.augment import Augment
from studio.images import NEUTRAL, adjust

COUNT = 10_000
FIELDS = list(NEUTRAL)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def applied(values: dict[str, torch.Tensor]) -> np.ndarray:
    return np.stack([(values[field] != NEUTRAL[field]).numpy() for field in FIELDS])


@pytest.mark.parametrize(("augment", "share"), [(Augment(), 0.5), (Augment(probability=0.2), 0.2)])
def test_each_is_applied_with_its_probability_and_independently(augment: Augment, share: float) -> None:
    found = applied(augment.draw(COUNT, generator()))
    bound = 4 * np.sqrt(share * (1 - share) / COUNT)  # four standard deviations of a binomial share
    assert np.all(np.abs(found.mean(1) - share) < bound)
    for i in range(5):
        for j in range(i):
            both = (found[i] & found[j]).mean()
            assert abs(both - share**2) < 4 * np.sqrt(share**2 * (1 - share**2) / COUNT), (FIELDS[i], FIELDS[j])


def test_values_fill_their_ranges_evenly() -> None:
    values = Augment().draw(COUNT, generator())
    ranges = {"brightness": (0.7, 1.3), "contrast": (0.7, 1.3), "saturation": (0.7, 1.3), "blur": (0.1, 2.0)}
    for field, (low, high) in ranges.items():
        drawn = values[field][values[field] != NEUTRAL[field]].double().numpy()
        assert low - 1e-6 <= drawn.min() and drawn.max() <= high + 1e-6, field
        assert drawn.mean() == pytest.approx((low + high) / 2, abs=4 * (high - low) / np.sqrt(12 * len(drawn)))
        assert drawn.std() == pytest.approx((high - low) / np.sqrt(12), rel=0.03)
    assert set(values["sharpness"].tolist()) == {1.0, 2.0}
    assert Augment(brightness=1.5).draw(COUNT, generator())["brightness"].min() >= 0


def test_what_is_drawn_comes_from_the_generator_alone() -> None:
    images = torch.randint(0, 256, (32, 16, 16, 3), dtype=torch.uint8, generator=generator(9))
    augment = Augment()
    first = augment(images, generator(1))
    torch.manual_seed(5)
    assert torch.equal(augment(images, generator(1)), first)
    assert not torch.equal(augment(images, generator(2)), first)
    assert torch.equal(adjust(images, augment.draw(32, generator(1))), first)
    assert first.dtype == torch.uint8 and first.shape == images.shape
    untouched = ~applied(augment.draw(32, generator(1))).any(0)
    assert untouched.any() and torch.equal(first[untouched], images[untouched])


def test_nothing_is_applied_with_probability_zero() -> None:
    images = torch.randint(0, 256, (8, 16, 16, 3), dtype=torch.uint8, generator=generator())
    assert torch.equal(Augment(probability=0.0)(images, generator()), images)
