"""robomimic's layout, written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from plugins.formats.robomimic import Robomimic
from studio.contracts import Episodes
from studio.errors import DataError

LENGTHS = (4, 7, 5)


def episodes() -> Episodes:
    rng = np.random.default_rng(0)
    n = sum(LENGTHS)
    observations = {
        "image": rng.integers(0, 255, (n, 32, 32, 3), dtype=np.uint8),
        "joint_pos": rng.normal(size=(n, 6)).astype(np.float32),
        "eef_pos": rng.normal(size=(n, 3)).astype(np.float32),
    }
    env = json.dumps(
        {"env_name": "reach-ur5", "env_type": 4, "env_kwargs": {"embodiment": "ur5_6dof", "task": "reach"}}
    )
    return Episodes(
        observations, rng.uniform(-1, 1, (n, 3)).astype(np.float32), np.array(LENGTHS), rng.normal(size=n),
        rng.normal(size=(n, 9)), {"env_args": env},
    )  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "demo.hdf5"
    Robomimic().write(episodes(), path)
    return path


def test_round_trip(written: Path) -> None:
    wanted, found = episodes(), Robomimic().read(written)
    assert found.lengths.tolist() == list(LENGTHS)
    assert found.observations.keys() == wanted.observations.keys()
    for key, value in wanted.observations.items():
        np.testing.assert_array_equal(found.observations[key], value)
    np.testing.assert_array_equal(found.actions, wanted.actions)
    np.testing.assert_array_equal(found.rewards, wanted.rewards)
    np.testing.assert_array_equal(found.states, wanted.states)
    assert found.attributes["env_args"] == wanted.attributes["env_args"]
    assert not list(written.parent.glob(".*"))


def test_layout_is_robomimics(written: Path) -> None:
    with h5py.File(written) as file:
        data = file["data"]
        assert data.attrs["total"] == sum(LENGTHS)
        assert set(json.loads(data.attrs["env_args"])) == {"env_name", "env_type", "env_kwargs"}
        assert sorted(data) == ["demo_0", "demo_1", "demo_2"]
        for i, length in enumerate(LENGTHS):
            demo = data[f"demo_{i}"]
            assert demo.attrs["num_samples"] == length
            assert {"actions", "states", "rewards", "dones", "obs", "next_obs"} <= set(demo)
            assert all(len(demo[key]) == length for key in ("actions", "states", "rewards", "dones"))
            assert demo["dones"][:].tolist() == [False] * (length - 1) + [True]
            image = demo["obs/agentview_image"]
            assert (image.dtype, image.shape) == (np.uint8, (length, 32, 32, 3))
            np.testing.assert_array_equal(demo["next_obs/robot0_joint_pos"][:-1], demo["obs/robot0_joint_pos"][1:])
            assert np.abs(demo["actions"][:]).max() <= 1
        masks = {name.decode() for key in ("train", "valid") for name in file["mask"][key][:]}
        assert masks == {"demo_0", "demo_1", "demo_2"}
        assert not set(file["mask/train"][:]) & set(file["mask/valid"][:])


def test_reading_some_reads_the_first(written: Path) -> None:
    some = Robomimic().read(written, 2)
    assert len(some) == 2 and some.frames == LENGTHS[0] + LENGTHS[1]


def test_episodes_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "many.hdf5"
    with h5py.File(path, "w") as file:
        for i in (10, 2, 1):
            demo = file.create_group(f"data/demo_{i}")
            demo["actions"] = np.full((1, 2), i / 10)
            demo["obs/robot0_joint_pos"] = np.zeros((1, 2))
    np.testing.assert_allclose(Robomimic().read(path).actions[:, 0], [0.1, 0.2, 1.0], atol=1e-6)


def test_another_cameras_image_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "other.hdf5"
    with h5py.File(path, "w") as file:
        demo = file.create_group("data/demo_0")
        demo["actions"] = np.zeros((2, 2))
        demo["obs/robot0_eye_in_hand_image"] = np.full((2, 8, 8, 3), 9, np.uint8)
    assert Robomimic().read(path).observations["image"].dtype == np.uint8


def test_describe(written: Path) -> None:
    about = Robomimic().describe(written)
    assert (about["episodes"], about["frames"], about["action_width"], about["image_size"]) == (3, sum(LENGTHS), 3, 32)
    assert (about["embodiment"], about["task"], about["frames_per_episode"]) == ("ur5_6dof", "reach", [4, 7])
    low, high = about["action_range"]
    assert -1 <= low < 0 < high <= 1
    assert about["episodes_with_nan"] == []
    assert json.loads(json.dumps(about)) == about


def _nan(file: h5py.File) -> None:
    file["data/demo_1/actions"][2, 0] = np.nan


def _large(file: h5py.File) -> None:
    file["data/demo_0/actions"][0, 0] = 3


def _no_data(file: h5py.File) -> None:
    del file["data"]


def _no_demos(file: h5py.File) -> None:
    for name in list(file["data"]):
        del file["data"][name]


def _no_actions(file: h5py.File) -> None:
    del file["data/demo_2/actions"]


def _no_frames(file: h5py.File) -> None:
    for name in list(file["data"]):
        for key in ("actions", "rewards", "states"):
            del file["data"][name][key]
        file["data"][name]["actions"] = np.zeros((0, 3))
        for key in list(file["data"][name]["obs"]):
            old = file["data"][name]["obs"][key]
            empty = np.zeros((0, *old.shape[1:]), old.dtype)
            del file["data"][name]["obs"][key]
            file["data"][name]["obs"][key] = empty


def _ragged(file: h5py.File) -> None:
    del file["data/demo_1/actions"]
    file["data/demo_1/actions"] = np.zeros((7, 5))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_nan, "NaN or infinity, first in episode 1"),
        (_large, "outside"),
        (_no_data, "no /data group"),
        (_no_demos, "no episodes"),
        (_no_actions, "no 'actions'"),
        (_no_frames, "no episodes"),
        (_ragged, "cannot be read"),
    ],
)
def test_broken_files_are_refused_in_plain_words(written: Path, spoil: Callable[[h5py.File], None], said: str) -> None:
    with h5py.File(written, "r+") as file:
        spoil(file)
    with pytest.raises(DataError, match=said) as caught:
        Robomimic().read(written)
    assert caught.value.field == str(written) and caught.value.remedy


def test_describing_a_broken_file_names_the_episodes(written: Path) -> None:
    with h5py.File(written, "r+") as file:
        _nan(file)
    about = Robomimic().describe(written)
    assert about["episodes_with_nan"] == ["demo_1"]
    assert json.loads(json.dumps(about)) == about


def test_what_is_no_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "text.hdf5"
    path.write_text("hello")
    for read in (Robomimic().read, Robomimic().describe):
        with pytest.raises(DataError, match="not HDF5"):
            read(path)
        with pytest.raises(DataError, match="does not exist"):
            read(tmp_path / "gone.hdf5")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(written: Path) -> None:
    before = written.read_bytes()
    broken = episodes()
    broken.attributes["x"] = object()
    with pytest.raises(TypeError):
        Robomimic().write(broken, written)
    assert written.read_bytes() == before
    assert [p.name for p in written.parent.iterdir()] == ["demo.hdf5"]
