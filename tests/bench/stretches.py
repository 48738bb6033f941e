"""How long PPO's stretches should be: Walker2d, 1 M steps, 2,048 samples an iteration from few or many simulations.

Chosen on seeds 100 to 104, which no other bench has; judged as in ``returns.py``. What was found is kept in
``trainings/stretches``; words after the script's name choose trainings to make: ``stretches.py 32x64 103``.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from _report import finish, row
from _training import TRAININGS, kept
from returns import STEPS, score

from studio.analysis.transfer_metrics import interval, iqm
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.gymnasium_ids import make_vector

SEEDS, TASK = range(100, 105), "walker2d"
STRETCHES = {"64x32": (64, 32), "32x64": (32, 64), "16x128": (16, 128)}  # simulations, steps of each


def trained(name: str, seed: int) -> float:
    """The score of one training, made or found."""

    def make() -> float:
        simulations, steps = STRETCHES[name]
        world, policy = make_vector(simulations, TASK, TASK, threads=1), GaussianActorCritic()
        policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, seed)
        settings = PPOParams(simulations=simulations, steps=steps)
        for _ in PPO(
            policy, world, settings, iterations=-(-STEPS["PPO"] // (simulations * steps)), seed=seed
        ).iterate():
            pass
        world.close()
        return score(policy, TASK)

    return float(kept("stretches", f"{name}-{seed}", make, TRAININGS))


def main() -> None:
    torch.set_num_threads(1)
    words = set(sys.argv[1:]) - {"--json"}
    if words:  # a part
        for seed in SEEDS:
            for name in STRETCHES:
                if words <= {name, str(seed)}:
                    trained(name, seed)
        return
    rows = []
    for name in STRETCHES:
        values = np.array([trained(name, seed) for seed in SEEDS])
        value, low, high = interval(iqm, values)
        rows.append(row(f"Walker2d, {name}", value, f"return [{low:.0f}, {high:.0f}], IQM of 5 seeds", seeds=values))
    finish(rows)


if __name__ == "__main__":
    main()
