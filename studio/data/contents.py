"""Examine a file's contents and return a survey of them, or the episodes themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from studio.contracts import Episodes, Reading, Survey
from studio.data.columns import Array, InvalidColumn
from studio.data.findings import Findings
from studio.data.recorded import (
    Actions,
    Images,
    RecordedEpisode,
    find_images,
    read_actions,
    read_extra,
    read_instructions,
    read_numbers,
)
from studio.errors import DataError

Attributes = Mapping[str, str | bool | int | float]


@dataclass(frozen=True)
class Contents:
    """What a format found in a file, before any column is read.

    Args:
        where: the file.
        episodes: the ones that the reading asks for.
        total: how many there are in the split, or in the file.
        keys: entry → the file's name for it, for entries that at least one episode has.
        cameras: key of images → name of the camera that saw them.
        splits: named list of episodes → how many of them there are.
        control_hz: actions a second; None where the file does not say.
        recorded: what the file says of its domain; see :class:`Survey`.
        attributes: kept with the episodes.
        findings: faults and notes so far.
    """

    where: str
    episodes: list[RecordedEpisode]
    total: int
    keys: Mapping[str, str]
    cameras: Mapping[str, str]
    splits: Mapping[str, int] = field(default_factory=dict)
    control_hz: float | None = None
    recorded: Mapping[str, str] = field(default_factory=dict)
    attributes: Attributes = field(default_factory=dict)
    findings: Findings = field(default_factory=Findings)


class Examined:
    """The contents of a file that a reading asks for; images are found, all else is read at once.

    Raises:
        DataError: no episode has actions that can be read.
    """

    def __init__(self, contents: Contents, reading: Reading) -> None:
        self._contents, self._reading, self._findings = contents, reading, contents.findings
        self._discrete = contents.recorded.get("control") == "discrete"
        self._actions: Actions = read_actions(contents.episodes, self._findings, self._discrete)
        if not self._actions.episodes:
            raise self._refusal({""})
        self._numbers: dict[str, list[Array]] = {}
        for entry, key in contents.keys.items():
            if not self._is_wanted(entry):
                continue
            if entry == "instruction":
                values = read_instructions(self._actions, self._findings)
            else:
                values = read_numbers(self._actions, key, self._findings)
            if values is not None:
                self._numbers[entry] = values
        self._images: dict[str, Images] = {}
        asked = {reading.camera, *(key for _, key in reading.further)}
        for key in contents.cameras if self._is_wanted("image") else ():
            wanted = key in asked or not reading.camera
            images = find_images(self._actions, key, self._findings) if wanted else None
            if images is not None:
                self._images[key] = images
        self._extras = {key: read_extra(self._actions, key, self._findings) for key in ("rewards", "states")}

    def survey(self, title: str) -> Survey:
        """Return what the file holds, and which parts of it cannot be read."""
        contents, actions = self._contents, np.concatenate([*self._actions.values.values()])
        observations = {
            key: {"shape": list((column.shape or (0,))[1:]), "dtype": str(column.dtype)}
            for episode in reversed(contents.episodes)
            for key, column in episode.observations.items()
        }
        return Survey(
            title=title,
            episodes=contents.total,
            lengths=tuple(self._actions.lengths),
            action_width=actions.shape[1],
            action_range=(float(actions.min()), float(actions.max())),
            not_finite=tuple(self._actions.not_finite),
            keys=contents.keys,
            widths={entry: values[0].shape[1] for entry, values in self._numbers.items()},
            observations=dict(sorted(observations.items())),
            cameras=contents.cameras,
            images={key: images.size for key, images in self._images.items()},
            splits=contents.splits,
            control_hz=contents.control_hz,
            recorded=contents.recorded,
            faults=self._findings.faults(),
            notes=tuple(self._findings.notes),
            final_states=tuple(self._findings.final_states),
        )

    def episodes(self) -> Episodes:
        """Return the episodes.

        Raises:
            DataError: something that was asked for is missing or invalid.
        """
        contents, asked = self._contents, self._reading.entries
        camera = self._camera()
        seen = dict(self._reading.further) if camera is None else {"image": camera, **dict(self._reading.further)}
        keys = {**contents.keys, **seen}
        for entry in sorted(asked or ()):
            if entry not in keys:
                has = ", ".join(keys) or "none"
                raise DataError(f"The observations lack '{entry}' (there are: {has}).", contents.where, _ANOTHER)
        refused = {""} | {keys[entry] for entry in asked or ()}
        if refused & self._findings.keys():
            raise self._refusal(refused)
        observations = {entry: np.concatenate(values) for entry, values in self._numbers.items()}
        for entry, key in seen.items():
            if key not in self._images:
                continue
            try:
                observations[entry] = self._images[key].read(self._actions)
            except InvalidColumn as error:
                raise DataError(f"'{key}' {error.what}.", contents.where, error.remedy) from None
        rewards, states = (
            None if values is None else np.concatenate(values)
            for values in (self._extras["rewards"], self._extras["states"])
        )
        return Episodes(
            observations,
            np.concatenate([*self._actions.values.values()]),
            np.array(self._actions.lengths),
            rewards[:, 0] if rewards is not None and rewards.shape[1] == 1 else rewards,
            states,
            dict(contents.attributes),
            self._discrete,
        )

    def _camera(self) -> str | None:
        """Return the key of the images to read; None where there are none, or where there are several to choose from
        and none was chosen."""
        cameras = self._contents.cameras
        if self._reading.camera:
            return self._reading.camera if self._reading.camera in cameras else None
        return next(iter(cameras)) if len(cameras) == 1 else None

    def _is_wanted(self, entry: str) -> bool:
        return self._reading.entries is None or entry in self._reading.entries

    def _refusal(self, keys: set[str]) -> DataError:
        fault = next(fault for fault in self._findings.faults() if fault.key in keys)
        return DataError(fault.message, self._contents.where, fault.remedy)


_ANOTHER = "Choose another dataset."
