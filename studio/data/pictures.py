"""Convert images as files store them to those that policies see: (frames, height, width, 3) uint8, RGB.

Channels may come first or last, be gray or have an alpha; values may be 8 or 16 bits, or fractions from 0 to 1. Where
shape and values are ambiguous, images are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from studio.data.columns import Array, Column, InvalidColumn, NotFinite, shape_of

CHANNELS = {1: "gray", 3: "", 4: "RGBA"}
FRACTION = 1 + 1e-3  # resized images overshoot a little
SMALLEST_BRIGHT = 2.0  # a floating image that reaches no further may be of either kind


def is_rgb(column: Column) -> bool:
    """Return whether a column's type and shape are those of RGB images: nothing else has them."""
    shape = column.shape
    return shape is not None and len(shape) == 4 and shape[3] == 3 and column.dtype == np.uint8


@dataclass(frozen=True)
class Layout:
    """Where height, width and channels are in a column of images."""

    height: int
    width: int
    channels: int
    first: bool = False  # channels come before height and width
    bare: bool = False  # (frames, height, width): gray

    @property
    def note(self) -> str:
        """What has to be converted, in words; empty: nothing."""
        order = "stored with channels first" if self.first else ""
        return ", ".join(part for part in (CHANNELS[self.channels], order) if part)


def layout_of(column: Column) -> Layout:
    """Return where height, width and channels are.

    Raises:
        InvalidColumn: it is no column of images.
    """
    shape = shape_of(column, (3, 4), "frames × height × width × 3")
    if len(shape) == 3:
        layout = Layout(shape[1], shape[2], 1, bare=True)
    elif shape[3] in CHANNELS:
        layout = Layout(shape[1], shape[2], shape[3])
    elif shape[1] in CHANNELS:
        layout = Layout(shape[2], shape[3], shape[1], first=True)
    else:
        written = " × ".join(map(str, shape))
        raise InvalidColumn(f"has the shape {written}: no place has 1, 3 or 4 channels", "Write images as RGB, uint8.")
    if layout.height == 0 or layout.width == 0:
        raise InvalidColumn("holds images without pixels", "Write images as RGB, uint8.")
    return layout


@dataclass(frozen=True)
class Scale:
    """The factor that brings values to 0 to 255; ``note`` describes the values in words, empty for uint8."""

    factor: float = 1.0
    note: str = ""


def scale_of(columns: Iterable[Column]) -> Scale:
    """Return how to scale columns of images to 0 to 255. All columns together: one dark episode alone is ambiguous.

    Raises:
        InvalidColumn: their types differ, or their values are ambiguous.
    """
    columns = list(columns)
    kinds = {column.dtype for column in columns}
    if kinds <= {np.dtype(np.uint8)}:
        return Scale()
    if len(kinds) > 1:
        names = ", ".join(sorted(map(str, kinds)))
        raise InvalidColumn(f"differs in type from episode to episode ({names})", "Write all images as uint8.")
    low, high = _range(columns)
    return _scale(kinds.pop(), low, high)


def _range(columns: list[Column]) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for column in columns:
        try:
            values = np.asarray(column[:])
        except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise InvalidColumn(f"cannot be read ({error})", "Copy the file again.") from None
        if not np.all(np.isfinite(values)):
            raise NotFinite
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _scale(kind: np.dtype, low: float, high: float) -> Scale:
    if low >= 0 and kind.kind == "f":
        if high <= FRACTION:
            return Scale(255.0, f"{kind} from 0 to 1")
        if SMALLEST_BRIGHT <= high <= 255:
            return Scale(1.0, f"{kind} from 0 to 255")
    if low >= 0 and kind.kind in "iu":
        if high <= 255:
            return Scale(1.0, f"{kind} from 0 to 255")
        if kind == np.uint16 and high > np.iinfo(np.int16).max:
            return Scale(1 / 257, "16 bits deep")
    raise InvalidColumn(
        f"holds {kind} from {low:g} to {high:g}, and what they mean is not plain",
        "Write images as uint8 from 0 to 255, or as fractions from 0 to 1.",
    )


def pixels(column: Column, layout: Layout, scale: Scale, frames: int) -> Array:
    """Return the first frames of a column, (frames, height, width, 3) uint8.

    Raises:
        InvalidColumn: the column cannot be read.
    """
    try:
        values = np.asarray(column[:frames])
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise InvalidColumn(f"cannot be read ({error})", "Copy the file again.") from None
    if layout.bare:
        values = values[..., None]
    elif layout.first:
        values = np.moveaxis(values, 1, -1)
    if values.dtype != np.uint8:
        values = np.clip(np.rint(values * scale.factor), 0, 255).astype(np.uint8)
    if layout.channels == 1:
        return np.repeat(values, 3, axis=-1)
    return np.ascontiguousarray(values[..., :3])
