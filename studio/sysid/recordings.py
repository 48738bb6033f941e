"""Recordings on disk: one HDF5 file with commands and measured states, as from a robot's log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from studio.data.hdf5 import BROKEN, attributes, dataset, open_hdf5
from studio.errors import DataError
from studio.files import write_whole
from studio.sysid.trajectories import Trajectories

VERSION = 1
_NEEDED = {
    "commands": "(recording, step, actuator), in the model's own units",
    "qpos": "(recording, step + 1, coordinate), rad or m",
}
_OPTIONAL = {
    "qvel": "(recording, step + 1, degree of freedom), rad/s or m/s",
    "initial_qpos": "(recording, coordinate), the exact initial state",
    "initial_qvel": "(recording, degree of freedom)",
    "before": "(recording, actuator), the command before the first",
}


def write_recordings(trajectories: Trajectories, path: Path) -> None:
    """Write recordings to a file: to a temporary name first, then renamed."""
    # in memory first: an HDF5 file that could not be written to a full disk crashes the process at its end
    with h5py.File(str(path), "w", driver="core", backing_store=False) as file:
        file.attrs["kind"], file.attrs["version"] = "recordings", VERSION
        for name in ("dt", "ramp", "position_noise", "velocity_noise"):
            file.attrs[name] = getattr(trajectories, name)
        file.attrs["units"] = "dt in s; noise: standard deviation in the measurements' units, 0 where it is not known"
        for name, layout in {**_NEEDED, **_OPTIONAL}.items():
            value = getattr(trajectories, name)
            if value is not None:
                file[name] = value
                file[name].attrs["layout"] = layout
        file.flush()
        content: bytes = file.id.get_file_image()

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)

    write_whole(path, write)


def read_recordings(path: Path) -> Trajectories:
    """Read recordings in the layout of :func:`write_recordings`. The datasets ``commands`` and ``qpos`` and the
    attribute ``dt`` are required, the rest is optional.

    Raises:
        DataError: the file is missing, is not HDF5, or lacks what identification needs.
    """
    try:
        with open_hdf5(path, "a file of recordings") as file:
            return _read(file, path)
    except BROKEN as error:
        raise DataError(f"The recordings cannot be read ({error}).", str(path), "Check the file.") from None


def _read(file: h5py.File, path: Path) -> Trajectories:
    stated = {name: value for name, value in attributes(file).items() if not isinstance(value, str)}
    columns = {name: found for name in (*_NEEDED, *_OPTIONAL) if (found := dataset(file, name)) is not None}
    lacking = [name for name in _NEEDED if name not in columns] + ["dt"] * ("dt" not in stated)
    if lacking:
        raise DataError(
            f"The file lacks {', '.join(lacking)}: identification needs the actuators' commands and the joints' "
            "positions.",
            str(path),
            "Give HDF5 with the datasets commands and qpos and the attribute dt.",
        )
    for name, column in columns.items():
        if column.shape is None or column.dtype.kind not in "biuf":
            words = f"'{name}' holds text or records where numbers are needed."
            raise DataError(words, str(path), f"Give it as {(_NEEDED | _OPTIONAL)[name]}.")
    arrays = {name: np.asarray(column, float) for name, column in columns.items()}
    for name in ("commands", "qpos"):
        if arrays[name].ndim != 3:
            raise DataError(f"'{name}' has {arrays[name].ndim} dimensions, not 3.", str(path), "Give (n, time, width).")
    if "qvel" not in arrays:  # not measured
        arrays["qvel"] = np.full(arrays["qpos"].shape, np.nan)
    noise = ("position_noise", "velocity_noise")
    numbers: dict[str, Any] = {name: float(stated[name]) for name in ("dt", *noise) if name in stated}
    ramp = float(stated.get("ramp", 1))
    if not ramp.is_integer():
        raise ValueError(f"a ramp of {ramp:g} parts")
    given: dict[str, Any] = {**arrays, **numbers}
    return Trajectories(**given, ramp=int(ramp), source=str(path))
