"""Resident memory over two million steps of each learner, which has to be flat once buffers are full and code is made.

Every learner trains in a process of its own, on HalfCheetah, DQN on eight bits, goals self-made and relabeled. SAC and
DQN make few and small updates for each step, so that two million steps take minutes: what could grow is what happens at
every step and every update, whatever their size. Their replays are full before the first reading. Words after the
script's name choose among the learners.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import torch
from _report import finish, row

from studio.contracts import Metrics
from studio.rl.algorithms.dqn import DQN, DQNParams
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.sac import SAC, SACParams
from studio.rl.hindsight import HindsightParams
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.q_policy import QPolicy
from studio.rl.networks.squashed import SquashedActorCritic
from studio.sim.gymnasium_ids import make_vector

STEPS, WARM_UP = 2_000_000, 300_000
READINGS = 10  # at the warm-up's end and at the end: their median counts; the highest of all is reported
TASK, LIMIT, MEGABYTE = "half_cheetah", 2.0, 1024 * 1024


def ppo() -> tuple[Iterator[Metrics], int]:
    """Its iterations, and the steps in each."""
    world, settings = make_vector(PPOParams().simulations, TASK, TASK), PPOParams()
    policy = GaussianActorCritic()
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, 0)
    samples = settings.simulations * settings.steps
    return PPO(policy, world, settings, iterations=-(-STEPS // samples), seed=0).iterate(), samples


def sac() -> tuple[Iterator[Metrics], int]:
    """Its iterations, and the steps in each."""
    settings = SACParams(simulations=64, samples=6400, update_ratio=0.05, batch_size=64, capacity=200_000)
    world = make_vector(settings.simulations, TASK, TASK)
    policy = SquashedActorCritic(SquashedActorCritic.Params(width=64))
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, 0)
    return SAC(policy, world, settings, iterations=-(-STEPS // settings.samples), seed=0).iterate(), settings.samples


def dqn() -> tuple[Iterator[Metrics], int]:
    """Its iterations, and the steps in each: of bits, with goals relabeled and self-generated."""
    settings = DQNParams(simulations=64, samples=6400, update_ratio=0.05, batch_size=64, capacity=200_000)
    world = make_vector(settings.simulations, "bit_flip", "bits_8")
    policy = QPolicy(QPolicy.Params(width=64), "goal")
    policy.fit(16, world.control.low, world.control.high, 0)
    iterations, goals = -(-STEPS // settings.samples), HindsightParams(goals="self_generated")
    learner = DQN(policy, world, settings, iterations=iterations, seed=0, hindsight=goals)
    return learner.iterate(), settings.samples


LEARNERS: dict[str, Callable[[], tuple[Iterator[Metrics], int]]] = {"PPO": ppo, "SAC": sac, "DQN": dqn}


def measured(name: str) -> dict[str, Any]:
    """Resident memory of this process, MB: after the warm-up, at the end, and the highest between."""
    torch.set_num_threads(1)
    steps, samples = LEARNERS[name]()
    process, memory = psutil.Process(), []
    for _ in steps:
        memory.append(process.memory_info().rss / MEGABYTE)
    first = -(-WARM_UP // samples)
    ends = {"warm": memory[first : first + READINGS], "end": memory[-READINGS:]}
    return {key: float(np.median(values)) for key, values in ends.items()} | {"highest": max(memory[first:])}


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == ["--alone"]:
        print(json.dumps(measured(words[1])))
        return
    rows = []
    for name in words or LEARNERS:
        said = subprocess.run(
            [sys.executable, __file__, "--alone", name], stdout=subprocess.PIPE, text=True, check=True
        )
        found = json.loads(said.stdout.splitlines()[-1])
        growth = 100 * (found["end"] / found["warm"] - 1)
        unit = f"% more after {STEPS} steps than after {WARM_UP}; highest {found['highest']:.0f} MB"
        rows.append(row(f"{name}: memory", found["end"], "MB"))
        rows.append(row(f"{name}: growth of memory", growth, unit, f"< {LIMIT:.0f}", growth < LIMIT))
    finish(rows)


if __name__ == "__main__":
    main()
