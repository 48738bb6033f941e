"""What the commands tell while a run goes on, and of runs that fail."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from studio.commands import _Follower
from studio.run.channels import Channels, Logged, Progress
from tests import tiny


class Acting:
    """A session that does what it is given."""

    def __init__(self, channels: Channels, act: Callable[[Channels], None]) -> None:
        self.channels, self._act = channels, act

    def run(self) -> None:
        self._act(self.channels)

    def stop(self) -> None: ...


class Terminal(io.StringIO):
    """Keeps what a terminal would show: a line that is cleared is gone."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        return [line.rpartition("\r\033[K")[2] for line in self.getvalue().split("\n")]


def follow(*acts: Callable[[Channels], None]) -> None:
    with _Follower(len(acts)) as follower:
        for index, act in enumerate(acts):
            follower.drive(Acting(follower.channels(index, tiny.experiment()), act))


def test_what_is_logged_is_told_while_the_run_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    told = {"out": "", "err": ""}

    def act(channels: Channels) -> None:
        def seen() -> bool:
            out, err = capfd.readouterr()
            told["out"], told["err"] = told["out"] + out, told["err"] + err
            return "Compiling." in told["err"]

        channels.events.publish(Logged("info", "Compiling."))
        tiny.wait_for(seen, 5)
        channels.events.publish(Logged("info", "The last word."))

    follow(act)
    assert told == {"out": "", "err": "Compiling.\n"}
    assert capfd.readouterr() == ("", "The last word.\n")


def test_the_progress_line_is_not_torn_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    def act(channels: Channels) -> None:
        channels.progress.set(Progress("adapt", 320, 800, 0.4, 0.5, 80.0))
        tiny.wait_for(lambda: "adapt 320/800" in terminal.lines()[-1], 5)
        channels.events.publish(Logged("warning", "It diverged."))
        tiny.wait_for(lambda: terminal.lines()[0] == "It diverged.", 5)
        tiny.wait_for(lambda: "adapt 320/800" in terminal.lines()[-1], 5)

    follow(act, lambda channels: channels.events.publish(Logged("info", "The next.")))
    assert terminal.lines() == ["It diverged.", "The next.", ""]
