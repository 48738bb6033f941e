"""The modules of the experiment's policy, with tick boxes for those that get an adapter, and what that would train."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QBrush, QHideEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QTreeWidget, QTreeWidgetItem, QTreeWidgetItemIterator, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.experiment import Experiment
from widgets.adapters import jobs
from widgets.shell.app_state import AppState
from widgets.style import theme

if TYPE_CHECKING:
    from widgets.adapters.jobs import Targets

REST_MS = 200  # edits come in bursts
NAME = Qt.ItemDataRole.UserRole


class TargetsView(QWidget):
    """Edits ``strategy.params.target_modules``; the count follows every change of the experiment."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._found: Targets | None = None
        self._asked = 0
        self._stale = True
        self.count = QLabel()
        self.count.setWordWrap(True)
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([self.tr("Module"), self.tr("Parameters"), self.tr("Trained")])
        self.tree.setUniformRowHeights(True)
        self.tree.setAccessibleName(self.tr("Modules of the policy"))
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, self.tree.header().ResizeMode.Stretch)
        wide = self.fontMetrics().horizontalAdvance
        self.tree.setColumnWidth(1, wide("Parameters mm"))
        self.tree.setColumnWidth(2, wide("Low-rank update mm"))
        self.tree.itemChanged.connect(self._edit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.count)
        column.addWidget(self.tree, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self._ask)
        app_state.experiment_changed.connect(lambda _: self._change())
        app_state.registry_ready.connect(self._change)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._stale:
            self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _change(self) -> None:
        self._stale = True
        if self.isVisible():
            self._timer.start()

    def _ask(self) -> None:
        if not self._app_state.registry_is_ready:
            self.count.setText(self.tr("Loading …"))
            return
        self._stale = False
        self._asked += 1
        asked, experiment = self._asked, self._app_state.experiment
        if self._found is None:
            self.count.setText(self.tr("Counting …"))

        def done(found: Targets) -> None:
            if asked == self._asked:
                self._show(found, experiment)

        def failed(error: Exception) -> None:
            if asked == self._asked:
                self._fail(error)

        self._app_state.background(partial(jobs.targets, experiment, self._app_state.registry), done, failed)

    def _fail(self, error: Exception) -> None:
        self._found = None
        self.tree.clear()
        if isinstance(error, StudioError):
            self.count.setText(f"{error.message} {error.remedy}".strip())
        else:
            self.count.setText(self.tr("The policy's modules cannot be shown."))
            self._app_state.report(error, self.tr("Adapters"))

    def _show(self, found: Targets, experiment: Experiment) -> None:
        before, self._found = self._found, found
        self.tree.blockSignals(True)
        if before is None or before.parts != found.parts:
            self._fill(found)
        self._tick(found)
        self.tree.blockSignals(False)
        self.count.setText(self._words(found, experiment))

    def _words(self, found: Targets, experiment: Experiment) -> str:
        title = self._app_state.title_of("strategies", experiment.strategy.id)
        if found.problem:
            return found.problem
        if found.unmatched:
            words = self.tr("No layer that can have an adapter is called {names}. Tick layers, or correct the targets.")
            return words.format(names=", ".join(found.unmatched))
        if found.trainable is None:
            if found.places_adapter:
                return self.tr("No layer gets an adapter. Tick at least one.")
            words = self.tr("{strategy} places no adapter. Choose LoRA, AdaLoRA or PEFT adapters to tick layers.")
            return words.format(strategy=title)
        words = self.tr("{strategy} would train {count} of {total} parameters ({share}), on {layers} layers.")
        return words.format(
            strategy=title,
            count=f"{found.trainable:,}",
            total=f"{found.total:,}",
            share=f"{found.trainable / found.total:.1%}",
            layers=len(found.chosen),
        )

    def _fill(self, found: Targets) -> None:
        self.tree.clear()
        items: dict[str, QTreeWidgetItem] = {}
        for part in found.parts:
            head, _, tail = part.name.rpartition(".")
            parent = items.get(head)
            item = QTreeWidgetItem([tail or part.name if parent is not None else part.name, f"{part.numbers:,}", ""])
            item.setData(0, NAME, part.name if part.adaptable else "")
            item.setToolTip(0, f"{part.name}: {part.kind}")
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            item.setFlags(flags | Qt.ItemFlag.ItemIsUserCheckable if part.adaptable else flags)
            if part.whole:
                item.setText(2, self.tr("whole"))
                item.setToolTip(2, self.tr("Trained and saved whole beside the adapter, as the robot is another"))
            elif not part.adaptable:
                item.setForeground(0, QBrush(theme.color("muted")))
            if parent is None:
                self.tree.addTopLevelItem(item)
            else:
                parent.addChild(item)
            items[part.name] = item
        self.tree.expandAll()

    def _tick(self, found: Targets) -> None:
        chosen = set(found.chosen)
        for item in self._leaves():
            name = item.data(0, NAME)
            item.setCheckState(0, Qt.CheckState.Checked if name in chosen else Qt.CheckState.Unchecked)
            item.setDisabled(not found.places_adapter)
            item.setText(2, self.tr("adapter") if name in chosen else "")

    def _edit(self, item: QTreeWidgetItem, column: int) -> None:
        if column != 0 or self._found is None:
            return
        from studio.run.adapter_targets import shortest  # with the modules it is loaded already

        ticked = [leaf.data(0, NAME) for leaf in self._leaves() if leaf.checkState(0) == Qt.CheckState.Checked]
        params = {**self._app_state.experiment.strategy.params, "target_modules": shortest(ticked, self._found.parts)}
        if (error := self._app_state.edit(**{"strategy.params": params})) is not None:
            self.count.setText(f"{error.message} {error.remedy}".strip())

    def _leaves(self) -> Sequence[QTreeWidgetItem]:
        """Return the items that can be ticked."""
        found = []
        walk = QTreeWidgetItemIterator(self.tree)
        while (item := walk.value()) is not None:
            if item.data(0, NAME):
                found.append(item)
            walk += 1
        return found
