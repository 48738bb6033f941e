"""What the studio makes of a dataset file: refused in plain words, or read as what it is; anything else is an error."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from studio.contracts import Episodes
from studio.data.datasets import demonstrations, examine, read_dataset
from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.store.inspect import describe

THEIRS = {"joint_pos": "robot0_joint_pos", "eef_pos": "robot0_eef_pos", "goal": "object"}


def outcome(domain: Domain, registry: Registry) -> str:
    """Return "refused" or "read". Raises AssertionError where words are not plain or values are not the file's, and
    whatever the studio raises that is no StudioError."""
    assert domain.dataset is not None
    path, resolved = domain.dataset, resolve(domain, registry)
    about = _tried(lambda: describe(path))
    if about is not None:
        json.dumps(about, allow_nan=False)
    _tried(lambda: read_dataset(path))  # as playback does
    suits = _tried(lambda: examine(resolved))
    problems = suits is None or bool(suits.problems)
    for problem in () if suits is None else suits.problems:
        _plain_words(problem.message, problem.remedy)
    said: list[str] = []
    episodes = _tried(lambda: demonstrations(resolved, 0, say=said.append))
    assert problems == (episodes is None), "the check before the start and the run must agree"
    if episodes is None:
        return "refused"
    assert suits is not None and len(episodes) == domain.episodes
    if suits.frames == 1:
        with h5py.File(path) as file:
            _compare(episodes, file, domain.observes("image"))
    return "read"


def _tried(work: Callable[[], Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of NumPy's, about values that are none
            return work()
    except StudioError as error:
        assert error.field
        _plain_words(error.message, error.remedy)
        return None


def _plain_words(message: str, remedy: str) -> None:
    assert message and remedy and "\n" not in message, message
    assert not re.search(r"Error\b|Traceback|bug|fault|NoneType|unhashable|object has no", message), message


def _compare(episodes: Episodes, file: h5py.File, sees: bool) -> None:
    """The episodes are the file's: the frame of an action is the one that lies beside it there."""
    for start, length in zip(episodes.starts, episodes.lengths, strict=True):
        rows = slice(int(start), int(start + length))
        seen = {entry: values[rows] for entry, values in episodes.observations.items()}
        same = [
            all(np.array_equal(seen[ours], _numbers(demo["obs"][theirs])[:length]) for ours, theirs in _read(seen))
            for demo in _with_actions(file, episodes.actions[rows])
        ]
        assert any(same), "no episode of the file has these actions and these observations"
        assert not sees or (seen["image"].dtype, seen["image"].shape[-1], seen["image"].ndim) == (np.uint8, 3, 4)


def _read(seen: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    return [(ours, theirs) for ours, theirs in THEIRS.items() if ours in seen]


def _with_actions(file: h5py.File, actions: np.ndarray) -> list[h5py.Group]:
    demos = [demo for demo in file["data"].values() if isinstance(demo, h5py.Group)]
    having = [demo for demo in demos if isinstance(demo.get("actions"), h5py.Dataset) and demo["actions"].shape]
    numeric = [demo for demo in having if demo["actions"].dtype.kind in "biuf"]
    return [demo for demo in numeric if np.array_equal(_numbers(demo["actions"]), actions)]


def _numbers(column: h5py.Dataset) -> np.ndarray:
    values: np.ndarray = column[:].astype(np.float32)
    return values[:, None] if values.ndim == 1 else values
