"""The button that scores held-out tasks, and stops that."""

from __future__ import annotations

from PySide6.QtWidgets import QPushButton

from widgets.adaptation.worker import AdaptationWorker


class ScoreButton(QPushButton):
    """Starts the scoring of all ``groups`` of held-out tasks; while it goes on the button stops it."""

    def __init__(self, worker: AdaptationWorker) -> None:
        super().__init__()
        self._worker = worker
        self.groups: tuple[str, ...] = ()
        self.clicked.connect(self._act)
        worker.busy_changed.connect(lambda _: self._name())
        self._name()

    def _act(self) -> None:
        if self._worker.scored_share is None:
            self._worker.score(*self.groups)
        else:
            self._worker.cancel_score()

    def _name(self) -> None:
        if self._worker.scored_share is None:
            self.setText(self.tr("Score held-out tasks"))
            self.setToolTip(self.tr("Score all held-out tasks, inside the range of training and outside it"))
        else:
            self.setText(self.tr("Stop scoring"))
            self.setToolTip(self.tr("Scores that are shown stay; a group that is not scored to its end has none"))
