"""Pruning: a slider of the rank, what it keeps and costs, and buttons to measure and keep it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from widgets.style import theme

if TYPE_CHECKING:
    from studio.nn.updates import Spectrum


class PruneBar(QWidget):
    """Says for the chosen rank what share of the energy the worst layer keeps."""

    rank_changed = Signal(int)  # 0: everything is kept

    def __init__(self) -> None:
        super().__init__()
        self._spectra: Sequence[Spectrum] = ()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Rank to prune to"))
        self.ruler = QWidget()  # the slider, to be placed above the spectrum
        over = QHBoxLayout(self.ruler)
        over.setContentsMargins(0, 0, 0, 0)
        over.addWidget(QLabel(self.tr("Prune to rank")))
        over.addWidget(self.slider, 1)
        self.words, self.measured = QLabel(), QLabel()
        for label in (self.words, self.measured):
            label.setWordWrap(True)
            label.setFont(theme.small_font())
        self.measured.setProperty("role", "muted")
        self.actions_ = QPushButton(self.tr("&Actions"))
        self.actions_.setToolTip(
            self.tr("Compares the actions before and after pruning on the recorded states of the run's target")
        )
        self.success = QPushButton(self.tr("&Success"))
        self.success.setToolTip(self.tr("Scores the policy before and after pruning on the same evaluation seeds"))
        self.save = QPushButton(self.tr("Save &pruned"))
        self.save.setToolTip(
            self.tr("Writes the pruned adapter in PEFT's layout into the folder 'adapters' of the runs")
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.words)
        row = QHBoxLayout()
        row.setSpacing(theme.SMALL)
        row.addWidget(QLabel(self.tr("Measure:")))
        for button in (self.actions_, self.success):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.save)
        column.addLayout(row)
        column.addWidget(self.measured)
        self.slider.valueChanged.connect(self._move)
        self.set_spectra((), False)

    @property
    def rank(self) -> int:
        """The rank to prune to."""
        return self.slider.value()

    def set_spectra(self, spectra: Sequence[Spectrum], can_prune: bool) -> None:
        """Prune these updates; the slider starts at the rank that holds 99% of every layer's energy."""
        self._spectra = spectra
        most = max((len(one.values) for one in spectra), default=0)
        self.slider.blockSignals(True)
        self.slider.setRange(1, max(1, most))
        self.slider.setValue(max((one.rank_of() for one in spectra), default=1))
        self.slider.blockSignals(False)
        for widget in (self, self.ruler):
            widget.setEnabled(bool(most) and can_prune)
            widget.setVisible(bool(most))
        self._move()

    def set_busy(self, busy: bool) -> None:
        """Offer nothing to measure or save while that happens."""
        for button in (self.actions_, self.success, self.save):
            button.setEnabled(not busy)

    def say(self, words: str) -> None:
        """Show what was measured."""
        self.measured.setText(words)
        self.measured.setVisible(bool(words))

    def _move(self) -> None:
        self.say("")
        if not self._spectra:
            self.words.setText("")
            return
        rank, most = self.rank, self.slider.maximum()
        least = min(self._spectra, key=lambda one: one.energy(rank))
        kept = sum(min(rank, len(one.values)) * sum(one.shape) for one in self._spectra)
        whole = sum(len(one.values) * sum(one.shape) for one in self._spectra)
        text = self.tr("Rank {rank} of {most} keeps {energy} of the energy or more ({layer} keeps least).")
        size = self.tr("{kept} of {whole} numbers are left.").format(kept=f"{kept:,}", whole=f"{whole:,}")
        words = text.format(rank=rank, most=most, energy=f"{least.energy(rank):.1%}", layer=least.layer)
        self.words.setText(f"{words} {size}")
        self.rank_changed.emit(rank)
