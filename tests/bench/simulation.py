"""Worlds against what MuJoCo itself can do on as many threads, and against Gymnasium's vectors.

The raw limit is ``mj_step`` alone, in a Python loop on each thread, over the very states and commands that the world
went through (recorded before), so both do the same physics. World and limit take turns; ratios are medians over the
turns. Randomization is on: friction, mass, damping and gravity for every episode.
"""

from __future__ import annotations

import os
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

from studio.sim.gymnasium_ids import make_vector
from studio.sim.world import World

THREADS = os.cpu_count() or 1
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


def world_against_raw(name: str, count: int, pool: ThreadPoolExecutor) -> dict[str, float]:
    """Control steps a second of the world, of the raw limit, and the ratio; bytes a simulation."""
    process = psutil.Process()
    before = process.memory_info().rss
    world = make(name, count, REACH_TERMS if name == "reach" else TERMS)
    world.reset(seed=0)
    grown = (process.memory_info().rss - before) / count
    seconds = 0.35 if name != "reach" else 1.0
    one = _timed(world, actions(world, 2)) / 2
    steps = int(np.clip(seconds / one, 2, 200))
    chosen = actions(world, steps)
    _timed(world, chosen)  # warm: episodes end at times of their own from here on
    ratios, speeds, limits = [], [], []
    for _ in range(TURNS):
        taken = _timed(world, chosen)
        recorded = Record(world, chosen)
        raw = recorded.replay(pool)
        ratios.append(raw / taken)
        speeds.append(count * steps / taken)
        limits.append(count * steps / raw)
    world.close()
    return {
        "ratio": statistics.median(ratios),
        "speed": statistics.median(speeds),
        "limit": statistics.median(limits),
        "kib": grown / 1024,
    }


def _timed(world: World, chosen: np.ndarray) -> float:
    began = time.perf_counter()
    for action in chosen:
        world.step(action)
    return time.perf_counter() - began


def gymnasium_speed(name: str, mode: str, count: int = 8, seconds: float = 2.0) -> float:
    """Control steps a second of Gymnasium's own vector of its own environment."""
    envs = gymnasium.make_vec(f"{name}-v5", count, vectorization_mode=mode)
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    space = envs.single_action_space
    chosen = rng.uniform(space.low, space.high, (64, count, *space.shape)).astype(np.float32)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        envs.step(chosen[steps % 64])
        steps += 1
    speed = count * steps / (time.perf_counter() - began)
    envs.close()
    return speed


def main(names: list[str]) -> None:
    rows = []
    with ThreadPoolExecutor(THREADS) as pool:
        for name in names:
            found = {}
            for count in SIZES if name != "reach" else SIZES[:3]:
                found[count] = world_against_raw(name, count, pool)
                print(name, count, {k: round(v, 3) for k, v in found[count].items()}, file=sys.stderr)
                at, ratio = f"{name}, {count} simulations", found[count]["ratio"]
                rows.append(row(f"{at}: World over raw mj_step", ratio, "ratio", ">= 0.85", ratio >= 0.85))
                rows.append(row(f"{at}: World, randomized", found[count]["speed"], "control steps/s"))
                rows.append(row(f"{at}: raw mj_step", found[count]["limit"], "control steps/s"))
                rows.append(row(f"{at}: memory", found[count]["kib"], "KiB/simulation"))
            speeds = [f["speed"] for f in found.values()]
            flat = min(speeds[1:]) / max(speeds[1:])
            rows.append(row(f"{name}: least over greatest speed, 256 and up", flat, "ratio", ">= 0.8", flat >= 0.8))
            if name != "reach":
                for mode in ("sync", "async"):
                    speed = gymnasium_speed(name, mode)
                    ratio, wanted = found[256]["speed"] / speed, ">= 3" if mode == "sync" else ""
                    rows.append(row(f"{name}: Gymnasium {mode}, 8 environments", speed, "control steps/s"))
                    met = ratio >= 3 if wanted else None
                    rows.append(row(f"{name}: World (256) over Gymnasium {mode}", ratio, "ratio", wanted, met))
    finish(rows)


if __name__ == "__main__":
    main(sys.argv[1:] or [*BODIES, "reach"])
