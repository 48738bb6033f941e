"""Small robomimic files, and what can happen to them: parts are dropped, renamed, retyped, truncated and reshaped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

LENGTHS = (3, 4, 2)
SIZE = 32
NUMBERS = {"robot0_joint_pos": 6, "robot0_eef_pos": 3, "object": 3}
ENV_ARGS = {"env_name": "Lift", "type": 1, "env_kwargs": {"control_freq": 10}}

Images = Callable[[np.ndarray], np.ndarray]
PICTURES: dict[str, Images] = {
    "rgb": lambda images: images,
    "gray": lambda images: images[..., 0],
    "chw": lambda images: np.moveaxis(images, -1, 1),
    "rgba": lambda images: np.concatenate([images, np.full_like(images[..., :1], 255)], -1),
    "fractions": lambda images: (images / 255).astype(np.float32),
    "16 bits": lambda images: images.astype(np.uint16) * 257,
}


def write_file(path: Path, pictures: str = "", final_state: bool = False, seed: int = 0) -> Path:
    """Write episodes of an arm with six joints.

    Args:
        pictures: how images are kept; empty: there are none.
        final_state: observations have one frame more than there are actions.
    """
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"], data.attrs["total"] = json.dumps(ENV_ARGS), sum(LENGTHS)
        for i, length in enumerate(LENGTHS):
            demo, frames = data.create_group(f"demo_{i}"), length + final_state
            demo.attrs["num_samples"] = length
            demo["actions"] = rng.uniform(-1, 1, (length, 3)).astype(np.float32)
            demo["rewards"], demo["dones"] = np.zeros(length), np.arange(length) == length - 1
            for key, width in NUMBERS.items():
                demo[f"obs/{key}"] = rng.normal(size=(frames, width)).astype(np.float32)
            if pictures:
                images = rng.integers(0, 256, (frames, SIZE, SIZE, 3), dtype=np.uint8)
                demo["obs/agentview_image"] = PICTURES[pictures](images)
        names = np.array([f"demo_{i}" for i in range(len(LENGTHS))], dtype="S")
        file["mask/train"], file["mask/valid"] = names[:2], names[2:]
    return path


def damage(path: Path, rng: np.random.Generator, times: int = 1) -> list[str]:
    """Change a file at random places, and return what was done."""
    done = []
    for _ in range(times):
        kind = str(rng.choice(["drop", "rename", "retype", "truncate", "reshape", "attribute", "value", "bytes"]))
        if kind == "bytes":
            if rng.random() < 0.3 or path.stat().st_size == 0:  # after which nothing else can be done
                content = path.read_bytes()
                path.write_bytes(content[: int(rng.integers(0, len(content) + 1))])
                return [*done, "bytes"]
            continue
        with h5py.File(path, "r+") as file:
            done.append(f"{kind} {_CHANGES[kind](file, rng)}")
    return done


def _choose(file: h5py.File, rng: np.random.Generator, kind: type | None = None) -> str:
    names: list[str] = []

    def visit(name: str, node: Any) -> None:
        if kind is None or isinstance(node, kind):
            names.append(name)

    file.visititems(visit)
    return str(rng.choice(names)) if names else ""


def _drop(file: h5py.File, rng: np.random.Generator) -> str:
    name = _choose(file, rng)
    if name:
        del file[name]
    return name


def _rename(file: h5py.File, rng: np.random.Generator) -> str:
    name, way = _choose(file, rng), int(rng.integers(5))
    if not name:
        return ""
    parent, _, last = name.rpartition("/")
    if way < 3:
        other = [f"{last}_old", last.upper(), f"{rng.integers(10**12)}é"][way]
        file.move(name, f"{parent}/{other}")
        return f"{name} to {other}"
    del file[name]
    file[name] = h5py.SoftLink("/nowhere") if way == 3 else h5py.ExternalLink("gone.hdf5", "/data")
    return f"{name} to a dead link"


def _retype(file: h5py.File, rng: np.random.Generator) -> str:
    name = _choose(file, rng)
    if not name:
        return ""
    node = file[name]
    shape = node.shape if isinstance(node, h5py.Dataset) and node.shape is not None else (3,)
    rows = shape[0] if shape else 1
    values: list[Any] = [
        *(np.zeros(shape, kind) for kind in ("f8", "f2", "i8", "u2", "u1", "?", "c8", "S3")),
        np.zeros(shape, [("a", "f4"), ("b", "i4")]),
        h5py.Empty("f4"), 3.0, "text", np.full(shape, 300, "u2"), np.full(shape, 70.5, "f4"), np.full(shape, -3, "i2"),
    ]  # fmt: skip
    way = int(rng.integers(len(values) + 3))
    del file[name]
    if way < len(values):
        file[name] = values[way]
        return f"{name} to kind {way}"
    if way == len(values):
        file.create_group(name)
    elif way == len(values) + 1:
        file.create_dataset(name, (rows,), h5py.vlen_dtype(np.float32))
    else:
        file.create_dataset(name, (rows,), h5py.string_dtype())
    return f"{name} to kind {way}"


def _truncate(file: h5py.File, rng: np.random.Generator) -> str:
    name = _choose(file, rng, h5py.Dataset)
    if not name or not file[name].shape:
        return ""
    value, rows = file[name][()], int(rng.integers(0, file[name].shape[0] + 3))
    del file[name]
    file[name] = value[:rows] if rows <= len(value) else np.concatenate([value, *[value[-1:]] * (rows - len(value))])
    return f"{name} to {rows} rows"


def _reshape(file: h5py.File, rng: np.random.Generator) -> str:
    name = _choose(file, rng, h5py.Dataset)
    if not name or not file[name].shape:
        return ""
    value, way = file[name][()], int(rng.integers(6))
    del file[name]
    file[name] = [
        lambda: value.ravel(), lambda: value[..., None], lambda: value[None], lambda: value.T,
        lambda: value[..., : value.shape[-1] // 2], lambda: value.reshape(len(value), -1) if value.size else value,
    ][way]()  # fmt: skip
    return f"{name} by way {way}"


def _attribute(file: h5py.File, rng: np.random.Generator) -> str:
    name = _choose(file, rng, h5py.Group)
    if not name:
        return ""
    node = file[name]
    key = str(rng.choice(["env_args", "num_samples", "total", "control_hz"]))
    values: list[Any] = [
        "", "not json", "[]", "null", "7", '{"env_kwargs": 3}', '{"env_kwargs": null}', '{"env_name": 5}', b"\xff\xfe",
        json.dumps({"env_kwargs": {"control_freq": "fast", "task": 3}}), json.dumps({"env_kwargs": {"task": "push"}}),
        json.dumps({"env_kwargs": {"control_freq": 20}}), json.dumps({"env_kwargs": {"control_freq": 7}}),
        json.dumps({"env_kwargs": {"embodiment": "ur5_6dof", "task": "reach"}}), json.dumps(ENV_ARGS)[:-5],
        np.zeros(3), np.zeros(0), h5py.Empty("f4"), -1, np.nan, np.inf, 10**9, 10.0, 1e-300,
    ]  # fmt: skip
    way = int(rng.integers(len(values) + 1))
    if way == len(values):
        for known in list(node.attrs):
            del node.attrs[known]
    else:
        node.attrs[key] = values[way]
    return f"{name}.{key} to value {way}"


def _value(file: h5py.File, rng: np.random.Generator) -> str:
    name = _choose(file, rng, h5py.Dataset)
    if not name or not file[name].shape or 0 in file[name].shape or file[name].dtype.kind not in "fiu":
        return ""
    place = tuple(int(rng.integers(length)) for length in file[name].shape)
    value = rng.choice([np.nan, np.inf, 1e30, -5.0, 2.0]) if file[name].dtype.kind == "f" else 99
    with np.errstate(over="ignore"):
        file[name][place] = value
    return f"{name} to {value}"


_CHANGES: dict[str, Callable[[h5py.File, np.random.Generator], str]] = {
    "drop": _drop,
    "rename": _rename,
    "retype": _retype,
    "truncate": _truncate,
    "reshape": _reshape,
    "attribute": _attribute,
    "value": _value,
}
