"""What shows most of a task's episodes: the plane of a goal or a direction, a fitted curve, or rewards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from studio.viewer.steering import ANGLE
from widgets.adaptation.fit_plot import FitPlot
from widgets.adaptation.plane_plot import PlanePlot
from widgets.adaptation.reward_plot import RewardPlot

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation
    from widgets.adaptation.job import TaskFacts


class EpisodesView(QStackedWidget):
    """Shows one of its plots, as the task needs it."""

    dragged = Signal(tuple)  # by a person, in the plane: the new context

    def __init__(self) -> None:
        super().__init__()
        self.plane, self.fit, self.rewards = PlanePlot(), FitPlot(), RewardPlot()
        for plot in (self.plane, self.fit, self.rewards):
            self.addWidget(plot)
        self.plane.dragged.connect(self.dragged)

    def set_facts(self, facts: TaskFacts) -> None:
        """Show another family of tasks."""
        self.plane.set_facts(facts)
        self.setCurrentWidget(self._plot_for(facts))

    def set_context(self, context: tuple[float, ...]) -> None:
        """Mark another task of the family."""
        self.plane.set_context(context)

    def set_adaptation(self, found: Adaptation) -> None:
        """Show the episodes of an adaptation."""
        for plot in (self.plane, self.fit, self.rewards):
            plot.set_adaptation(found)

    def _plot_for(self, facts: TaskFacts) -> QWidget:
        if facts.goal or tuple(part.name for part in facts.components) == ANGLE:
            return self.plane
        return self.fit if facts.domain.task.is_regression else self.rewards


def has_episodes(facts: TaskFacts) -> bool:
    """Return whether an episode is something to look at: a choice that is made once is not."""
    return facts.domain.task.horizon > 1 or facts.domain.task.is_regression
