"""The window's state and run thread: sessions off the UI thread, stop, pause, failures, checks, nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QThread

from studio.contracts import Problem
from studio.errors import ExperimentError
from studio.events import Failed, StateChanged
from tests.widgets.shell import fakes
from widgets.shell.app_state import AppState


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path, engine: fakes.FakeEngine) -> Iterator[AppState]:
    made = AppState(tmp_path, registry=fakes.registry(), engine=engine.functions())
    yield made
    made.close()


def ready(qtbot: Any, app_state: AppState) -> None:
    with qtbot.waitSignals([app_state.registry_ready, app_state.problems_changed], timeout=3000):
        app_state.load_plugins()


def test_a_session_runs_off_the_ui_thread_and_ends_finished(
    qtbot: Any, app_state: AppState, engine: fakes.FakeEngine
) -> None:
    ready(qtbot, app_state)
    states: list[str] = []
    app_state.state_changed.connect(states.append)
    with qtbot.waitSignal(app_state.running_changed, check_params_cb=lambda on: not on, timeout=3000):
        app_state.run()
        assert app_state.is_running and app_state.why_not_run == ""  # another one can wait in the queue
    (session,) = engine.sessions
    assert session.thread is not threading.main_thread()
    assert states == ["preparing", "running", "finished"]
    assert not app_state.is_running and app_state.why_not_run == ""


def test_stop_reaches_the_session_and_holds_the_queue(
    qtbot: Any, app_state: AppState, engine: fakes.FakeEngine
) -> None:
    ready(qtbot, app_state)
    engine.seconds = 30
    with qtbot.waitSignal(app_state.progress, timeout=3000):
        app_state.compare()
    with qtbot.waitSignal(app_state.running_changed, timeout=3000):
        app_state.sessions.stop()
        assert app_state.state == "stopping"
    assert len(engine.sessions) == 1 and app_state.state == "stopped"
    states = [entry.state for entry in app_state.queue.queue.entries()]
    assert states == ["stopped", "waiting", "waiting"] and not app_state.queue.queue.is_going


def test_a_comparison_goes_on_after_one_of_its_runs_failed(
    qtbot: Any, app_state: AppState, engine: fakes.FakeEngine
) -> None:
    ready(qtbot, app_state)
    jobs: list[tuple[int, int]] = []
    app_state.job_changed.connect(lambda index, count, _job: jobs.append((index, count)))

    def fail(session: fakes.FakeSession) -> None:
        if session.experiment.target.episodes == 5:
            raise ExperimentError("No such camera.", "target.camera", "Choose front.")

    engine.fail = fail
    engine.seconds = 0.02
    heard: list[Any] = []
    app_state.events.connect(heard.extend)
    with qtbot.waitSignal(app_state.running_changed, check_params_cb=lambda on: not on, timeout=5000):
        app_state.compare()
    assert [s.experiment.target.episodes for s in engine.sessions] == [5, 20, 100]
    assert jobs == [(0, 3), (1, 3), (2, 3)]
    (failure,) = [e for e in heard if isinstance(e, Failed)]
    assert (failure.message, failure.field, failure.remedy) == ("No such camera.", "target.camera", "Choose front.")


def test_a_failure_that_the_session_told_is_not_told_twice(
    qtbot: Any, app_state: AppState, engine: fakes.FakeEngine
) -> None:
    ready(qtbot, app_state)
    engine.fail = fakes.fail_with_event
    heard: list[Any] = []
    app_state.events.connect(heard.extend)
    with qtbot.waitSignal(app_state.running_changed, check_params_cb=lambda on: not on, timeout=3000):
        app_state.run()
    assert len([e for e in heard if isinstance(e, Failed)]) == 1
    assert [e.state for e in heard if isinstance(e, StateChanged)] == ["running", "failed"]
    assert app_state.state == "failed"


def test_pause_and_unpause_reach_the_session(qtbot: Any, app_state: AppState, engine: fakes.FakeEngine) -> None:
    ready(qtbot, app_state)
    engine.seconds = 30
    with qtbot.waitSignal(app_state.progress, timeout=3000):
        app_state.run()
    with qtbot.waitSignal(app_state.state_changed, check_params_cb=lambda s: s == "paused", timeout=3000):
        app_state.sessions.pause()
    with qtbot.waitSignal(app_state.state_changed, check_params_cb=lambda s: s == "running", timeout=3000):
        app_state.sessions.unpause()
    assert engine.sessions[0].pauses == ["pause", "unpause"]


def test_resume_goes_on_with_the_folder(
    qtbot: Any, app_state: AppState, tmp_path: Path, engine: fakes.FakeEngine
) -> None:
    with qtbot.waitSignal(app_state.running_changed, check_params_cb=lambda on: not on, timeout=3000):
        app_state.resume(fakes.kept_run(tmp_path, "old"))
    assert engine.sessions[0].resumed and engine.sessions[0].folder == tmp_path / "old"


def test_closing_stops_the_session_and_leaves_no_thread(
    qtbot: Any, app_state: AppState, engine: fakes.FakeEngine
) -> None:
    engine.seconds = 30
    with qtbot.waitSignal(app_state.progress, timeout=3000):
        app_state.run()
    app_state.close()
    assert not any(thread.isRunning() for thread in app_state.findChildren(QThread))
    assert not engine.sessions[0].thread.is_alive() or engine.sessions[0].stopped.is_set()


def test_problems_come_after_an_edit_and_only_the_newest_count(
    qtbot: Any, tmp_path: Path, engine: fakes.FakeEngine
) -> None:
    def check(experiment: Any) -> list[Problem]:
        few = experiment.target.episodes < 10
        return [Problem("target.episodes", "Too few.", "Take 10.")] if few else []

    engine.problems = check
    app_state = AppState(tmp_path, registry=fakes.registry(), engine=engine.functions())
    ready(qtbot, app_state)
    assert app_state.problems == [] and app_state.why_not_run == ""
    with qtbot.waitSignal(app_state.problems_changed, timeout=3000):
        assert app_state.edit(**{"target.episodes": 5}) is None
    assert "Too few. Take 10." in app_state.why_not_run
    answers: list[int] = []
    app_state.problems_changed.connect(lambda found: answers.append(len(found)))
    with qtbot.waitSignal(app_state.problems_changed, timeout=3000):
        app_state.edit(**{"target.episodes": 6})
        app_state.edit(**{"target.episodes": 60})
    assert answers == [0]  # one check for both edits, of the last one
    app_state.close()


def test_a_refused_edit_leaves_the_experiment_as_it_was(app_state: AppState) -> None:
    before = app_state.experiment
    error = app_state.edit(**{"target.episodes": 0})
    assert error is not None and error.field == "target.episodes" and app_state.experiment is before


def test_background_work_that_raises_becomes_a_toast(qtbot: Any, app_state: AppState) -> None:
    with qtbot.waitSignal(app_state.toast, timeout=3000) as heard:
        app_state.background(lambda: 1 / 0, lambda _: None)
    level, text, details = heard.args
    assert level == "error" and "ZeroDivisionError" in text and "Traceback" in details
