"""Whole-process times: --help, list, and from a process's start to the first frame of its window (median of five)."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

from _report import finish, row

RUNS = 5
WINDOW = """
import sys, time
from pathlib import Path
from PySide6.QtCore import QTimer
import widgets.shell.app as app
from widgets.shell.main_window import MainWindow
shown = MainWindow.showEvent
def show_event(self, event):
    shown(self, event)
    def first_frame():
        heavy = [name for name in ("torch", "mujoco", "peft") if name in sys.modules]
        print(time.time(), ",".join(heavy), flush=True)
        self.close()
    QTimer.singleShot(0, first_frame)
MainWindow.showEvent = show_event
app.main()
"""


def seconds(arguments: list[str]) -> float:
    """Median wall time of a command, after one warm-up."""
    times = []
    for _ in range(RUNS + 1):
        start = time.time()
        subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
        times.append(time.time() - start)
    return statistics.median(times[1:])


def first_frame() -> tuple[float, str]:
    """Median time from process start to the first shown frame, and the heavy modules loaded by then."""
    times, heavy = [], ""
    environment = {**os.environ}
    if not (environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")):
        environment["QT_QPA_PLATFORM"] = "offscreen"
    for _ in range(RUNS + 1):
        start = time.time()
        done = subprocess.run(
            [sys.executable, "-c", WINDOW], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        stamp, _, heavy = done.stdout.strip().splitlines()[-1].partition(" ")
        times.append(float(stamp) - start)
    return statistics.median(times[1:]), heavy


def main() -> None:
    studio = [sys.executable, "-m", "studio"]
    shown, heavy = first_frame()
    rows = [row("first window", shown, "s", "< 3", shown < 3)]
    rows.append(row("heavy modules before it", len(heavy.split(",")) if heavy else 0, "modules", "0", not heavy))
    value = seconds([*studio, "--help"])
    rows.append(row("--help", value, "s", "< 0.1", value < 0.1))
    for kind in ("strategies", "policies", "tasks", "embodiments", "formats", "panels"):
        value = seconds([*studio, "list", kind])
        rows.append(row(f"list {kind}", value, "s", "< 2", value < 2))
    value = seconds([*studio, "list", "strategies", "--json"])  # with parameters: everything is imported
    rows.append(row("list strategies --json", value, "s", "< 3", value < 3))
    finish(rows)


if __name__ == "__main__":
    main()
