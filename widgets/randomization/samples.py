"""The box of samples: pictures as the policy would see them in the panel, and ghosts of the robot in the viewport."""

from __future__ import annotations

import random

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout

from studio.experiment import Domain
from widgets.randomization.sample_ghosts import MOVING, ghosts
from widgets.randomization.sampler import COUNT, Request, Sampler, Samples
from widgets.randomization.strip import SampleStrip
from widgets.shell.app_state import AppState
from widgets.style import theme


class SampleBox(QFrame):
    """Hidden until its button is down. A sample is an episode's draw; all are of one episode otherwise."""

    names_known = Signal(object)  # field → the model's parts

    def __init__(self, app_state: AppState, sampler: Sampler | None = None) -> None:
        super().__init__()
        self._app_state = app_state
        self._sampler = sampler or Sampler(app_state.registry)
        self._sampler.ready.connect(self._take)
        self._domain = Domain()
        self.seed = 0
        self._names_for: tuple[str, str] | None = None
        self.button = QPushButton(self.tr("{0} samples").format(COUNT))
        self.button.setCheckable(True)
        self.button.setToolTip(
            self.tr(
                "Several draws at once: images as the policy would observe them, and translucent robots in the "
                "viewport after one second of the same commands"
            )
        )
        self.strip = SampleStrip()
        self.caption = QLabel()
        self.caption.setProperty("role", "muted")
        self.caption.setFont(theme.small_font())
        self.caption.setWordWrap(True)
        again = QToolButton()
        theme.set_icon(again, "dice", "muted")
        again.setToolTip(self.tr("Resample"))
        again.setAccessibleName(self.tr("Draw new samples"))
        again.clicked.connect(self._again)
        self.again = again
        head = QHBoxLayout()
        head.setSpacing(theme.SMALL)
        head.addWidget(self.caption, 1)
        head.addWidget(again)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 10, 0)
        layout.setSpacing(theme.SMALL)
        layout.addLayout(head)
        layout.addWidget(self.strip)
        self.hide()
        self.destroyed.connect(self._sampler.end)
        self.button.toggled.connect(self._toggle)

    def set_domain(self, domain: Domain) -> None:
        """What is sampled from now on."""
        if domain != self._domain:
            self._domain = domain
            if self.button.isChecked():
                self._ask()

    def ask_names(self) -> None:
        """Ask for the names of the model's parts; :attr:`names_known` follows."""
        if self._names_for != (self._domain.embodiment, self._domain.task):
            self._sampler.ask(Request(self._domain, self.seed, images=False))

    def shut_down(self) -> None:
        """End the thread."""
        self._sampler.end()

    def _toggle(self, on: bool) -> None:
        self.setVisible(on)
        if on:
            if not self.strip.images:
                self.strip.show_words(self.tr("Drawing samples…"))
            self._ask()
        else:
            self._app_state.ghosts_changed.emit([], self._domain)

    def _again(self) -> None:
        self.seed = random.randrange(1 << 32)
        self._ask()

    def _ask(self) -> None:
        domain = self._domain
        images = domain.observes("image")
        moving = any(term.field in MOVING for term in domain.randomization)
        self._sampler.ask(Request(domain, self.seed, images, moving))

    def _take(self) -> None:
        found = self._sampler.take()
        if found is None:
            return
        if found.names:
            self._names_for = (self._domain.embodiment, self._domain.task)
            self.names_known.emit(found.names)
        if not self.button.isChecked():
            return
        if found.problem:
            self.caption.setText(self.tr("No samples"))
            self.strip.show_words(found.problem)
        elif found.images is not None:
            self.strip.show_images(found.images, found.values)
            self.caption.setText(self.tr("As the policy would observe them"))
        self.strip.setVisible(bool(found.problem) or self._domain.observes("image"))
        if not found.problem and not found.values:
            self.caption.setText(self.tr("Nothing is randomized yet. Enable a row."))
        elif not found.problem and not self._domain.observes("image"):
            self.caption.setText(self._about_motion(found))
        robots = [] if found.poses is None else ghosts(found.poses, found.values, found.alike)
        self._app_state.ghosts_changed.emit(robots, self._domain)

    def _about_motion(self, found: Samples) -> str:
        if found.poses is None:
            return self.tr("The policy observes no images, and nothing is randomized that affects the robot's motion.")
        if len(found.alike) == 1:
            return self.tr(
                "In the viewport: after one second of the same commands all samples look alike. Widen the ranges to "
                "see a difference."
            )
        return self.tr("In the viewport: each sample after one second of the same commands")
