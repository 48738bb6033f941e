"""A dataset layout on disk: what to read from a file, what a file holds, and the format that reads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from studio.contracts.episodes import Episodes
from studio.errors import DataError


@dataclass(frozen=True)
class Reading:
    """What is read of a dataset; by default all of it.

    Args:
        episodes: how many at most, the first ones; None: all.
        split: the file's named list that they come from; empty: the whole file.
        entries: the observations (``joint_pos``, ``goal``, ``image`` …), each of which must be valid; None: those
            that are valid.
        camera: key of the images, as the file calls it; empty: the only images that there are.
        further: (entry, key) of the images of further cameras.
    """

    episodes: int | None = None
    split: str = ""
    entries: frozenset[str] | None = None
    camera: str = ""
    further: tuple[tuple[str, str], ...] = ()


WHOLE = Reading()


@dataclass(frozen=True)
class Fault:
    """Something in a file that cannot be learned from.

    Args:
        key: what it is of, as the file calls it; empty: of episodes as a whole.
        message: names episode and key.
    """

    key: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Note:
    """What is converted, left out or assumed.

    Args:
        key: what it is of, as the file calls it; empty: of episodes as a whole.
    """

    key: str
    sentence: str


@dataclass(frozen=True)
class Survey:
    """What a dataset holds, and what of it cannot be read. All but ``episodes`` and ``splits`` is of the episodes that
    the reading asked for.

    Args:
        title: the format's.
        episodes: how many there are in the split, or in the file.
        lengths: actions of each episode.
        action_range: lowest and highest component.
        not_finite: the episodes whose actions hold NaN or infinity.
        keys: entry → what the file calls it, of those that any episode has; images are under ``images``.
        widths: entry → width.
        observations: key → what ``inspect`` shows of it: shape without frames, dtype.
        cameras: key of images → name of the camera that saw them.
        images: key → (height, width), px, of those that are valid.
        splits: named list of episodes → how many of them there are.
        control_hz: actions a second; None where the file does not say.
        recorded: what the file says of the domain it comes from: ``task``, ``embodiment``, ``control``, ``camera`` in
            the studio's words, ``environment`` in its own.
        final_states: keys with one frame more than there are actions, the final state, which is left out.
    """

    title: str
    episodes: int
    lengths: tuple[int, ...]
    action_width: int
    action_range: tuple[float, float]
    not_finite: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    observations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cameras: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    splits: Mapping[str, int] = field(default_factory=dict)
    control_hz: float | None = None
    recorded: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    notes: tuple[Note, ...] = ()
    final_states: tuple[str, ...] = ()

    def faults_of(self, keys: Collection[str]) -> list[Fault]:
        """Return what is wrong with the episodes as a whole, and with these keys of theirs."""
        return [fault for fault in self.faults if not fault.key or fault.key in keys]

    def notes_of(self, keys: Collection[str] | None = None) -> list[str]:
        """Return what is converted, left out or assumed of the episodes as a whole and of these keys; None: of all."""
        found = [note.sentence for note in self.notes if keys is None or note.key in ("", *keys)]
        if longer := [f"'{key}'" for key in self.final_states if keys is None or key in keys]:
            verb = "has" if len(longer) == 1 else "have"
            found.append(
                f"{', '.join(longer)} {verb} one frame more than there are actions: the last one, the final state, is "
                "left out."
            )
        return found

    def plain(self) -> dict[str, Any]:
        """Return what ``inspect`` shows."""
        sizes = [list(size) for size in self.images.values()]
        return {
            "kind": "dataset",
            "format": self.title,
            "episodes": self.episodes,
            "frames": sum(self.lengths),
            "frames_per_episode": [min(self.lengths), max(self.lengths)],
            "action_width": self.action_width,
            "action_range": list(self.action_range),
            "episodes_with_nan": list(self.not_finite),
            "image_size": sizes[0][0] if sizes else 0,
            "observations": {key: dict(about) for key, about in self.observations.items()},
            "images": {key: list(size) for key, size in self.images.items()},
            "splits": dict(self.splits),
            "control_hz": self.control_hz,
            **dict.fromkeys(("environment", "embodiment", "task", "control", "camera"), ""),
            **self.recorded,
            "problems": [f"{fault.message} {fault.remedy}" for fault in self.faults],
            "notes": self.notes_of(),
        }


class SplitError(DataError):
    """The split that is asked for is not there, or empty."""


class Format:
    """A dataset layout on disk."""

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]

    def sniff(self, path: Path) -> bool:
        """Whether the file looks like this layout. Cheap; never raises."""
        raise NotImplementedError

    def survey(self, path: Path, reading: Reading = WHOLE) -> Survey:
        """Return what a reading would find: all that :meth:`read` would refuse is among its faults.

        Raises:
            SplitError: the split is not there, or empty.
            DataError: the file cannot be opened, or holds no episodes at all.
        """
        raise NotImplementedError

    def read(self, path: Path, reading: Reading = WHOLE) -> Episodes:
        """Return the episodes, images as (frames, height, width, 3) uint8.

        Raises:
            DataError: something that was asked for is missing or broken; the first of the survey's faults.
        """
        raise NotImplementedError

    def write(self, episodes: Episodes, path: Path) -> None:
        """Write to a temporary name, then rename."""
        raise NotImplementedError
