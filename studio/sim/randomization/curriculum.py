"""Automatic domain randomization: ranges widen from the nominal values while the policy in training succeeds.

Source: Akkaya et al. 2019, "Solving Rubik's Cube with a Robot Hand", arXiv:1910.07113, algorithm 1. Of the episodes a
share is played at one end of one range; when enough of them are in, that end moves outwards or back.

What an episode draws then depends on the present ranges, so on the history of the world: a trajectory follows from its
seed and the curriculum's state, no longer from its seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.contracts import Ids, Problem, Task
from studio.errors import DataError, StudioError
from studio.experiment import Curriculum, Domain, RandomizationTerm
from studio.rng import EpisodeRng
from studio.sim.observers import Observer

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray

MISSING_RETURN = (
    "The task has no success, so the curriculum must know which return is good.",
    "curriculum.widen_return",
    "Set curriculum.widen_return to a mean return at which the ranges may widen.",
)


def check_curriculum(domain: Domain, task: Task | type[Task]) -> list[Problem]:
    """What a domain's curriculum lacks, at its own field."""
    settings = domain.curriculum
    if not settings.enabled:
        return []
    if not any(t.resample != "once" and _moves(t) for t in domain.randomization):
        words = "Nothing varies from episode to episode, so there is no range that could widen."
        return [Problem("curriculum.enabled", words, "Add randomization terms, or switch the curriculum off.")]
    if not task.has_success and settings.widen_return is None:
        message, field, remedy = MISSING_RETURN
        return [Problem(field, message, remedy)]
    return []


def _moves(term: RandomizationTerm) -> bool:
    """Whether a term has a range that could widen; one that is never drawn has none."""
    return term.high > term.low and term.probability > 0


