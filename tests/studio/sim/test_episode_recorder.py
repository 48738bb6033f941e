"""A world's recorder: every whole episode once, with its own seed, return, length and draws."""

from __future__ import annotations

import numpy as np

from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.episode_recorder import EpisodeRecorder
from studio.sim.world import World

REGISTRY = Registry()
N = 12


def test_episode_recorder_records_whole_episodes_once() -> None:
    body = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}
    varied = [{"field": "mass", "low": 0.8, "high": 1.2}, {"field": "friction", "parts": "foot*", "low": 1, "high": 2}]
    domain = Domain(randomization=varied, **body)
    world = World(domain, task_of(domain, REGISTRY), embodiment_of(domain, REGISTRY), N, 1)
    recorder = EpisodeRecorder(N, ("mass", "friction:foot*"))
    world.observers.append(recorder)
    world.reset(seed=100)
    world.steps[0] = 5  # as a training staggers them: its first episode is not a whole one
    rng, ids = np.random.default_rng(0), np.arange(N)
    seeds, returns, lengths, drawn = 100 + ids, np.zeros(N), np.zeros(N, int), world.randomization["mass"].copy()
    known: dict[int, tuple[float, int, float]] = {}
    following = 100 + N
    for _ in range(120):
        _, reward, terminated, truncated, _ = world.step(rng.uniform(-1, 1, (N, 3)).astype(np.float32))
        returns, lengths = returns + reward, lengths + 1
        for i in np.flatnonzero(terminated | truncated):
            if not (i == 0 and seeds[i] == 100):
                known[int(seeds[i])] = (returns[i], lengths[i], drawn[i])
            seeds[i], returns[i], lengths[i] = following, 0, 0
            drawn[i] = world.randomization["mass"][i]
            following += 1
    found = recorder.take()
    assert len(found.seeds) == len(known) > 2 * N
    got = zip(found.seeds, found.returns, found.lengths, found.randomization["mass"], strict=True)
    assert {int(seed): tuple(more) for seed, *more in got} == known
    assert found.randomization["friction:foot*"].min() >= 1
    assert recorder.take() is None
