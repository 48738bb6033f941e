"""The Randomization panel: what varies from episode to episode, as ranges; any value of them is seen at once, several
samples side by side, and what each of them does to the return."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from studio.contracts import PanelInfo, Problem
from studio.errors import StudioError
from studio.events import Event, MetricsLogged, StateChanged
from studio.experiment import Experiment, RandomizationTerm
from studio.experiment.randomization import PRESETS, expand
from widgets.forms.segmented import Segmented
from widgets.randomization.effects import EffectView
from widgets.randomization.range_row import RangeRow
from widgets.randomization.rows import RandomizationRows
from widgets.randomization.sampler import COUNT
from widgets.randomization.samples import SampleBox
from widgets.randomization.strip import COLUMNS
from widgets.shell.app_state import AppState
from widgets.style import theme

REFERENCE = "Tobin et al. 2017 (arXiv:1703.06907); Peng et al. 2018 (arXiv:1710.06537)"
ROOMY = 640  # px of height from which samples stand in two rows


class RandomizationPanel(QWidget):
    """Rows for the quantities in four groups; edits go to the source's or the target's randomization."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._rng = random.Random()
        self._previewed = False  # the viewport holds values of a person's choice
        self.domain = Segmented(
            (
                ("source", self.tr("Source"), self.tr("Randomize the source domain")),
                ("target", self.tr("Target"), self.tr("Randomize the target domain")),
            ),
            self.tr("Domain"),
        )
        self.domain.set_key("target")
        self.views = Segmented(
            (
                ("ranges", self.tr("Ranges"), self.tr("What is randomized, and how")),
                (
                    "effect",
                    self.tr("Effect"),
                    self.tr("Return or success against each randomized value, from the episodes of a run"),
                ),
            ),
            self.tr("View"),
        )
        head = QHBoxLayout()
        head.setSpacing(theme.MEDIUM)
        head.setContentsMargins(0, 0, 10, 0)
        head.addWidget(self.domain)
        head.addStretch(1)
        head.addWidget(self.views)
        self.presets: dict[str, QPushButton] = {}
        self.rows_ = RandomizationRows()
        self.effects = EffectView(app_state)
        self.samples = SampleBox(app_state)
        self.sample = QPushButton(self.tr("&Sample"))
        self.sample.setToolTip(self.tr("Draw a value for every enabled row and show it in the viewport"))
        self.nominal = QPushButton(self.tr("&Nominal"))
        self.nominal.setToolTip(self.tr("Show the model with its nominal values"))
        self.release = QToolButton()
        theme.set_icon(self.release, "close", "muted")
        self.release.setAccessibleName(self.tr("End the preview and remove the samples"))
        self.release.setToolTip(
            self.tr("End the preview and remove the samples; episodes in the viewport draw their own values again")
        )
        self.release.setEnabled(False)
        foot = QHBoxLayout()
        foot.setSpacing(theme.SMALL)
        foot.setContentsMargins(0, 0, 10, 0)
        for widget in (self.sample, self.samples.button, self.nominal):
            foot.addWidget(widget, 1)
        foot.addWidget(self.release)
        ranges = QWidget()
        column = QVBoxLayout(ranges)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.MEDIUM)
        column.addLayout(self._preset_buttons())
        column.addWidget(self.rows_, 1)
        column.addWidget(self.samples)
        column.addLayout(foot)
        self._stack = QStackedWidget()
        self._stack.addWidget(ranges)
        self._stack.addWidget(self.effects)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, theme.MEDIUM, 0, theme.MEDIUM)
        layout.setSpacing(theme.MEDIUM)
        layout.addLayout(head)
        layout.addWidget(self._stack, 1)
        self._wire()
        self._show(app_state.experiment)

    @property
    def rows(self) -> dict[str, RangeRow]:
        """The first row of each quantity by its field; further ones as ``mass#2``."""
        return self.rows_.rows

    def show_field(self, field: str) -> bool:
        """Give the row of a dotted field (``target.randomization.0.low``) the focus; False if it is none of ours."""
        domain, _, rest = field.partition(".")
        if domain not in ("source", "target") or not rest.startswith(("randomization", "curriculum")):
            return False
        self.domain.set_key(domain)
        self.views.set_key("ranges")
        self._stack.setCurrentIndex(0)
        self._show(self._app_state.experiment)
        if rest.startswith("curriculum"):
            return self.rows_.show_curriculum(rest.partition(".")[2])
        parts = rest.split(".")
        if len(parts) > 1 and parts[1].isdigit():
            self.rows_.show_term(int(parts[1]), parts[2] if len(parts) > 2 else "low")
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.samples.strip.set_columns(COLUMNS if self.height() > ROOMY else COUNT)
        super().resizeEvent(event)

    def shut_down(self) -> None:
        """End the thread that makes samples."""
        self.samples.shut_down()

    # -- making --------------------------------------------------------------------------------------------------------

    def _preset_buttons(self) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(theme.SMALL)
        line.setContentsMargins(0, 0, 10, 0)
        titles = {
            "nominal": self.tr("Off"),
            "standard": self.tr("Standard"),
            "epopt_hopper": self.tr("EPOpt hopper"),
        }
        for key, (title, words, _) in PRESETS.items():
            button = QPushButton(titles.get(key, title))
            button.setCheckable(True)
            button.setToolTip(words)
            button.setAccessibleName(self.tr("Preset: {0}").format(titles.get(key, title)))
            button.clicked.connect(lambda _=False, key=key: self._choose_preset(key))
            self.presets[key] = button
            line.addWidget(button, 1)
        return line

    def _wire(self) -> None:
        self.domain.chosen.connect(self._choose_domain)
        self.views.chosen.connect(lambda key: self._stack.setCurrentIndex(0 if key == "ranges" else 1))
        self.rows_.changed.connect(self._apply)
        self.rows_.value_changed.connect(self._preview)
        self.rows_.names_wanted.connect(self.samples.ask_names)
        self.rows_.curriculum_changed.connect(self._edit_curriculum)
        self.samples.names_known.connect(self.rows_.set_names)
        self.sample.clicked.connect(self._show_sample)
        self.nominal.clicked.connect(self._show_nominal)
        self.release.clicked.connect(self._end_preview)
        self.samples.button.toggled.connect(lambda _: self._offer_release())
        self._app_state.preview_changed.connect(self._follow_preview)
        self._app_state.experiment_changed.connect(self._experiment_changed)
        self._app_state.problems_changed.connect(self._show_problems)
        self._app_state.events.connect(self._take_events)

    # -- the experiment ------------------------------------------------------------------------------------------------

    def _choose_domain(self, key: str) -> None:
        self.effects.set_domain(key)
        self._show(self._app_state.experiment)

    def _apply(self) -> None:
        """Put the rows into the experiment; what does not fit is shown at its row."""
        error = self._app_state.edit(**{f"{self.domain.key}.randomization": self.rows_.terms()})
        self.rows_.show_problems([(self._inside(error.field), _words(error))] if error is not None else [])
        self._name_preset()

    def _edit_curriculum(self, field: str, value: object) -> None:
        error = self._app_state.edit(**{f"{self.domain.key}.curriculum.{field}": value})
        self.rows_.show_curriculum_problems([error] if error is not None else [])

    def _show_problems(self, problems: Sequence[Problem]) -> None:
        mine = [p for p in problems if p.field.startswith(f"{self.domain.key}.randomization")]
        self.rows_.show_problems([(self._inside(p.field), _words(p)) for p in mine])
        self.rows_.show_curriculum_problems(
            [p for p in problems if p.field.startswith(f"{self.domain.key}.curriculum")]
        )

    def _inside(self, field: str) -> str:
        """``target.randomization.2.low`` → ``2.low``."""
        return field.partition(".")[2].partition(".")[2]

    def _experiment_changed(self, experiment: Experiment) -> None:
        if not self.rows_.is_settling:  # what a person is moving is not moved back
            self._show(experiment)

    def _show(self, experiment: Experiment) -> None:
        domain = experiment.domains[self.domain.key]
        self.rows_.show_terms(domain.randomization)
        self.rows_.show_settings(domain.curriculum)
        self.samples.set_domain(domain)
        self._name_preset()
        self._show_problems(self._app_state.problems)

    def _name_preset(self) -> None:
        """Mark the preset that the rows equal, if any."""
        try:
            own = _sorted(self.rows_.terms())
        except ValidationError:
            own = None
        for key, button in self.presets.items():
            button.setChecked(own == _sorted(expand(key)))

    def _choose_preset(self, key: str) -> None:
        self.rows_.show_terms([RandomizationTerm(**term) for term in expand(key)])
        self._apply()

    # -- the preview ---------------------------------------------------------------------------------------------------

    def _preview(self) -> None:
        self._app_state.preview_changed.emit(self.rows_.preview_values())

    def _follow_preview(self, values: dict[str, Any]) -> None:
        """Put the pointers where the viewport is, whoever started or ended the preview."""
        self.rows_.set_preview(values)
        self._previewed = bool(values)
        self._offer_release()

    def _offer_release(self) -> None:
        self.release.setEnabled(self._previewed or self.samples.button.isChecked())

    def _show_sample(self) -> None:
        """One draw, as an episode would make it."""
        from studio.rng import EpisodeRng
        from studio.sim.randomization.fields import draw

        try:
            terms = [RandomizationTerm(**term) for term in self.rows_.terms()]
        except ValidationError:
            return  # shown at its row
        values = draw(terms, EpisodeRng([self._rng.randrange(1 << 32)]))
        self.rows_.set_preview({key: value[0].tolist() for key, value in values.items()})
        self._preview()

    def _show_nominal(self) -> None:
        self.rows_.set_preview({})
        self._preview()

    def _end_preview(self) -> None:
        self.samples.button.setChecked(False)
        self._app_state.preview_changed.emit({})

    # -- a run that is going on ----------------------------------------------------------------------------------------

    def _take_events(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, StateChanged) and event.state == "preparing":
                self.rows_.show_reached({})
            elif isinstance(event, MetricsLogged) and "range/open" in event.values:
                self.rows_.show_reached(event.values)


def _words(problem: Problem | StudioError) -> str:
    return f"{problem.message} {problem.remedy}".strip()


def _sorted(terms: Sequence[dict[str, Any]]) -> list[RandomizationTerm]:
    return sorted((RandomizationTerm(**term) for term in terms), key=lambda term: term.key)


PANEL = PanelInfo(
    id="randomization",
    title="Randomization",
    summary="Ranges of what varies between episodes, with live preview, samples and their effect on the score.",
    area="right",
    order=20,
    factory=RandomizationPanel,
    help="randomization-and-viewport",
    reference=REFERENCE,
)
