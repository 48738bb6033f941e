"""What the render thread hands to the window with every picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PySide6.QtGui import QImage

from studio.contracts import Ghost
from studio.contracts.decorations import Color
from widgets.viewport.field_watcher import Reading
from widgets.viewport.model_sheet import NO_MODEL, ModelSheet
from widgets.viewport.orbit_camera import FREE


@dataclass(frozen=True)
class Frame:
    """What the viewport shows.

    ``image`` is None where there is only a ``message`` to read; at a coarse level it has fewer pixels than the view.
    """

    image: QImage | None = None
    inset: QImage | None = None
    message: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    playing: bool = False
    waiting: bool = False  # for the training's first policy
    preview: bool = False
    fps: float = 0.0
    speed: float = 0.0  # simulated seconds in a second, measured
    level: int = 0  # of quality, an index of widgets.viewport.scene_renderer.LEVELS
    camera: str = FREE
    cameras: tuple[str, ...] = ()
    model: int = 0  # counts the models shown
    sheet: ModelSheet = NO_MODEL  # the same object as long as the model is
    moment: tuple[int, int, float] = (0, 0, 0.0)  # entry of the history or frame of the episode, how many, s apart
    selected: str = ""  # name of the body the mouse may pull
    by_hand: bool = False  # actuators obey their sliders
    filmed: float | None = None  # s of film so far; None: none is being made
    joints: np.ndarray | None = None  # (njnt,), NaN for other than hinges and slides; None: not inspected
    actuators: np.ndarray | None = None  # (nu,)
    context: np.ndarray | None = None  # (components,) of a family of tasks
    readings: tuple[Reading, ...] = ()  # of the watched fields
    # of a recorded episode, or a policy's evaluations of its steps: the same object until there are more
    traces: Mapping[str, np.ndarray] | None = None
    ghosts: tuple[Ghost, ...] = ()  # that the picture shows
    named_colors: tuple[tuple[str, Color], ...] = ()  # that the legend names below the ghosts
    legend: tuple[str, float] | None = None  # of the colored path: what it shows, and how much has the full color
