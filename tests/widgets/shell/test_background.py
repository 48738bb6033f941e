"""Work off the UI thread: results come back on it, and what a job refers to is freed there."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Any

from PySide6.QtCore import QObject

from widgets.shell.background import Background


class Held:
    """Something that must not be destroyed on another thread, as a widget."""


def test_background_frees_what_a_job_refers_to_on_the_ui_thread(qtbot: Any) -> None:
    owner = QObject()
    background, freed, ran = Background(owner), [], []
    for _ in range(50):
        held = Held()
        weakref.finalize(held, lambda: freed.append(threading.get_ident()))

        def work(held: Held = held) -> Held:
            ran.append(threading.get_ident())
            return held

        background.start(work, lambda _: None, lambda _: None)
        del held, work
    qtbot.waitUntil(lambda: background.is_idle)
    background.close()
    assert set(freed) == {threading.get_ident()} and threading.get_ident() not in ran and len(freed) == len(ran) == 50


def test_background_hands_over_an_exception_on_the_ui_thread(qtbot: Any) -> None:
    owner = QObject()
    background, found = Background(owner), []
    background.start(lambda: 1 / 0, lambda _: None, lambda error: found.append((error, threading.get_ident())))
    qtbot.waitUntil(lambda: background.is_idle)
    background.close()
    ((error, thread),) = found
    assert isinstance(error, ZeroDivisionError) and thread == threading.get_ident()


def test_background_close_waits_and_finishes_nothing_more(qtbot: Any) -> None:
    owner = QObject()
    background, ended, finished = Background(owner), [], []
    for _ in range(20):
        background.start(lambda: (time.sleep(0.02), ended.append(1)), finished.append, lambda _: None)
    background.close()
    before = len(ended)
    qtbot.wait(50)
    assert len(ended) == before < 20 and not finished
