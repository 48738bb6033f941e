"""The experiment being edited, the file it belongs to, and whether it was changed since it was opened or saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio import paths
from studio.experiment import Experiment


class Document(QObject):
    """One experiment at a time; a new one with default settings at first."""

    experiment_changed = Signal(object)  # Experiment, after every accepted edit
    changed = Signal()  # the experiment, or what it is compared with

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.experiment = self.saved = Experiment()
        self.path: Path | None = None
        # returns whether unsaved changes may be discarded; the window replaces it
        self.ask: Callable[[], bool] = lambda: True

    @property
    def is_modified(self) -> bool:
        """Whether the experiment differs from what was opened or saved."""
        return self.experiment != self.saved

    @property
    def own_path(self) -> Path | None:
        """The file that saving may replace; None for a shipped experiment's or a run's, which stay as they are."""
        path = self.path
        if path is None or path.resolve().is_relative_to(paths.assets().resolve()):
            return None
        return None if (path.parent / "run.json").exists() else path

    def set(self, experiment: Experiment) -> None:
        """Replace the experiment, as an edit."""
        if experiment != self.experiment:
            self.experiment = experiment
            self.experiment_changed.emit(experiment)
            self.changed.emit()

    def may_leave(self) -> bool:
        """Return whether the experiment may be replaced or closed: it is saved, or its changes may be discarded."""
        return not self.is_modified or self.ask()

    def open(self, experiment: Experiment, path: Path | None = None) -> None:
        """Replace the experiment by that of a file (None: a new one), unless unsaved changes must be kept."""
        if experiment != self.experiment and not self.may_leave():
            return
        self.saved, self.path = experiment, path
        self.set(experiment)
        self.changed.emit()

    def mark_saved(self, experiment: Experiment, path: Path) -> None:
        """Note that the experiment was written to a file. It may have been edited since."""
        self.saved, self.path = experiment, path
        self.changed.emit()
