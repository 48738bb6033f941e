"""robomimic's HDF5 layout."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from studio.contracts import WHOLE, Episodes, Format, Reading, SplitError, Survey
from studio.data import hdf5
from studio.data.contents import Contents, Examined
from studio.data.findings import Findings
from studio.data.pictures import is_rgb
from studio.data.recorded import RecordedEpisode
from studio.errors import DataError
from studio.files import write_whole
from studio.instructions import decode

# our observation entries and robomimic's names for them; images lie under one key for each camera
NAMES = {
    "joint_pos": "robot0_joint_pos",
    "eef_pos": "robot0_eef_pos",
    "gripper_pos": "robot0_gripper_qpos",
    "goal": "object",
}
OUR_IMAGES = "agentview_image"  # where the studio writes the first camera's images, whichever it was
IMAGES = re.compile(r"(.*?)_?(image|rgb)$")  # keys of images, with the camera's name
WANTED = "a robomimic HDF5 file"


class Robomimic(Format):
    """``/data/demo_i`` with actions, states, rewards, dones, obs and next_obs; ``/mask`` lists."""

    id = "robomimic"
    title = "robomimic HDF5"
    summary = "One HDF5 file: /data/demo_i with actions, observations, rewards; images as uint8."
    reference = "robomimic (Mandlekar et al. 2021, arXiv:2108.03298), dataset overview"
    suffixes = (".hdf5", ".h5")

    def sniff(self, path: Path) -> bool:
        return path.suffix.lower() in self.suffixes

    def survey(self, path: Path, reading: Reading = WHOLE) -> Survey:
        with hdf5.open_hdf5(path, WANTED) as file:
            return Examined(_contents(file, path, reading), reading).survey(self.title)

    def read(self, path: Path, reading: Reading = WHOLE) -> Episodes:
        with hdf5.open_hdf5(path, WANTED) as file:
            episodes = Examined(_contents(file, path, reading), reading).episodes()
        episodes.check(str(path))
        return episodes

    def write(self, episodes: Episodes, path: Path) -> None:
        # HDF5 writes into memory: a file that it failed to write, on a full disk, crashes the process when it ends
        with h5py.File(str(path), "w", driver="core", backing_store=False) as file:
            _fill(episodes, file)
            file.flush()
            content: bytes = file.id.get_file_image()

        def write(temporary: Path) -> None:
            temporary.write_bytes(content)

        write_whole(path, write)


# -- reading ---------------------------------------------------------------------------------------------------------


def _contents(file: h5py.File, path: Path, reading: Reading) -> Contents:
    data, findings = hdf5.group(file, "data"), Findings()
    if data is None:
        has = ", ".join(hdf5.members(file)[:8]) or "nothing"
        words = f"The HDF5 file has no /data group (it has: {has})."
        raise DataError(words, str(path), "Choose a file in robomimic's layout.")
    names = _names(data, path, findings)
    splits = _splits(file, names, findings)
    if reading.split and reading.split not in splits:
        has = f"It has: {', '.join(splits)}." if splits else "It has none; leave the split empty."
        raise SplitError(f"The dataset has no split '{reading.split}'.", str(path), has)
    chosen = splits[reading.split] if reading.split else names
    if not chosen:
        raise SplitError(f"The split '{reading.split}' is empty.", str(path), "Choose another, or the whole file.")
    attributes = hdf5.attributes(data)
    origin = _origin(attributes, findings)
    episodes = [_episode(data, name, findings) for name in chosen[: reading.episodes]]
    keys = dict.fromkeys(key for episode in episodes for key in episode.observations)
    instructed = {"instruction": "instruction"} if any(e.instruction is not None for e in episodes) else {}
    kwargs: dict[str, Any] = origin.get("env_kwargs", {})
    rate = _rate(attributes, kwargs, findings)
    return Contents(
        where=str(path),
        episodes=episodes,
        total=len(chosen),
        keys={ours: theirs for ours, theirs in NAMES.items() if theirs in keys} | instructed,
        cameras=_cameras(episodes, reading.camera, kwargs),
        splits={name: len(those) for name, those in splits.items()},
        control_hz=rate,
        recorded={"environment": _text(origin, "env_name")}
        | {name: _text(kwargs, name) for name in ("task", "embodiment", "control", "camera")},
        attributes=({"env_args": attributes["env_args"]} if origin else {})
        | ({} if rate is None else {"control_hz": rate}),
        findings=findings,
    )


def _names(data: h5py.Group, path: Path, findings: Findings) -> list[str]:
    """Return the groups that are episodes, in the order of the numbers in their names."""
    members = hdf5.members(data)
    groups = {name: found for name in members if (found := hdf5.group(data, name)) is not None}
    names = [name for name, found in groups.items() if name.startswith("demo_") or "actions" in hdf5.members(found)]
    if not names:
        words = "The dataset holds no episodes: no group of /data has 'actions'."
        raise DataError(words, str(path), "Choose one with at least one demonstration.")
    names.sort(key=lambda name: re.sub("[0-9]+", lambda number: number[0].zfill(20), name))
    if unlike := [name for name in names if not re.fullmatch("demo_[0-9]+", name)]:
        findings.note(f"Episodes have other names than demo_0, demo_1 …: '{unlike[0]}' is taken for one of them.")
    if others := [name for name in members if name not in names]:
        findings.note(f"'/data/{others[0]}' is no episode and is left out.")
    return names


def _episode(data: h5py.Group, name: str, findings: Findings) -> RecordedEpisode:
    demo = hdf5.group(data, name)
    assert demo is not None
    columns = {key: found for key in ("actions", "rewards", "states") if (found := hdf5.dataset(demo, key)) is not None}
    observed = hdf5.group(demo, "obs")
    keys = [] if observed is None else hdf5.members(observed)
    observations = {key: found for key in keys if (found := hdf5.dataset(observed, key)) is not None}
    attributes = hdf5.attributes(demo)
    stated, actions = attributes.get("num_samples"), columns.get("actions")
    if stated is not None and actions is not None and actions.shape and stated != actions.shape[0]:
        findings.note(f"{name} states {stated} samples and holds {actions.shape[0]} actions, all of which are taken.")
    return RecordedEpisode(name, columns, observations, _instruction(attributes.get("ep_meta")))


def _instruction(meta: Any) -> str | None:
    """Return the sentence under ``lang`` in an episode's ``ep_meta``, where robomimic keeps it; None: there is none."""
    try:
        found = json.loads(meta)
    except (ValueError, TypeError, RecursionError):
        return None
    said = found.get("lang") if isinstance(found, dict) else None
    return said if isinstance(said, str) else None


