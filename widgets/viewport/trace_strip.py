"""Numbers over time under the picture, with a cursor that moves along.

Those of a recorded episode are drawn once, those of the policy that plays a few times a second.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QScrollArea, QWidget

from widgets.style import theme
from widgets.viewport.traces import LEAST, LEFT, Traces

LANE, LIVE_LANE = 44, 30  # px, wanted height of one trace; while a policy plays: there are more of them then
FIXED = ("action", "reward", "value", "entropy", "score")  # lanes that are always there where there are numbers


class TraceStrip(QScrollArea):
    """Action, reward, the policy's evaluations, and for a recording an observation of the user's choice."""

    sought = Signal(int)
    wanted_changed = Signal()  # the strip appeared, or :attr:`wanted` is another

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.traces = Traces()
        self.traces.sought.connect(self.sought)
        self.traces.lane_changed.connect(self._place_choice)
        self.choice = QComboBox(self.traces)
        self.choice.setAccessibleName(self.tr("Observation"))
        self.choice.setToolTip(self.tr("The observation that is drawn under action and reward"))
        self.choice.activated.connect(lambda _: self._fill())
        self.wanted = 0  # px of height
        self._all: Mapping[str, np.ndarray] | None = None
        self._score = ""
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setWidget(self.traces)
        self.setMinimumHeight(LEAST)
        self.hide()

    def set_traces(self, traces: Mapping[str, np.ndarray] | None, score: str = "") -> None:
        """Show the traces of the recorded episode, or of the policy that plays; None: nothing.

        Args:
            traces: (frames, width) by name.
            score: caption of the trace ``score``.
        """
        if traces is self._all:
            return
        shown, self._all, self._score = self._all is not None, traces, score
        self.setVisible(traces is not None)
        if traces is None:
            return
        kept = self.choice.currentText()
        names = [name for name in traces if name not in FIXED]
        if [self.choice.itemText(i) for i in range(self.choice.count())] != names:
            self.choice.clear()
            self.choice.addItems(names)
            self.choice.setCurrentIndex(max(0, names.index(kept) if kept in names else 0))
        self._fill()
        wanted = len(self.traces.lanes) * (LANE if names else LIVE_LANE)
        if wanted != self.wanted or not shown:
            self.wanted = wanted
            self.wanted_changed.emit()

    def whole_lanes(self, height: int) -> int:
        """Return the wanted height, at most ``height``; where not all lanes fit, that of about as many whole lanes."""
        if height >= self.traces.minimumHeight():
            return min(self.wanted, height)
        return LEAST * max(1, round(height / LEAST))

    def set_frame(self, frame: int) -> None:
        """Move the cursor."""
        if self._all is not None:
            self.traces.set_frame(frame)

    def _fill(self) -> None:
        assert self._all is not None
        captions = {
            "action": self.tr("Action"),
            "reward": self.tr("Reward"),
            "value": self.tr("Value"),
            "entropy": self.tr("Entropy"),
            "score": self._score or self.tr("Score"),
        }
        chosen = self.choice.currentText()
        lanes = [(captions[name], self._all[name]) for name in FIXED if name in self._all]
        if chosen in self._all:
            lanes.append(("", self._all[chosen]))  # the choice is in place of its caption
        self.traces.set_lanes(lanes)
        self.choice.setVisible(self.choice.count() > 0)
        self._place_choice()

    def _place_choice(self) -> None:
        top = self.traces.lane * (len(self.traces.lanes) - 1)
        self.choice.resize(LEFT - theme.SMALL - 2, LEAST)
        self.choice.move(QPoint(2, top + max(0, (self.traces.lane - LEAST) // 2)))
