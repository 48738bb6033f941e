"""Images of files: converted where shape and values are plain, refused in a sentence where not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from plugins.formats.robomimic import Robomimic
from studio.contracts import Reading
from studio.errors import DataError
from tests.studio.data.broken_files import PICTURES, write_file

SHAPE = (3, 8, 6, 3)
RGB = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
IMAGE = Reading(entries=frozenset({"image"}))


def read(tmp_path: Path, *images: Any) -> tuple[np.ndarray, str]:
    """The images of a file with an episode for each array, and what is said of them."""
    path = tmp_path / "images.hdf5"
    with h5py.File(path, "w") as file:
        for i, values in enumerate(images):
            demo = file.create_group(f"data/demo_{i}")
            demo["actions"], demo["obs/agentview_image"] = np.zeros((3, 2)), values
    survey = Robomimic().survey(path)
    if faults := survey.faults_of(["agentview_image"]):
        with pytest.raises(DataError) as caught:
            Robomimic().read(path, IMAGE)
        assert (caught.value.message, caught.value.remedy) == (faults[0].message, faults[0].remedy)
        raise caught.value
    assert survey.images == {"agentview_image": (8, 6)}
    found = Robomimic().read(path, IMAGE).observations["image"]
    assert found.dtype == np.uint8 and found.shape[1:] == SHAPE[1:]
    return found, " ".join(survey.notes_of())


@pytest.mark.parametrize("kind", PICTURES)
def test_kinds_of_images_become_rgb(kind: str, tmp_path: Path) -> None:
    wanted = np.repeat(RGB[..., :1], 3, -1) if kind == "gray" else RGB
    found, said = read(tmp_path, PICTURES[kind](RGB))
    np.testing.assert_array_equal(found, wanted)
    words = {"gray": "gray", "chw": "channels first", "rgba": "RGBA", "fractions": "from 0 to 1", "16 bits": "16 bits"}
    assert words.get(kind, "") in said and bool(said) == (kind != "rgb")


@pytest.mark.parametrize(
    ("images", "wanted"),
    [
        (RGB[..., :1], np.repeat(RGB[..., :1], 3, -1)),
        (np.moveaxis(RGB[..., :1], -1, 1), np.repeat(RGB[..., :1], 3, -1)),
        (RGB.astype(np.float64), RGB),
        (RGB.astype(np.int64), RGB),
        (np.minimum(RGB, 200).astype(np.uint16), np.minimum(RGB, 200)),
        (np.moveaxis(RGB / 255, -1, 1).astype(np.float16), RGB),
    ],
)
def test_images_of_plain_meaning_are_converted(images: np.ndarray, wanted: np.ndarray, tmp_path: Path) -> None:
    found, said = read(tmp_path, images)
    np.testing.assert_array_equal(found, wanted)
    assert "are converted to RGB, uint8" in said


def test_one_dark_episode_is_scaled_as_the_others(tmp_path: Path) -> None:
    dark = np.full(SHAPE, 0.9, np.float32)
    found, _ = read(tmp_path, dark, RGB.astype(np.float32))
    assert found[:3].max() == 1
    np.testing.assert_array_equal(found[3:], RGB)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([RGB / 127.5 - 1], "'agentview_image' holds float64 from -1 to 1, and what they mean is not plain"),
        ([np.full(SHAPE, 1.5)], "from 1.5 to 1.5"),
        ([np.full(SHAPE, 4000, np.uint16)], "uint16 from 4000 to 4000"),
        ([np.full(SHAPE, -1, np.int16)], "int16 from -1 to -1"),
        ([np.full(SHAPE, np.nan)], "'agentview_image' holds NaN or infinity"),
        ([np.zeros((3, 8, 6, 2), np.uint8)], "demo_0: 'agentview_image' has the shape 3 × 8 × 6 × 2: no place has"),
        ([np.zeros((3, 48), np.uint8)], "demo_0: 'agentview_image' has the shape 3 × 48; frames × height"),
        ([np.zeros((3, 0, 6, 3), np.uint8)], "without pixels"),
        ([np.zeros(SHAPE, "S4")], "holds text or records where numbers are needed"),
        ([RGB, RGB[:, :, :4]], "demo_1: 'agentview_image' is 8 × 4 px .height × width., and 8 × 6 px in demo_0"),
        ([RGB, RGB.astype(np.float32)], "differs in type from episode to episode .float32, uint8."),
    ],
)
def test_images_of_unclear_meaning_are_refused(images: list[Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, *images)


def test_several_cameras_are_not_chosen_between(tmp_path: Path) -> None:
    path = write_file(tmp_path / "two.hdf5", "rgb")
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            demo["obs/wrist_rgb"] = np.zeros_like(demo["obs/agentview_image"])
    assert Robomimic().survey(path).cameras == {"agentview_image": "agentview", "wrist_rgb": "wrist"}
    assert "image" not in Robomimic().read(path).observations
    chosen = Robomimic().read(path, Reading(entries=frozenset({"image"}), camera="wrist_rgb"))
    assert not chosen.observations["image"].any()
