"""The picture above its traces, with a border that a person may move."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QWidget

from widgets.viewport.trace_strip import TraceStrip

SHARE = 0.25  # of the height that traces take at most until the border is moved: the picture matters more


class PictureSplitter(QSplitter):
    """Gives the traces the height that they want, up to a share; a person gives them more, less or none."""

    def __init__(self, picture: QWidget, traces: TraceStrip) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self._traces = traces
        self._moved = False  # by a person
        self.addWidget(picture)
        self.addWidget(traces)
        self.setCollapsible(0, False)
        self.setStretchFactor(0, 1)
        self.setHandleWidth(5)
        self.splitterMoved.connect(self._keep)
        traces.wanted_changed.connect(self._share_out)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_out()

    def _keep(self) -> None:
        self._moved = True

    def _share_out(self) -> None:
        if not self._moved and not self._traces.isHidden():
            taken = self._traces.whole_lanes(round(SHARE * self.height()))
            self.setSizes([self.height() - taken, taken])
