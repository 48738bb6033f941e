"""Return or success against each randomized parameter: a small plot for each, from the episodes of chosen runs."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, get_args

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.events import EpisodesEnded, Evaluated, Event, StateChanged
from studio.experiment import RandomizationField
from widgets.forms.scroll_column import ScrollColumn
from widgets.forms.segmented import Segmented
from widgets.randomization.plot import EffectPlot
from widgets.randomization.quantities import CONTEXT
from widgets.shell.app_state import AppState
from widgets.style import theme

RUNS_SHOWN = 15
LIVE_MS = 500  # between two drawings of a run that goes on
NOW = "now"  # key of the run that is going on


class EffectView(QWidget):
    """The chooser of runs and the plots. It reads logs in the background, and takes live episodes as they end."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._domain = "target"
        self._chosen: list[str] = [NOW]
        self._outcomes: dict[str, dict[str, Any]] = {}  # run → domain → (Outcomes, by success)
        self._by_success: dict[str, bool] = {}  # domain → what its last evaluation is judged by
        self._unread: list[str] = []  # why chosen runs could not be read
        self._live = ""  # folder of the run that is going on, or was the last to
        self._asked = 0
        self.plots: dict[str, EffectPlot] = {}
        self.runs = QToolButton()
        self.runs.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.runs.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.runs.setAccessibleName(self.tr("Runs whose episodes are shown"))
        self.menu = QMenu(self)
        self.runs.setMenu(self.menu)
        self.caption = QLabel()
        self.caption.setProperty("role", "muted")
        self.caption.setFont(theme.small_font())
        self.caption.setWordWrap(True)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, 10, 0)
        self.kind = Segmented(
            (
                ("scored", self.tr("Scored"), self.tr("Episodes of the last evaluation")),
                ("train", self.tr("Training"), self.tr("The latest training episodes")),
            ),
            self.tr("Episodes"),
        )
        self.kind.chosen.connect(lambda _key: self._draw())
        head.addWidget(self.runs)
        head.addStretch(1)
        head.addWidget(self.kind)
        inner = QWidget()
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(0, 0, 10, 0)
        self._column.setSpacing(theme.SMALL)
        self._column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SMALL)
        layout.addLayout(head)
        layout.addWidget(self.caption)
        layout.addSpacing(theme.SMALL)
        layout.addWidget(ScrollColumn(inner), 1)
        self._later = QTimer(self)  # a training ends episodes many times a second
        self._later.setSingleShot(True)
        self._later.setInterval(LIVE_MS)
        self._later.timeout.connect(self._draw)
        app_state.events.connect(self._take_events)
        app_state.runs_selected.connect(self.choose_runs)
        self.menu.aboutToShow.connect(self._list_runs)
        self._name()
        self._draw()

    def set_domain(self, key: str) -> None:
        """Source or target: whose episodes are shown."""
        if key != self._domain:
            self._domain = key
            self._draw()

    def choose_runs(self, folders: Sequence[Path]) -> None:
        """Show the episodes of these runs; none: of the run that is going on."""
        self._chosen = [str(folder) for folder in folders] or [NOW]
        self._read()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._draw()

    # -- where episodes come from --------------------------------------------------------------------------------------

    def _list_runs(self) -> None:
        """Fill the menu; a click on a run takes it in or out."""
        self.menu.clear()
        self._add(NOW, self.tr("The current run"))
        self.menu.addSeparator()
        folder = self._app_state.runs_folder
        for run in self._app_state.engine.list_runs(folder)[:RUNS_SHOWN]:
            strategy = self._app_state.title_of("strategies", run.strategy)
            self._add(str(run.folder), f"{run.name} · {strategy} · {run.folder.name[:15]}")

    def _add(self, key: str, words: str) -> None:
        action = QAction(words, self.menu)
        action.setCheckable(True)
        action.setChecked(key in self._chosen)
        action.toggled.connect(lambda on: self._toggle(key, on))
        self.menu.addAction(action)

    def _toggle(self, key: str, on: bool) -> None:
        kept = [known for known in self._chosen if known != key]
        self._chosen = [*kept, key] if on else kept
        self._read()

    def _read(self) -> None:
        self._name()
        self._asked += 1
        asked, folders = self._asked, [key for key in self._chosen if key != NOW]

        def work() -> dict[str, dict[str, Any] | str]:
            return {folder: _read_run(Path(folder)) for folder in folders}

        def done(found: dict[str, dict[str, Any] | str]) -> None:
            if asked == self._asked:
                known = {folder: outcomes for folder, outcomes in found.items() if isinstance(outcomes, dict)}
                self._unread = [words for words in found.values() if isinstance(words, str)]
                self._outcomes = known | {k: v for k, v in self._outcomes.items() if k == NOW}
                self._draw()

        self._app_state.background(work, done)

    def _take_events(self, events: Sequence[Event]) -> None:
        drawn = False
        for event in events:
            if isinstance(event, StateChanged):
                if event.run != self._live:
                    self._live = event.run
                    drawn |= self._outcomes.pop(NOW, None) is not None
            elif isinstance(event, Evaluated):  # it comes before its episodes
                self._by_success[event.domain] = event.measure != "return"
            elif isinstance(event, EpisodesEnded):
                by_success = self._by_success.get("target" if event.domain == "train" else event.domain)
                if by_success is None:  # a training's, before anything was scored
                    by_success = bool(np.any(event.successes))
                found, _ = new = _from_event(event, by_success)
                held = self._outcomes.setdefault(NOW, {})
                if event.domain == "train" and "train" in held:
                    new = (_joined(held["train"][0], found), by_success)
                held[event.domain] = new
                drawn = True
        if drawn and {NOW, self._live} & {*self._chosen} and not self._later.isActive():
            self._later.start()

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _name(self) -> None:
        folders = [key for key in self._chosen if key != NOW]
        if not self._chosen:
            words = self.tr("No run")
        elif not folders:
            words = self.tr("The current run")
        elif len(self._chosen) == 1:
            words = _short(folders[0])
        else:
            words = self.tr("{0} runs").format(len(self._chosen))
        self.runs.setText(f"{words}  ▾")

    def _draw(self) -> None:
        if not self.isVisible():
            return
        shown = []
        for color, key in enumerate(self._chosen):
            domain = "train" if self.kind.key == "train" else self._domain
            found = self._outcomes.get(key, {}).get(domain)
            if key == self._live:  # its log lags behind
                found = self._outcomes.get(NOW, {}).get(domain, found)
            if found is not None:
                shown.append((color, *found))
        names = sorted({name for _, outcomes, _ in shown for name in outcomes.values}, key=_order)
        for name in [name for name in self.plots if name not in names]:
            plot = self.plots.pop(name)
            self._column.removeWidget(plot)
            plot.hide()
            plot.deleteLater()
        for place, name in enumerate(names):
            if name not in self.plots:
                self.plots[name] = EffectPlot(name)
                self._column.insertWidget(place, self.plots[name])
            mine = [entry for entry in shown if name in entry[1].values]
            self.plots[name].show_runs(mine)
        self.caption.setText(self._caption(shown, names))

    def _caption(self, shown: Sequence[tuple[int, Any, bool]], names: Sequence[str]) -> str:
        if not shown:
            if self._unread:
                return " ".join(self._unread)
            if self.kind.key == "train":
                return self.tr("No episodes yet. Strategies that train in a randomized simulation add theirs here.")
            return self.tr("No episodes yet. Each evaluation of the run adds its episodes; choose other runs above.")
        if not names:
            return self.tr("Nothing was randomized in these episodes.")
        count = sum(len(outcomes) for _, outcomes, _ in shown)
        words = self.tr("Success against each value") if shown[0][2] else self.tr("Return against each value")
        if self.kind.key == "train":
            words = self.tr("{0}: the latest {1} episodes of training, means with 95% intervals.").format(words, count)
        else:
            words = self.tr("{0}: {1} episodes of the last evaluation, means with 95% intervals.").format(words, count)
        if len(shown) < 2:
            return words
        dots = [
            f"<span style='color:{theme.series(c).name()}'>●</span>&nbsp;{escape(self._title(c))}" for c, _, _ in shown
        ]
        return f"{words}<br>{'&nbsp; '.join(dots)}"

    def _title(self, color: int) -> str:
        key = self._chosen[color]
        return self.tr("now") if key == NOW else _short(key)


