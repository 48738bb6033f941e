"""What averaging over seeds costs: 200 runs of 10,000 points, shown at once, and panned."""

from __future__ import annotations

import os
import time
from pathlib import Path
from statistics import median

from _report import finish, row

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from widgets.curves.data import RunData, Series
from widgets.curves.view import CurveView
from widgets.style import theme

RUNS, SEEDS, POINTS, FRAMES, REPEATS = 200, 5, 10_000, 60, 3
LOSS = ("loss", "adapt")


def runs(grouped: bool) -> list[RunData]:
    """Noisy losses of 40 configurations with 5 seeds each."""
    rng, steps, made = np.random.default_rng(0), np.arange(POINTS), []
    for number in range(RUNS):
        run = RunData(Path(f"/runs/{number}"), f"configuration {number // SEEDS} · seed {number % SEEDS}")
        values = np.exp(-steps / 3000) + number // SEEDS * 0.02 + rng.normal(0, 0.05, POINTS)
        run.metrics["adapt", "loss"] = Series.of(steps, steps * 0.01, values)
        run.group = f"{number // SEEDS}" if grouped else ""
        made.append(run)
    return made


def measure(grouped: bool) -> tuple[float, float, float]:
    """Return the seconds until all runs are drawn, the processor's share of them, and the median seconds of a frame
    while panning."""
    view = CurveView(lambda folder: theme.series(int(folder.name) // SEEDS if folder is not None else 0))
    view.set_options(smoothing=0.9)
    view.resize(1000, 500)
    view.show()
    shown = runs(grouped)
    QApplication.processEvents()
    start, spent = time.perf_counter(), time.thread_time()
    view.set_runs(shown)
    view.redraw(everything=True)
    picture = QImage(view.size(), QImage.Format.Format_RGB32)
    view.render(picture)
    seconds, processor = time.perf_counter() - start, time.thread_time() - spent
    plot = view.plots[LOSS]
    frames = []
    for frame in range(FRAMES):
        start = time.perf_counter()
        plot.set_x(20.0 * frame, 5000 + 20.0 * frame)
        plot.render(QImage(plot.size(), QImage.Format.Format_RGB32))
        frames.append(time.perf_counter() - start)
    view.hide()
    return seconds, processor, median(frames)


if __name__ == "__main__":
    app = QApplication([])
    theme.apply(app)
    rows = []
    for grouped, name in ((True, "grouped by everything but the seed"), (False, "each on its own")):
        found = [measure(grouped) for _ in range(REPEATS)]
        seconds, processor, frame = (median(values) for values in zip(*found, strict=True))
        shown, panned = (("<= 1", seconds <= 1), (">= 30", 1 / frame >= 30)) if grouped else (("", None), ("", None))
        rows.append(row(f"200 runs of 10,000 points, {name}: shown", seconds, "s", *shown))
        rows.append(row(f"200 runs of 10,000 points, {name}: shown, processor time", processor, "s"))
        rows.append(row(f"200 runs of 10,000 points, {name}: panned", 1 / frame, "frames/s", *panned))
    finish(rows)
