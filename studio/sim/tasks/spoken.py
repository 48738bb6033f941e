"""What a policy reads: the instruction of each episode, drawn from the episode's own seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from studio.contracts import Ids
from studio.instructions import WIDTH, encode
from studio.rng import EpisodeRng

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray
STREAM, SHUFFLED = 10, 14  # of an episode's random numbers: which sentence it is, and of which other context


class InstructionSensor:
    """The sentences of a batch's simulations. They follow from seed and context, so there is no state to save.

    A shuffled instruction is that of a context drawn from the whole family: by chance it may be the right one.
    """

    def __init__(self, simulation: BatchSimulation) -> None:
        self._simulation = simulation
        count = simulation.num_envs
        self._rows = np.zeros((count, WIDTH), np.uint8)
        self._seeds = np.full(count, -1)  # what the rows were made for
        self._contexts = np.zeros((count, len(simulation.task.context)))

    def observe(self, ids: Ids) -> Array:
        """Return the instructions of the simulations ``ids``, (n, 96) uint8."""
        simulation, rows = self._simulation, self._simulation.env_indices(ids)
        seeds, contexts = simulation.seeds[rows], simulation.contexts[rows]
        stale = (self._seeds[rows] != seeds) | (self._contexts[rows] != contexts).any(1)
        if stale.any():
            changed = rows[stale]
            self._seeds[changed], self._contexts[changed] = seeds[stale], contexts[stale]
            self._rows[changed] = encode(self._sentences(seeds[stale], contexts[stale]))
        return self._rows[rows]

    def _sentences(self, seeds: Array, contexts: Array) -> list[str]:
        asked, task = self._simulation.domain.instructions, self._simulation.task
        if asked.given == "blank":
            return [""] * len(seeds)
        if asked.given == "shuffled":
            contexts = task.family(EpisodeRng(seeds, SHUFFLED))
        drawn = []
        for context, (language, phrase) in zip(contexts, EpisodeRng(seeds, STREAM).uniform(shape=(2,)), strict=True):
            chosen = asked.languages[int(language * len(asked.languages))]
            offered = task.sentences(context, chosen, asked.wording)
            drawn.append(offered[int(phrase * len(offered))])
        return drawn
