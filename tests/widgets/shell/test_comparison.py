"""A comparison in the window: what is finished is not run again, and what was left is offered again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QPushButton

from tests.widgets.shell import fakes
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow
from widgets.shell.unfinished_comparison import recall


def start(qtbot: Any, runs: Path, engine: fakes.FakeEngine) -> MainWindow:
    made = MainWindow(AppState(runs, registry=fakes.registry(), engine=engine.functions()))
    made.app_state.document.ask = lambda: True
    made._ask_to_stop = lambda: True  # type: ignore[method-assign]
    qtbot.addWidget(made)
    made.show()
    made.app_state.load_plugins()
    return made


def ran(engine: fakes.FakeEngine) -> list[int]:
    return [session.experiment.target.episodes for session in engine.sessions]


def test_a_comparison_that_was_left_is_offered_and_continued(
    qtbot: Any, tmp_path: Path, engine: fakes.FakeEngine
) -> None:
    engine.seconds = 0.01
    window = start(qtbot, tmp_path, engine)
    app_state = window.app_state
    qtbot.waitUntil(lambda: app_state.registry_is_ready, timeout=3000)

    def hold(session: fakes.FakeSession) -> None:
        if session.experiment.target.episodes == 20:
            engine.seconds = 30

    engine.fail = hold
    app_state.edit(name="sizes")
    app_state.compare()
    qtbot.waitUntil(lambda: ran(engine) == [5, 20], timeout=3000)
    qtbot.waitUntil(lambda: app_state.comparison_left == 2, timeout=3000)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=3000)
    found = recall(tmp_path)
    assert found is not None and found[0].name == "sizes"

    engine.seconds, engine.fail = 0.01, None
    later = start(qtbot, tmp_path, engine)
    qtbot.waitUntil(lambda: len(later.toasts.visible()) == 1, timeout=3000)
    (toast,) = later.toasts.visible()
    assert toast.text.startswith("The comparison sizes is not complete.")
    toast.findChildren(QPushButton)[0].click()
    qtbot.waitUntil(lambda: ran(engine) == [5, 20, 20, 100] and not later.app_state.is_running, timeout=5000)
    qtbot.waitUntil(lambda: recall(tmp_path) is None, timeout=3000)
    with qtbot.waitSignal(later.app_state.runs_selected, timeout=3000) as shown:
        later.app_state.compare()
    assert len(shown.args[0]) == 3 and len(engine.sessions) == 4
    assert any("All 3 runs" in toast.text for toast in later.toasts.visible())
    later.close()


def test_stopping_a_comparison_offers_the_rest_at_once(
    qtbot: Any, window: MainWindow, engine: fakes.FakeEngine
) -> None:
    engine.seconds = 30
    with qtbot.waitSignal(window.app_state.progress, timeout=3000):
        window.app_state.compare()
    window.app_state.stop()
    qtbot.waitUntil(lambda: any("not complete" in toast.text for toast in window.toasts.visible()), timeout=3000)
    with qtbot.waitSignal(window.app_state.progress, timeout=3000):
        window.app_state.run()
    assert not any("not complete" in toast.text for toast in window.toasts.visible())
    window.app_state.stop()
    qtbot.waitUntil(lambda: not window.app_state.is_running, timeout=3000)
    assert not any("not complete" in toast.text for toast in window.toasts.visible())
