"""Speed of PPO and SAC against Stable-Baselines3's on HalfCheetah: same samples, gradient steps and hyper-parameters.

PPO: 2,048 samples an iteration, then 10 epochs of 8 minibatches of 256, 64×64 networks, normalized observations and
rewards, one torch thread. SAC: 256×256 networks, batches of 256, one update for each step of experience, everything
counted from acting to learning. Ours takes every core; Stable-Baselines3 takes one or all, whichever it is faster with.

Stretches of ours and theirs alternate in this one process, so that a machine that is busy for a while is busy for all;
a rate is the median of the stretches, a ratio that of the rounds. Compiling is timed apart: into an empty cache (cold),
and from it (warm). bf16 is left out where the processor only imitates it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
import torch
from _report import finish, row
from stable_baselines3 import PPO as TheirPPO
from stable_baselines3 import SAC as TheirSAC
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from studio.cores import cores
from studio.rl.algorithms.off_policy import EAGER_UPDATES
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.sac import SAC, SACParams, has_bf16
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.squashed import SquashedActorCritic
from studio.sim.gymnasium_ids import make_vector

STRETCHES = 7
ITERATIONS, SAMPLES = 5, 2048  # of PPO: in a stretch, and in an iteration
STEPS, STARTS = 400, 1000  # of SAC: in a stretch of theirs, and before the first update
NAME, TASK = "HalfCheetah-v5", "half_cheetah"
CORES = cores()
TIMES = {"fp32": 1.8} | ({"bf16": 3.5} if has_bf16(torch.device("cpu")) else {})  # theirs that SAC is asked for


@dataclass
class Kind:
    """What is timed: ``stretch`` takes ``steps`` steps and learns from them, on ``threads`` of torch's."""

    stretch: Callable[[], Any]
    steps: int
    threads: int = 1
    rates: list[float] = field(default_factory=list)  # steps/s

    def run(self) -> float:
        """Its rate in one stretch."""
        torch.set_num_threads(self.threads)
        began = time.perf_counter()
        self.stretch()
        return self.steps / (time.perf_counter() - began)


def our_ppo(update: str = "compiled", log: Callable[[str], None] = lambda text: None) -> Kind:
    """Compiled and warmed up."""
    torch.set_num_threads(1)
    world, policy = make_vector(PPOParams().simulations, TASK, TASK), GaussianActorCritic()
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, 0)
    steps = PPO(policy, world, PPOParams(update=update), iterations=10**6, seed=0, log=log).iterate()
    kind = Kind(lambda: [next(steps) for _ in range(ITERATIONS)], ITERATIONS * SAMPLES)
    kind.run()
    return kind


def their_ppo() -> Kind:
    """Eight environments, as is usual with it."""
    envs = VecNormalize(DummyVecEnv([lambda: gymnasium.make(NAME)] * 8), gamma=0.99)
    learner = TheirPPO("MlpPolicy", envs, n_steps=SAMPLES // 8, batch_size=256, n_epochs=10, seed=0, device="cpu")
    learner.learn(SAMPLES)
    steps = ITERATIONS * SAMPLES
    return Kind(lambda: learner.learn(steps, reset_num_timesteps=False), steps)


def our_sac(precision: str, log: Callable[[str], None] = lambda text: None) -> Kind:
    """Compiled and warmed up."""
    torch.set_num_threads(CORES)
    settings = SACParams(precision=precision, samples=2 * STEPS, learning_starts=STARTS)
    world, policy = make_vector(settings.simulations, TASK, TASK), SquashedActorCritic()
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, 0)
    learner = SAC(policy, world, settings, iterations=10**6, seed=0, log=log)
    steps = learner.iterate()
    while learner.updates <= EAGER_UPDATES:
        next(steps)
    return Kind(lambda: next(steps), settings.samples, CORES)


def their_sac() -> Kind:
    """One environment: it makes one update for each step of all of them together."""
    learner = TheirSAC("MlpPolicy", gymnasium.make(NAME), learning_starts=STARTS, seed=0, device="cpu")
    learner.learn(STARTS + STEPS)
    kind = Kind(lambda: learner.learn(STEPS, reset_num_timesteps=False), STEPS)
    rates: dict[int, list[float]] = {1: [], CORES: []}
    for _ in range(2):
        for kind.threads in rates:
            rates[kind.threads].append(kind.run())
    kind.threads = max(rates, key=lambda threads: max(rates[threads]))
    return kind


COMPILED: dict[str, Callable[[Callable[[str], None]], Kind]] = {
    "PPO": lambda log: our_ppo(log=log),
    **{f"SAC, {kind}": lambda log, kind=kind: our_sac(kind, log) for kind in TIMES},
}


def compiling(name: str) -> tuple[float, float]:
    """Seconds that an update takes to be compiled in processes of their own: into an empty cache, and from it."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": folder}
        for _ in range(2):
            command = [sys.executable, __file__, "--compile", name]
            said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            (line,) = [line for line in said.stdout.splitlines() if line.startswith("Compiled in")]
            found.append(float(line.split()[2]))
    return found[0], found[1]


def alternated(kinds: dict[str, Kind]) -> dict[str, Kind]:
    """The same, with the rates of stretches in turns."""
    for _ in range(STRETCHES):
        for kind in kinds.values():
            kind.rates.append(kind.run())
    return kinds


def rate_row(name: str, kind: Kind, target: float | None = None) -> dict[str, Any]:
    """The median rate, with the range of the stretches and torch's threads."""
    rate = float(np.median(kind.rates))
    threads = f"{kind.threads} thread{'s' * (kind.threads > 1)}"
    unit = f"steps/s [{min(kind.rates):.0f}, {max(kind.rates):.0f}], {threads}"
    asked = (f">= {target:.0f}", rate >= target) if target is not None else ()
    return row(f"{name} on HalfCheetah", rate, unit, *asked)


def times_row(name: str, ours: Kind, theirs: Kind, target: float) -> dict[str, Any]:
    """How many times theirs, in the median round."""
    times = float(np.median(np.array(ours.rates) / np.array(theirs.rates)))
    return row(f"{name} against Stable-Baselines3", times, "times", f">= {target}", times >= target)


def main() -> None:
    if sys.argv[1:2] == ["--compile"]:
        COMPILED[sys.argv[2]](print)
        return
    seconds = {name: compiling(name) for name in COMPILED}
    ppo = alternated({"fast": our_ppo(), "eager": our_ppo("eager"), "theirs": their_ppo()})
    sac = alternated({kind: our_sac(kind) for kind in TIMES} | {"theirs": their_sac()})
    rows = [
        rate_row("PPO, ours, compiled", ppo["fast"], 30_000),
        rate_row("PPO, ours, eager", ppo["eager"]),
        rate_row("PPO, Stable-Baselines3", ppo["theirs"]),
        times_row("PPO, ours, compiled", ppo["fast"], ppo["theirs"], 4.5),
        *(rate_row(f"SAC, ours, {kind}", sac[kind]) for kind in TIMES),
        rate_row("SAC, Stable-Baselines3", sac["theirs"]),
        *(times_row(f"SAC, ours, {kind}", sac[kind], sac["theirs"], times) for kind, times in TIMES.items()),
    ]
    for name, (cold, warm) in seconds.items():
        rows += [row(f"{name}: compiling the update, cold", cold, "s"), row(f"{name}: compiling, warm", warm, "s")]
    finish(rows)


if __name__ == "__main__":
    main()
