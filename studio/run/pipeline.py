"""The stages of an experiment, and how far along it is."""

from __future__ import annotations

import math
from collections.abc import Sequence

from studio.events import Progress

STAGES = ("source", "pretrain", "adapt", "evaluate", "export")
# shares of a whole run's time, measured on the demo; a stage whose result exists already takes no time
WEIGHTS = {"source": 0.10, "pretrain": 0.55, "adapt": 0.2, "evaluate": 0.14, "export": 0.01}


class Pipeline:
    """Turns a stage's own progress into the run's progress and the time left."""

    def __init__(self, own: Sequence[str] = ()) -> None:
        """Make a pipeline whose stage "adapt" is replaced by ``own``, a strategy's stages, where it has any."""
        own = tuple(own) or ("adapt",)
        self.stages = tuple(s for stage in STAGES for s in (own if stage == "adapt" else (stage,)))
        self.stage = STAGES[0]
        self._weights = {s: WEIGHTS.get(s, WEIGHTS["adapt"] / len(own)) for s in self.stages}

    def enter(self, stage: str, cached: bool = False) -> None:
        """Enter a stage; ``cached``: its result exists already."""
        self.stage = stage
        if cached:
            self._weights[stage] = 0.0

    def progress(self, step: int, total: int, seconds: float) -> Progress:
        """Return how far the session is, ``seconds`` after its start, at a step of its stage."""
        share = step / max(1, total)
        behind = sum(self._weights[stage] for stage in self.stages[: self.stages.index(self.stage)])
        whole = (behind + self._weights[self.stage] * share) / sum(self._weights.values())
        left = seconds * (1 - whole) / whole if whole > 0.02 and seconds > 2 else math.nan
        return Progress(self.stage, step, total, share, whole, left)
