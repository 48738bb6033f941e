"""What the cells of the runs table say, as words, as keys to sort by, and to a search."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from widgets.curves.axis import clock
from widgets.curves.overlay import Overlay, key_of
from widgets.runs.group import ALIVE, RunGroup
from widgets.runs.query import Searched
from widgets.runs.report import rate

SHOWN, STRATEGY, SUCCESS, STATE, EPISODES, SEED, NAME, DOMAINS, ON_SOURCE, DURATION, TRAINABLE, CREATED = range(12)
SEEDS_NAMED = 4  # in a group's row


class RowText(QObject):
    """Words of rows (:class:`RunGroup`); those of several runs say what they have in common, or their means.

    Args:
        overlay: which runs are shown in the curves.
        title: gives a contribution's title by its kind and id.
    """

    def __init__(self, overlay: Overlay, title: Callable[[str, str], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._overlay, self._title = overlay, title
        self.progress: tuple[Path, str, float] | None = None  # (folder, stage, fraction of it) of the running session

    def heads(self) -> list[tuple[str, str]]:
        """Return title and tooltip of each column."""
        return [
            ("", self.tr("Shown in the curves in this color. Space shows and hides the selected runs.")),
            (
                self.tr("Strategy"),
                self.tr("Transfer strategy; runs that differ in their seeds alone share a row"),
            ),
            (
                self.tr("Score"),
                self.tr(
                    "Success rate or return on the target, with its 95% confidence interval; of several seeds their "
                    "mean, with the interval over seeds and episodes"
                ),
            ),
            (self.tr("State"), self.tr("State of the run")),
            (self.tr("Episodes"), self.tr("Number of target demonstrations")),
            (self.tr("Seed"), self.tr("Seed of the run")),
            (self.tr("Name"), self.tr("Name of the experiment")),
            (self.tr("Source → target"), self.tr("Source robot and target robot")),
            (self.tr("On source"), self.tr("Success rate on the source after adaptation, to measure forgetting")),
            (self.tr("Duration"), self.tr("Training time; of several seeds their mean")),
            (self.tr("Trainable"), self.tr("Number of parameters that were trained")),
            (self.tr("Created"), self.tr("When the run was started; of several seeds the last")),
        ]

    def text(self, row: RunGroup, column: int) -> str:
        """Return a cell in words, as it is shown, searched and copied."""
        run = row.mean
        return {
            SHOWN: lambda: "",
            STRATEGY: lambda: self._title("strategies", run.strategy) + (f" ×{len(row.runs)}" if row.is_group else ""),
            SUCCESS: lambda: rate(run.success, run.measure),
            STATE: lambda: self._state(row),
            EPISODES: lambda: f"{run.episodes:,}",
            SEED: lambda: self._seeds(row.seeds),
            NAME: lambda: run.name,
            DOMAINS: lambda: " → ".join(self._title("embodiments", robot) for robot in (run.source, run.target)),
            ON_SOURCE: lambda: rate(run.source_success, run.measure),
            DURATION: lambda: clock(run.seconds) if run.seconds and math.isfinite(run.seconds) else "–",
            TRAINABLE: lambda: f"{run.trainable_parameters:,}" if run.trainable_parameters else "–",
            CREATED: lambda: self.ago(time.time() - run.created),
        }[column]()

    def searched(self, run: Any) -> Searched:
        """Return what a search looks at: texts hold the id and the title."""
        row = RunGroup([run])
        texts = {
            "strategy": f"{run.strategy} {self.text(row, STRATEGY)}",
            "source": f"{run.source} {self._title('embodiments', run.source)}",
            "target": f"{run.target} {self._title('embodiments', run.target)}",
            "state": run.state,
            "name": f"{run.name} {run.folder.name}",
        }
        numbers = {
            "episodes": run.episodes,
            "seed": run.seed,
            "score": run.success,
            "on_source": run.source_success,
            "duration": run.seconds,
            "trainable": run.trainable_parameters,
        }
        everything = " ".join([*(self.text(row, column) for column in range(1, CREATED + 1)), *texts.values()])
        return Searched(texts, numbers, everything)

    def sort_key(self, row: RunGroup, column: int) -> float | str:
        """Return what a row is sorted by; numbers that are not known are below all others."""
        run = row.mean
        numbers = {
            SHOWN: float(any(self._overlay.is_shown(run.folder) for run in row.runs)),
            SUCCESS: run.success,
            EPISODES: run.episodes,
            SEED: row.seeds[0],
            ON_SOURCE: run.source_success,
            DURATION: run.seconds,
            TRAINABLE: run.trainable_parameters,
            CREATED: run.created,
        }
        if column in numbers:
            value = numbers[column]
            return float(value) if value is not None and math.isfinite(value) else -math.inf
        return self.text(row, column).casefold()

    def tip(self, row: RunGroup, column: int) -> str:
        """Return a cell's tooltip."""
        run = row.info
        place = self.tr("{0} runs, the newest: {1}").format(len(row.runs), run.folder) if row.is_group else run.folder
        if column == SUCCESS and math.isfinite(run.success):
            words = self.tr("Success %1, 95% interval %2 to %3")
            if run.measure == "return":
                words = self.tr("Return %1, 95% interval %2 to %3")
            for mark, value in (("%1", run.success), ("%2", run.low), ("%3", run.high)):
                words = words.replace(mark, rate(value, run.measure))
            return f"{words}\n{self.tr('Mean over {0} seeds').format(len(row.seeds))}" if row.is_group else words
        if column in (STRATEGY, DOMAINS):  # a column may be too narrow for it
            return f"{self.text(row, column)}\n{place}"
        if column == CREATED:
            return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.created))
        return str(place)

    def fraction(self, row: RunGroup) -> float | None:
        """Return how far the session of one of a row's runs is in its stage; None: none of them is at work here."""
        if self.progress is None or not math.isfinite(self.progress[2]):
            return None
        folder = self.progress[0]
        is_live = any(run.state in ALIVE and key_of(run.folder) == folder for run in row.runs)
        return self.progress[2] if is_live else None

    def state_name(self, state: str) -> str:
        """Return a state in words."""
        known = {
            "preparing": self.tr("preparing"),
            "running": self.tr("running"),
            "paused": self.tr("paused"),
            "stopped": self.tr("stopped"),
            "finished": self.tr("finished"),
            "failed": self.tr("failed"),
            "interrupted": self.tr("interrupted"),
        }
        return known.get(state, state)

    def ago(self, seconds: float) -> str:
        """How long ago, coarsely."""
        for limit, unit, words in (
            (90, 1, self.tr("just now")),
            (90 * 60, 60, self.tr("%1 min ago")),
            (36 * 3600, 3600, self.tr("%1 h ago")),
            (math.inf, 86400, self.tr("%1 days ago")),
        ):
            if seconds < limit:
                return words.replace("%1", f"{seconds / unit:.0f}")
        return ""

    def _state(self, row: RunGroup) -> str:
        fraction = self.fraction(row)
        if fraction is not None:
            stage = self.progress[1] if self.progress else ""
            return f"{stage} {fraction:.0%}"
        name = self.state_name(row.telling_state)
        return name if row.in_state == len(row.runs) else f"{row.in_state}/{len(row.runs)} {name}"

    def _seeds(self, seeds: list[int]) -> str:
        if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
            return f"{seeds[0]}–{seeds[-1]}"
        if len(seeds) > SEEDS_NAMED:
            return self.tr("{0} seeds").format(len(seeds))
        return ", ".join(map(str, seeds))
