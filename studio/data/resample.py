"""Episodes of a higher control rate, as a task of a lower one would have recorded them."""

from __future__ import annotations

import numpy as np

from studio.contracts import Episodes
from studio.data.columns import Array

TOLERANCE = 0.01  # relative error that a rate may have


def frames_per_step(recorded_hz: float, control_hz: float) -> int | None:
    """Return how many recorded frames make one control step; None where that is no whole number."""
    ratio = recorded_hz / control_hz
    whole = max(1, round(ratio))
    return whole if abs(ratio - whole) <= TOLERANCE * whole else None


def downsampled(episodes: Episodes, frames: int) -> Episodes:
    """Return episodes with one step for every ``frames`` recorded frames.

    A step has the observation of its first frame, the mean of its frames' actions, because an action is a velocity as a
    share of the greatest possible one, and the sum of their rewards. The last step may have fewer frames.
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
        episodes.discrete,
    )
