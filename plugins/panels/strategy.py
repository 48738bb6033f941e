"""The Strategy panel: choose how the knowledge is carried over, set its parameters, the budget and the evaluation."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QLineEdit, QListWidget, QListWidgetItem, QScrollArea, QVBoxLayout, QWidget

from studio.contracts import PanelInfo, Problem
from studio.errors import StudioError
from studio.experiment import Budget, EvaluationPlan, Experiment, Pretraining, plain_validation
from widgets import theme
from widgets.bench import Bench
from widgets.form import Form
from widgets.section import Section

PARAMS = "strategy.params."
LIST_ROWS = 4


class StrategyPanel(QWidget):
    """See the module."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench
        self._errors: dict[str, StudioError] = {}  # refused edits, by field, until the field is right
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search strategies"))
        self.search.setAccessibleName(self.tr("Search strategies"))
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Strategies"))
        self.list.currentItemChanged.connect(self._choose)
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
        self.params: Form | None = None
        self.parts: dict[str, Form] = {}  # of parameters that are settings themselves: each has a section
        self._chosen: set[str] = set()  # the parts that a choice beside them names
        self._params_of = ""
        experiment = bench.experiment
        self.forms: dict[str, Form] = {
            "budget": Form(Budget, experiment.budget, "budget."),
            "evaluation": Form(EvaluationPlan, experiment.evaluation, "evaluation."),
            "pretraining": Form(Pretraining, experiment.pretraining, "pretraining."),
        }
        titles = {
            "budget": self.tr("Budget"),
            "evaluation": self.tr("Evaluation"),
            "pretraining": self.tr("Pretraining"),
        }
        self.sections = {name: Section(titles[name], form) for name, form in self.forms.items()}
        self.sections["budget"].set_open(True)
        for form in self.forms.values():
            form.changed.connect(self._edit)
        self._lay_out()
        bench.experiment_changed.connect(self._take_experiment)
        bench.problems_changed.connect(lambda _: self._show_problems())
        bench.registry_ready.connect(self._fill)
        if bench.registry_is_ready:
            self._fill()
        else:
            self.summary.setText(self.tr("The strategies are being loaded …"))

    def show_field(self, dotted: str) -> bool:
        """Opens the section that has the field and gives the field the focus."""
        if dotted in ("strategy", "strategy.id"):
            self.list.setFocus()
            return True
        for name, form in self._all_forms().items():
            if form.show_field(dotted):
                if name in self.sections:
                    self.sections[name].set_open(True)
                return True
        return False

    def _lay_out(self) -> None:
        content = QWidget()
        content.setObjectName("scrolled")
        self._body = QVBoxLayout(content)
        self._body.setContentsMargins(12, theme.SMALL, 12, 12)
        self._body.setSpacing(theme.MEDIUM)
        line = QFrame()
        line.setProperty("role", "line")
        for widget in (self.search, self.list, self.summary, self.reference, self.unplaced, line):
            self._body.addWidget(widget)
        self._params_at = self._body.count()
        for section in self.sections.values():
            self._body.addWidget(section)
        self._body.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        self.list.setFixedHeight(LIST_ROWS * (self.fontMetrics().height() + 6) + 4)

    def _fill(self) -> None:
        self.list.blockSignals(True)
        self.list.clear()
        for id, strategy in self._bench.registry.all("strategies").items():
            item = QListWidgetItem(strategy.title)
            item.setData(Qt.ItemDataRole.UserRole, id)
            tags = " ".join(getattr(strategy, "tags", ()))
            item.setData(Qt.ItemDataRole.UserRole + 1, f"{id} {strategy.title} {strategy.summary} {tags}".casefold())
            item.setToolTip(f"{strategy.summary}\n{strategy.reference}")
            self.list.addItem(item)
        self.list.blockSignals(False)
        self._filter(self.search.text())
        self._take_experiment(self._bench.experiment)

    def _filter(self, words: str) -> None:
        parts = words.casefold().split()
        for row in range(self.list.count()):
            item = self.list.item(row)
            item.setHidden(not all(part in item.data(Qt.ItemDataRole.UserRole + 1) for part in parts))

    def _choose(self, item: QListWidgetItem | None, _before: object = None) -> None:
        if item is None:
            return
        id = item.data(Qt.ItemDataRole.UserRole)
        if id != self._bench.experiment.strategy.id:
            self._errors.clear()
            # another strategy knows other parameters: they start from their defaults
            self._report(self._bench.edit(strategy={"id": id, "params": {}}))

    def _take_experiment(self, experiment: Experiment) -> None:
        for name, form in self.forms.items():
            form.set_values(getattr(experiment, name))
        if not self._bench.registry_is_ready:
            return
        strategy = self._bench.registry.all("strategies").get(experiment.strategy.id)
        self.list.blockSignals(True)
        self.list.setCurrentRow(-1)
        for row in range(self.list.count()):
            if self.list.item(row).data(Qt.ItemDataRole.UserRole) == experiment.strategy.id:
                self.list.setCurrentRow(row)
        self.list.blockSignals(False)
        if experiment.strategy.id != self._params_of or self.params is None:
            self._make_params(experiment.strategy.id, strategy)
        if self.params is not None:
            self._show_params(experiment.strategy.params)
        if strategy is None:
            self.summary.setText(self.tr("Choose a strategy."))
            self.reference.clear()
        else:
            self.summary.setText(strategy.summary)
            self.reference.setText(strategy.reference)
        self._show_problems()

    def _make_params(self, id: str, strategy: Any) -> None:
        old = [self.sections.pop(PARAMS + name) for name in self.parts]
        for widget in (*old, *([self.params] if self.params is not None else [])):
            self._body.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self._params_of, self.parts, self.params, self._chosen = id, {}, None, set()
        model = getattr(strategy, "Params", None)
        if model is None:
            return
        inner = {name: field for name, field in model.model_fields.items() if _is_settings(field.annotation)}
        self.params = Form(model, {}, PARAMS, leave_out=inner)
        self.params.changed.connect(self._edit_params)
        self._body.insertWidget(self._params_at, self.params)
        for at, (name, field) in enumerate(inner.items(), self._params_at + 1):
            form = self.parts[name] = Form(field.annotation, {}, f"{PARAMS}{name}.")
            form.changed.connect(self._edit_params)
            section = self.sections[PARAMS + name] = Section(field.title or name, form)
            self._body.insertWidget(at, section)

    def _show_params(self, params: dict[str, Any]) -> None:
        assert self.params is not None
        self.params.set_values(params)
        before, self._chosen = self._chosen, {name for name in self.parts if name in self.params.values().values()}
        for name, form in self.parts.items():
            form.set_values(params.get(name) or {})
            if (name in self._chosen) != (name in before):
                self.sections[PARAMS + name].set_open(name in self._chosen)

    def _edit_params(self, dotted: str, _value: object) -> None:
        assert self.params is not None
        changed = {name: form.changed_values() for name, form in self.parts.items()}
        params = self.params.changed_values() | {name: values for name, values in changed.items() if values}
        strategy = self._bench.registry.all("strategies")[self._params_of]
        self._errors = {field: error for field, error in self._errors.items() if not field.startswith(PARAMS)}
        try:
            strategy.Params.model_validate(params)
        except ValidationError as error:
            for found in plain_validation(error, strategy.Params, PARAMS):
                self._errors[found.field] = found
            self._show_problems()
            return
        self._report(self._bench.edit(**{"strategy.params": params}))
        self._show_problems()

    def _edit(self, dotted: str, value: object) -> None:
        self._errors.pop(dotted, None)
        self._report(self._bench.edit(**{dotted: value}))
        self._show_problems()

    def _report(self, error: StudioError | None) -> None:
        if error is not None:
            self._errors[error.field] = error

    def _all_forms(self) -> dict[str, Form]:
        own = {} if self.params is None else {"params": self.params}
        return {**own, **{PARAMS + name: form for name, form in self.parts.items()}, **self.forms}

    def _show_problems(self) -> None:
        left: list[Problem | StudioError] = [
            *(p for p in self._bench.problems if p.field not in self._errors),
            *self._errors.values(),
        ]
        for name, form in self._all_forms().items():
            before = len(left)
            left = form.set_problems(left)
            if name in self.sections:
                self.sections[name].set_alarm(len(left) < before)
        own = [
            p for p in left if p.field.split(".")[0] in ("strategy", "policy", "comparison", "device", "seed", "name")
        ]
        self.unplaced.setText("\n".join(f"{p.message} {p.remedy}".strip() for p in own))
        self.unplaced.setVisible(bool(own))


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


PANEL = PanelInfo(
    id="strategy",
    title="Strategy",
    summary="How the knowledge is carried over, with its parameters, its budget and how it is scored.",
    area="left",
    order=20,
    factory=StrategyPanel,
)
