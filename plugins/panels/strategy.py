"""The Strategy panel: how the knowledge is carried over, by which policy, on what budget, and how it is scored."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from studio.contracts import PanelInfo, Problem
from studio.errors import StudioError
from studio.experiment import Budget, Comparison, EvaluationPlan, Experiment, Pretraining, Selection
from widgets.advice.card import AdviceCard
from widgets.forms.choices import Choice
from widgets.forms.form import Form
from widgets.forms.params_form import ParamsForm
from widgets.forms.scroll_column import ScrollColumn
from widgets.forms.section import Section
from widgets.shell.app_state import AppState
from widgets.style import theme

LIST_LINES, LIST_SHARE = 5, 0.5  # of the list of strategies: lines at least, and share of the panel's height
CLONING = ("batch_size", "learning_rate")  # settings of a source policy that is cloned
RUN = ("name", "title", "description", "seed", "device")  # the experiment's own fields


class StrategyPanel(QWidget):
    """See the module."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._errors: dict[str, StudioError] = {}  # refused edits, by field, until the field is right
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search strategies"))
        self.search.setAccessibleName(self.tr("Search strategies"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Strategies"))
        self.list.currentItemChanged.connect(self._choose)
        self.no_match = QLabel(self.tr("No strategy has these words."))
        self.no_match.setProperty("role", "muted")
        self.no_match.hide()
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.reference = QLabel()
        self.reference.setWordWrap(True)
        self.reference.setProperty("role", "muted")
        self.reference.setFont(theme.small_font())
        self.reference.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.unplaced = QLabel()
        self.unplaced.setWordWrap(True)
        self.unplaced.setProperty("role", "problem")
        self.unplaced.hide()
        self.advice = AdviceCard(app_state)
        self._make_forms()
        self._lay_out()
        app_state.experiment_changed.connect(self._take_experiment)
        app_state.problems_changed.connect(lambda _: self._show_problems())
        app_state.registry_ready.connect(self._fill)
        if app_state.registry_is_ready:
            self._fill()
        else:
            self.summary.setText(self.tr("Loading strategies …"))

    def show_field(self, dotted: str) -> bool:
        """Open the section that has the field and give the field the focus."""
        if dotted in ("strategy", "strategy.id"):
            self.list.setFocus()
            return True
        dotted = "policy.id" if dotted == "policy" else dotted
        forms: list[tuple[str, ParamsForm | Form]] = [*self.params.items(), *self.forms.items()]
        for name, form in forms:
            if form.show_field(dotted):
                if name in self.sections:
                    self.sections[name].set_open(True)
                return True
        return False

    def _make_forms(self) -> None:
        experiment = self._app_state.experiment
        self.policies = Choice([])
        self.forms: dict[str, Form] = {
            "policy": Form(Selection, experiment.policy, "policy.", ("params",), {"id": self.policies}),
            "pretraining": Form(Pretraining, experiment.pretraining, "pretraining.", ("params",)),
            "budget": Form(Budget, experiment.budget, "budget."),
            "evaluation": Form(EvaluationPlan, experiment.evaluation, "evaluation."),
            "comparison": Form(Comparison, experiment.comparison, "comparison."),
            "run": Form(Experiment, _own(experiment), "", [n for n in Experiment.model_fields if n not in RUN]),
        }
        self.params = {part: ParamsForm(f"{part}.params.") for part in ("strategy", "policy", "pretraining")}
        titles = {
            "policy": self.tr("Policy"),
            "pretraining": self.tr("Pretraining"),
            "budget": self.tr("Budget"),
            "evaluation": self.tr("Evaluation"),
            "comparison": self.tr("Comparison"),
            "run": self.tr("Run"),
        }
        self.sections = {name: Section(titles[name], self._content(name)) for name in self.forms}
        self.sections["budget"].set_open(True)
        for form in self.forms.values():
            form.changed.connect(self._edit)
        for part, params in self.params.items():
            params.edited.connect(partial(self._edit_params, part))
            params.refused.connect(partial(self._refuse_params, part))

    def _content(self, name: str) -> QWidget:
        """What a section holds: its form, and the parameters that belong to it."""
        if name not in self.params:
            return self.forms[name]
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.forms[name])
        column.addWidget(self.params[name])
        return content

    def _lay_out(self) -> None:
        content = QWidget()
        body = QVBoxLayout(content)
        body.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, 12)
        body.setSpacing(theme.MEDIUM)
        line = QFrame()
        line.setProperty("role", "line")
        above = (self.search, self.no_match, self.list, self.summary, self.reference, self.advice, self.unplaced)
        for widget in (*above, line, self.params["strategy"], *self.sections.values()):
            body.addWidget(widget)
        body.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(ScrollColumn(content))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_list()

    def _fit_list(self) -> None:
        """Give the list room for whole lines, with the chosen one among them."""
        line = max(self.list.sizeHintForRow(0), self.fontMetrics().height())
        fitting = max(LIST_LINES, int(LIST_SHARE * self.height()) // line)
        lines = min(fitting, max(self.list.count(), LIST_LINES))
        self.list.setFixedHeight(lines * line + 2 * self.list.frameWidth())
        if (chosen := self.list.currentItem()) is not None:  # to the middle: the list itself gets lower only later
            self.list.scrollToItem(chosen, QListWidget.ScrollHint.PositionAtCenter)

    def _fill(self) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for id, strategy in self._app_state.registry.all("strategies").items():
            item = QListWidgetItem(strategy.title)
            item.setData(Qt.ItemDataRole.UserRole, id)
            tags = " ".join(strategy.tags)
            item.setData(Qt.ItemDataRole.UserRole + 1, f"{id} {strategy.title} {strategy.summary} {tags}".casefold())
            item.setToolTip(f"{strategy.summary}\n{strategy.reference}")
            self.list.addItem(item)
        self.list.blockSignals(False)
        self._fit_list()
        self.policies.set_contributions(self._app_state.registry.all("policies"))
        self._filter(self.search.text())
        self._take_experiment(self._app_state.experiment)

    def _filter(self, words: str) -> None:
        parts = words.casefold().split()
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setHidden(not all(part in item.data(Qt.ItemDataRole.UserRole + 1) for part in parts))
        self.no_match.setVisible(all(self.list.item(row).isHidden() for row in range(self.list.count())))

    def _choose(self, item: QListWidgetItem | None, _before: object = None) -> None:
        if item is None:
            return
        id = item.data(Qt.ItemDataRole.UserRole)
        if id != self._app_state.experiment.strategy.id:
            self._errors.clear()
            # another strategy knows other parameters: they start from their defaults
            self._report(self._app_state.edit(strategy={"id": id, "params": {}}))

    def _take_experiment(self, experiment: Experiment) -> None:
        self._errors.clear()  # every field shows the experiment again
        for name, form in self.forms.items():
            form.set_values(_own(experiment) if name == "run" else getattr(experiment, name))
        if not self._app_state.registry_is_ready:
            return
        strategy = self._app_state.registry.all("strategies").get(experiment.strategy.id)
        self.list.blockSignals(True)
        self.list.setCurrentRow(-1)
        for row in range(self.list.count()):
            if self.list.item(row).data(Qt.ItemDataRole.UserRole) == experiment.strategy.id:
                self.list.setCurrentRow(row)
                self.list.scrollToItem(self.list.item(row))
        self.list.blockSignals(False)
        policy = self._app_state.registry.all("policies").get(experiment.policy.id)
        kinds = {"strategy": strategy, "policy": policy, "pretraining": _learner(policy)}
        for part, kind in kinds.items():
            self.params[part].set_model(kind.Params if kind is not None else None)
            self.params[part].set_values(getattr(experiment, part).params)
        self.forms["pretraining"].set_left_out(CLONING if kinds["pretraining"] else ())
        self.forms["budget"].set_left_out(strategy.unused_budget if strategy is not None else ())
        if strategy is None:
            self.summary.setText(self.tr("Choose a strategy."))
            self.reference.clear()
        else:
            self.summary.setText(strategy.summary)
            self.reference.setText(strategy.reference)
        self._show_problems()

    def _edit(self, dotted: str, value: object) -> None:
        if dotted == "policy.id" and value == self._app_state.experiment.policy.id:
            return  # chosen again: it keeps its parameters
        changes = {dotted: value}
        if dotted == "policy.id":  # another policy knows other parameters, and so does what trains it
            self._forget("policy.params.", "pretraining.params.")
            changes |= {"policy.params": {}, "pretraining.params": {}}
        self._errors.pop(dotted, None)
        self._report(self._app_state.edit(**changes))
        self._show_problems()

    def _edit_params(self, part: str, params: dict[str, Any]) -> None:
        self._forget(f"{part}.params.")
        self._report(self._app_state.edit(**{f"{part}.params": params}))
        self._show_problems()

    def _refuse_params(self, part: str, errors: list[StudioError]) -> None:
        self._forget(f"{part}.params.")
        self._errors |= {error.field: error for error in errors}
        self._show_problems()

    def _forget(self, *prefixes: str) -> None:
        self._errors = {field: error for field, error in self._errors.items() if not field.startswith(prefixes)}

    def _report(self, error: StudioError | None) -> None:
        if error is not None:
            self._errors[error.field] = error

    def _show_problems(self) -> None:
        left: list[Problem | StudioError] = [
            *(p for p in self._app_state.problems if p.field not in self._errors),
            *self._errors.values(),
        ]
        left = self.params["strategy"].set_problems(left)
        for name, section in self.sections.items():
            before = len(left)
            left = self.forms[name].set_problems(left)
            if name in self.params:
                left = self.params[name].set_problems(left)
            section.set_alarm(len(left) < before)
        parts = ("strategy", "policy", "pretraining", "comparison", *RUN)
        own = [p for p in left if p.field.split(".")[0] in parts]
        self.unplaced.setText("\n".join(f"{p.message} {p.remedy}".strip() for p in own))
        self.unplaced.setVisible(bool(own))


def _own(experiment: Experiment) -> dict[str, Any]:
    return {name: getattr(experiment, name) for name in RUN}


def _learner(policy: Any) -> Any:
    """The algorithm that trains a policy by reinforcement; None for one that is cloned."""
    if policy is None or not policy.algorithm:
        return None
    from studio.rl.learners import algorithm_of  # with the plugins it is loaded already

    return algorithm_of(policy)


PANEL = PanelInfo(
    id="strategy",
    title="Strategy",
    summary="Transfer strategy, policy, training budget and evaluation.",
    area="left",
    order=20,
    factory=StrategyPanel,
    help="strategies",
)
