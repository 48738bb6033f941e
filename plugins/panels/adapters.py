"""The Adapters panel: what adapters change in a policy, pruning and blending them, and where a new one is placed."""

from __future__ import annotations

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from studio.contracts import PanelInfo
from widgets.adapters.adapters_view import AdaptersView
from widgets.adapters.targets_view import TargetsView
from widgets.forms.segmented import Segmented
from widgets.forms.wrapping_row import WrappingRow
from widgets.shell.app_state import AppState
from widgets.style import theme


class AdaptersPanel(QWidget):
    """Adapters that exist, or the targets of the experiment's own."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self.adapters, self.targets = AdaptersView(app_state), TargetsView(app_state)
        self.choice = Segmented(
            (
                ("adapters", self.tr("Adapters"), self.tr("Adapters of finished runs: spectrum, pruning, blending")),
                ("targets", self.tr("Targets"), self.tr("Which layers get an adapter in the experiment's run")),
            ),
            self.tr("View"),
        )
        self.stack = QStackedLayout()
        self.stack.addWidget(self.adapters)
        self.stack.addWidget(self.targets)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        head = WrappingRow(self.choice, self.adapters.parts.choice, self.adapters.bar, spacing=theme.MEDIUM)
        column.addLayout(head)
        column.addLayout(self.stack, 1)
        self.choice.chosen.connect(self._choose)
        app_state.registry_ready.connect(self._refresh)

    def _choose(self, key: str) -> None:
        self.stack.setCurrentIndex(key == "targets")
        self.adapters.bar.setVisible(key == "adapters")
        self.adapters.parts.choice.setVisible(key == "adapters" and self.adapters.parts.is_narrow)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh()

    def _refresh(self) -> None:
        """List the adapters, where they are to be seen; reading them loads torch, as the plugins do."""
        if self._app_state.registry_is_ready and self.isVisible():
            self.adapters.refresh()


PANEL = PanelInfo(
    id="adapters",
    title="Adapters",
    summary="Spectra of adapters' updates, pruning, blending while the robot moves; which layers get an adapter.",
    area="center",
    order=60,
    factory=AdaptersPanel,
    help="adapters",
    reference="LoRA: arXiv:2106.09685; task arithmetic: arXiv:2212.04089; Eckart and Young 1936",
    shortcuts={"Double-click": "Play the adapter in the viewport"},
)
