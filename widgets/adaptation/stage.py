"""Shows adaptations in the viewport: their episodes side by side, paths, samples of the posterior, possible goals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject

from studio.contracts import PlayerProtocol
from studio.viewer.showing import Showing, ShownEpisode, SideBySide
from widgets.adaptation.palette import shot_color
from widgets.adaptation.rings import ring_in_scene
from widgets.shell.app_state import AppState
from widgets.shell.player_offer import PlayerOffer

if TYPE_CHECKING:
    from studio.run.adaptation import Adaptation, AfterShots
    from widgets.adaptation.job import TaskFacts

OPACITY = 0.45  # of the translucent robots
WHITE = 1.0, 1.0, 1.0, 1.0
ABOVE = 0.01  # m: above the marks of the task


class AdaptationStage(QObject):
    """Fills what the viewport plays, once it was asked to, and takes back which task a person asks for there."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._shown: SideBySide | None = None

    def play(self, facts: TaskFacts, found: Adaptation | None, name: str) -> None:
        """Show an adaptation in the viewport, and from now on those that follow.

        Args:
            name: what the viewport calls it.
        """
        shown = self._shown = SideBySide()
        if found is not None:
            self.show(found)

        def make() -> PlayerProtocol:
            from studio.viewer.side_by_side import SideBySidePlayer  # on the render thread

            return SideBySidePlayer(facts.domain, shown)

        self._app_state.player_offered.emit(PlayerOffer(name, make))

    def leave(self) -> None:
        """Show nothing that follows: it is of another robot or task."""
        self._shown = None

    def show(self, found: Adaptation) -> None:
        """Hand an adaptation over, where the viewport was asked to show them."""
        if self._shown is None:
            return
        after, episodes = found.after, []
        for place, one in enumerate(after):
            hue = shot_color(place, len(after))
            color = hue.redF(), hue.greenF(), hue.blueF(), OPACITY
            words = self._shots(one)
            if place == len(after) - 1:
                words = self.tr("{0}, solid").format(words)
            episodes.append(ShownEpisode(one.trajectory, words, color))
        title = self.tr("solid: after {0}").format(self._shots(after[-1]))
        points = [
            (places, episode.color)
            for place, (one, episode) in enumerate(zip(after, episodes, strict=True))
            for places in (one.belief.samples, ring_in_scene(one.belief, place), _answers(one))
        ]
        points.append((_support(after[-1]), WHITE))
        self._shown.show(Showing(episodes, np.array(found.context), title, points, self.tr("goal")))

    def _shots(self, one: AfterShots) -> str:
        return self.tr("1 shot") if one.shots == 1 else self.tr("{0} shots").format(one.shots)

    def take_asked(self) -> tuple[float, ...] | None:
        """Return the task that a person asked for in the viewport since the last call; None: none."""
        asked = self._shown.take_asked() if self._shown is not None else None
        return None if asked is None else tuple(float(value) for value in asked)


def _answers(one: AfterShots) -> np.ndarray:
    """Return all places that a policy answers with where an episode is one answer, (n, 3), m; else none."""
    return one.ends if len(one.trajectory.rewards) == 1 else one.ends[:0]


def _support(one: AfterShots) -> np.ndarray:
    """Return the points that a curve is fitted to, where an episode is one answer, (n, 3), m; else none."""
    return one.support + np.array([0, 0, ABOVE]) if len(one.trajectory.rewards) == 1 else one.support[:0]
