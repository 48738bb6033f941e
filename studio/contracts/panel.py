"""A dock of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class PanelInfo:
    """A dock of the window. ``factory`` is called on the UI thread with the window's state."""

    id: str
    title: str
    summary: str
    area: Literal["left", "right", "bottom", "center"]
    order: int
    factory: Callable[..., object]
    reference: str = ""
    shortcuts: Mapping[str, str] = field(default_factory=dict)
