"""The load of this program and machine, in the status bar, while a session runs."""

from __future__ import annotations

import math

from PySide6.QtWidgets import QLabel, QWidget

from studio.events import DeviceSample, Event
from widgets.shell.app_state import AppState
from widgets.style import theme


class DeviceStatus(QLabel):
    """``CPU 184 %  ·  memory 812 MB  ·  GPU 40 %, 2.1 GB``."""

    def __init__(self, app_state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFont(theme.small_font())
        self.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, 0)
        self.setToolTip(self.tr("Load of this program during a run; 100 % CPU is one core."))
        self.setAccessibleName(self.tr("Device load"))
        app_state.events.connect(self._take_events)
        app_state.running_changed.connect(self._take_running)

    def _take_running(self, running: bool) -> None:
        if not running:
            self.clear()

    def _take_events(self, events: list[Event]) -> None:
        samples = [event for event in events if isinstance(event, DeviceSample)]
        if samples:
            self.show_sample(samples[-1])

    def show_sample(self, sample: DeviceSample) -> None:
        """Show one sample."""
        parts = [
            self.tr("CPU {value:.0f} %").format(value=sample.cpu_percent),
            self.tr("memory {value}").format(value=megabytes(sample.memory_mb)),
        ]
        if math.isfinite(sample.gpu_percent):
            load = self.tr("GPU {value:.0f} %").format(value=sample.gpu_percent)
            parts.append(f"{load}, {megabytes(sample.gpu_memory_mb)}")
        self.setText("  ·  ".join(parts))


def megabytes(value: float) -> str:
    """Return an amount of memory with its unit."""
    return f"{value:.0f} MB" if value < 1000 else f"{value / 1000:.1f} GB"