def _short(folder: str) -> str:
    """A run folder's name without its time."""
    name = Path(folder).name
    short = name.partition("-")[2].partition("-")[2] or name
    return short if len(short) <= 24 else f"{short[:23]}…"


def _order(name: str) -> tuple[int, str]:
    """The context first, then parameters in the order of the rows of the ranges."""
    if name.startswith(CONTEXT):
        return (-1, name)
    fields = get_args(RandomizationField)
    known = [i for i, field in enumerate(fields) if name.partition(":")[0].startswith(field)]
    return (max(known, default=len(fields)), name)


def _read_run(folder: Path) -> dict[str, Any] | str:
    """Domain → (Outcomes, by success) of a run folder; in words, why it cannot be read."""
    from studio.analysis.effects import latest
    from studio.store.log_reader import read_episodes
    from studio.store.runs import read_run

    try:
        table, by_success = read_episodes(folder), read_run(folder).measure != "return"
    except StudioError as error:
        return str(error)
    found = {domain: latest(table, domain) for domain in ("source", "target", "train")}
    return {domain: (outcomes, by_success) for domain, outcomes in found.items() if outcomes is not None}


def _from_event(event: EpisodesEnded, by_success: bool) -> tuple[Any, bool]:
    from studio.analysis.effects import Outcomes
    from studio.store.log_tables import columns_of

    known: dict[str, np.ndarray] = {}
    for key, drawn in event.randomization.items():
        known |= {name: column for name, column in columns_of(key, np.asarray(drawn)) if np.isfinite(column).any()}
    success, returns = np.asarray(event.successes, bool), np.asarray(event.returns, float)
    return Outcomes(event.step, success, returns, known), by_success


def _joined(before: Any, after: Any) -> Any:
    """The latest episodes of a training that goes on."""
    from studio.analysis.effects import TRAINING, Outcomes

    def both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.concatenate([one, other])[-TRAINING:]

    values = {name: both(before.values[name], column) for name, column in after.values.items() if name in before.values}
    return Outcomes(after.step, both(before.success, after.success), both(before.returns, after.returns), values)
