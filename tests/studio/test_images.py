"""Image adjustments against their definitions, written once more in NumPy; what is neutral changes nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch

from studio.images import NEUTRAL, adjust, adjust_arrays

Array = np.ndarray
GRAY = np.array([0.299, 0.587, 0.114])


def pictures(n: int = 4, size: int = 24) -> Array:
    """Noise on a slope of colors, (n, size, size, 3) uint8."""
    rng = np.random.default_rng(0)
    slope = np.linspace(20, 200, size)[:, None, None] * np.array([1.0, 0.7, 0.4])
    return np.clip(slope + rng.normal(0, 40, (n, size, size, 3)), 0, 255).astype(np.uint8)


def expected(image: Array, field: str, value: float) -> Array:
    """The definition, on an image in [0, 1]."""
    if field == "brightness":
        return np.clip(image * value, 0, 1)
    if field == "contrast":
        mean = (image @ GRAY).mean()
        return np.clip(mean + value * (image - mean), 0, 1)
    if field == "saturation":
        gray = (image @ GRAY)[..., None]
        return np.clip(gray + value * (image - gray), 0, 1)
    if field == "blur":
        weights = np.array(
            [[np.exp(-(dx * dx + dy * dy) / (2 * value**2)) for dx in range(-2, 3)] for dy in range(-2, 3)]
        )
        return windows(np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="reflect"), weights / weights.sum())
    # sharpness: away from or towards the smoothed image; the border is left as it is
    smooth = image.copy()
    smooth[1:-1, 1:-1] = windows(image, np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13)
    return np.clip(smooth + value * (image - smooth), 0, 1)


def windows(image: Array, weights: Array) -> Array:
    """Weighted sums over every window that fits."""
    side = len(weights)
    height, width = image.shape[0] - side + 1, image.shape[1] - side + 1
    result = np.zeros((height, width, image.shape[2]))
    for y in range(height):
        for x in range(width):
            result[y, x] = np.tensordot(weights, image[y : y + side, x : x + side], ((0, 1), (0, 1)))
    return result


CASES = [
    ("brightness", [0.0, 0.7, 1.3, 2.5]),
    ("contrast", [0.0, 0.7, 1.3, 2.5]),
    ("saturation", [0.0, 0.7, 1.3, 2.5]),
    ("blur", [0.1, 0.5, 1.0, 2.0]),
    ("sharpness", [0.0, 0.5, 2.0, 4.0]),
]


@pytest.mark.parametrize(("field", "values"), CASES)
def test_each_adjustment_is_what_its_name_says(field: str, values: list[float]) -> None:
    images = pictures()
    wanted = np.stack([expected(image / 255, field, value) for image, value in zip(images, values)])
    floats = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
    found = adjust(floats, {field: torch.tensor(values)})
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), wanted, atol=1e-6)
    whole = adjust(torch.from_numpy(images), {field: torch.tensor(values)})
    assert whole.dtype == torch.uint8 and whole.shape == images.shape
    assert np.abs(whole.numpy() - wanted * 255).max() <= 0.5 + 1e-3  # rounded, not cut off
    assert np.abs(wanted * 255 - images).mean() > 1  # there was something to see


def test_they_are_applied_one_after_the_other() -> None:
    images = pictures(1)
    values = {"brightness": 1.2, "contrast": 0.8, "saturation": 1.3, "blur": 0.8, "sharpness": 2.0}
    wanted = images[0] / 255
    for field, value in values.items():
        wanted = expected(wanted, field, value)
    found = adjust(torch.from_numpy(images), dict(reversed(values.items())))
    np.testing.assert_allclose(found[0].numpy(), wanted * 255, atol=0.5 + 1e-3)


@pytest.mark.parametrize("floating", [False, True])
def test_only_images_that_are_to_change_do(floating: bool) -> None:
    images = torch.from_numpy(pictures(6))
    if floating:
        images = images.permute(0, 3, 1, 2).float() / 255 * 1.5 - 0.2  # out of range: a clip would show
    kept = images.clone()
    values = {field: torch.full((6,), neutral) for field, neutral in NEUTRAL.items()}
    assert torch.equal(adjust(images, values), kept)
    assert torch.equal(adjust(images, {}), kept)
    values["contrast"][1], values["blur"][4], values["sharpness"][4] = 0.5, 1.0, 2.0
    found = adjust(images, values)
    assert torch.equal(found[[0, 2, 3, 5]], kept[[0, 2, 3, 5]])
    assert not torch.equal(found[1], kept[1]) and not torch.equal(found[4], kept[4])
    assert torch.equal(images, kept)
    alone = adjust(images[4:5], {field: value[4:5] for field, value in values.items()})
    torch.testing.assert_close(found[4:5], alone, atol=1 if not floating else 1e-6, rtol=0)


def test_arrays_pass_over_what_is_no_image_adjustment() -> None:
    images = pictures(3)
    rest: dict[str, Any] = {"friction": np.full(3, 0.5), "camera_fov": np.full(3, np.nan)}
    nominal = {field: np.full(3, neutral) for field, neutral in NEUTRAL.items()}
    assert adjust_arrays(images, nominal | rest) is images
    found = adjust_arrays(images, nominal | rest | {"brightness": np.array([1.0, 0.5, 1.0])})
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found[[0, 2]], images[[0, 2]])
    np.testing.assert_allclose(found[1], images[1] / 2, atol=0.5)


def test_unknown_adjustments_are_refused() -> None:
    with pytest.raises(ValueError, match="hue"):
        adjust(torch.from_numpy(pictures(1)), {"hue": torch.ones(1)})


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")
def test_a_gpu_adjusts_alike() -> None:
    images = torch.from_numpy(pictures())
    values = {field: torch.tensor(numbers) for field, numbers in CASES}
    difference = adjust(images.cuda(), values).cpu().int() - adjust(images, values).int()
    assert difference.abs().max() <= 1


def test_torch_and_kornia_are_loaded_only_where_an_image_changes() -> None:
    program = (
        "import sys, numpy as np, studio.images as i\n"
        "images = np.zeros((1, 8, 8, 3), np.uint8)\n"
        "i.adjust_arrays(images, {'blur': np.zeros(1), 'contrast': np.ones(1)})\n"
        "print('torch' in sys.modules, 'kornia' in sys.modules)\n"
        "i.adjust_arrays(images, {'blur': np.ones(1)})\n"
        "print('torch' in sys.modules, 'kornia' in sys.modules)\n"
        "import studio.data.augment\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True", "True"]
    program = "import sys, studio, studio.il.strategy; print('kornia' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
