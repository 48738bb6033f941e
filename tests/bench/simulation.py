"""Worlds against what MuJoCo itself can do on as many threads, and against Gymnasium's vectors.

The raw limit is ``mj_step`` alone, in a Python loop on each thread, over the very states and commands that the world
went through (recorded before), so both do the same physics. Worlds of every size, their limits and Gymnasium's vectors
take turns; ratios are of one turn, medians over the turns. Randomization is on: friction, mass, damping and gravity for
every episode.
"""

from __future__ import annotations

import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gymnasium
import mujoco
import numpy as np
import psutil
from _report import finish, row

from studio.cores import cores
from studio.sim.gymnasium_ids import make_vector
from studio.sim.world import World

THREADS = cores()
TURNS = 7
BODIES = {"HalfCheetah": "half_cheetah", "Ant": "ant", "Hopper": "hopper"}
SIZES = (64, 256, 1024, 4096)
TERMS = [
    {"field": "friction", "low": 0.5, "high": 1.5},
    {"field": "mass", "low": 0.8, "high": 1.2},
    {"field": "damping", "low": 0.8, "high": 1.2},
    {"field": "gravity", "low": 0.95, "high": 1.05},
]
REACH_TERMS = [*TERMS, {"field": "actuator_delay", "low": 0.0, "high": 0.05}]
STATE = mujoco.mjtState.mjSTATE_INTEGRATION.value


def make(name: str, count: int, terms: list[dict[str, Any]]) -> World:
    task, body = ("reach", "franka_7dof") if name == "reach" else (BODIES[name], BODIES[name])
    world: World = make_vector(count, task, body, THREADS, randomization=terms)
    return world


def actions(world: World, steps: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    space = world.single_action_space
    return rng.uniform(space.low, space.high, (steps, world.num_envs, *space.shape)).astype(np.float32)


class Record:
    """Starting states, commands and models of every physics call of some control steps."""

    def __init__(self, world: World, chosen: np.ndarray) -> None:
        self.calls: list[tuple[np.ndarray, int]] = []
        step = world.physics_step

        def physics_step(ids: Any, substeps: int, *rest: Any) -> None:
            assert isinstance(ids, slice) or len(ids) == world.num_envs
            self.calls.append((world.batch.state.copy(), substeps))
            step(ids, substeps, *rest)

        world.physics_step = physics_step  # type: ignore[method-assign]
        for action in chosen:
            world.step(action)
        world.physics_step = step  # type: ignore[method-assign]
        self.model = world.model

    def replay(self, pool: ThreadPoolExecutor) -> float:
        """Seconds that the same physics takes with ``mj_step`` alone."""
        model, count = self.model, len(self.calls[0][0])
        parts = np.array_split(np.arange(count), THREADS)
        data = [mujoco.MjData(model) for _ in parts]

        def work(part: np.ndarray, d: mujoco.MjData) -> None:
            set_state, mj_step = mujoco.mj_setState, mujoco.mj_step
            for states, substeps in self.calls:
                for i in part:
                    set_state(model, d, states[i], STATE)
                    mj_step(model, d, substeps)

        began = time.perf_counter()
        list(pool.map(work, parts, data))
        return time.perf_counter() - began


class Contest:
    """One size of world against the raw limit, turn by turn."""

    def __init__(self, name: str, count: int) -> None:
        process = psutil.Process()
        before = process.memory_info().rss
        self.world = make(name, count, REACH_TERMS if name == "reach" else TERMS)
        self.world.reset(seed=0)
        self.kib = (process.memory_info().rss - before) / count / 1024
        seconds = 0.35 if name != "reach" else 1.0
        one = _timed(self.world, actions(self.world, 2)) / 2
        self._chosen = actions(self.world, int(np.clip(seconds / one, 2, 200)))
        self._steps = count * len(self._chosen)
        _timed(self.world, self._chosen)  # warm: episodes end at times of their own from here on
        self.speeds: list[float] = []  # control steps a second of the world, and of the raw limit
        self.limits: list[float] = []

    def turn(self, pool: ThreadPoolExecutor) -> None:
        """Both once."""
        self.speeds.append(self._steps / _timed(self.world, self._chosen))
        self.limits.append(self._steps / Record(self.world, self._chosen).replay(pool))


def ratio(over: list[float], under: list[float]) -> float:
    """Median over the turns of one speed over another of the same turn."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def _timed(world: World, chosen: np.ndarray) -> float:
    began = time.perf_counter()
    for action in chosen:
        world.step(action)
    return time.perf_counter() - began


class Theirs:
    """Gymnasium's own vector of its own environment."""

    def __init__(self, name: str, mode: str, count: int = 8) -> None:
        self._envs = gymnasium.make_vec(f"{name}-v5", count, vectorization_mode=mode)
        self._envs.reset(seed=0)
        rng, space = np.random.default_rng(0), self._envs.single_action_space
        self._chosen = rng.uniform(space.low, space.high, (64, count, *space.shape)).astype(np.float32)
        self.speeds: list[float] = []

    def turn(self, seconds: float = 0.5) -> None:
        """Steps for a while."""
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            self._envs.step(self._chosen[steps % 64])
            steps += 1
        self.speeds.append(self._chosen.shape[1] * steps / (time.perf_counter() - began))

    def close(self) -> None:
        self._envs.close()


def rows_of(name: str, pool: ThreadPoolExecutor) -> list[dict[str, Any]]:
    """All sizes and Gymnasium in turns: a machine whose speed drifts is as slow for each."""
    sizes = {count: Contest(name, count) for count in (SIZES if name != "reach" else SIZES[:3])}
    others = {mode: Theirs(name, mode) for mode in ("sync", "async")} if name != "reach" else {}
    for _ in range(TURNS):
        for contest in sizes.values():
            contest.turn(pool)
        for other in others.values():
            other.turn()
    rows = []
    for count, contest in sizes.items():
        at, share = f"{name}, {count} simulations", ratio(contest.speeds, contest.limits)
        print(at, round(share, 3), round(statistics.median(contest.speeds)), file=sys.stderr)
        rows.append(row(f"{at}: World over raw mj_step", share, "ratio", ">= 0.85", share >= 0.85))
        rows.append(row(f"{at}: World, randomized", statistics.median(contest.speeds), "control steps/s"))
        rows.append(row(f"{at}: raw mj_step", statistics.median(contest.limits), "control steps/s"))
        rows.append(row(f"{at}: memory", contest.kib, "KiB/simulation"))
        contest.world.close()
    large = [contest.speeds for count, contest in sizes.items() if count >= 256]
    flat = statistics.median(min(turn) / max(turn) for turn in zip(*large, strict=True))
    rows.append(row(f"{name}: least over greatest speed, 256 and up", flat, "ratio", ">= 0.8", flat >= 0.8))
    for mode, other in others.items():
        times, wanted = ratio(sizes[256].speeds, other.speeds), ">= 3" if mode == "sync" else ""
        rows.append(
            row(f"{name}: Gymnasium {mode}, 8 environments", statistics.median(other.speeds), "control steps/s")
        )
        met = times >= 3 if wanted else None
        rows.append(row(f"{name}: World (256) over Gymnasium {mode}", times, "ratio", wanted, met))
        limit = ratio(sizes[256].limits, other.speeds)
        rows.append(row(f"{name}: raw mj_step over Gymnasium {mode}: what physics alone allows", limit, "ratio"))
        other.close()
    return rows


def main(names: list[str]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        finish([line for name in names for line in rows_of(name, pool)])


if __name__ == "__main__":
    main(sys.argv[1:] or [*BODIES, "reach"])
