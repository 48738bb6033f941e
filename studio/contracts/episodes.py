"""Episodes in memory: flat arrays over frames, and their checks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from studio.errors import DataError

Array = np.ndarray


@dataclass
class Episodes:
    """Demonstrations, all frames of all episodes one after the other.

    ``observations`` maps ``image`` (frames, h, w, 3) uint8, ``joint_pos``, ``eef_pos``, ``goal`` to arrays;
    ``actions`` is (frames, dof) in [−1, 1], or (frames, 1) numbers of choices where they are ``discrete``; ``lengths``
    (episodes,) splits the frames.
    """

    observations: dict[str, Array]
    actions: Array
    lengths: Array
    rewards: Array | None = None
    states: Array | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    discrete: bool = False

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def frames(self) -> int:
        """Number of frames in all episodes."""
        return len(self.actions)

    @property
    def starts(self) -> Array:
        """Index of each episode's first frame."""
        return np.concatenate([[0], np.cumsum(self.lengths)[:-1]]).astype(int)

    def take(self, count: int) -> Episodes:
        """Return the first ``count`` episodes."""
        frames = int(self.lengths[:count].sum())
        return Episodes(
            {key: value[:frames] for key, value in self.observations.items()},
            self.actions[:frames],
            self.lengths[:count],
            None if self.rewards is None else self.rewards[:frames],
            None if self.states is None else self.states[:frames],
            dict(self.attributes),
            self.discrete,
        )

    def check(self, where: str, width: int | None = None, keys: Iterable[str] = ()) -> None:
        """Raise DataError where the episodes are empty, hold NaN, or do not fit the embodiment."""
        if len(self) == 0 or self.frames == 0:
            raise DataError("The dataset holds no episodes.", where, "Choose one with at least one demonstration.")
        if not np.all(np.isfinite(self.actions)):
            bad = int(np.argmax(~np.isfinite(self.actions).all(1)))
            episode = int(np.searchsorted(np.cumsum(self.lengths), bad, side="right"))
            raise DataError(
                f"The actions hold NaN or infinity, first in episode {episode}.", where, "Remove those episodes."
            )
        if self.discrete and not np.all((self.actions >= 0) & (self.actions == np.floor(self.actions))):
            raise DataError(
                "Some actions are no numbers of choices.", where, "Write a choice as a whole number, counted from 0."
            )
        if not self.discrete and np.abs(self.actions).max() > 1 + 1e-4:
            raise DataError(
                f"Actions reach {np.abs(self.actions).max():.3g}, outside [-1, 1].",
                where,
                "Normalize them as robomimic does.",
            )
        if width is not None and self.actions.shape[1] != width:
            raise DataError(
                f"Actions are {self.actions.shape[1]} wide; this embodiment and control need {width}.",
                where,
                "Choose the embodiment the data was recorded on, or the other control.",
            )
        for key in keys:
            if key not in self.observations:
                has = ", ".join(self.observations) or "none"
                raise DataError(f"The observations lack '{key}' (there are: {has}).", where, "Choose another dataset.")
        for key, value in self.observations.items():
            if value.dtype.kind == "f" and not np.all(np.isfinite(value)):
                raise DataError(f"Observation '{key}' holds NaN or infinity.", where, "Remove those episodes.")

    def statistics(self) -> dict[str, dict[str, Array]]:
        """Return mean, standard deviation, min, max and the 1st and 99th percentile over frames of the actions and
        observations, images aside."""
        arrays = {"actions": self.actions} | {k: v for k, v in self.observations.items() if v.dtype != np.uint8}
        return {
            key: {"mean": v.mean(0), "std": v.std(0), "min": v.min(0), "max": v.max(0)}
            | dict(zip(("q01", "q99"), np.quantile(v, (0.01, 0.99), axis=0), strict=True))
            for key, v in arrays.items()
        }
