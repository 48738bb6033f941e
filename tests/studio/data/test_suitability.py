"""Whether a dataset suits a domain: found before the start, and the same by the run."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from studio.contracts import Episodes
from studio.data.datasets import cache_path, demonstrations
from studio.data.resample import downsampled, frames_per_step
from studio.errors import DataError
from studio.experiment import Domain
from studio.registry import Registry
from studio.run.check_domain import check_domain
from studio.sim.domains import resolve
from tests.studio.data.broken_files import LENGTHS, SIZE, write_file


@functools.cache
def registry() -> Registry:
    return Registry()


def domain(path: Path, **changes: Any) -> Domain:
    body = {"embodiment": "ur5_6dof", "observation": "goal", "image_size": SIZE, "episodes": 3, "dataset": str(path)}
    return Domain(**{**body, **changes})


def state(path: Path, **env_args: Any) -> Path:
    """The file, with another statement of where it comes from."""
    with h5py.File(path, "r+") as file:
        file["data"].attrs["env_args"] = json.dumps(env_args)
    return path


def refused(asked: Domain) -> tuple[str, str]:
    """(field, message) of the one problem, which the run finds too."""
    (problem,) = check_domain("target", asked, registry())
    with pytest.raises(DataError) as caught:
        demonstrations(resolve(asked, registry()), 0)
    assert (caught.value.message, caught.value.remedy) == (problem.message, problem.remedy) and problem.remedy
    assert caught.value.field == str(asked.dataset)
    return problem.field, problem.message


def read(asked: Domain) -> tuple[Episodes, str]:
    """The episodes, and what the log says of them."""
    said: list[str] = []
    assert check_domain("target", asked, registry()) == []
    return demonstrations(resolve(asked, registry()), 0, say=said.append), "\n".join(said)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_file(tmp_path / "demos.hdf5")


def test_entries_that_are_needed_must_be_sound(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["data/demo_1/obs/object"]
    said = "demo_1 lacks 'object', which other episodes have."
    assert refused(domain(path)) == ("target.dataset", said)
    assert len(read(domain(path, episodes=1))[0]) == 1, "the second episode is not asked for"
    for demo in ("demo_0", "demo_2"):
        with h5py.File(path, "r+") as file:
            del file[f"data/{demo}/obs/object"]
    assert "observations lack 'goal'" in refused(domain(path))[1]


def test_entries_that_are_not_needed_may_be_broken(tmp_path: Path) -> None:
    path = write_file(tmp_path / "images.hdf5", "rgb")
    with h5py.File(path, "r+") as file:
        del file["data/demo_1/obs/object"]
        file["data/demo_1/obs/robot0_gripper_qpos"] = np.full((1, 9), np.nan)
    found, said = read(domain(path, observation="image"))
    assert set(found.observations) == {"joint_pos", "eef_pos", "image"}
    assert "The dataset's 'agentview_image' stand for the camera 'front'" in said
    assert "recorded in 'Lift'; the experiment's task is 'reach'" in said


def test_final_states_and_conversions_are_logged(tmp_path: Path) -> None:
    path = write_file(tmp_path / "longer.hdf5", "chw", final_state=True)
    found, said = read(domain(path, observation="image"))
    assert found.lengths.tolist() == list(LENGTHS) and len(found.observations["image"]) == sum(LENGTHS)
    assert "longer.hdf5: 'robot0_joint_pos', 'robot0_eef_pos', 'agentview_image' have one frame more" in said
    assert "channels first" in said and "'object'" not in said


@pytest.mark.parametrize("height", [SIZE, 24])
def test_height_and_width_of_images_must_fit(height: int, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            demo["obs/front_image"] = np.zeros((len(demo["actions"]), height, 48, 3), np.uint8)
    field, words = refused(domain(path, observation="image"))
    assert field == "target.dataset" and f"{height} × 48 px (height × width); the experiment needs {SIZE} px" in words


@pytest.mark.parametrize(
    ("keys", "settings", "chosen"),
    [
        (["a_image", "front_image"], {}, "front_image"),
        (["a_image", "front_rgb"], {}, "front_rgb"),
        (["a_image", "front_image"], {"dataset_camera": "a_image"}, "a_image"),
        (["a_image"], {}, "a_image"),
        (["shots"], {}, "shots"),
        (["a_image", "shots"], {"dataset_camera": "shots"}, "shots"),
    ],
)
def test_images_are_those_of_the_camera(keys: list[str], settings: dict, chosen: str, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            for key in keys:
                demo[f"obs/{key}"] = np.full((len(demo["actions"]), SIZE, SIZE, 3), keys.index(key), np.uint8)
    found = read(domain(path, observation="image", **settings))[0].observations["image"]
    assert (found == keys.index(chosen)).all()


@pytest.mark.parametrize(
    ("keys", "settings", "said"),
    [
        (["a_image", "b_image"], {}, "None of the dataset's images (a_image, b_image) is named after the camera"),
        (["wrist_image"], {}, "None of the dataset's images (wrist_image) is named after the camera 'front'"),
        (["a_image"], {"dataset_camera": "c"}, "The dataset has no images 'c'"),
    ],
)
def test_camera_is_asked_for_where_none_is_named(keys: list[str], settings: dict, said: str, path: Path) -> None:
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            for key in keys:
                demo[f"obs/{key}"] = np.zeros((len(demo["actions"]), SIZE, SIZE, 3), np.uint8)
    field, words = refused(domain(path, observation="image", **settings))
    assert field == "target.dataset_camera" and said in words


def test_split_is_learned_from_or_refused(path: Path) -> None:
    assert read(domain(path, episodes=1, dataset_split="valid"))[0].lengths.tolist() == [LENGTHS[2]]
    assert refused(domain(path, episodes=1, dataset_split="test"))[0] == "target.dataset_split"
    assert "holds 2 episodes; the experiment needs 3" in refused(domain(path, dataset_split="train"))[1]
    (problem,) = check_domain("target", domain(path, dataset_split="train", dataset=None), registry())
    assert problem.field == "target.dataset_split" and problem.remedy


def test_settings_of_files_change_no_cached_episodes(path: Path) -> None:
    without = domain(path, dataset=None)
    paths = [cache_path(resolve(d, registry()), 0) for d in (without, without.changed(dataset_split="train"))]
    assert paths[0] == paths[1]


def test_rate_is_resampled_or_refused(path: Path) -> None:
    found, said = read(domain(state(path, env_kwargs={"control_freq": 20})))
    assert found.lengths.tolist() == [2, 2, 1] and "20 actions a second and 'reach' 10: one frame in 2" in said
    with h5py.File(path) as file:
        np.testing.assert_array_equal(found.observations["goal"][:2], file["data/demo_0/obs/object"][::2])
        np.testing.assert_allclose(found.actions[0], file["data/demo_0/actions"][:2].mean(0), atol=1e-6)
        np.testing.assert_array_equal(found.actions[1], file["data/demo_0/actions"][2])
    for rate in (15, 5):
        words = refused(domain(state(path, env_kwargs={"control_freq": rate})))[1]
        assert f"{rate} actions a second; 'reach' has 10" in words
    assert "not state its control rate" in read(domain(state(path, env_name="Lift")))[1]


def test_downsampling_keeps_states_and_sums_rewards() -> None:
    assert [frames_per_step(hz, 10) for hz in (10, 20, 30.1, 15, 5)] == [1, 2, 3, None, None]
    values = np.arange(5.0)[:, None]
    episodes = Episodes({"goal": values}, values / 10, np.array([3, 2]), values[:, 0], values)
    found = downsampled(episodes, 2)
    assert found.lengths.tolist() == [2, 1]
    assert found.observations["goal"][:, 0].tolist() == found.states[:, 0].tolist() == [0, 2, 3]
    assert found.rewards.tolist() == [1, 2, 7] and np.allclose(found.actions[:, 0], [0.05, 0.2, 0.35])
    assert downsampled(episodes, 1) is episodes


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"task": "push"}, "with the task 'push'; the experiment has 'reach'"),
        ({"embodiment": "franka_7dof"}, "with the embodiment 'franka_7dof'; the experiment has 'ur5_6dof'"),
        ({"control": "joint"}, "with the control 'joint'; the experiment has 'end_effector'"),
    ],
)
def test_dataset_of_another_domain_is_refused(kwargs: dict[str, str], said: str, path: Path) -> None:
    assert said in refused(domain(state(path, env_kwargs=kwargs)))[1]
    theirs = dict.fromkeys(kwargs, "Sawyer")
    assert "'Sawyer'" in read(domain(state(path, env_kwargs=theirs)))[1]
