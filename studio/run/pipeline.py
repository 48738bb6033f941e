"""The stages of an experiment, and how far along it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.events import Progress
from studio.run.pace import Pace

STAGES = ("source", "pretrain", "adapt", "evaluate", "export")
# shares of a whole run's work, measured on the demo; a stage in which nothing is counted has none
WEIGHTS = {"source": 0.10, "pretrain": 0.55, "adapt": 0.2, "evaluate": 0.14, "export": 0.01}


class Pipeline:
    """Turns a stage's own progress into the run's progress and the time left.

    The time left is estimated from the duration of the stage's own steps. For a stage that has not started there is an
    estimate only after :meth:`expect` has been given one.
    """

    def __init__(self, own: Sequence[str] = ()) -> None:
        """Make a pipeline whose stage "adapt" is replaced by ``own``, a strategy's stages, where it has any."""
        own = tuple(own) or ("adapt",)
        self.stages = tuple(s for stage in STAGES for s in (own if stage == "adapt" else (stage,)))
        self.stage = STAGES[0]
        self._weights = {s: WEIGHTS.get(s, WEIGHTS["adapt"] / len(own)) for s in self.stages}
        self._expected = {"export": 0.0}  # seconds
        self._pace = Pace()
        self._counted = False  # whether the stage has counted any steps

    def enter(self, stage: str, cached: bool = False) -> None:
        """Enter a stage; ``cached``: its result exists already."""
        before, now = self.stages.index(self.stage), self.stages.index(stage)
        for idle in self.stages[before + 1 if self._counted else before : now]:  # it did nothing, or was not needed
            self._weights[idle] = 0.0
        if cached:
            self._weights[stage] = 0.0
        self.stage, self._pace, self._counted = stage, Pace(), False

    def expect(self, stage: str, seconds: float) -> None:
        """Take how long a later stage will last."""
        self._expected[stage] = seconds

    def progress(self, step: int, total: int, seconds: float) -> Progress:
        """Return how far the session is, ``seconds`` after its start, at a step of its stage."""
        self._counted |= total > 0
        share, place = step / max(1, total), self.stages.index(self.stage)
        behind = sum(self._weights[stage] for stage in self.stages[:place])
        whole = (behind + self._weights[self.stage] * share) / max(sum(self._weights.values()), 1e-9)
        stage_left = self._pace.left(seconds, share)
        left = stage_left + sum(self._expected.get(stage, math.nan) for stage in self.stages[place + 1 :])
        return Progress(self.stage, step, total, share, whole, left, stage_left)
