"""PPO's speed against Stable-Baselines3's on HalfCheetah: same samples, gradient steps and hyper-parameters.

Both take 2,048 samples an iteration, then 10 epochs of 8 minibatches of 256, 64×64 networks, normalized observations
and rewards. Stretches of the two alternate in this one process, so that a machine that is busy for a while is busy for
both; a rate is the median of the stretches. Compiling is timed apart: into an empty cache (cold), and from it (warm).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from _report import finish, row
from stable_baselines3 import PPO as Theirs
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from studio.rl.policy import GaussianActorCritic
from studio.rl.ppo import PPO, PPOParams
from studio.sim.gymnasium_ids import make_vector

STRETCHES, ITERATIONS, SAMPLES = 7, 5, 2048
NAME, TASK = "HalfCheetah-v5", "half_cheetah"


def ours(update: str) -> Callable[[], None]:
    """A stretch of our training, as a function; compiled and warmed up."""
    world = make_vector(64, TASK, TASK)
    policy = GaussianActorCritic()
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, 0)
    steps = PPO(policy, world, PPOParams(update=update), iterations=10**6, seed=0).iterate()

    def stretch() -> None:
        for _ in range(ITERATIONS):
            next(steps)

    stretch()
    return stretch


def theirs() -> Callable[[], None]:
    """A stretch of theirs: eight environments, as is usual with it."""
    envs = VecNormalize(DummyVecEnv([lambda: gymnasium.make(NAME)] * 8), gamma=0.99)
    learner = Theirs("MlpPolicy", envs, n_steps=SAMPLES // 8, batch_size=256, n_epochs=10, seed=0, device="cpu")
    learner.learn(SAMPLES)

    def stretch() -> None:
        learner.learn(ITERATIONS * SAMPLES, reset_num_timesteps=False)

    return stretch


def compiling(folder: str) -> float:
    """Seconds from the second iteration's start to its update compiled, in a process of its own with a given cache."""
    code = (
        "import torch; torch.set_num_threads(1)\n"
        "import studio.rl.ppo as p, studio.sim.gymnasium_ids as g, studio.rl.policy as q\n"
        f"w = g.make_vector(64, {TASK!r}, {TASK!r}); n = q.GaussianActorCritic()\n"
        "n.fit(w.single_observation_space.shape[0], w.control.low, w.control.high, 0)\n"
        "list(p.PPO(n, w, p.PPOParams(), iterations=2, seed=0, say=print).iterate())\n"
    )
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": folder}
    said = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    (line,) = [line for line in said.stdout.splitlines() if line.startswith("Compiled in")]
    return float(line.split()[2])


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = compiling(folder), compiling(folder)
    kinds: dict[str, Any] = {"ours, compiled": ours("compiled"), "ours, eager": ours("eager"), "theirs": theirs()}
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(STRETCHES):
        for name, stretch in kinds.items():
            began = time.perf_counter()
            stretch()
            rates[name].append(ITERATIONS * SAMPLES / (time.perf_counter() - began))
    median = {name: float(np.median(values)) for name, values in rates.items()}
    spread = {name: f"steps/s [{min(values):.0f}, {max(values):.0f}]" for name, values in rates.items()}
    times = float(np.median(np.array(rates["ours, compiled"]) / np.array(rates["theirs"])))
    fast = median["ours, compiled"]
    finish(
        [
            row("PPO, HalfCheetah: ours, compiled", fast, spread["ours, compiled"], ">= 30000", fast >= 30_000),
            row("PPO, HalfCheetah: ours, eager", median["ours, eager"], spread["ours, eager"]),
            row("PPO, HalfCheetah: Stable-Baselines3", median["theirs"], spread["theirs"]),
            row("PPO, HalfCheetah: ours against Stable-Baselines3", times, "times", ">= 4.5", times >= 4.5),
            row("compiling the update, cold", cold, "s"),
            row("compiling the update, warm", warm, "s"),
        ]
    )


if __name__ == "__main__":
    main()
