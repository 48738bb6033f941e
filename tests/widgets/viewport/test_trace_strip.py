"""The traces under the picture: curves have gaps where there is no number, and rounding is no movement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QRect
from PySide6.QtWidgets import QWidget

from widgets.viewport.picture_splitter import SHARE, PictureSplitter
from widgets.viewport.trace_strip import TraceStrip
from widgets.viewport.traces import LEAST, Traces, lane_points

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


def test_no_number_is_read_where_there_is_none(qtbot: Any) -> None:
    traces = Traces()
    qtbot.addWidget(traces)
    traces.set_lanes([("Score", np.array([[-0.0832], [np.nan]])), ("Action", np.zeros((2, 3)))])
    read = []
    for frame in (0, 1):
        traces.set_frame(frame)
        traces.grab()
        read.append(traces.numbers())
    assert read == [["-0.0832", ""], ["–", ""]]


@pytest.mark.parametrize("height", [400, 800])
def test_traces_take_at_most_a_share_of_the_picture(qtbot: Any, height: int) -> None:
    strip, picture = TraceStrip(), QWidget()
    picture.setMinimumSize(200, 140)
    splitter = PictureSplitter(picture, strip)
    qtbot.addWidget(splitter)
    splitter.resize(600, height)
    splitter.show()
    names = ("action", "reward", "value", "entropy", "score")
    strip.set_traces({name: np.zeros((4, 1)) for name in names})
    assert strip.isVisible() and strip.height() <= SHARE * height + 1 and picture.height() >= 0.7 * height
    assert strip.height() % LEAST == 0 or strip.height() >= strip.traces.minimumHeight(), "no lane is cut"
    assert strip.traces.height() >= max(strip.viewport().height(), LEAST * len(names)), "further lanes are scrolled to"
    splitter.moveSplitter(height - 180, 1)
    splitter.resize(600, height + 40)
    assert strip.height() == pytest.approx(180, abs=12), "a border that a person moved stays"
    strip.set_traces(None)
    qtbot.waitUntil(lambda: picture.height() == splitter.height())
