"""The demo's way by mouse: open, choose, Run, watch, export; what is left behind loads elsewhere, and nothing leaks."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
from PySide6.QtCore import QSettings, Qt, QThread, QTimer
from PySide6.QtWidgets import QAbstractItemView, QApplication, QToolButton, QWidget

from studio.store.export import export_run
from studio.store.runs import read_run
from tests import tiny
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow
from widgets.viewport.view import Viewport

LOAD = """
import json, sys
from pathlib import Path
import numpy as np
from peft import PeftModel
from studio.store.policies import load_policy_folder

folder = Path(sys.argv[1])
policy = PeftModel.from_pretrained(load_policy_folder(folder / "base"), folder / "adapter").eval()
rng = np.random.default_rng(0)
seen = {"image": rng.integers(0, 255, (4, 32, 32, 3), dtype=np.uint8),
        "joint_pos": rng.normal(size=(4, 6)).astype(np.float32), "eef_pos": rng.normal(size=(4, 3)).astype(np.float32)}
print(json.dumps(policy.base_model.model.act(seen)[0].tolist()))
"""


@pytest.fixture
def window(qtbot: Any, runs: Path, tmp_path: Path) -> Iterator[MainWindow]:
    app_state = AppState(runs)
    made = MainWindow(app_state, QSettings(str(tmp_path / "layout.ini"), QSettings.Format.IniFormat))
    app_state.document.ask = lambda: True  # nobody is there to be asked about unsaved changes
    app_state.document.open(
        tiny.experiment("full_finetuning", **{"evaluation.every": 5, "evaluation.short_episodes": 1})
    )
    made.resize(1440, 900)
    made.show()
    with qtbot.waitSignal(app_state.problems_changed, timeout=60_000):
        app_state.load_plugins()
    yield made
    made.close()
    qtbot.waitUntil(lambda: not made.isVisible(), timeout=20_000)


def named(window: QWidget, kind: type[Any], name: str) -> Any:
    """The one widget of a kind with this object name, accessible name or text."""
    found = [
        w for w in window.findChildren(kind)
        if name in (w.objectName(), w.accessibleName(), getattr(w, "text", str)().replace("&", ""))
    ]  # fmt: skip
    assert found, f"no {kind.__name__} called {name}"
    return found[0]


def click_row(qtbot: Any, view: Any, words: str) -> None:
    """Click the row of a list that begins with these words."""
    model = view.model()
    for row in range(model.rowCount()):
        index = model.index(row, 0)
        if str(model.data(index)).startswith(words):
            view.scrollTo(index)
            qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
            return
    raise AssertionError(f"no row {words}")


def test_the_demo_by_mouse_leaves_a_log_and_an_adapter_that_loads(qtbot: Any, window: MainWindow, runs: Path) -> None:
    app_state = window.app_state
    strategies = named(window, QAbstractItemView, "Strategies")
    click_row(qtbot, strategies, "LoRA")
    qtbot.waitUntil(lambda: app_state.experiment.strategy.id == "lora", timeout=5_000)
    button = named(window, QToolButton, "run")
    qtbot.waitUntil(lambda: button.isEnabled(), timeout=60_000)
    frames: list[Any] = []
    window.findChildren(Viewport)[0].frame_shown.connect(frames.append)
    states: list[str] = []
    app_state.state_changed.connect(states.append)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(states) and states[-1] in ("finished", "failed"), timeout=240_000)
    assert states[-1] == "finished"
    qtbot.waitUntil(lambda: not app_state.is_running, timeout=20_000)

    folder = tiny.only_run(runs)
    with h5py.File(folder / "log.h5") as log:
        assert {b"loss", b"gradient_norm"} <= set(log["metrics"]["name"])
        assert log["evaluations"]["final"].any()
    assert read_run(folder).has_adapter
    assert any(frame.image is not None for frame in frames), "the viewport showed nothing while the policy learned"

    out = export_run(folder, runs.parent / "out")
    fresh = subprocess.run(
        [sys.executable, "-c", LOAD, str(out)], capture_output=True, text=True, check=True, env=tiny.environment()
    )
    actions = json.loads(fresh.stdout.strip().splitlines()[-1])
    assert len(actions) == 4 and len(actions[0]) == 3


def test_a_stopped_run_can_be_resumed_from_the_window(qtbot: Any, window: MainWindow, runs: Path) -> None:
    app_state = window.app_state
    app_state.edit(**{"budget.iterations": 100_000})
    button = named(window, QToolButton, "run")
    qtbot.waitUntil(lambda: button.isEnabled(), timeout=60_000)
    steps: list[Any] = []
    app_state.progress.connect(lambda p: steps.append(p.step) if p.stage == "adapt" else None)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: any(step > 3 for step in steps), timeout=120_000)
    stop = next(b for b in window.findChildren(QToolButton) if b.text().replace("&", "") == "Stop")
    qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not app_state.is_running, timeout=60_000)
    folder = tiny.only_run(runs)
    assert read_run(folder).state == "stopped"
    assert list((folder / "checkpoints").glob("adapt-*"))


def settled(qtbot: Any, count: Callable[[], int], most: int) -> int:
    """Wait until no more than ``most`` are left; return how many there are."""
    for _ in range(100):
        gc.collect()
        QApplication.processEvents()
        if count() <= most:
            break
        qtbot.wait(50)
    return count()


def steady(qtbot: Any, count: Callable[[], int]) -> int:
    """Wait until a count stays the same for a while; return it."""
    last, same = -1, 0
    while same < 4:
        gc.collect()
        qtbot.wait(50)
        now = count()
        last, same = now, same + 1 if now == last else 0
    return last


def test_windows_leave_no_thread_timer_or_widget_behind(qtbot: Any, runs: Path, tmp_path: Path) -> None:
    def alive(kind: type[Any]) -> int:
        return sum(1 for o in gc.get_objects() if isinstance(o, kind) and _running(o))

    def once(number: int) -> None:
        app_state = AppState(runs)
        made = MainWindow(app_state, QSettings(str(tmp_path / f"{number}.ini"), QSettings.Format.IniFormat))
        app_state.document.open(tiny.experiment())
        made.show()
        with qtbot.waitSignal(app_state.problems_changed, timeout=60_000):
            app_state.load_plugins()
        qtbot.wait(300)
        made.close()
        made.deleteLater()
        QApplication.sendPostedEvents(None, 52)  # QEvent.DeferredDelete

    once(0)  # what is made once for the whole program
    before = {kind: steady(qtbot, lambda kind=kind: alive(kind)) for kind in (QThread, QTimer)}
    threads, windows = threading.active_count(), len(QApplication.topLevelWidgets())
    once(1)
    for kind, most in before.items():
        assert settled(qtbot, lambda kind=kind: alive(kind), most) <= most, kind
    assert settled(qtbot, threading.active_count, threads) <= threads
    assert settled(qtbot, lambda: len(QApplication.topLevelWidgets()), windows) <= windows


def _running(thing: Any) -> bool:
    try:
        return bool(thing.isRunning() if isinstance(thing, QThread) else thing.isActive())
    except RuntimeError:  # its C++ half is gone, as it should be
        return False
