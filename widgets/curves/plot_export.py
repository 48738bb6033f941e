"""Exports the shown plots: to PNG, SVG and CSV files, and to the clipboard."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu

from widgets.curves import export
from widgets.curves.view import CurveView
from widgets.shell.app_state import AppState


class PlotExport(QObject):
    """The ways of exporting what a curve view shows."""

    def __init__(self, app_state: AppState, view: CurveView) -> None:
        super().__init__(view)
        self._app_state, self._view = app_state, view

    def fill(self, menu: QMenu) -> None:
        """Add the ways of exporting to a menu."""
        menu.addAction(self.tr("&PNG image…"), partial(self._ask, "png"))
        menu.addAction(self.tr("&SVG image…"), partial(self._ask, "svg"))
        menu.addAction(self.tr("&CSV data…"), partial(self._ask, "csv"))
        menu.addSeparator()
        menu.addAction(self.tr("Copy i&mage"), self.copy_image)

    def _ask(self, kind: str) -> None:
        names = {
            "png": self.tr("PNG image (*.png)"),
            "svg": self.tr("SVG image (*.svg)"),
            "csv": self.tr("CSV data (*.csv)"),
        }
        folders = self._app_state.folders
        start = folders.start("exports", f"curves.{kind}")
        path, _ = QFileDialog.getSaveFileName(self._view, self.tr("Export the curves"), start, names[kind])
        if path:
            folders.remember("exports", Path(path).parent)
            self.save(Path(path).with_suffix(f".{kind}"))

    def save(self, path: Path) -> None:
        """Write what is shown in the format of the suffix, in the background; a toast reports the end."""
        self._view.contents()
        if path.suffix == ".csv":
            rows = export.take_rows(self._view.plots, self._view.runs)

            def work() -> Path:
                return export.write(path, export.csv_text(rows).encode())
        else:
            with export.Figure(self._view.plots.values(), self._view.columns) as figure:
                drawn: Any = figure.svg() if path.suffix == ".svg" else figure.image()

            def work() -> Path:
                return export.write(path, drawn if isinstance(drawn, bytes) else export.png_bytes(drawn))

        said = self.tr("Saved %1")
        self._app_state.background(
            work, lambda made: self._app_state.toast.emit("info", said.replace("%1", str(made)), "")
        )

    def copy_image(self) -> None:
        """Copy an image of the shown plots."""
        self._view.contents()
        with export.Figure(self._view.plots.values(), self._view.columns) as figure:
            QGuiApplication.clipboard().setImage(figure.image())
