"""A dock of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class PanelInfo:
    """A dock of the window. ``factory`` is called on the UI thread with the window's state.

    ``help`` is the page of ``assets/help`` that F1 opens where this panel has the focus; empty: its keys alone.
    """

    id: str
    title: str
    summary: str
    area: Literal["left", "right", "bottom", "center"]
    order: int
    factory: Callable[..., object]
    reference: str = ""
    help: str = ""
    shortcuts: Mapping[str, str] = field(default_factory=dict)
