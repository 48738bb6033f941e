"""Episodes of a higher control rate, as a task of a lower one would have recorded them."""

from __future__ import annotations

import numpy as np

from studio.contracts import Episodes
from studio.data.columns import Array

TOLERANCE = 0.01  # share by which a rate may be off


def frames_per_step(recorded_hz: float, control_hz: float) -> int | None:
    """Return how many recorded frames make one control step; None where that is no whole number."""
    ratio = recorded_hz / control_hz
    whole = max(1, round(ratio))
    return whole if abs(ratio - whole) <= TOLERANCE * whole else None


def downsampled(episodes: Episodes, frames: int) -> Episodes:
    """Return episodes of which each step is ``frames`` of the old ones.

    A step is observed at its first frame. Its action is the mean of theirs, because an action says how fast to move in
    the share of what is possible; its reward is their sum. The last step may have fewer frames.
    """
    if frames == 1:
        return episodes
    firsts, lengths = [], []
    for start, length in zip(episodes.starts, episodes.lengths, strict=True):
        steps = np.arange(start, start + length, frames)
        firsts.append(steps)
        lengths.append(len(steps))
    rows = np.concatenate(firsts)
    counts = np.diff(np.append(rows, episodes.frames))

    def summed(values: Array) -> Array:
        return np.add.reduceat(values, rows, axis=0)

    mean = summed(episodes.actions) / counts[:, None]
    return Episodes(
        {key: value[rows] for key, value in episodes.observations.items()},
        mean.astype(episodes.actions.dtype),
        np.array(lengths),
        None if episodes.rewards is None else summed(episodes.rewards),
        None if episodes.states is None else episodes.states[rows],
        dict(episodes.attributes),
    )
