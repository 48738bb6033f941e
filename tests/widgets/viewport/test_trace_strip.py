"""The traces under the picture: curves have gaps where there is no number, and rounding is no movement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QRect

from widgets.viewport.trace_strip import Traces, lane_points

LANE = QRect(0, 0, 100, 40)


def test_a_curve_ends_with_its_last_number() -> None:
    (path,) = lane_points(np.array([[0.0], [1.0], [0.5], [np.nan], [np.nan], [np.nan]]), LANE)
    moved, drawn = path.elementAt(0), [path.elementAt(i) for i in range(path.elementCount())]
    assert moved.isMoveTo() and max(e.x for e in drawn if e.isLineTo()) == 40, "2 of 5 intervals"


def test_rounding_is_drawn_as_the_constant_it_is() -> None:
    noise = 1 + np.array([0, 1, -1, 0]) * np.finfo(float).eps
    (path,) = lane_points(-15.0 * noise[:, None], LANE)
    assert len({path.elementAt(i).y for i in range(path.elementCount())}) == 1
    (path,) = lane_points(np.array([[-15.0], [-15.001]]), LANE)
    assert len({path.elementAt(i).y for i in range(path.elementCount())}) == 2


def test_no_number_is_read_where_there_is_none(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    strip, read = Traces(), []
    qtbot.addWidget(strip)
    monkeypatch.setattr(strip, "_write", lambda painter, text, *_: read.append(text))
    strip.set_lanes([("Score", np.array([[-0.0832], [np.nan]]))])
    for frame in (0, 1):
        strip.set_frame(frame)
        strip.grab()
    assert [text for text in read if text != "Score"] == ["-0.0832", "–"]
