"""The bar under the viewport: time, domain, policy, camera, pictures and films."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QMenu, QSizePolicy, QSpinBox, QToolButton, QWidget

from widgets.forms.segmented import Segmented
from widgets.style import theme
from widgets.viewport.orbit_camera import FOLLOW, FREE

SPEEDS = {
    "1/32×": 1 / 32,
    "1/16×": 1 / 16,
    "1/8×": 1 / 8,
    "1/4×": 1 / 4,
    "1/2×": 1 / 2,
    "1×": 1.0,
    "2×": 2.0,
    "4×": 4.0,
    "8×": 8.0,
}


class ViewportBar(QWidget):
    """Emits signals for what a person did; the setters emit none."""

    play_toggled = Signal()
    step_asked = Signal()
    back_asked = Signal()
    reset_asked = Signal()
    seed_asked = Signal()
    picture_asked = Signal()
    inset_toggled = Signal(bool)
    film_toggled = Signal(bool)
    side_toggled = Signal(bool)
    keyframe_chosen = Signal(int)
    speed_chosen = Signal(float)
    camera_chosen = Signal(str)
    policy_chosen = Signal(str)  # expert, current, training, checkpoint, random, hand, recorded
    simulation_chosen = Signal(int)  # of the training, from 0
    domain_chosen = Signal(str)  # source, target

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.play = self._button("pause", self.tr("Play or pause (Space)"), self.play_toggled)
        self.back = self._button("back", self.tr("One control step back (Left arrow)"), self.back_asked)
        self.step = self._button("step", self.tr("One control step (Right arrow)"), self.step_asked)
        self.reset = self._button("reset", self.tr("Restart this episode (R)"), self.reset_asked)
        self.keyframes = QMenu(self)
        self._keys: tuple[str, ...] = ()
        self.seed = self._button("dice", self.tr("New episode from a random seed"), self.seed_asked)
        self.inset = self._button("inset", self.tr("Show what the policy sees"), None)
        self.inset.setCheckable(True)
        self.inset.toggled.connect(self.inset_toggled)
        self.picture = self._button("camera", self.tr("Save a picture of the view (P)"), self.picture_asked)
        self.film = self._button("film", self.tr("Record a film of the view, MP4 (V)"), None)
        self.film.setCheckable(True)
        self.film.toggled.connect(self.film_toggled)
        self.side = self._button("side", self.tr("Inspector: show, joints, actuators, watch (N)"), None)
        self.side.setCheckable(True)
        self.side.toggled.connect(self.side_toggled)
        self.speed = self._combo(self.tr("Speed"), self.tr("Simulated seconds per second (+ and −)"))
        for label, factor in SPEEDS.items():
            self.speed.addItem(label, factor)
        self.speed.setCurrentIndex(5)
        self.speed.activated.connect(lambda index: self.speed_chosen.emit(self.speed.itemData(index)))
        self._cameras: tuple[tuple[str, ...], str] | None = None  # as last set
        self.camera = self._combo(self.tr("Camera"), self.tr("Camera (0: free, 1 to 9: the model's own)"))
        self.camera.activated.connect(lambda index: self.camera_chosen.emit(self.camera.itemData(index)))
        self.set_cameras((), FREE)
        self.policy = self._combo(self.tr("Policy"), self.tr("What drives the robot"))
        for key, label in (
            ("expert", self.tr("Expert")),
            ("current", self.tr("Current policy")),
            ("training", self.tr("Training")),
            ("checkpoint", self.tr("Checkpoint…")),
            ("random", self.tr("Random")),
            ("hand", self.tr("By hand")),
            ("recorded", self.tr("Playback…")),
        ):
            self.policy.addItem(label, key)
        self.policy.activated.connect(lambda index: self.policy_chosen.emit(self.policy.itemData(index)))
        self.simulation = QSpinBox()
        self.simulation.setAccessibleName(self.tr("Simulation"))
        self.simulation.setToolTip(self.tr("Which of the training's simulations is shown, counted from 1"))
        self.simulation.setRange(1, 1)
        self.simulation.setMinimumWidth(64)
        self.simulation.setKeyboardTracking(False)
        self.simulation.valueChanged.connect(lambda number: self.simulation_chosen.emit(number - 1))
        self.simulation.hide()
        self.domain = Segmented(
            (
                ("source", self.tr("Source"), self.tr("Show the source domain")),
                ("target", self.tr("Target"), self.tr("Show the target domain")),
            ),
            self.tr("Domain"),
        )
        self.domain.set_key("target")
        self.domain.chosen.connect(self.domain_chosen)
        self.time_row = _row(self.play, self.back, self.step, self.reset, self.seed, self.speed)
        self.what_row = _row(self.domain, self.policy, self.simulation, self.camera, shares=(0, 3, 0, 2))
        self.tools_row = _row(self.inset, self.picture, self.film, self.side)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(theme.SMALL, theme.SMALL, theme.SMALL, theme.SMALL)
        self._grid.setHorizontalSpacing(theme.MEDIUM)
        self._grid.setVerticalSpacing(theme.SMALL)
        self._grid.setColumnStretch(1, 1)
        self._grid.addWidget(self.time_row, 0, 0)
        self._grid.addWidget(self.what_row, 0, 1)
        self._grid.addWidget(self.tools_row, 0, 2)
        self._folded = False  # domain, policy and camera are on a line of their own

    def minimumSizeHint(self) -> QSize:
        """Return the least size, which is the folded bar's."""
        least = super().minimumSizeHint()
        time, what, tools = (row.minimumSizeHint().width() for row in (self.time_row, self.what_row, self.tools_row))
        return QSize(max(time + 2 * theme.MEDIUM + tools, what) + 2 * theme.SMALL, least.height())

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self._fold()
        return done

    def _fold(self) -> None:
        rows = (self.time_row, self.what_row, self.tools_row)
        folded = self.width() < sum(row.minimumSizeHint().width() for row in rows) + 2 * (theme.MEDIUM + theme.SMALL)
        if folded != self._folded:
            self._folded = folded
            self._grid.removeWidget(self.what_row)
            row, column, columns = (1, 0, 3) if folded else (0, 1, 1)
            self._grid.addWidget(self.what_row, row, column, 1, columns)

    def set_playing(self, on: bool) -> None:
        """Let the play button show what pressing it does."""
        theme.set_icon(self.play, "pause" if on else "run")
        self.play.setAccessibleName(self.tr("Pause") if on else self.tr("Play"))

    def set_cameras(self, cameras: tuple[str, ...], current: str) -> None:
        """Offer the free and the following camera and the model's own, and show the current one."""
        if (cameras, current) == self._cameras:
            return
        self._cameras = (cameras, current)
        wanted = [(self.tr("Free"), FREE), (self.tr("Follow"), FOLLOW), *((name, name) for name in cameras)]
        if [self.camera.itemData(i) for i in range(self.camera.count())] != [key for _, key in wanted]:
            self.camera.clear()
            for label, key in wanted:
                self.camera.addItem(label, key)
        index = max(0, self.camera.findData(current))
        if index != self.camera.currentIndex():
            self.camera.setCurrentIndex(index)

    def set_keyframes(self, names: tuple[str, ...]) -> None:
        """Offer the model's keyframes in a menu at the reset button, where there are any."""
        if names == self._keys:
            return
        self._keys = names
        self.keyframes.clear()
        for index, name in enumerate(names):
            action = self.keyframes.addAction(self.tr("Keyframe {0}").format(name))
            action.triggered.connect(lambda _=False, index=index: self.keyframe_chosen.emit(index))
        self.reset.setMenu(self.keyframes)
        mode = QToolButton.ToolButtonPopupMode
        self.reset.setPopupMode(mode.MenuButtonPopup if names else mode.DelayedPopup)
        self.reset.setFixedWidth(40 if names else 28)

    def change_speed(self, by: int) -> None:
        """Choose a speed so many entries faster or slower, as a person would."""
        index = min(max(self.speed.currentIndex() + by, 0), self.speed.count() - 1)
        self.speed.setCurrentIndex(index)
        self.speed_chosen.emit(self.speed.itemData(index))

    def set_filming(self, on: bool) -> None:
        """Show whether a film is being made."""
        self.film.blockSignals(True)
        self.film.setChecked(on)
        self.film.blockSignals(False)

    def set_policy(self, key: str, checkpoint: str = "") -> None:
        """Show what drives the robot; ``checkpoint`` names the one that is played."""
        self.policy.setCurrentIndex(self.policy.findData(key))
        label = self.tr("Checkpoint {0}").format(checkpoint) if checkpoint else self.tr("Checkpoint…")
        self.policy.setItemText(self.policy.findData("checkpoint"), label)

    def set_simulations(self, count: int) -> None:
        """Set how many simulations the training has."""
        if max(1, count) != self.simulation.maximum():
            self.simulation.setRange(1, max(1, count))

    def _button(self, icon: str, words: str, signal: object) -> QToolButton:
        button = QToolButton()
        button.setToolTip(words)
        button.setAccessibleName(words)
        button.setFixedSize(28, 26)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.set_icon(button, icon)
        if signal is not None:
            button.clicked.connect(lambda: signal.emit())  # type: ignore[attr-defined]
        return button

    def _combo(self, name: str, words: str) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        combo.setToolTip(words)
        combo.setProperty("tight", True)
        combo.setMaximumWidth(220)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        combo.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        combo.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return combo


def _row(*widgets: QWidget, shares: Sequence[int] = ()) -> QWidget:
    """Return widgets side by side.

    Args:
        shares: how much of the free width each takes, against one share before them and one after.
    """
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(theme.SMALL)
    for index, widget in enumerate(widgets):
        layout.addWidget(widget, shares[index] if shares else 0)
    if shares:
        layout.insertStretch(0, 1)
        layout.addStretch(1)
    return row
