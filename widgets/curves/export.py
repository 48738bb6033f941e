"""What the curves show, as a picture (PNG), a drawing (SVG) or numbers (CSV)."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterable
from html import escape
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPicture
from PySide6.QtSvg import QSvgGenerator

from studio.errors import StudioError
from widgets.curves.axis import PlotAxis, kind_name, mark_of
from widgets.curves.content import EVALUATION, LOAD, MEMORY, Key
from widgets.curves.data import DEVICES, HIGH, LOW, SECONDS, SEPARATOR, STEP, VALUE, RunData
from widgets.curves.groups import is_group, members
from widgets.curves.layer import CurveLayer
from widgets.curves.plot import CurvePlot
from widgets.style import theme

COLUMNS = ("run", "stage", "metric", "step", "seconds", "value")
Rows = list[tuple[str, str, str, np.ndarray | None, np.ndarray, np.ndarray]]
_PLOT = (460, 270)  # px of one plot in a figure, before the picture's scale


def take_rows(keys: Iterable[Key], runs: Iterable[RunData]) -> Rows:
    """Copy the numbers behind the given plots: unsmoothed, in the order run, plot. Quick; :func:`csv_text` is not."""
    rows: Rows = []
    keys = list(keys)
    for run in runs:
        name = run.folder.name if run.folder is not None else run.name
        for metric, stage in keys:
            if metric.startswith(EVALUATION):
                for (of, measure, domain), series in run.scores.items():
                    if (EVALUATION + measure, of) == (metric, stage):
                        step, seconds = series.column(STEP).copy(), series.column(SECONDS).copy()
                        for suffix, column in (("", VALUE), ("_low", LOW), ("_high", HIGH)):
                            label = f"{EVALUATION}{domain}_{measure}{suffix}"
                            rows.append((name, stage, label, step, seconds, series.column(column).copy()))
            elif metric in (LOAD, MEMORY):
                for device, series in run.devices.items():
                    if DEVICES[device][0] == metric:
                        rows.append(
                            (name, "", device, None, series.column(SECONDS).copy(), series.column(VALUE).copy())
                        )
            else:
                known = [m for of, m in run.metrics if of == stage]
                for member in members(metric, known) if is_group(metric) else {metric}.intersection(known):
                    series = run.metrics[stage, member]
                    step, seconds = series.column(STEP).copy(), series.column(SECONDS).copy()
                    rows.append((name, stage, member, step, seconds, series.column(VALUE).copy()))
    return rows


def csv_text(rows: Rows) -> str:
    """The numbers as CSV; the load has no step, so that field stays empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run, stage, metric, steps, seconds, values in rows:
        for i in range(len(values)):
            step = "" if steps is None else int(steps[i])
            writer.writerow((run, stage, metric, step, f"{seconds[i]:.6g}", repr(float(values[i]))))
    return out.getvalue()


def write(path: Path, data: bytes) -> Path:
    """Write to a temporary name beside ``path``, then rename: nothing is ever half-written.

    Raises:
        StudioError: the folder is missing, full, or may not be written to.
    """
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        reason = f"The file cannot be written ({error.strerror})."
        raise StudioError(reason, str(path), "Choose another folder.") from None
    return path


