"""Returns of Hopper over the range of its torso's mass, trained on one body, on many, on the worst of many.

All three get the same samples. Randomized training and EPOpt draw bodies from table 1 of Rajeswaran et al. 2017
(arXiv:1610.01283; the preset ``epopt_hopper``). Each policy is then scored at 13 masses of the torso from 3 to 9 kg,
all else nominal, on seeds no training meets. EPOpt: ε = 0.1, 50 bodies an iteration, after a warm-up on all of them.

Means and 10th percentiles are over masses and episodes, then over the seeds; 95% intervals from resampling the seeds.
What was found lies in ``trainings/epopt`` and is taken as it is: remove it to measure again. Words choose trainings to
make: ``epopt.py 0 3`` those seeds', ``epopt.py worst 0`` EPOpt's of a seed.
"""

from __future__ import annotations

import shutil
import sys
import time

import numpy as np
import torch
from _report import finish, row
from _training import RUNS, TRAININGS, kept

from studio.analysis.transfer_metrics import interval
from studio.experiment.randomization import RandomizationTerm, expand
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.worst_cases import WorstCaseParams, WorstCasePPO
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.gymnasium_ids import make_vector
from studio.sim.rollout import policy_actions, run_episodes
from studio.store.checkpoint import save_checkpoint
from studio.store.restore import latest_state

SEEDS = range(5)
SAMPLES = 1_500_000
WARM_UP = 800_000  # of EPOpt's samples
BODIES = 50  # of an iteration of EPOpt
TORSO, MASSES, EPISODES = 3.6652, np.linspace(3, 9, 13), 5  # kg; episodes at each mass
EPISODE_SEED = 8_000_000
KEEP_SECONDS = 60  # between states of a training
KINDS = {"one": "trained on one body", "many": "trained over bodies", "worst": "EPOpt, ε = 0.1"}


def train(kind: str, seed: int) -> GaussianActorCritic:
    """Until the samples are spent. Where it stood is kept once a minute, and gone on from to the bit."""
    terms = [] if kind == "one" else expand("epopt_hopper")
    usual = WorstCaseParams()
    iterations = SAMPLES // (usual.simulations * usual.steps)
    policy = GaussianActorCritic()
    world = make_vector(usual.simulations, "hopper", "hopper", threads=1, randomization=terms)
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, seed)
    if kind != "worst":
        learner: PPO = PPO(
            policy, world, PPOParams(simulations=usual.simulations, steps=usual.steps), iterations=iterations, seed=seed
        )
    else:
        world.close()
        world = make_vector(BODIES, "hopper", "hopper", threads=1, randomization=terms)
        warm = WARM_UP // (BODIES * usual.steps)  # iterations; those on the worst are as many as it takes
        settings = WorstCaseParams(epsilon=0.1, warm_up=warm / 10**6)
        learner = WorstCasePPO(policy, world, settings, iterations=10**6, seed=seed)
    folder, kept_at = RUNS / "epopt" / f"{kind}-{SAMPLES}-{seed}", time.monotonic()
    stood = latest_state(folder, "adapt")
    if stood is not None:
        learner.load_state_dict(stood[1])
    for metrics in learner.iterate():
        if metrics.values["samples"] >= SAMPLES:
            break
        if time.monotonic() - kept_at > KEEP_SECONDS:
            save_checkpoint(folder, "adapt", metrics.step, learner.state_dict())
            kept_at = time.monotonic()
    world.close()
    shutil.rmtree(folder, ignore_errors=True)
    return policy


def score(policy: GaussianActorCritic) -> list[list[float]]:
    """Returns, (masses, episodes)."""
    world = make_vector(EPISODES, "hopper", "hopper", threads=1)
    table = []
    for mass in MASSES:
        fixed = RandomizationTerm(field="mass", parts="torso", low=mass / TORSO, high=mass / TORSO)
        world.close()
        world = make_vector(EPISODES, "hopper", "hopper", threads=1, randomization=[fixed])
        outcome = run_episodes(world, policy_actions(policy), range(EPISODE_SEED, EPISODE_SEED + EPISODES))
        table.append(outcome.returns.tolist())
    world.close()
    return table


def scored(kind: str, seed: int) -> list[list[float]]:
    """What :func:`score` found of this training, now or earlier."""
    found: list[list[float]] = kept("epopt", f"{kind}-{SAMPLES}-{seed}", lambda: score(train(kind, seed)), TRAININGS)
    return found


def main(words: list[str]) -> None:
    torch.set_num_threads(1)
    seeds, kinds = [int(word) for word in words if word.isdigit()], [word for word in words if word in KINDS]
    for seed in seeds or SEEDS:
        for kind in kinds or KINDS:
            scored(kind, seed)
    if seeds or kinds:  # a part
        return
    tables = {kind: np.array([scored(kind, seed) for seed in SEEDS]) for kind in KINDS}
    rows, tenths = [], {}
    for kind, title in KINDS.items():
        table = tables[kind].reshape(len(SEEDS), -1)
        tenths[kind] = np.percentile(table, 10, axis=1)
        for name, values in (("mean", table.mean(1)), ("10th percentile", tenths[kind])):
            value, low, high = interval(np.mean, values)
            unit = f"return [{low:.0f}, {high:.0f}], {len(SEEDS)} seeds, torso 3 to 9 kg"
            times = value / tenths["one"].mean() if kind == "worst" and name != "mean" else None
            target = "" if times is None else f">= 2 x trained on one body ({tenths['one'].mean():.0f})"
            met = None if times is None else bool(times >= 2)
            rows.append(row(f"Hopper, {title}: {name}", value, unit, target, met, values))
        by_mass = ", ".join(f"{m:g} kg {r:.0f}" for m, r in zip(MASSES, tables[kind].mean((0, 2)), strict=True))
        rows.append(row(f"Hopper, {title}: heaviest torso", float(tables[kind][:, -1].mean()), f"return; {by_mass}"))
    finish(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
