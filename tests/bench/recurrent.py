"""Speed of recurrent PPO against sb3-contrib's RecurrentPPO on HalfCheetah: same sizes, same samples, same updates.

Two sizes: those of the studio's RL² examples (64 simulations of 200 steps, 6 epochs of minibatches of 3,200), and few
simulations with small minibatches, as is usual there (16 of 128 steps, 10 epochs of 256). Memory and layers have 64
units. First on one thread, for the simulation too, then on two, which theirs uses for torch alone. Our simulation's
rate, without any learning, bounds ours. Observations and rewards are normalized. Actor and critic share an LSTM; theirs
then trains it by the actor's gradient alone, which is their fastest. Ours is timed with its GRU too. Stretches
alternate in this one process; a rate is the median of the stretches, the ratio that of the rounds.

sb3-contrib is no part of our tests' requirements: ``pip install --no-deps sb3-contrib`` beside stable-baselines3, into
this environment or a folder on PYTHONPATH. Without it the rows of theirs are left out, and a sentence says so.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import gymnasium
import numpy as np
import torch
from _report import finish, row

from studio.meta.trial_fast_weights import TrialFastWeights
from studio.rl.algorithms.ppo import EAGER_ITERATIONS
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.rl.networks.recurrent import RecurrentActorCritic
from studio.sim.gymnasium_ids import make_vector

STRETCHES, HIDDEN, TARGET, THREADS = 3, 64, 4.0, (1, 2)
NAME, TASK = "HalfCheetah-v5", "half_cheetah"
KEYS = 4  # rows of the fast weights, of HIDDEN values each


@dataclass(frozen=True)
class Sizes:
    """Of an iteration, which is a stretch."""

    envs: int
    steps: int
    minibatch: int
    epochs: int


SIZES = {"large": Sizes(64, 200, 3200, 6), "small": Sizes(16, 128, 256, 10)}


def ours(s: Sizes, policy: RecurrentActorCritic, threads: int) -> Callable[[], Any]:
    """Return what makes one iteration, warmed up and compiled."""
    settings = PPOParams(simulations=s.envs, steps=s.steps, minibatch=s.minibatch, epochs=s.epochs)
    world = make_vector(s.envs, TASK, TASK, threads=threads)
    assert (policy.params.hidden, policy.params.width, policy.params.layers) == (HIDDEN, HIDDEN, 1)
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, 0)
    iterations = RecurrentPPO(policy, world, settings, iterations=10**6, seed=0).iterate()
    for _ in range(EAGER_ITERATIONS + 1):
        next(iterations)
    return lambda: next(iterations)


def policies() -> dict[str, RecurrentActorCritic]:
    """Return our recurrent policies by name, blank."""
    cells: tuple[Literal["lstm", "gru"], ...] = ("lstm", "gru")
    made = {cell.upper(): RecurrentActorCritic(RecurrentActorCritic.Params(cell=cell)) for cell in cells}
    return {**made, "fast weights": TrialFastWeights(TrialFastWeights.Params(keys=KEYS, hidden=HIDDEN))}


def simulated(s: Sizes, threads: int) -> Callable[[], Any]:
    """Return what makes the steps of an iteration of our simulation, with actions at random."""
    world = make_vector(s.envs, TASK, TASK, threads=threads)
    actions = np.random.default_rng(0).uniform(-1, 1, (s.steps, s.envs, world.single_action_space.shape[0]))
    world.reset(seed=0)

    def stretch() -> None:
        for action in actions:
            world.step(action)

    stretch()
    return stretch


def theirs(s: Sizes) -> Callable[[], Any]:
    """Return what makes one iteration of sb3-contrib's, warmed up."""
    from sb3_contrib import RecurrentPPO as TheirRecurrentPPO
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    envs = VecNormalize(DummyVecEnv([lambda: gymnasium.make(NAME)] * s.envs), gamma=0.99)
    sizes = {"lstm_hidden_size": HIDDEN, "net_arch": [HIDDEN], "shared_lstm": True, "enable_critic_lstm": False}
    given = {"n_steps": s.steps, "batch_size": s.minibatch, "n_epochs": s.epochs, "policy_kwargs": sizes}
    learner = TheirRecurrentPPO("MlpLstmPolicy", envs, seed=0, device="cpu", **given)
    samples = s.envs * s.steps
    learner.learn(samples)
    return lambda: learner.learn(samples, reset_num_timesteps=False)


def rows(threads: int) -> list[dict[str, Any]]:
    """Return the rates and their ratios."""
    torch.set_num_threads(threads)
    found, on = [], f"{threads} thread{'s' if threads > 1 else ''}"
    for name, sizes in SIZES.items():
        kinds = {f"ours, {kind}": ours(sizes, policy, threads) for kind, policy in policies().items()}
        kinds["our simulation alone"] = simulated(sizes, threads)
        compared = [*kinds]
        if find_spec("sb3_contrib") is None:
            print("sb3-contrib is not installed: no comparison with it.", file=sys.stderr)
        else:
            kinds["sb3-contrib"] = theirs(sizes)
        rates: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(STRETCHES):
            for kind, stretch in kinds.items():
                began = time.perf_counter()
                stretch()
                rates[kind].append(sizes.envs * sizes.steps / (time.perf_counter() - began))
        title = f"recurrent PPO, {name} batches, {on}"
        for kind, each in rates.items():
            found.append(row(f"{title}: {kind}", float(np.median(each)), f"steps/s [{min(each):.0f}, {max(each):.0f}]"))
        for kind in compared if "sb3-contrib" in rates else ():
            times = float(np.median(np.array(rates[kind]) / np.array(rates["sb3-contrib"])))
            asked = (f">= {TARGET:g}", times >= TARGET) if kind == "ours, LSTM" else ()
            found.append(row(f"{title}: {kind} against sb3-contrib", times, "times", *asked))
    return found


if __name__ == "__main__":
    finish([each for threads in THREADS for each in rows(threads)])
