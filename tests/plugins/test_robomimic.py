"""robomimic's layout, written and read."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from plugins.formats.robomimic import Robomimic
from studio.contracts import Episodes, Reading, SplitError
from studio.errors import DataError
from tests.studio.data.broken_files import LENGTHS as FRAMES
from tests.studio.data.broken_files import write_file

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
    some = Robomimic().read(written, Reading(2))
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


def test_survey_in_plain_data(written: Path) -> None:
    about = Robomimic().survey(written).plain()
    assert (about["episodes"], about["frames"], about["action_width"], about["image_size"]) == (3, sum(LENGTHS), 3, 32)
    assert (about["embodiment"], about["task"], about["frames_per_episode"]) == ("ur5_6dof", "reach", [4, 7])
    low, high = about["action_range"]
    assert -1 <= low < 0 < high <= 1
    assert about["episodes_with_nan"] == about["problems"] == about["notes"] == []
    assert about["splits"] == {"train": 2, "valid": 1} and about["images"] == {"agentview_image": [32, 32]}
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
        (_nan, "demo_1: 'actions' holds NaN or infinity"),
        (_large, "demo_0: 'actions' reaches 3, outside"),
        (_no_data, "no /data group"),
        (_no_demos, "no episodes"),
        (_no_actions, "demo_2: 'actions' is missing"),
        (_no_frames, "demo_0: 'actions' holds no frames \\(and 2 more episodes"),
        (_ragged, "demo_1: 'actions' is 5 wide, and 3 wide in demo_0"),
    ],
)
def test_broken_files_are_refused_in_plain_words(written: Path, spoil: Callable[[h5py.File], None], said: str) -> None:
    with h5py.File(written, "r+") as file:
        spoil(file)
    with pytest.raises(DataError, match=said) as caught:
        Robomimic().read(written)
    assert caught.value.field == str(written) and caught.value.remedy


def test_survey_of_a_broken_file_names_the_episodes(written: Path) -> None:
    with h5py.File(written, "r+") as file:
        _nan(file)
    about = Robomimic().survey(written).plain()
    assert about["episodes_with_nan"] == ["demo_1"] and "demo_1: 'actions'" in about["problems"][0]
    assert json.loads(json.dumps(about)) == about


def test_what_is_no_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "text.hdf5"
    path.write_text("hello")
    for read in (Robomimic().read, Robomimic().survey):
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


# -- files of other people -------------------------------------------------------------------------------------------


def test_final_state_of_observations_is_left_out(tmp_path: Path) -> None:
    path = write_file(tmp_path / "longer.hdf5", "rgb", final_state=True)
    found, survey = Robomimic().read(path), Robomimic().survey(path)
    assert found.lengths.tolist() == list(FRAMES) and survey.faults == ()
    assert "'object', 'agentview_image' have one frame more than there are actions" in survey.plain()["notes"][0]
    with h5py.File(path) as file:
        for start, name in zip(found.starts, file["data"], strict=True):
            rows = slice(start, start + len(file[f"data/{name}/actions"]))
            np.testing.assert_array_equal(found.observations["goal"][rows], file[f"data/{name}/obs/object"][:-1])
            np.testing.assert_array_equal(
                found.observations["image"][rows], file[f"data/{name}/obs/agentview_image"][:-1]
            )


@pytest.mark.parametrize(
    ("key", "rows", "said"),
    [
        ("object", 2, "demo_1: 'object' has 2 frames for 4 actions."),
        ("object", 6, "demo_1: 'object' has 6 frames for 4 actions."),
        ("agentview_image", 1, "demo_1: 'agentview_image' has 1 frame for 4 actions."),
        ("object", None, "demo_1 lacks 'object', which other episodes have."),
        ("agentview_image", None, "demo_1 lacks 'agentview_image', which other episodes have."),
    ],
)
def test_uneven_episodes_are_faults_of_their_key(tmp_path: Path, key: str, rows: int | None, said: str) -> None:
    path, ours = write_file(tmp_path / "uneven.hdf5", "rgb"), {"object": "goal", "agentview_image": "image"}[key]
    with h5py.File(path, "r+") as file:
        observed = file["data/demo_1/obs"]
        value = observed[key][()]
        del observed[key]
        if rows is not None:
            observed[key] = np.resize(value, (rows, *value.shape[1:]))
    (fault,) = Robomimic().survey(path).faults
    assert (fault.key, fault.message) == (key, said) and fault.remedy
    with pytest.raises(DataError, match=said.replace("(", "")) as caught:
        Robomimic().read(path, Reading(entries=frozenset({"joint_pos", ours})))
    assert caught.value.field == str(path)
    sound = Robomimic().read(path)  # nothing asks for the key
    assert ours not in sound.observations and sound.observations["joint_pos"].shape == (sum(FRAMES), 6)
    assert len(Robomimic().read(path, Reading(1, entries=frozenset({ours})))) == 1


def test_groups_with_actions_are_episodes_whatever_their_names(tmp_path: Path) -> None:
    path = write_file(tmp_path / "names.hdf5")
    with h5py.File(path, "r+") as file:
        for i, name in enumerate(("episode_10", "episode_9", "episode_2")):
            file.move(f"data/demo_{i}", f"data/{name}")
        file["data/camera/pose"] = np.eye(4)
    survey = Robomimic().survey(path)
    assert survey.lengths == FRAMES[::-1] and Robomimic().read(path).lengths.tolist() == list(FRAMES[::-1])
    notes = " ".join(survey.plain()["notes"])
    assert "'episode_2' is taken for one" in notes and "'/data/camera' is no episode" in notes


@pytest.mark.parametrize("env_args", ["not json", "[]", '{"env_kwargs": 3}', 7, np.zeros(3), b"\xff"])
def test_env_args_that_cannot_be_understood_are_noted(tmp_path: Path, env_args: object) -> None:
    path = write_file(tmp_path / "env.hdf5")
    with h5py.File(path, "r+") as file:
        file["data"].attrs["env_args"] = env_args
    survey, episodes = Robomimic().survey(path), Robomimic().read(path)
    assert survey.faults == () and survey.control_hz is None and "env_args" not in episodes.attributes
    assert np.ndim(env_args) or "'env_args' is not the JSON object" in survey.plain()["notes"][0]


def test_splits_are_the_masks(tmp_path: Path) -> None:
    path = write_file(tmp_path / "masks.hdf5")
    with h5py.File(path, "r+") as file:
        file["mask/few"], file["mask/odd"] = np.array(["demo_2", "demo_9"], dtype="S"), np.zeros(3)
    survey = Robomimic().survey(path)
    assert survey.splits == {"few": 1, "train": 2, "valid": 1} and survey.episodes == 3
    assert "'/mask/odd' is no list" in " ".join(survey.notes_of()) and "lists 'demo_9'" in " ".join(survey.notes_of())
    assert Robomimic().read(path, Reading(split="few")).lengths.tolist() == [FRAMES[2]]
    assert Robomimic().survey(path, Reading(1, "train")).episodes == 2
    with pytest.raises(SplitError, match="no split 'test'") as caught:
        Robomimic().read(path, Reading(split="test"))
    assert "few, train, valid" in caught.value.remedy


def test_file_open_elsewhere_is_said_to_be_open(written: Path) -> None:
    with written.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # as HDF5 does while it writes
        with pytest.raises(DataError, match="Another program has the file open for writing") as caught:
            Robomimic().read(written)
    assert "Close it" in caught.value.remedy and len(Robomimic().read(written)) == 3


def test_file_left_marked_as_open_says_how_to_clear_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "live.hdf5", "w", libver="latest") as file:
        file["data/demo_0/actions"] = np.zeros((2, 3))
        file.flush()
        (tmp_path / "copy.hdf5").write_bytes((tmp_path / "live.hdf5").read_bytes())
    with pytest.raises(DataError, match="marked as open for writing") as caught:
        Robomimic().survey(tmp_path / "copy.hdf5")
    assert "h5clear" in caught.value.remedy


def test_incomplete_file_is_said_to_be_incomplete(written: Path) -> None:
    content = written.read_bytes()
    written.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="its end is missing"):
        Robomimic().survey(written)
