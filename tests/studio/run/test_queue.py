"""The queue: order, states that are true after a restart or a kill, and no entry run twice."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from studio.errors import DataError
from studio.experiment import Experiment
from studio.run.queue import Queue
from studio.run.queue_entry import Entry, Job
from studio.run.queue_time import seconds_left
from studio.run.queue_worker import QueueWorker

FORK = multiprocessing.get_context("fork")


class ShortSession:
    """A session that ends by itself, fails, or runs until it is stopped."""

    def __init__(self, entry: Entry, runs: Path) -> None:
        self.entry, self.state = entry, "running"
        self.folder = runs / (entry.folder or f"run-{entry.id}")
        self._stopped = threading.Event()

    def run(self) -> None:
        name = self.entry.experiment.name
        if name == "bad":
            raise RuntimeError("no such camera")
        endless = name == "long" and not self.entry.folder
        self.state = "stopped" if self._stopped.wait(10 if endless else 0) else "finished"

    def stop(self) -> None:
        self._stopped.set()

    def pause(self) -> None: ...
    def unpause(self) -> None: ...


def planned(*names: str) -> list[Job]:
    return [Job(Experiment(name=name)) for name in names]


def states(queue: Queue) -> list[tuple[str, str]]:
    return [(entry.experiment.name, entry.state) for entry in queue.entries()]


def names(queue: Queue) -> list[str]:
    return [entry.experiment.name for entry in queue.entries()]


def wait_for(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_others_finish_where_one_fails_and_one_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.run.queue_worker.WATCH_SECONDS", 0.01)
    queue, ran = Queue(tmp_path), list[tuple[int, str]]()
    first, bad, stopped, closed, *_ = queue.add(planned("a", "bad", "long", "long", "e", "f"), start=True)

    def opened(entry: Entry) -> ShortSession:
        ran.append((entry.id, entry.folder))
        return ShortSession(entry, tmp_path)

    def worker() -> tuple[QueueWorker, threading.Thread]:
        made = QueueWorker(Queue(tmp_path), opened, lambda session: session.run())
        thread = threading.Thread(target=made.run)
        thread.start()
        return made, thread

    def runs(id: int) -> bool:
        return any(entry.id == id and entry.state == "running" and entry.folder for entry in queue.entries())

    present, thread = worker()
    wait_for(lambda: runs(stopped.id))
    queue.skip([stopped.id])  # as another program does
    wait_for(lambda: runs(closed.id))
    present.leave()
    thread.join()
    assert states(queue) == [
        ("a", "finished"),
        ("bad", "failed"),
        ("long", "stopped"),
        ("long", "waiting"),
        ("e", "waiting"),
        ("f", "waiting"),
    ]
    assert queue.is_going and queue.entries()[1].message == "no such camera"

    worker()[1].join()
    assert [state for _, state in states(queue)] == ["finished", "failed", "stopped", *["finished"] * 3]
    assert ran[4] == (closed.id, f"run-{closed.id}") and not queue.is_going
    queue.repeat([stopped.id])  # resumed, from its folder
    queue.set_going(True)
    worker()[1].join()
    assert ran[-1] == (stopped.id, f"run-{stopped.id}") and queue.entries()[2].state == "finished"
    assert [id for id, _ in ran].count(first.id) == 1 and [id for id, _ in ran].count(bad.id) == 1


def test_hold_keeps_what_waits_until_it_is_started(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add(planned("long", "b"), start=True)
    worker = QueueWorker(queue, lambda entry: ShortSession(entry, tmp_path), lambda session: session.run())
    thread = threading.Thread(target=worker.run)
    thread.start()
    wait_for(lambda: queue.entries()[0].state == "running")
    worker.hold()
    thread.join()
    assert states(queue) == [("long", "stopped"), ("b", "waiting")] and not queue.is_going
    assert queue.claim() is None


def claim_and_wait(runs: Path) -> None:
    entry = Queue(runs).claim()
    assert entry is not None
    Queue(runs).note_folder(entry.id, runs / "run")
    time.sleep(60)


def test_what_a_killed_program_ran_waits_and_twice_is_failed(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add(planned("a", "b"), start=True)
    for state, attempts in (("waiting", 1), ("failed", 2)):
        child = FORK.Process(target=claim_and_wait, args=(tmp_path,))
        child.start()
        wait_for(lambda: queue.entries()[0].state == "running" and queue.entries()[0].folder == "run")
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        (entry, other) = queue.entries()
        assert (entry.state, entry.attempts, entry.folder) == (state, attempts, "run") and other.state == "waiting"
        assert queue.is_going
    assert "twice" in queue.entries()[0].message


def claim_all(runs: Path, answers: multiprocessing.SimpleQueue[int]) -> None:
    queue = Queue(runs)
    while (entry := queue.claim()) is not None:
        answers.put(entry.id)
        queue.end(entry.id, "finished")


def test_processes_of_one_queue_never_run_the_same_entry(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    made = queue.add(planned(*["run"] * 12), start=True)
    answers = FORK.SimpleQueue()
    children = [FORK.Process(target=claim_all, args=(tmp_path, answers)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert sorted(answers.get() for _ in made) == [entry.id for entry in made] and answers.empty()
    assert all(entry.state == "finished" for entry in queue.entries())


def test_order_skip_cancel_and_repeat_of_queue_entries(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    a, b, c, d = queue.add(planned(*"abcd"))
    queue.move([c.id, d.id], -1)
    assert names(queue) == ["a", "c", "d", "b"]
    queue.move([c.id, d.id], -9)
    assert names(queue) == ["c", "d", "a", "b"]
    queue.move([c.id], 9)
    queue.add(planned("e"), first=True)
    assert names(queue) == ["e", "d", "a", "b", "c"]
    queue.skip([d.id])
    queue.cancel([a.id])
    assert states(queue) == [("e", "waiting"), ("d", "skipped"), ("b", "waiting"), ("c", "waiting")]
    queue.repeat([d.id])
    queue.repeat([b.id], seed=7)
    assert states(queue)[1] == ("d", "waiting") and queue.entries()[-1].experiment.seed == 7
    with pytest.raises(DataError, match="no entry 99"):
        queue.skip([99])


def test_a_new_list_starts_once_all_of_the_queue_has_ended(tmp_path: Path) -> None:
    queue = Queue(tmp_path)
    queue.add(planned("a"), start=True)
    entry = queue.claim()
    assert entry is not None
    queue.add(planned("b"))
    queue.end(entry.id, "finished")
    assert names(queue) == ["a", "b"]
    queue.cancel([queue.entries()[1].id])
    queue.add(planned("c"))
    assert names(queue) == ["c"]


def test_a_damaged_queue_file_is_reported_and_kept(tmp_path: Path) -> None:
    (tmp_path / "queue.json").write_text('{"version": 1, "entries": [')
    with pytest.raises(DataError, match="damaged"):
        Queue(tmp_path).add(planned("a"))
    assert (tmp_path / "queue.json").read_text().endswith("[")


def test_time_left_follows_the_pace_of_each_strategy() -> None:
    def entry(strategy: str, iterations: int, **about: object) -> Entry:
        plan = Experiment().changed(**{"strategy.id": strategy, "budget.iterations": iterations})
        return Entry(0, plan.model_dump_json(), **about)  # type: ignore[arg-type]

    done, waits = entry("lora", 100, state="finished", seconds=10.0), entry("lora", 200)
    runs = entry("mmd", 100, state="running", since=1000.0)
    assert seconds_left([done, waits]) == pytest.approx(20)
    assert seconds_left([done, runs, waits], 40.0, now=1010.0) == pytest.approx(60)
    assert seconds_left([done, runs, entry("mmd", 100)], 40.0, now=1010.0) == pytest.approx(90)  # 50 s in all
    assert seconds_left([runs, waits]) != seconds_left([runs, waits])  # unknown
