"""A dock of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable


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


@runtime_checkable
class ShowsFields(Protocol):
    """A panel in which fields of the experiment are edited."""

    def show_field(self, dotted: str, /) -> bool:
        """Give a field the focus; return False where the panel does not have it."""


@runtime_checkable
class ShutsDown(Protocol):
    """A panel, or a widget in one, with threads of its own."""

    def shut_down(self) -> None:
        """End them, and wait for their end: the window is being closed."""
