"""Trainings of benches that compare curves: PPO with its usual settings, scored on the way, kept as small files."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.cli.bench import commit, machine
from studio.contracts import Task
from studio.experiment import Domain
from studio.files import write_text
from studio.registry import Registry
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.observations import flatten
from studio.sim.domains import embodiment_of, task_of
from studio.sim.rollout import policy_actions, run_episodes
from studio.sim.world import World

TRAININGS = Path(__file__).resolve().parent / "trainings"  # of what takes hours: kept with the sources
RUNS = Path(__file__).resolve().parents[2] / "runs" / "bench"
SAMPLES = PPOParams().simulations * PPOParams().steps  # in an iteration
EPISODES, EPISODE_SEED = 10, 8_000_000  # of a score; no training meets these seeds
TASKS: dict[str, type[Task]] = {}  # a bench's own
Measure = Callable[[GaussianActorCritic], Any]


def score(policy: GaussianActorCritic, domain: Domain) -> float:
    """Mean return of the deterministic policy."""
    world = _scoring(domain.model_dump_json())
    return float(
        run_episodes(world, policy_actions(policy), range(EPISODE_SEED, EPISODE_SEED + EPISODES)).returns.mean()
    )


def world_of(domain: Domain, num_envs: int = PPOParams().simulations) -> World:
    """Simulations of a domain, whose task is a registered one or one of ``TASKS``."""
    registry = Registry()
    task = TASKS[domain.task]() if domain.task in TASKS else task_of(domain, registry)
    return World(domain, task, embodiment_of(domain, registry), num_envs, threads=1)


@lru_cache
def _scoring(domain: str) -> World:
    return world_of(Domain.model_validate_json(domain), EPISODES)


def blank(domain: Domain, seed: int) -> GaussianActorCritic:
    """A new policy for a domain."""
    world = world_of(domain)
    policy = GaussianActorCritic(observation=domain.observation_kind)
    policy.fit(flatten(world.reset(seed=0)[0]).shape[1], world.control.low, world.control.high, seed)
    world.close()
    return policy


def train(
    policy: GaussianActorCritic,
    domain: Domain,
    iterations: int,
    seed: int,
    every: int,
    measure: Measure,
    **settings: Any,
) -> list[Any]:
    """Train in place. What ``measure`` finds before the first iteration, then after each ``every`` and the last."""
    world = world_of(domain)
    found = [measure(policy)]
    for metrics in PPO(policy, world, PPOParams(**settings), iterations=iterations, seed=seed).iterate():
        if metrics.step % every == 0 or metrics.step == iterations:
            found.append(measure(policy))
    world.close()
    return found


def kept(bench: str, name: str, make: Callable[[], Any], place: Path = RUNS) -> Any:
    """What was found once for a name, made now if it was not. ``place``: where benches keep what they found."""
    file = place / bench / f"{name}.json"
    if not file.exists():
        began = time.process_time()
        found = make()
        about = {"found": found, "cpu_seconds": time.process_time() - began, "machine": machine(), "commit": commit()}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(about) + "\n")
        print(f"{name}: {about['cpu_seconds']:.0f} s of CPU", file=sys.stderr, flush=True)
    return json.loads(file.read_text(encoding="utf-8"))["found"]
