"""robomimic's HDF5 layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from studio.contracts import Episodes, Format
from studio.errors import DataError
from studio.files import write_whole

# our observation keys and robomimic's names for them; the image may come from any camera
NAMES = {
    "joint_pos": "robot0_joint_pos",
    "eef_pos": "robot0_eef_pos",
    "gripper_pos": "robot0_gripper_qpos",
    "goal": "object",
    "image": "agentview_image",
}


class Robomimic(Format):
    """``/data/demo_i`` with actions, states, rewards, dones, obs and next_obs; ``/mask`` lists."""

    id = "robomimic"
    title = "robomimic HDF5"
    summary = "One HDF5 file: /data/demo_i with actions, observations, rewards; images as uint8."
    reference = "robomimic (Mandlekar et al. 2021, arXiv:2108.03298), dataset overview"
    suffixes = (".hdf5", ".h5")

    def sniff(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes

    def read(self, path: Path, limit: int | None = None) -> Episodes:
        with _open(path) as file:
            names = _demos(file, path)[:limit]
            try:
                demos = [file["data"][name] for name in names]
                observations = {
                    ours: np.concatenate([d["obs"][_key(d["obs"], ours)][:] for d in demos])
                    for ours in NAMES
                    if _key(demos[0]["obs"], ours) is not None
                }
                observations = {k: v if k == "image" else v.astype(np.float32) for k, v in observations.items()}
                actions = np.concatenate([d["actions"][:] for d in demos]).astype(np.float32)
                lengths = np.array([len(d["actions"]) for d in demos])
                rewards = np.concatenate([d["rewards"][:] for d in demos]) if "rewards" in demos[0] else None
                states = np.concatenate([d["states"][:] for d in demos]) if "states" in demos[0] else None
            except (KeyError, ValueError, OSError) as error:
                raise DataError(f"The episodes cannot be read ({error}).", str(path), "Check the file.") from None
            attributes = {key: _plain(value) for key, value in file["data"].attrs.items()}
        episodes = Episodes(observations, actions, lengths, rewards, states, attributes)
        episodes.check(str(path))
        return episodes

    def write(self, episodes: Episodes, path: Path) -> None:
        # HDF5 writes into memory: a file that it failed to write, on a full disk, crashes the process when it ends
        with h5py.File(str(path), "w", driver="core", backing_store=False) as file:
            self._fill(episodes, file)
            file.flush()
            content: bytes = file.id.get_file_image()

        def write(temporary: Path) -> None:
            temporary.write_bytes(content)

        write_whole(path, write)

    def describe(self, path: Path) -> dict[str, Any]:
        with _open(path) as file:
            names = _demos(file, path)
            try:
                return self._described(file["data"], names)
            except (KeyError, IndexError, AttributeError, TypeError, ValueError, OSError) as error:
                raise DataError(f"The episodes cannot be read ({error}).", str(path), "Check the file.") from None

    def _described(self, data: h5py.Group, names: list[str]) -> dict[str, Any]:
        first = data[names[0]]
        actions = [data[name]["actions"][:] for name in names]
        lengths = [len(a) for a in actions]
        flat = np.concatenate(actions)
        numbers = flat[np.isfinite(flat)]
        keys = {key: {"shape": list(v.shape[1:]), "dtype": str(v.dtype)} for key, v in first["obs"].items()}
        image = _key(first["obs"], "image")
        kwargs = json.loads(data.attrs.get("env_args", "{}")).get("env_kwargs", {})
        return {
            "kind": "dataset",
            "format": self.title,
            "episodes": len(names),
            "frames": int(sum(lengths)),
            "frames_per_episode": [min(lengths), max(lengths)],
            "action_width": int(first["actions"].shape[1]),
            "action_range": [float(numbers.min()), float(numbers.max())] if numbers.size else [],
            "episodes_with_nan": [n for n, a in zip(names, actions, strict=True) if not np.isfinite(a).all()],
            "image_size": keys[image]["shape"][0] if image else 0,
            "observations": keys,
            "embodiment": kwargs.get("embodiment", ""),
            "task": kwargs.get("task", ""),
            "control": kwargs.get("control", ""),
        }

    def _fill(self, episodes: Episodes, file: h5py.File) -> None:
        data = file.create_group("data")
        for key, value in episodes.attributes.items():
            data.attrs[key] = value
        data.attrs["total"] = episodes.frames
        for i, (start, length) in enumerate(zip(episodes.starts, episodes.lengths, strict=True)):
            rows = slice(int(start), int(start + length))
            demo = data.create_group(f"demo_{i}")
            demo.attrs["num_samples"] = int(length)
            demo["actions"] = episodes.actions[rows]
            demo["dones"] = np.arange(length) == length - 1
            demo["rewards"] = np.zeros(length) if episodes.rewards is None else episodes.rewards[rows]
            if episodes.states is not None:
                demo["states"] = episodes.states[rows]
            seen, after = demo.create_group("obs"), demo.create_group("next_obs")
            following = np.minimum(np.arange(length) + 1, length - 1)
            for key, value in episodes.observations.items():
                options = {"compression": "gzip", "compression_opts": 1} if key == "image" else {}
                seen.create_dataset(NAMES[key], data=value[rows], **options)
                if key != "image":  # images are kept once; they are nine tenths of the file
                    after.create_dataset(NAMES[key], data=value[rows][following])
        mask = file.create_group("mask")
        names = np.array([f"demo_{i}" for i in range(len(episodes))], dtype="S")
        held_out = max(1, len(names) // 10) if len(names) > 1 else 0
        mask["train"], mask["valid"] = names[: len(names) - held_out], names[len(names) - held_out :]


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise DataError("The dataset does not exist.", str(path), "Check the path.")
    try:
        return h5py.File(path, "r")
    except OSError:
        raise DataError("The file is not HDF5, or it is damaged.", str(path), "Choose a robomimic HDF5 file.") from None


def _demos(file: h5py.File, path: Path) -> list[str]:
    if "data" not in file:
        raise DataError("The HDF5 file has no /data group.", str(path), "Choose a file in robomimic's layout.")
    names = [name for name in file["data"] if name.startswith("demo_")]
    if not names:
        raise DataError("The dataset holds no episodes.", str(path), "Choose one with at least one demonstration.")
    if any("actions" not in file["data"][n] or "obs" not in file["data"][n] for n in names):
        raise DataError("An episode has no 'actions' or 'obs'.", str(path), "Choose a file in robomimic's layout.")
    return sorted(names, key=lambda name: int(name.split("_")[1]) if name.split("_")[1].isdigit() else 0)


def _key(group: h5py.Group, ours: str) -> str | None:
    if NAMES[ours] in group:
        return NAMES[ours]
    if ours == "image":
        return next((key for key in group if key.endswith("_image")), None)
    return None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
