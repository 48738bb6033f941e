"""The time slider under the picture: the present place in the history, or in a recorded episode."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QSpinBox, QWidget

from widgets.style import theme


class HistoryBar(QWidget):
    """Emits signals for what a person did; the setters emit none."""

    sought = Signal(int)  # entry of the history, or frame
    episode_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.episode = QSpinBox()
        self.episode.setPrefix(self.tr("Episode "))
        self.episode.setAccessibleName(self.tr("Recorded episode"))
        self.episode.setToolTip(self.tr("Recorded episode that is played"))
        self.episode.setMinimum(1)
        self.episode.valueChanged.connect(lambda number: self.episode_chosen.emit(number - 1))
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName(self.tr("Time"))
        self.slider.setToolTip(self.tr("Go back in time (Left and Right arrow, Home, End)"))
        self.slider.setRange(0, 0)
        self.slider.valueChanged.connect(self.sought)
        self.label = QLabel()
        self.label.setFont(theme.small_font())
        self.label.setProperty("role", "muted")
        self.label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.label.setMinimumWidth(self.label.fontMetrics().horizontalAdvance("−00.00 s"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, 0)
        layout.setSpacing(theme.MEDIUM)
        layout.addWidget(self.episode)
        layout.addWidget(self.slider, 1)
        layout.addWidget(self.label)
        self._shown: tuple[int, int, float, tuple[int, int] | None] = (-1, -1, 0.0, (-1, -1))
        self._text = ""
        self.set_moment(0, 0, 0.0)

    def set_moment(self, cursor: int, length: int, seconds: float, recorded: tuple[int, int] | None = None) -> None:
        """Show the present place.

        Args:
            cursor: entry of the history, or frame of the episode.
            length: how many there are.
            seconds: from one to the next.
            recorded: (episode, episodes) of a recording.
        """
        now = (cursor, length, seconds, recorded)
        if now == self._shown or self.slider.isSliderDown():
            return  # the slider is not moved under the person's hand
        before, self._shown = self._shown, now
        self.slider.blockSignals(True)
        if length != before[1]:
            self.slider.setRange(0, max(0, length - 1))
            self.slider.setEnabled(length > 1)
        self.slider.setValue(cursor)
        self.slider.blockSignals(False)
        if recorded != before[3]:
            self._show_episode(recorded)
        behind = (length - 1 - cursor) * seconds
        if recorded is not None:
            text = f"{cursor * seconds:.2f} / {max(0, length - 1) * seconds:.1f} s"
        else:
            text = self.tr("−{0:.2f} s").format(behind) if behind > 0 else self.tr("now")
        if text != self._text:
            self._text = text
            self.label.setText(text)

    def _show_episode(self, recorded: tuple[int, int] | None) -> None:
        self.episode.setVisible(recorded is not None)
        if recorded is None:
            return
        self.episode.blockSignals(True)
        self.episode.setMaximum(max(1, recorded[1]))
        self.episode.setSuffix(self.tr(" of {0}").format(recorded[1]))
        self.episode.setValue(recorded[0] + 1)
        self.episode.blockSignals(False)
