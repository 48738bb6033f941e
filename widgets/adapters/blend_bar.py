"""The slider that weights adapters while the robot moves."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from widgets.style import theme

STEPS = 100


class BlendBar(QWidget):
    """Between the base and one adapter, or between two adapters."""

    changed = Signal()  # the weights are others

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self.left, self.right, self.share = QLabel(), QLabel(), QLabel()
        for label in (self.left, self.right):
            label.setMinimumWidth(1)
            label.setFont(theme.small_font())
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, STEPS)
        self.slider.setAccessibleName(self.tr("Weight of the adapters"))
        self.enabled = QToolButton()
        self.enabled.setText(self.tr("Enabled"))
        self.enabled.setCheckable(True)
        self.enabled.setChecked(True)
        self.enabled.setToolTip(self.tr("Off: the base policy acts, with the robot's slots but without any adapter"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.MEDIUM)
        row.addWidget(self.enabled)
        row.addWidget(self.left, 1)
        row.addWidget(self.slider, 2)
        row.addWidget(self.right, 1)
        row.addWidget(self.share)
        self.share.setMinimumWidth(self.share.fontMetrics().horizontalAdvance("0.00 "))
        self.slider.valueChanged.connect(self._tell)
        self.enabled.toggled.connect(self._tell)
        self.set_names([])

    @property
    def weights(self) -> list[float]:
        """One for each adapter."""
        share = self.slider.value() / STEPS
        if not self.enabled.isChecked():
            return [0.0] * self._count
        return [share] if self._count == 1 else [1 - share, share]

    def set_names(self, names: Sequence[str]) -> None:
        """Weight these adapters, one or two of them; with one the other end is the base. Another number: nothing."""
        self._count = len(names)
        left, right = (self.tr("base"), names[0]) if self._count == 1 else names if self._count == 2 else ("", "")
        self._names = left, right
        self._elide()
        self.slider.blockSignals(True)
        self.slider.setValue(STEPS if self._count == 1 else 0)
        self.slider.blockSignals(False)
        self.enabled.blockSignals(True)
        self.enabled.setChecked(True)
        self.enabled.blockSignals(False)
        self.setEnabled(self._count in (1, 2))
        self._show_share()

    def resizeEvent(self, event: object) -> None:
        self._elide()

    def _elide(self) -> None:
        for label, name in zip((self.left, self.right), self._names, strict=True):
            label.setText(label.fontMetrics().elidedText(name, Qt.TextElideMode.ElideLeft, max(20, label.width())))
            label.setToolTip(name)
        self.left.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _tell(self) -> None:
        self._show_share()
        self.changed.emit()

    def _show_share(self) -> None:
        self.share.setText(f"{self.slider.value() / STEPS:.2f}" if self._count in (1, 2) else "")
