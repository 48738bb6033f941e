"""The Data & embodiment panel: source and target side by side, their robots, tasks and datasets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio.contracts import PanelInfo, Problem
from studio.errors import StudioError
from studio.events import Event, StageChanged
from studio.experiment import Domain, Experiment
from studio.registry import Registry
from widgets.data.dataset_view import DatasetView, Summary, summarize
from widgets.data.domain_column import FIELDS, MORE, DomainColumn, domain_fields
from widgets.data.robot_preview import render
from widgets.forms.scroll_column import ScrollColumn
from widgets.forms.section import Section
from widgets.shell.app_state import AppState
from widgets.style import theme

WAIT_MS = 300  # without an edit, before files are read and robots drawn


class DataEmbodimentPanel(QWidget):
    """See the module."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self.columns = {
            "source": DomainColumn("source", self.tr("Source"), self),
            "target": DomainColumn("target", self.tr("Target"), self),
        }
        self.views = {"source": DatasetView(), "target": DatasetView()}
        self._refused: dict[str, StudioError] = {}  # edits that did not fit, by field
        self._found: dict[str, StudioError] = {}  # what reading or drawing found, by field
        self._pictures: dict[tuple[str, str, str], Any] = {}
        self._wanted: dict[str, Any] = {}  # what was last asked for, by purpose: older answers are dropped
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._refresh)
        self._lay_out()
        for column in self.columns.values():
            column.edited.connect(self._edit)
        self._take_experiment(app_state.experiment)
        app_state.experiment_changed.connect(self._take_experiment)
        app_state.problems_changed.connect(lambda _: self._show_problems())
        app_state.registry_ready.connect(self._fill)
        app_state.runs_changed.connect(self._look_again)
        app_state.events.connect(self._take_events)
        if app_state.registry_is_ready:
            self._fill()

    def show_field(self, dotted: str) -> bool:
        """Give a field of source or target the focus."""
        role, _, name = dotted.partition(".")
        if name in MORE:
            self.more.set_open(True)
        return role in self.columns and self.columns[role].show_field(name)

    def show_dataset(self, role: str) -> None:
        """Show the statistics of the source's or the target's dataset."""
        for name, view in self.views.items():
            view.setVisible(name == role)
            self._tabs[name].setChecked(name == role)

    def _lay_out(self) -> None:
        content = QWidget()
        outer = QVBoxLayout(content)
        outer.setContentsMargins(10, theme.SMALL, 10, 12)
        outer.setSpacing(theme.MEDIUM)
        self.labels: dict[str, QLabel] = {}
        grid = self._grid(FIELDS)
        for at, column in enumerate(self.columns.values()):
            grid.addWidget(column.title, 0, at)
            grid.addWidget(column.preview, 1, at)
        outer.addLayout(grid)
        rest, more = self._grid(MORE), QWidget()
        rest.setContentsMargins(0, 0, 0, 0)
        more.setLayout(rest)
        self.more = Section(self.tr("More"), more)
        outer.addWidget(self.more)
        line = QFrame()
        line.setProperty("role", "line")
        outer.addWidget(line)
        outer.addLayout(self._switch())
        for view in self.views.values():
            outer.addWidget(view)
        outer.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(ScrollColumn(content))
        self.show_dataset("target")

    def _grid(self, names: Sequence[str]) -> QGridLayout:
        """Lay out fields of source and target side by side, from the third row on.

        Their names stand over them: beside them, they would leave half of a task's title to be read.
        """
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.MEDIUM)
        grid.setVerticalSpacing(theme.HAIR)
        for place, name in enumerate(names):
            row = 3 * place + 2
            label = self.labels[name] = QLabel(domain_fields()[name].title)
            label.setToolTip(domain_fields()[name].description or "")
            label.setProperty("role", "muted")
            label.setFont(theme.small_font())
            label.setContentsMargins(0, theme.SMALL, 0, 0)
            grid.addWidget(label, row, 0, 1, 2)
            for at, column in enumerate(self.columns.values()):
                grid.setColumnStretch(at, 1)
                grid.addWidget(column.editors[name], row + 1, at)
                grid.addWidget(column.problems[name], row + 2, at, Qt.AlignmentFlag.AlignTop)
        return grid

    def _switch(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.SMALL)
        head = QLabel(self.tr("Demonstrations"))
        head.setProperty("role", "title")
        row.addWidget(head)
        row.addStretch(1)
        self._tabs = {}
        for role, words in (("source", self.tr("Source")), ("target", self.tr("Target"))):
            button = QPushButton(words)
            button.setCheckable(True)
            button.setProperty("small", True)
            button.setAccessibleName(self.tr("Show the dataset of: {role}").format(role=words))
            button.clicked.connect(lambda _=False, role=role: self.show_dataset(role))
            row.addWidget(button)
            self._tabs[role] = button
        return row

    def _fill(self) -> None:
        for role, column in self.columns.items():
            column.fill(self._app_state.registry)
            column.show_domain(self._domain(role))
        self._count_sources(self._app_state.experiment)
        self._show_rows()
        self._timer.start()

    def _domain(self, role: str) -> Domain:
        return self._app_state.experiment.domains[role]

    def _take_experiment(self, experiment: Experiment) -> None:
        for role, column in self.columns.items():
            column.show_domain(experiment.domains[role])
        self._count_sources(experiment)
        self._show_rows()
        self._timer.start()

    def _count_sources(self, experiment: Experiment) -> None:
        """Say that the column is the first of several sources: the others stay as the experiment's file has them."""
        count, title = len(experiment.sources), self.columns["source"].title
        words = self.tr("Source 1 of {0}").format(count)
        title.setText(words if count > 1 else self.tr("Source"))
        help = self.tr("The other {0} sources are as the experiment's file has them; edit them there.")
        title.setToolTip(help.format(count - 1) if count > 1 else "")

    def _edit(self, dotted: str, value: object) -> None:
        error = self._app_state.edit(**{dotted: value})
        self._refused.pop(dotted, None)
        if error is not None:
            self._refused[dotted] = StudioError(error.message, dotted, error.remedy)
        self._show_problems()

    def _show_problems(self) -> None:
        own = {**self._found, **self._refused}
        problems: list[Problem | StudioError] = [
            *(p for p in self._app_state.problems if p.field not in own),
            *own.values(),
        ]
        for column in self.columns.values():
            column.set_problems(problems)
        self._show_rows()

    def _show_rows(self) -> None:
        """The fields that say something of the source or the target: cameras of images, contexts of families."""
        for name, label in self.labels.items():
            used = any(column.uses(name) for column in self.columns.values())
            for widget in (label, *(column.editors[name] for column in self.columns.values())):
                widget.setVisible(used)
        wrong = [column.problems[name].text() for column in self.columns.values() for name in MORE]
        self.more.set_alarm(any(wrong))

    def _take_events(self, events: list[Event]) -> None:
        if any(isinstance(event, StageChanged) for event in events):
            self._look_again()

    def _look_again(self) -> None:
        """A run may have made the episodes that were missing."""
        self._wanted = {key: value for key, value in self._wanted.items() if not key.endswith("dataset")}
        self._timer.start()

    def _refresh(self) -> None:
        if not self._app_state.registry_is_ready:
            return
        for role in self.columns:
            self._ask_picture(role)
            self._ask_summary(role)

    def _ask_picture(self, role: str) -> None:
        domain, column = self._domain(role), self.columns[role]
        key = (domain.embodiment, domain.task, domain.camera)
        if self._wanted.get(f"{role}.embodiment") == key:
            return
        self._wanted[f"{role}.embodiment"] = key
        if key in self._pictures:
            self._found.pop(f"{role}.embodiment", None)
            column.preview.show_image(self._pictures[key])
            return
        column.preview.show_image(None, self.tr("Rendering …"))

        def done(found: tuple[Any, Sequence[str]]) -> None:
            image, cameras = found
            for each in self.columns.values():
                each.offer_cameras(domain.embodiment, cameras)
            self._pictures[key] = image
            if self._wanted.get(f"{role}.embodiment") == key:
                self._settle(f"{role}.embodiment", None)
                column.preview.show_image(image)

        def failed(error: Exception) -> None:
            if self._wanted.get(f"{role}.embodiment") == key:
                of_task = isinstance(error, StudioError) and error.field == "task"  # its own field says so
                self._settle(f"{role}.embodiment", None if of_task else error)
                column.preview.show_image(None, self.tr("No preview"))

        self._app_state.background(partial(_look_at, domain, self._app_state.registry), done, failed)

    def _ask_summary(self, role: str) -> None:
        domain, view, experiment = self._domain(role), self.views[role], self._app_state.experiment
        seed = experiment.pretraining.seed if role == "source" else experiment.seed
        key = (domain.model_dump_json(exclude={"episodes"}), seed, experiment.strategy.id, experiment.policy.id)
        if self._wanted.get(f"{role}.dataset") == key:
            return
        self._wanted[f"{role}.dataset"] = key

        def read() -> tuple[Summary, bool]:
            registry = self._app_state.registry
            return summarize(domain, seed, registry), self._learns_from(role, experiment)

        def done(found: tuple[Summary, bool]) -> None:
            if self._wanted.get(f"{role}.dataset") == key:
                self.columns[role].offer_dataset(found[0].splits, found[0].cameras)
                self._settle(f"{role}.dataset", None)
                view.show_summary(*found)

        def failed(error: Exception) -> None:
            if self._wanted.get(f"{role}.dataset") == key:
                self.columns[role].offer_dataset({}, ())
                # without a file there is nothing wrong with the file: the robot's own field shows it
                self._settle(f"{role}.dataset", error if domain.dataset is not None else None)
                view.show_words(self.tr("The dataset cannot be displayed."))

        self._app_state.background(read, done, failed)

    def _learns_from(self, role: str, experiment: Experiment) -> bool:
        """Whether a run learns from the role's demonstrations; assumed while the strategy is unknown."""
        app_state = self._app_state
        if experiment.strategy.id not in app_state.registry.all("strategies"):
            return True
        return app_state.engine.demonstrations_used(experiment, app_state.registry)[role]

    def _settle(self, field: str, error: Exception | None) -> None:
        self._found.pop(field, None)
        if isinstance(error, StudioError):
            self._found[field] = StudioError(error.message, field, error.remedy)
        elif error is not None:
            self._found[field] = StudioError(f"{type(error).__name__}: {error}.", field)
        self._show_problems()


def _look_at(domain: Domain, registry: Registry) -> tuple[Any, Sequence[str]]:
    """A robot's picture, and its cameras."""
    image, known = render(domain, registry), registry.all("embodiments").get(domain.embodiment)
    if known is not None:
        return image, known.cameras
    from studio.sim.domains import embodiment_of  # a model file, which the picture needed too

    return image, embodiment_of(domain, registry).cameras


PANEL = PanelInfo(
    id="data_embodiment",
    title="Data & embodiment",
    summary="Source and target side by side: robot, task, observation, control and demonstrations.",
    area="left",
    order=10,
    factory=DataEmbodimentPanel,
    help="data-and-embodiments",
)