class Figure:
    """The shown plots drawn again on a sheet of their own, with titles and one legend. UI thread only.

    Use as a context manager: the sheet is a hidden widget.
    """

    def __init__(self, plots: Iterable[CurvePlot], columns: int = 2) -> None:
        self._sheet = pg.GraphicsLayoutWidget()
        self._sheet.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
        self._sheet.setBackground(theme.color("plot_background"))
        self._sheet.ci.setContentsMargins(12, 12, 16, 8)
        plots = list(plots)
        columns = max(1, min(columns, len(plots)))
        legend: dict[str, str] = {}
        for index, plot in enumerate(plots):
            self._draw(plot, *divmod(index, columns))
            for curve in plot.content.curves:
                parts = (curve.label if len({c.owner for c in plot.content.curves}) > 1 else "", curve.kind)
                words = SEPARATOR.join(filter(None, parts)) if plot.content.contexts else curve.label
                legend.setdefault(words, curve.color.name())
        rows = -(-len(plots) // columns)
        ink = theme.color("text").name()
        places = min(4, max(1, len(legend)))
        if legend:
            box = self._sheet.addLayout(row=rows, col=0, colspan=columns)
            for index, (label, tint) in enumerate(legend.items()):
                text = f"<span style='color:{tint}'>▬</span> <span style='color:{ink}'>{escape(label)}</span>"
                box.addItem(pg.LabelItem(text, justify="left"), *divmod(index, places))
        for row in range(rows):
            self._sheet.ci.layout.setRowStretchFactor(row, 100)
        height = rows * _PLOT[1] + -(-len(legend) // places) * 22 + 24
        self._sheet.resize(columns * _PLOT[0] + 28, height)
        self._sheet.show()  # not on the screen: this makes Qt lay it out
        self._sheet.ci.layout.activate()

    def __enter__(self) -> Figure:
        return self

    def __exit__(self, *_: object) -> None:
        self._sheet.close()
        self._sheet.deleteLater()

    def image(self, scale: float = 2.0) -> QImage:
        """Return the plots as a picture, ``scale`` times as large as on the screen."""
        image = QImage(self._sheet.size() * scale, QImage.Format.Format_RGB32)
        painter = QPainter(image)
        self._render(painter, QRectF(image.rect()))
        painter.end()
        return image

    def svg(self) -> bytes:
        """Return the plots as an SVG drawing that can be edited and scaled."""
        data = QByteArray()
        buffer = QBuffer(data)
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        generator = QSvgGenerator()
        generator.setOutputDevice(buffer)
        # Axes are drawn through QPicture, which scales by the ratio of the two devices' resolutions.
        generator.setResolution(QPicture().logicalDpiX())
        generator.setSize(self._sheet.size())
        generator.setViewBox(QRectF(self._sheet.rect()))
        generator.setTitle("Transfer Studio")
        painter = QPainter(generator)
        self._render(painter, QRectF(self._sheet.rect()))
        painter.end()
        buffer.close()
        return bytes(data.data())

    def _render(self, painter: QPainter, to: QRectF) -> None:
        # pyqtgraph's exporters would pull in its parameter trees, and the one for SVG takes no round shapes.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(to, theme.color("plot_background"))
        self._sheet.scene().render(painter, to, self._sheet.mapToScene(self._sheet.rect()).boundingRect())

    def _draw(self, plot: CurvePlot, row: int, column: int) -> None:
        x_axis, y_axis = PlotAxis("bottom"), PlotAxis("left")
        x_axis.time = plot.shows_time
        item = self._sheet.addPlot(row=row, col=column, axisItems={"bottom": x_axis, "left": y_axis}, enableMenu=False)
        unit = f" ({plot.content.unit})" if plot.content.unit else ""
        stage = f" – {plot.head.stage_name()}" if plot.head.stage_name() else ""
        kinds = {c.kind: c for c in plot.content.curves if c.kind}
        if len(kinds) > 1 and not plot.content.contexts:
            unit += " · " + ", ".join(f"{mark_of(curve)} {kind_name(kind)}" for kind, curve in kinds.items())
        item.setTitle(f"{plot.head.name()}{stage}{unit}", color=theme.color("text"), size="10pt")
        item.hideButtons()
        item.setLabel("bottom", plot.tr("time") if plot.shows_time else plot.tr("step"), color=theme.color("muted"))
        for axis in (x_axis, y_axis):
            axis.setPen(pg.mkPen(theme.color("border")))
            axis.setTextPen(pg.mkPen(theme.color("muted")))
            axis.setStyle(tickLength=0, tickAlpha=0)
        y_axis.setLogMode(False, plot.content.log)
        y_axis.setWidth(52)
        layer = CurveLayer(y_axis)
        layer.keep_inside = layer.fine = True
        layer.set_content(plot.content)
        item.vb.addItem(layer, ignoreBounds=True)
        item.vb.setRange(xRange=plot.box.viewRange()[0], yRange=plot.box.viewRange()[1], padding=0)


def png_bytes(image: QImage) -> bytes:
    """A picture as PNG. Slow for large ones: not for the UI thread."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    buffer.close()
    return bytes(data.data())
