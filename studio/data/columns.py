"""A column of a recorded episode: its numbers, frame by frame, or a sentence on what is wrong with it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

Array = np.ndarray


class Column(Protocol):
    """An array that lies in a file; ``h5py.Dataset`` is one."""

    @property
    def shape(self) -> Any:
        """The column's shape; None where it holds nothing at all."""

    @property
    def dtype(self) -> np.dtype:
        """The type of its numbers."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Return rows, read from the disk."""


class InvalidColumn(Exception):
    """A column that cannot be learned from.

    Args:
        what: follows the column's name: "has 9 frames for 11 actions".
        remedy: what to do about it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class NotFinite(InvalidColumn):
    """A column that holds NaN or infinity."""

    def __init__(self) -> None:
        super().__init__("holds NaN or infinity", "Remove that episode.")


def shape_of(column: Column, dimensions: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """Return a column's shape.

    Args:
        dimensions: how many it may have.
        layout: what they mean.

    Raises:
        InvalidColumn: it holds no numbers, or has other dimensions.
    """
    shape = column.shape
    if shape is None or column.dtype.kind not in "biuf":
        found = "nothing" if shape is None else "text or records"
        raise InvalidColumn(f"holds {found} where numbers are needed", "Write it as an array of numbers.")
    if len(shape) not in dimensions:
        written = " × ".join(map(str, shape)) or "a single number"
        raise InvalidColumn(f"has the shape {written}; {layout} is needed", "Write it in that shape.")
    return tuple(int(length) for length in shape)


def check_frames(length: int, actions: int) -> bool:
    """Return whether there is one frame more than there are actions: the final state.

    Raises:
        InvalidColumn: there is another number of frames.
    """
    if length not in (actions, actions + 1):
        raise InvalidColumn(
            f"has {_counted(length, 'frame')} for {_counted(actions, 'action')}",
            "Write one for each action, or one more: the final state.",
        )
    return length == actions + 1


def numbers(column: Column, dtype: type = np.float32) -> Array:
    """Return a column as (frames, width); one of single numbers has the width 1.

    Raises:
        InvalidColumn: it holds something else, or NaN or infinity, or cannot be read.
    """
    shape = shape_of(column, (1, 2), "frames × width")
    try:
        with np.errstate(over="ignore"):
            values: Array = np.asarray(column[:]).astype(dtype)
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise InvalidColumn(f"cannot be read ({error})", "Copy the file again.") from None
    if not np.all(np.isfinite(values)):
        raise NotFinite
    return values.reshape(shape[0], 1) if values.ndim == 1 else values


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
