"""What varies in a world: the values that each simulation has now, and when they are resampled.

A term's values come from the episode's own seed, so they do not depend on what else runs; what is drawn once belongs to
the simulation, and a curriculum's ranges to the world's history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import mujoco
import mujoco.batch
import numpy as np

from studio.contracts import Observation
from studio.errors import StudioError
from studio.experiment import Domain
from studio.rng import EpisodeRng
from studio.sim.randomization import fields as randomization
from studio.sim.randomization.curriculum import RangeCurriculum

Array = np.ndarray

# streams of an episode's random numbers; where it begins is stream 0
_NOISE, _ONCE, _INTERVAL, _EPISODE, _CURRICULUM = 1, 2, 3, 4, 1 << 62
_NOISY = ("joint_pos", "eef_pos", "state")  # what sensor noise is added to


class RandomizationManager:
    """The randomization of a batch's simulations.

    Args:
        control_hz: control steps a second, by which intervals are counted.
        has_success: whether the task has one; else a curriculum goes by the return.
        curriculum: ranges begin at the nominal values and widen, where the domain has a curriculum.
        context: keys that every episode's context gives a value, which wins over a term of the same key.
    """

    state_arrays: ClassVar[tuple[str, ...]] = ("values",)

    def __init__(
        self,
        domain: Domain,
        model: mujoco.MjModel,
        batch: mujoco.batch.Batch,
        control_hz: float,
        has_success: bool,
        curriculum: bool,
        context: Sequence[str] = (),
    ) -> None:
        terms, self._count = domain.randomization, batch.nsim
        self._control_hz = control_hz
        self._physics = randomization.PhysicsRandomizer(batch, model)
        self._terms = [t for t in terms if t.resample != "once"]
        self._interval_terms = [t for t in terms if t.resample == "interval"]
        self._drawn = {t.key for t in self._terms} | {*context}
        self._foreign: set[str] = set()  # keys that were given by hand and that no episode draws
        self._parted = any(t.parts for t in terms) or any(":" in key for key in context)
        self._remembered = _remembered(model)
        self.values: dict[str, Array] = {
            key: randomization.nominal(key, self._count)
            for key in (*randomization.NOMINAL, *(t.key for t in terms), *context)
        }
        self.curriculum: RangeCurriculum | None = None
        if curriculum and domain.curriculum.enabled:
            own = {t.key: randomization.nominal_value(t.key, model, domain.camera) for t in terms}
            self.curriculum = RangeCurriculum(domain.curriculum, terms, own, has_success, self._count)
        every = np.arange(self._count)
        self._once = randomization.draw([t for t in terms if t.resample == "once"], EpisodeRng(every, _ONCE))
        if self._once:
            self._apply(every, self._once)

    def reset_envs(self, ids: Array, seeds: Array, context: Mapping[str, Array]) -> None:
        """New episodes: what was given by hand ends, the terms are drawn from the seeds, and the episodes' contexts
        give the values of ``context``, (n,) by key."""
        if self.curriculum is not None:
            self.curriculum.reset_envs(ids, EpisodeRng(seeds, _CURRICULUM))
        self.draw(ids, seeds, context)

    def draw(self, ids: Array, seeds: Array, context: Mapping[str, Array]) -> None:
        """Reset each simulation to the values that its episode's seed draws and to its fixed ones, undoing changes.

        Args:
            context: values that the episodes' contexts give, (n,) by key.
        """
        values = {
            key: self._once[key][ids] if key in self._once else randomization.nominal(key, len(ids))
            for key in self._foreign
        }
        if self._terms:
            terms = self._terms if self.curriculum is None else self.curriculum.terms
            drawn = randomization.draw(terms, EpisodeRng(seeds, _EPISODE))
            values |= drawn if self.curriculum is None else self.curriculum.at_ends(ids, drawn)
        self._apply(ids, {**values, **context})

    def set_values(self, ids: Array, values: Mapping[str, Array]) -> None:
        """Give each simulation its values, (n,) or (n, 3) by key, until its next episode; other keys stay.

        Raises:
            StudioError: a delay is longer than the past commands that the model keeps.
        """
        longest = float(np.max(values.get("actuator_delay", 0.0), initial=0.0))
        if longest > self._remembered + 1e-9:
            raise StudioError(
                f"The simulation keeps {self._remembered:g} s of past commands; a delay of {longest:g} s is longer.",
                "actuator_delay",
                "Give a shorter delay, or build the world with a larger max_delay or a delay term that reaches as far.",
            )
        self._foreign |= values.keys() - self._drawn
        self._parted |= any(":" in key for key in values)
        self._apply(ids, values)

    def draw_interval_terms(self, ids: Array, seeds: Array, steps: Array) -> None:
        """Draw the interval terms whose time has come after ``steps`` (n,) control steps."""
        for place, term in enumerate(self._interval_terms):
            period = max(1, round(term.interval * self._control_hz))
            due = (steps % period == 0) & (steps > 0)
            if not due.any():
                continue
            # each term has numbers of its own
            rng = EpisodeRng(seeds[due], (steps[due] << 2) + _INTERVAL + (place << 40))
            if self.curriculum is None:
                self._apply(ids[due], randomization.draw([term], rng))
            else:
                now = next(t for t in self.curriculum.terms if t.key == term.key and t.resample == "interval")
                self._apply(ids[due], self.curriculum.at_ends(ids[due], randomization.draw([now], rng)))

    @property
    def has_interval_terms(self) -> bool:
        """Whether anything is drawn within an episode."""
        return bool(self._interval_terms)

    def add_noise(self, observation: Observation, spread: Array, seeds: Array, steps: Array) -> None:
        """Add the sensors' noise of standard deviation ``spread`` (n,) at a step of each episode."""
        if not spread.any():
            return
        rng = EpisodeRng(seeds, (steps << 2) + _NOISE)
        for name in _NOISY:
            if name in observation:
                seen = observation[name]
                observation[name] = (seen + spread[:, None] * rng.normal(seen.shape[1:])).astype(seen.dtype)

    def counters(self) -> dict[str, Any]:
        """What no array holds."""
        counted: dict[str, Any] = {"foreign": sorted(self._foreign)}
        return counted if self.curriculum is None else counted | {"curriculum": self.curriculum.state_dict()}

    def set_counters(self, counters: Mapping[str, Any]) -> None:
        """Take back what :meth:`counters` gave."""
        self._foreign = set(counters["foreign"])
        if self.curriculum is not None and "curriculum" in counters:
            self.curriculum.load_state_dict(counters["curriculum"])

    def _apply(self, ids: Array, values: Mapping[str, Array]) -> None:
        for key, value in values.items():
            if key not in self.values:
                self.values[key] = randomization.nominal(key, self._count)
            self.values[key][ids] = value
        if self._parted:  # factors of a field's parts meet in one array
            fields = {randomization.base_field(key) for key in values}
            values = {k: v[ids] for k, v in self.values.items() if randomization.base_field(k) in fields}
        self._physics.apply(ids, values)


def _remembered(model: mujoco.MjModel) -> float:
    """How much of the past an actuator's delay can reach back to, s; without actuators there is nothing to delay."""
    if not model.nu:
        return np.inf
    return max(int(model.actuator_history[:, 0].min()) - 1, 0) * float(model.opt.timestep)
