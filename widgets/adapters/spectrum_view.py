"""The spectra of an adapter's updates: a row of bars for each layer, with the rank that holds 99% of the energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolTip, QWidget

from widgets.style import theme

if TYPE_CHECKING:
    from studio.nn.updates import Spectrum

GAP = 1  # px between bars
SHOWN = 64  # singular values of a layer at most


class SpectrumView(QWidget):
    """Bars are singular values relative to the layer's largest. What pruning would remove is gray."""

    def __init__(self) -> None:
        super().__init__()
        self._spectra: Sequence[Spectrum] = ()
        self._rank = 0  # that is kept; 0: all
        self.setAccessibleName(self.tr("Spectrum of each layer's update"))
        theme.on_change(self, self.update)

    @property
    def spectra(self) -> Sequence[Spectrum]:
        """What is shown."""
        return self._spectra

    def set_spectra(self, spectra: Sequence[Spectrum]) -> None:
        """Show these layers."""
        self._spectra = spectra
        self.setAccessibleDescription("\n".join(self.words(one) for one in spectra))
        self.setMinimumHeight(self.sizeHint().height())
        self.updateGeometry()
        self.update()

    def set_rank(self, rank: int) -> None:
        """Mark what pruning to a rank keeps; 0: everything."""
        self._rank = rank
        self.update()

    def words(self, one: Spectrum) -> str:
        """Return a layer's spectrum in a sentence."""
        if not len(one.values):
            return self.tr("{layer}: unchanged").format(layer=one.layer)
        text = self.tr("{layer}: rank {rank} of {all} holds 99% of the energy, ‖ΔW‖ {norm}")
        return text.format(layer=one.layer, rank=one.rank_of(), all=len(one.values), norm=f"{one.norm:.3g}")

    def sizeHint(self) -> QSize:
        return QSize(320, self._line() * len(self._spectra))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.small_font(self.font()))
        metrics, line = painter.fontMetrics(), self._line()
        most = min(SHOWN, max((len(one.values) for one in self._spectra), default=1))
        names = min(self.width() // 3, max((metrics.horizontalAdvance(one.layer) for one in self._spectra), default=0))
        numbers = metrics.horizontalAdvance(self._number(most, most)) + theme.MEDIUM
        left, right = names + theme.MEDIUM, self.width() - numbers
        step = (right - left) / max(1, most)
        for row, one in enumerate(self._spectra):
            top = row * line
            painter.setPen(theme.color("text"))
            shown = metrics.elidedText(one.layer, Qt.TextElideMode.ElideLeft, names)
            painter.drawText(QRectF(0, top, names, line), Qt.AlignmentFlag.AlignVCenter, shown)
            needed = one.rank_of()
            self._bars(painter, one, needed, QRectF(left, top + 2, step, line - 4))
            painter.setPen(theme.color("muted"))
            place = QRectF(right, top, numbers, line)
            painter.drawText(
                place,
                Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
                self._number(needed, len(one.values)),
            )
        painter.end()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            row = event.pos().y() // self._line()
            if 0 <= row < len(self._spectra):
                QToolTip.showText(event.globalPos(), self.words(self._spectra[row]), self)
            return True
        return super().event(event)

    def _bars(self, painter: QPainter, one: Spectrum, needed: int, first: QRectF) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        for index, value in enumerate(one.values[:SHOWN]):
            height = max(1.0, first.height() * float(value / one.values[0]))
            kept = not self._rank or index < self._rank
            shade = ("accent" if index < needed else "muted") if kept else "border"
            painter.setBrush(theme.color(shade))
            painter.drawRect(
                QRectF(
                    first.left() + index * first.width(),
                    first.bottom() - height,
                    max(1.0, min(12.0, first.width() - GAP)),
                    height,
                )
            )

    def _number(self, rank: int, of: int) -> str:
        return self.tr("99%: {rank} of {all}").format(rank=rank, all=of)

    def _line(self) -> int:
        return self.fontMetrics().height() + 5