class RangeCurriculum(Observer):
    """The present ranges of a world's terms, and what is known of the policy at their ends.

    A term drawn once for each simulation keeps its whole range.

    Args:
        settings: thresholds, step and shares.
        terms: of the domain; their low and high are what the ranges grow to.
        nominal: key → the model's own value, where the ranges begin (at the nearest end where it lies outside).
        has_success: whether an episode is judged by success, or by its return.
        num_envs: simulations of the world.

    Raises:
        StudioError: the task has no success and the settings have no return to widen at.
    """

    def __init__(
        self,
        settings: Curriculum,
        terms: Sequence[RandomizationTerm],
        nominal: Mapping[str, float],
        has_success: bool,
        num_envs: int,
    ) -> None:
        if not has_success and settings.widen_return is None:
            raise StudioError(*MISSING_RETURN)
        self._settings, self._has_success = settings, has_success
        self._own = [term for term in terms if term.resample != "once"]
        # ends move evenly on the scale a term is drawn on
        self._log = [term.distribution == "log_uniform" for term in self._own]
        self._whole = np.array([[self._scaled(i, t.low), self._scaled(i, t.high)] for i, t in enumerate(self._own)])
        self._whole = self._whole.reshape(-1, 2)
        start = [self._scaled(i, min(max(nominal[t.key], t.low), t.high)) for i, t in enumerate(self._own)]
        self._start = np.array(start)
        self._ends = np.repeat(self._start[:, None], 2, 1)  # (terms, low and high)
        self._moving = [i for i, t in enumerate(self._own) if _moves(t)]
        self._results: list[list[float]] = [[] for _ in range(2 * len(self._own))]  # at each end, since it last moved
        self._probe = np.full(num_envs, -1)  # the end an episode is played at: 2 · term + (1 for the upper one)
        self._return = np.zeros(num_envs)
        self._narrowed = self._narrow()

    # -- for the world ---------------------------------------------------------------------------------------------

    @property
    def terms(self) -> list[RandomizationTerm]:
        """The terms with their present ranges."""
        return self._narrowed

    def reset_envs(self, ids: Array, rng: EpisodeRng) -> None:
        """Decide for each new episode whether it is played at an end of a range, and at which."""
        self._return[ids] = 0
        chosen, which = rng.uniform() < self._settings.probability, rng.uniform()
        if not self._moving:
            return
        end = np.minimum((which * 2 * len(self._moving)).astype(int), 2 * len(self._moving) - 1)
        self._probe[ids] = np.where(chosen, 2 * np.array(self._moving)[end // 2] + end % 2, -1)

    def at_ends(self, ids: Array, values: dict[str, Array]) -> dict[str, Array]:
        """The drawn values, (n,) or (n, 3) by key, with those of the simulations that stand at an end put there."""
        probe = self._probe[ids]
        for end in np.unique(probe[probe >= 0]).tolist():
            term = self._narrowed[end // 2]
            if term.key in values:
                values[term.key] = values[term.key].copy()
                values[term.key][probe == end] = term.high if end % 2 else term.low
        return values

    def exclude(self, ids: Array) -> None:
        """Leave out the present episodes of simulations: they lack their beginning."""
        self._probe[ids] = -1

    def on_step(self, world: BatchSimulation, ids: Ids, rewards: Array) -> None:
        self._return[ids] += rewards

    def on_episode_end(self, world: BatchSimulation, ids: Array, successes: Array | None) -> None:
        self.take_outcomes(ids, successes)

    def take_outcomes(self, ids: Array, successes: Array | None = None) -> None:
        """Take the outcomes of the episodes that have just ended in simulations ``ids``: (n,) bool, or None where the
        task has no success and their returns count."""
        outcomes = np.asarray(successes, float) if self._has_success else self._return[ids]
        moved = False
        for end, outcome in zip(self._probe[ids].tolist(), outcomes.tolist(), strict=True):
            if end < 0:
                continue
            self._results[end].append(outcome)
            if len(self._results[end]) >= self._settings.episodes:
                moved |= self._move_end(end)
        self._probe[ids] = -1
        if moved:
            self._narrowed = self._narrow()

    # -- for a log or a panel ----------------------------------------------------------------------------------------

    def ranges(self) -> dict[str, tuple[float, float]]:
        """The present range of each term, by key."""
        return {term.key: (term.low, term.high) for term in self._narrowed}

    def opened(self) -> float:
        """How much of the terms' ranges is open by now, 0 to 1, on average."""
        if not self._moving:
            return 1.0
        width = np.diff(self._whole[self._moving])[:, 0]
        return float(np.mean(np.diff(self._ends[self._moving])[:, 0] / width))

    def metrics(self) -> dict[str, float]:
        """Return numbers for the run log: ``range/<key>/low``, ``range/<key>/high`` and ``range/open``."""
        values = {"range/open": self.opened()}
        for key, (low, high) in self.ranges().items():
            values |= {f"range/{key}/low": low, f"range/{key}/high": high}
        return values

    def state_dict(self) -> dict[str, Any]:
        """All that the next episodes depend on, as plain lists."""
        return {
            "keys": [term.key for term in self._own],
            "ends": self._ends.tolist(),
            "results": [list(known) for known in self._results],
            "probe": self._probe.tolist(),
            "return": self._return.tolist(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave; of another number of simulations, the ranges alone.

        Raises:
            DataError: it is of other terms.
        """
        if list(state["keys"]) != [term.key for term in self._own]:
            raise DataError(
                "The curriculum's state is of other randomization terms.", "randomization", "Use the run's own terms."
            )
        self._ends = np.clip(np.array(state["ends"], float).reshape(-1, 2), self._whole[:, :1], self._whole[:, 1:])
        self._results = [list(known) for known in state["results"]]
        if len(state["probe"]) == len(self._probe):
            self._probe[:], self._return[:] = state["probe"], state["return"]
        else:
            self._probe[:], self._return[:] = -1, 0
        self._narrowed = self._narrow()

    # -- inside --------------------------------------------------------------------------------------------------

    def _move_end(self, end: int) -> bool:
        """Move an end by the outcomes kept for it, and forget them; return whether it moved."""
        term, side = divmod(end, 2)
        mean = float(np.mean(self._results[end]))
        self._results[end].clear()
        settings = self._settings
        widen: float | None = settings.widen_at
        narrow: float | None = settings.narrow_at
        if not self._has_success:
            widen, narrow = settings.widen_return, settings.narrow_return
        outwards = 1 if side else -1
        step = settings.step * (self._whole[term, 1] - self._whole[term, 0])
        if widen is not None and mean >= widen:
            wanted = self._ends[term, side] + outwards * step
        elif narrow is not None and mean <= narrow:
            wanted = self._ends[term, side] - outwards * step
        else:
            return False
        inner, outer = sorted((self._start[term], self._whole[term, side]))
        before = self._ends[term, side]
        self._ends[term, side] = min(max(wanted, inner), outer)
        return bool(self._ends[term, side] != before)

    def _narrow(self) -> list[RandomizationTerm]:
        terms = []
        for i, (term, (low, high)) in enumerate(zip(self._own, self._ends.tolist(), strict=True)):
            ends = {"low": self._value(i, low), "high": self._value(i, high)}
            # rounding of logarithms must not lead out of what was asked
            ends = {name: min(max(value, term.low), term.high) for name, value in ends.items()}
            terms.append(term.model_copy(update=ends))
        return terms

    def _scaled(self, i: int, value: float) -> float:
        return math.log(value) if self._log[i] else value

    def _value(self, i: int, scaled: float) -> float:
        return math.exp(scaled) if self._log[i] else scaled
