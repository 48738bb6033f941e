"""What drawing costs the UI thread while a training runs: calls from Python, and the times of large plots and lists.

Every call from Python into Qt may hand the interpreter to the training thread and wait for it to come back; their
number decides how late the window answers and how fast the training goes, and it is the same on every machine.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from _report import finish, row

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from plugins.panels.curves import CurvesPanel
from plugins.panels.viewport import ViewportPanel
from studio.events import DeviceSample, MetricsLogged, StateChanged
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.sim.domains import resolve
from widgets.curves.data import RunData
from widgets.shell.app_state import AppState
from widgets.style import theme
from widgets.viewport.frame import Frame
from widgets.viewport.render_stage import Stage

LOSS = ("loss", "adapt")
INTERVAL = 1 / 30  # s, of a picture


def calls(work: Callable[[], Any]) -> int:
    """Count the calls that Python makes in ``work``: its own functions', and those into Qt, MuJoCo and numpy."""
    made = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return made


def settle() -> None:
    """Handle what waits in the event queue."""
    for _ in range(5):
        QApplication.processEvents()


def wait(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Handle events until something holds. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError
        QApplication.processEvents()
        time.sleep(0.005)


def loss(step: int) -> MetricsLogged:
    """Numbers of one iteration."""
    return MetricsLogged("adapt", step, step * 0.05, {"loss": 1 + 0.1 * math.sin(step)}, {"loss": ""})


def long_run(folder: Path) -> RunData:
    """A finished run of 5,000 points."""
    run = RunData(folder, folder.name)
    for step in range(5000):
        run.add_metrics("adapt", step, step * 0.1, {"loss": 1 + math.cos(step / 20) + int(folder.name[1:]) / 10}, {})
    return run


def curves(runs_folder: Path) -> list[dict[str, Any]]:
    """Measure the plots that follow a running session."""
    app_state = AppState(runs_folder)
    panel = CurvesPanel(app_state)
    panel.resize(900, 330)
    panel.show()
    app_state.events.emit([StateChanged(str(runs_folder / "first"), "running")])
    app_state.events.emit([loss(step) for step in range(1, 300)])
    app_state.events.emit([DeviceSample(150.0, 900.0, math.nan, math.nan)])
    wait(lambda: LOSS in panel.view.plots and panel.view.is_drawn)
    settle()
    plot, spent = panel.view.plots[LOSS], []
    cached = calls(plot.view.viewport().repaint)
    for step in range(300, 320):
        app_state.events.emit([loss(step)])
        spent.append(calls(lambda: (panel.view.redraw(), settle())))
    rows = [
        row("a plot painted from the cache", cached, "calls", "< 120", cached < 120),
        row("new numbers, median", median(spent), "calls", "< 800", median(spent) < 800),
        row("new numbers, at most", max(spent), "calls", "< 2000", max(spent) < 2000),
    ]
    app_state.events.emit([loss(step) for step in range(320, 100_000)])
    began = time.perf_counter()
    app_state.events.emit([loss(step) for step in range(100_000, 101_000)])
    taken = 1000 * (time.perf_counter() - began)
    rows.append(row("1,000 more points after 100,000", taken, "ms", "< 200", taken < 200))
    panel.hide()
    app_state.close()
    return rows


def panning(runs_folder: Path) -> list[dict[str, Any]]:
    """Measure moving along x over twenty runs of 5,000 points."""
    app_state = AppState(runs_folder)
    panel = CurvesPanel(app_state, load_run=long_run)
    panel.resize(1000, 420)
    panel.show()
    app_state.runs_selected.emit([runs_folder / f"r{i}" for i in range(20)])
    wait(lambda: len(panel.view.runs) == 20 and panel.view.is_drawn and not panel.feed.is_reading)
    plot, spent = panel.view.plots[LOSS], []
    for shift in range(15):
        plot.box.setXRange(1000 + 30 * shift, 4000 + 30 * shift, padding=0)
        began = time.perf_counter()
        plot.box.prepareForPaint()
        plot.view.viewport().repaint()
        spent.append(1000 * (time.perf_counter() - began))
    panel.hide()
    app_state.close()
    return [row("panning 20 runs of 5,000 points", median(spent), "ms", "< 25", median(spent) < 25)]


def viewport(runs_folder: Path) -> list[dict[str, Any]]:
    """Measure what the window does with each picture of a robot that is played."""
    app_state = AppState(runs_folder)
    panel = ViewportPanel(app_state)
    panel.resize(600, 460)
    panel.show()
    settle()
    image = QImage(panel.view.width() // 2, panel.view.height() // 2, QImage.Format.Format_RGB32)
    image.fill(0x405060)
    spent, cameras = [], ("front", "top")  # the same object as long as the model is
    for step in range(40):
        info = {"episode": 1, "step": step, "time": step / 20, "successes": 0}
        frame = Frame(
            image,
            info=info,
            playing=True,
            fps=30.0 + step % 2,
            speed=1.0,
            cameras=cameras,
            moment=(step, step + 1, 0.05),
        )
        spent.append(calls(lambda frame=frame: (panel.thread_.publish(frame), QApplication.processEvents())))
    panel.shut_down()
    app_state.close()
    return [row("the window takes a picture", median(spent), "calls", "< 45", median(spent) < 45)]


def drawing() -> list[dict[str, Any]]:
    """Measure how the render thread steps a robot and draws a picture of it."""
    from studio.viewer.player import Player

    stage, now, spent = Stage(), time.perf_counter(), []
    stage.obey("player", lambda: Player(resolve(Experiment().target, shared_registry())))
    stage.obey("size", (200, 150))
    for _ in range(60):
        now += INTERVAL
        time.sleep(max(0.0, now - time.perf_counter()))
        spent.append(calls(lambda now=now: stage.draw(stage.advance(now, INTERVAL), INTERVAL, 0.0)))
    stage.close()
    return [row("a picture of a robot", median(spent[10:]), "calls", "< 230", median(spent[10:]) < 230)]


def main() -> None:
    app = QApplication([])
    theme.apply(app)
    with tempfile.TemporaryDirectory() as place:
        runs = Path(place)
        finish([*curves(runs), *panning(runs), *viewport(runs), *drawing()])


if __name__ == "__main__":
    main()
