"""Watched fields: a few words such as ``qpos[3]`` or ``sensordata`` become numbers read from the simulation."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import mujoco
import numpy as np

from studio.errors import StudioError

_TEXT = re.compile(r"([A-Za-z_]\w*)\s*(?:\[([^\[\]]*)\])?")
# the kind of object whose name may stand for a row of a field
_NAMED = {
    "qpos": "joint", "qvel": "dof", "qacc": "dof", "qfrc_actuator": "dof", "qfrc_applied": "dof", "qfrc_bias": "dof",
    "qfrc_constraint": "dof", "qfrc_passive": "dof", "ctrl": "actuator", "actuator_force": "actuator",
    "actuator_length": "actuator", "actuator_velocity": "actuator", "xpos": "body", "xipos": "body", "xquat": "body",
    "xmat": "body", "cvel": "body", "cacc": "body", "cfrc_ext": "body", "cfrc_int": "body", "subtree_com": "body",
    "xfrc_applied": "body", "geom_xpos": "geom", "geom_xmat": "geom", "site_xpos": "site", "site_xmat": "site",
    "cam_xpos": "camera", "sensordata": "sensor", "ten_length": "tendon",
}  # fmt: skip


def fields(data: mujoco.MjData) -> dict[str, tuple[int, ...]]:
    """Return every field of the data that holds numbers, and its shape; () for a single number."""
    found: dict[str, tuple[int, ...]] = {}
    for name in dir(data):
        if name.startswith("_"):
            continue
        value = getattr(data, name, None)
        if isinstance(value, np.ndarray) and value.size and value.dtype.kind in "fiub":
            found[name] = value.shape
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found[name] = ()
    return found


@dataclass(frozen=True)
class Watch:
    """A field and the rows of it that a line of text names."""

    text: str
    field: str
    index: tuple[int | slice, ...]

    def read(self, data: mujoco.MjData) -> np.ndarray:
        """Return the present numbers, (count,), flat and copied."""
        value = np.asarray(getattr(data, self.field), float)
        return np.atleast_1d(value[self.index] if self.index else value).ravel().copy()


def parse(text: str, model: mujoco.MjModel, data: mujoco.MjData) -> Watch:
    """Parse ``field``, ``field[3]``, ``field[2:5]``, ``field[4,2]`` or ``field[name]``.

    Raises:
        StudioError: there is no such field, row, or name.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise StudioError(
            f"'{text}' is not a field.", "watch", "Write for example qpos[3], qfrc_actuator or sensordata."
        )
    name, inside = found.group(1), found.group(2)
    known = fields(data)
    if name not in known:
        if isinstance(getattr(data, name, None), np.ndarray):
            none = f"{_kind(name)}s" if name in _NAMED else "data for it"
            raise StudioError(f"'{name}' is empty: the model has no {none}.", "watch", "Watch another field.")
        near = difflib.get_close_matches(name, known, 3)
        remedy = f"Did you mean {', '.join(near)}?" if near else "Write for example qpos[3] or sensordata."
        raise StudioError(f"The simulation has no field '{name}'.", "watch", remedy)
    shape = known[name]
    if inside is None:
        return Watch(text.strip(), name, ())
    parts = [part.strip() for part in inside.split(",")]
    if len(parts) > len(shape):
        raise StudioError(
            f"'{name}' has {len(shape)} dimensions; {len(parts)} indices are given.", "watch", f"Its shape is {shape}."
        )
    index = tuple(_index(part, size, name, axis, model) for axis, (part, size) in enumerate(zip(parts, shape)))
    return Watch(text.strip(), name, index)


def _index(part: str, size: int, field: str, axis: int, model: mujoco.MjModel) -> int | slice:
    if re.fullmatch(r"-?\d+", part):
        number = int(part)
        if not -size <= number < size:
            raise StudioError(f"'{field}' has {size} rows; there is no {number}.", "watch", f"Choose 0 to {size - 1}.")
        return number
    if re.fullmatch(r"-?\d*\s*:\s*-?\d*", part):
        low, high = (int(end) if end.strip() else None for end in part.split(":"))
        if not len(range(size)[slice(low, high)]):
            raise StudioError(f"'{field}[{part}]' is empty.", "watch", f"Choose rows within 0 to {size - 1}.")
        return slice(low, high)
    if axis == 0 and field in _NAMED:
        return _row_of(part.strip("'\""), _NAMED[field], field, model)
    raise StudioError(f"'{part}' is not a row of '{field}'.", "watch", f"Choose 0 to {size - 1}.")


def _kind(field: str) -> str:
    """Return the kind of object after which the rows of a field are named."""
    return _NAMED[field].replace("dof", "joint")


def _row_of(name: str, kind: str, field: str, model: mujoco.MjModel) -> int | slice:
    lookup = _kind(field)
    row = mujoco.mj_name2id(model, getattr(mujoco.mjtObj, f"mjOBJ_{lookup.upper()}"), name)
    if row < 0:
        raise StudioError(f"There is no {lookup} '{name}'.", "watch", f"Or write a number: {field}[0].")
    if kind == "sensor":
        start = int(model.sensor_adr[row])
        return slice(start, start + int(model.sensor_dim[row]))
    if lookup == "joint":
        widths = {0: (7, 6), 1: (4, 3)}.get(int(model.jnt_type[row]), (1, 1))
        start = int(model.jnt_qposadr[row] if kind == "joint" else model.jnt_dofadr[row])
        return slice(start, start + widths[kind == "dof"])
    return row
