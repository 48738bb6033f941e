"""Recordings that do not fit are refused in one sentence that says what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from studio.errors import DataError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sysid import Trajectories, identify, read_recordings, record, write_recordings

ARM = Domain(embodiment="ur5_6dof", task="reach")
REGISTRY = Registry()
NAN, INF = float("nan"), float("inf")

BAD: dict[str, tuple[Callable[[Trajectories], Trajectories], str]] = {
    "no parts": (lambda t: replace(t, ramp=0), "'ramp' is 0"),
    "fewer than no parts": (lambda t: replace(t, ramp=-1), "'ramp' is -1"),
    "endless steps": (lambda t: replace(t, dt=INF), "'dt' is inf"),
    "no number for a step": (lambda t: replace(t, dt=NAN), "'dt' is nan"),
    "steps back": (lambda t: replace(t, dt=-0.02), "'dt' is -0.02"),
    "noise that is no number": (lambda t: replace(t, position_noise=NAN), "'position_noise' is nan"),
    "less than no noise": (lambda t: replace(t, velocity_noise=-1.0), "'velocity_noise' is -1"),
    "too wide a command before": (lambda t: replace(t, before=np.zeros((1, 9))), r"'before' has the shape \(1, 9\)"),
    "a flat command before": (lambda t: replace(t, before=np.zeros(6)), r"'before' has the shape \(6,\)"),
    "too many beginnings": (
        lambda t: replace(t, initial_qpos=np.zeros((3, 6))),
        r"'initial_qpos' has the shape \(3, 6\); 1 recordings on this model need \(1, 6\)",
    ),
    "too narrow a beginning": (lambda t: replace(t, initial_qvel=np.zeros((1, 5))), "'initial_qvel' has the shape"),
    "a beginning that is no number": (
        lambda t: replace(t, initial_qpos=np.full((1, 6), NAN)),
        "'initial_qpos' holds NaN or infinity, first in recording 0",
    ),
    "an endless command before": (lambda t: replace(t, before=np.full((1, 6), INF)), "'before' holds NaN or infinity"),
}


@pytest.fixture(scope="module")
def good() -> Trajectories:
    return record(resolve(ARM, REGISTRY), None, 1, 0)


@pytest.mark.parametrize("kind", BAD)
def test_what_does_not_fit_is_named(kind: str, good: Trajectories, tmp_path: Path) -> None:
    spoil, words = BAD[kind]
    write_recordings(spoil(good), tmp_path / "bad.h5")
    with pytest.raises(DataError, match=words) as caught:
        identify(resolve(ARM, REGISTRY), read_recordings(tmp_path / "bad.h5"), ("mass",), method="sysid")
    assert caught.value.field == str(tmp_path / "bad.h5") and caught.value.remedy


@pytest.mark.parametrize("ramp", [2.5, INF, NAN])
def test_a_ramp_is_a_whole_number(ramp: float, good: Trajectories, tmp_path: Path) -> None:
    write_recordings(good, tmp_path / "bad.h5")
    with h5py.File(tmp_path / "bad.h5", "a") as file:
        file.attrs["ramp"] = ramp
    with pytest.raises(DataError, match=f"a ramp of {ramp:g} parts"):
        read_recordings(tmp_path / "bad.h5")


def test_columns_without_numbers_are_named(good: Trajectories, tmp_path: Path) -> None:
    path = tmp_path / "bad.h5"
    write_recordings(good, path)
    with h5py.File(path, "a") as file:
        del file["qvel"], file["commands"]
        file["qvel"], file["commands"] = "text", h5py.SoftLink("/nowhere")
    with pytest.raises(DataError, match="lacks commands:"):
        read_recordings(path)
    with h5py.File(path, "a") as file:
        del file["commands"]
        file["commands"] = good.commands
    with pytest.raises(DataError, match="'qvel' holds text or records where numbers are needed"):
        read_recordings(path)
