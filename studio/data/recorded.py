"""Episodes as a file stores them, read column by column; invalid columns become findings.

An observation has one frame for each action, or one more: the final state, which no action follows and which is left
out. All formats share this module; each of them locates its columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from studio.data.columns import Array, Column, InvalidColumn, NotFinite, check_frames, numbers
from studio.data.findings import Findings
from studio.data.pictures import Layout, Scale, layout_of, pixels, scale_of
from studio.instructions import encode

OUTSIDE = 1 + 1e-4  # rounding


@dataclass(frozen=True)
class RecordedEpisode:
    """An episode of a file.

    Args:
        name: as the file calls it.
        columns: ``actions``; ``rewards`` and ``states`` where there are some.
        observations: key → column.
        instruction: the sentence that the episode carries out; None: the file does not say.
    """

    name: str
    columns: Mapping[str, Column]
    observations: Mapping[str, Column]
    instruction: str | None = None


@dataclass
class Actions:
    """The actions of those episodes that have valid ones, which are the ones that can be read."""

    episodes: list[RecordedEpisode] = field(default_factory=list)
    values: dict[str, Array] = field(default_factory=dict)  # by their names
    not_finite: list[str] = field(default_factory=list)  # names of episodes

    @property
    def lengths(self) -> list[int]:
        """Actions of each episode."""
        return [len(values) for values in self.values.values()]


def read_actions(episodes: Sequence[RecordedEpisode], findings: Findings, discrete: bool = False) -> Actions:
    """Return the valid actions, (frames, width) in [−1, 1] each, of one width.

    Args:
        discrete: they are numbers of choices instead, whole and counted from 0.
    """
    found = Actions()
    for episode in episodes:
        try:
            if "actions" not in episode.columns:
                raise InvalidColumn("is missing", "Add the actions, or remove that episode.")
            values = numbers(episode.columns["actions"])
            if len(values) == 0:
                raise InvalidColumn("holds no frames", "Remove that episode.")
            _same_width(values, found.values)
            largest = float(np.abs(values).max())
            if discrete and not np.all((values >= 0) & (values == np.floor(values))):
                raise InvalidColumn("holds values that are no numbers of choices", "Write whole numbers from 0 on.")
            if not discrete and largest > OUTSIDE:
                raise InvalidColumn(
                    f"reaches {largest:.3g}, outside [-1, 1]", "Normalize the actions as robomimic does."
                )
        except InvalidColumn as error:
            findings.invalid("", "actions", episode.name, error)
            if isinstance(error, NotFinite):
                found.not_finite.append(episode.name)
            continue
        found.episodes.append(episode)
        found.values[episode.name] = values
    return found


def read_numbers(actions: Actions, key: str, findings: Findings) -> list[Array] | None:
    """Return an observation of each episode, (frames, width); None where something is wrong with it."""
    lacking = [episode.name for episode in actions.episodes if key not in episode.observations]
    findings.lacking(key, key, lacking)
    found: dict[str, Array] = {}
    for episode, length in zip(actions.episodes, actions.lengths, strict=True):
        if key not in episode.observations:
            continue
        try:
            values = numbers(episode.observations[key])
            if check_frames(len(values), length):
                findings.final_state(key)
            _same_width(values, found)
        except InvalidColumn as error:
            findings.invalid(key, key, episode.name, error)
            continue
        found[episode.name] = values[:length]
    return list(found.values()) if len(found) == len(actions.episodes) else None


def read_instructions(actions: Actions, findings: Findings) -> list[Array] | None:
    """Return the instruction of each episode, once for every frame, (frames, 96) uint8; None where one is missing or
    too long."""
    lacking = [episode.name for episode in actions.episodes if episode.instruction is None]
    findings.lacking("instruction", "instruction", lacking)
    found = []
    for episode, length in zip(actions.episodes, actions.lengths, strict=True):
        if episode.instruction is None:
            continue
        try:
            found.append(np.repeat(encode([episode.instruction]), length, 0))
        except ValueError as error:
            wrong = InvalidColumn(f"cannot be used: {error}", "Shorten the sentence.")
            findings.invalid("instruction", "instruction", episode.name, wrong)
    return found if len(found) == len(actions.episodes) else None


def read_extra(actions: Actions, key: str, findings: Findings) -> list[Array] | None:
    """Return rewards or states of each episode, (frames, width); None where not every episode has valid ones: nothing
    is learned from them."""
    having = [episode for episode in actions.episodes if key in episode.columns]
    found: dict[str, Array] = {}
    for episode, length in zip(actions.episodes, actions.lengths, strict=True):
        try:
            if key not in episode.columns:
                raise InvalidColumn("is missing", "")
            values = numbers(episode.columns[key], np.float64)
            check_frames(len(values), length)
            _same_width(values, found)
        except InvalidColumn as error:
            if having:
                findings.note(f"{episode.name}: '{key}' {error.what}; the {key} are left out.")
            return None
        found[episode.name] = values[:length]
    return list(found.values())


@dataclass(frozen=True)
class Images:
    """The images under one key, not read yet: what their values mean, and where height, width and channels are."""

    key: str
    layouts: Sequence[Layout]
    scale: Scale

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), px."""
        return self.layouts[0].height, self.layouts[0].width

    def read(self, actions: Actions) -> Array:
        """Return the images of all episodes, (frames, height, width, 3) uint8.

        Raises:
            InvalidColumn: a column cannot be read.
        """
        parts = zip(actions.episodes, self.layouts, actions.lengths, strict=True)
        return np.concatenate([pixels(e.observations[self.key], lay, self.scale, length) for e, lay, length in parts])


def find_images(actions: Actions, key: str, findings: Findings) -> Images | None:
    """Return the images under a key; None where something is wrong with them."""
    findings.lacking(key, key, [episode.name for episode in actions.episodes if key not in episode.observations])
    layouts: dict[str, Layout] = {}
    for episode, length in zip(actions.episodes, actions.lengths, strict=True):
        column = episode.observations.get(key)
        if column is None:
            continue
        try:
            layout = layout_of(column)
            if check_frames(int(column.shape[0]), length):
                findings.final_state(key)
            _same_size(layout, layouts)
        except InvalidColumn as error:
            findings.invalid(key, key, episode.name, error)
            continue
        layouts[episode.name] = layout
    if len(layouts) < len(actions.episodes):
        return None
    try:
        scale = scale_of(episode.observations[key] for episode in actions.episodes)
    except InvalidColumn as error:
        findings.invalid(key, key, "", error)
        return None
    conversions = dict.fromkeys(note for note in (*(each.note for each in layouts.values()), scale.note) if note)
    if conversions:
        findings.note(f"The images '{key}' are {', '.join(conversions)}: they are converted to RGB, uint8.", key)
    return Images(key, [*layouts.values()], scale)


def _same_width(values: Array, others: Mapping[str, Array]) -> None:
    """Raise InvalidColumn where values are not as wide as the first of the other episodes' (name → values)."""
    for name, first in others.items():
        if values.shape[1] == first.shape[1]:
            return
        raise InvalidColumn(
            f"is {values.shape[1]} wide, and {first.shape[1]} wide in {name}", "Bring all episodes to one width."
        )


def _same_size(layout: Layout, others: Mapping[str, Layout]) -> None:
    """Raise InvalidColumn where images are not as large as the first of the other episodes' (name → layout)."""
    for name, first in others.items():
        if (layout.height, layout.width) == (first.height, first.width):
            return
        here, there = (f"{each.height} × {each.width} px" for each in (layout, first))
        raise InvalidColumn(f"is {here} (height × width), and {there} in {name}", "Bring all images to one size.")