def _splits(file: h5py.File, names: list[str], findings: Findings) -> dict[str, list[str]]:
    """Return the file's lists of episodes; each in the order of the file."""
    masks = hdf5.group(file, "mask")
    found: dict[str, list[str]] = {}
    known = set(names)
    for split in [] if masks is None else hdf5.members(masks):
        listed = hdf5.texts(hdf5.dataset(masks, split))
        if listed is None:
            findings.note(f"'/mask/{split}' is no list of episodes and is left out.")
            continue
        if unknown := sorted(set(listed) - known):
            findings.note(f"'/mask/{split}' lists '{unknown[0]}', which the file does not have.")
        chosen = set(listed)
        found[split] = [name for name in names if name in chosen]
    return found


def _origin(attributes: Mapping[str, Any], findings: Findings) -> dict[str, Any]:
    """Return what ``env_args`` states about the environment; empty where it cannot be parsed."""
    text = attributes.get("env_args")
    if text is None:
        return {}
    try:
        origin = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        origin = None
    if isinstance(origin, dict) and isinstance(origin.setdefault("env_kwargs", {}), dict):
        return origin
    findings.note("'env_args' is not the JSON object that robomimic writes: where the episodes come from is unknown.")
    return {}


def _rate(attributes: Mapping[str, Any], kwargs: Mapping[str, Any], findings: Findings) -> float | None:
    """Return how many actions there are a second: the studio's own word, or robosuite's."""
    for name, stated in (("control_hz", attributes.get("control_hz")), ("control_freq", kwargs.get("control_freq"))):
        if stated is None:
            continue
        if isinstance(stated, int | float) and not isinstance(stated, bool) and 0 < stated < math.inf:
            return float(stated)
        findings.note(f"'{name}' is no rate in Hz and is left out.")
    return None


def _cameras(episodes: list[RecordedEpisode], asked: str, kwargs: Mapping[str, Any]) -> dict[str, str]:
    """Return key → camera of the images: by their names, by their shape, or because they are asked for."""
    found: dict[str, str] = {}
    for key, column in (pair for episode in episodes for pair in episode.observations.items()):
        if match := IMAGES.fullmatch(key):
            found[key] = match[1] or key
        elif key == asked or is_rgb(column):
            found[key] = key
    if OUR_IMAGES in found and (first := _text(kwargs, "camera") or _first_text(kwargs, "cameras")):
        found[OUR_IMAGES] = first
    return found


def _first_text(values: Mapping[str, Any], name: str) -> str:
    listed = values.get(name)
    return listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else ""


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


# -- writing ---------------------------------------------------------------------------------------------------------


def _fill(episodes: Episodes, file: h5py.File) -> None:
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
            if key == "instruction":
                demo.attrs["ep_meta"] = json.dumps({"lang": decode(value[rows][:1])[0]}, ensure_ascii=False)
            elif key == "image" or key.startswith("image_"):  # kept once; images are nine tenths of the file
                name = OUR_IMAGES if key == "image" else f"{key.removeprefix('image_')}_image"
                seen.create_dataset(name, data=value[rows], compression="gzip", compression_opts=1)
            else:
                seen[NAMES[key]] = value[rows]
                after[NAMES[key]] = value[rows][following]
    mask = file.create_group("mask")
    names = np.array([f"demo_{i}" for i in range(len(episodes))], dtype="S")
    held_out = max(1, len(names) // 10) if len(names) > 1 else 0
    mask["train"], mask["valid"] = names[: len(names) - held_out], names[len(names) - held_out :]
