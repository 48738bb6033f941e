"""The window while it trains: how late a 33 ms UI timer comes, the viewport's frames, training speed against headless.

Headless and window run the demo's adaptation (full fine-tuning, 50 episodes) in turn, each in a process of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _report import finish, row

ASKED_MS = 33
SKIPPED = 30  # first steps: lazy initialization
ROUNDS = 2

WINDOW = """
import json, os, sys, time
from pathlib import Path
from PySide6.QtCore import QSettings, Qt, QTimer
from studio.experiment import Experiment
from widgets.shell.app import application
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow
from widgets.viewport.view import Viewport

plan, runs = Experiment.load(sys.argv[1]), Path(sys.argv[2])
os.environ.setdefault("LP_NUM_THREADS", "0")  # as widgets.shell.app.main does
app = application()
app_state = AppState(runs)
window = MainWindow(app_state, QSettings(str(runs / "layout.ini"), QSettings.Format.IniFormat))
window.resize(1440, 900)
app_state.document.open(plan)
window.show()
gaps, frames, levels, state = [], [], [], {"last": 0.0, "adapt": False}

def tick():
    now = time.perf_counter()
    if state["adapt"] and state["last"]:
        gaps.append(1000 * (now - state["last"]))
    state["last"] = now

def stage(progress):
    # the steady part of the adaptation: what the figure is asked of
    state["adapt"] = progress.stage == "adapt" and progress.step > 30

def frame(shown):
    if state["adapt"] and shown.image is not None:
        frames.append(time.perf_counter())
        levels.append(shown.level)

timer = QTimer()
timer.setTimerType(Qt.TimerType.PreciseTimer)
timer.timeout.connect(tick)
timer.start(33)
app_state.progress.connect(stage)
window.findChildren(Viewport)[0].frame_shown.connect(frame)
started = []

def begin(problems):
    if not started and not problems:
        started.append(1)
        QTimer.singleShot(3000, app_state.run)

def over(running):
    if not running:
        QTimer.singleShot(0, window.close)

app_state.problems_changed.connect(begin)
app_state.running_changed.connect(over)
app_state.load_plugins()
app.exec()
gaps.sort()
seconds = frames[-1] - frames[0] if len(frames) > 1 else 1.0
print(json.dumps({"p50": gaps[len(gaps) // 2], "p99": gaps[int(0.99 * len(gaps))], "max": gaps[-1],
                  "fps": (len(frames) - 1) / seconds, "level": sorted(levels)[len(levels) // 2]}))
os._exit(0)
"""


def speed(folder: Path) -> float:
    """Gradient steps a second of the adaptation, from the run's own log."""
    from studio.store.log_reader import read_log

    (run,) = [path for path in folder.iterdir() if (path / "log.h5").exists()]
    series = read_log(run).metrics[("adapt", "loss")]
    steps, seconds = series.step[SKIPPED:], series.time[SKIPPED:]
    return float((steps[-1] - steps[0]) / (seconds[-1] - seconds[0]))


def once(how: str, plan: Path) -> dict[str, Any]:
    """One adaptation; its speed, and what the window measured."""
    with tempfile.TemporaryDirectory() as place:
        environment = {**os.environ}
        if how == "headless":
            command = [sys.executable, "-m", "studio", "run", str(plan), "--out", place]
        else:
            command = [sys.executable, "-c", WINDOW, str(plan), place]
            if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
                environment["QT_QPA_PLATFORM"] = "offscreen"
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        seen = json.loads(done.stdout.strip().splitlines()[-1]) if how == "window" else {}
        return {**seen, "speed": speed(Path(place))}


def main() -> None:
    from studio import paths
    from studio.experiment import Experiment

    demo = Experiment.load(paths.assets() / "experiments" / "demo.yaml")
    plan = demo.changed(
        strategy={"id": "full_finetuning"},
        **{"evaluation.every": 0, "evaluation.episodes": 1, "evaluation.source_episodes": 0, "budget.iterations": 300},
    )
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "plan.yaml"
        file.write_text(plan.to_yaml(), encoding="utf-8")
        alone, beside = [], []
        for _ in range(ROUNDS):
            alone.append(once("headless", file))
            beside.append(once("window", file))
            print(alone[-1], beside[-1], file=sys.stderr)

    def median(results: list[dict[str, Any]], name: str) -> float:
        return statistics.median(r[name] for r in results)

    ratio = median(beside, "speed") / median(alone, "speed")
    late, frames = median(beside, "p99"), median(beside, "fps")
    finish(
        [
            row("UI timer p99 while training", late, f"ms for {ASKED_MS} asked", "<= 40", late <= 40),
            row("UI timer median", median(beside, "p50"), "ms"),
            row("viewport frames while training", frames, "1/s", ">= 30", frames >= 29.5),
            row("drawing quality level (0 best, 6 least)", median(beside, "level"), ""),
            row("training speed, window over headless", ratio, "ratio", ">= 0.8", ratio >= 0.8),
            row("training speed headless", median(alone, "speed"), "steps/s"),
        ]
    )


if __name__ == "__main__":
    main()
