"""Returns of our PPO and SAC against Stable-Baselines3's, same samples and gradient steps.

SAC's rows are of the bench ``returns_sac``, whose trainings take most of a day.

PPO: 1 M steps of HalfCheetah, Hopper and Walker2d; iterations of 2,048 samples, 10 epochs of minibatches of 256, 64×64
networks, observations and rewards normalized. SAC: 60 k steps of HalfCheetah and Hopper, 256×256, batch 256, one update
a step from step 1,000 on, in fp32 and bf16. Everything else is Stable-Baselines3's default, and ours is the same.

A training is judged by the mean return of 20 episodes of its deterministic policy, on seeds no training meets. What was
found lies in ``trainings/returns`` and is taken as it is, so a bench goes on where it stopped, on another machine too:
remove it to measure again. Words after the script's name choose trainings to make: ``returns_sac.py theirs hopper 3``.
"""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
import torch
from _report import finish, row
from _training import TRAININGS, kept

from studio.analysis.transfer_metrics import interval, iqm
from studio.experiment import Domain
from studio.registry import Registry
from studio.rl.algorithms.sac import SAC, SACParams, has_bf16
from studio.run.evaluate import evaluate
from studio.sim.domains import resolve

SEEDS = range(5)
MORE = {("SAC", "hopper"): range(7)}  # five left it open whose returns lie higher
EPISODES, EPISODE_SEED = 20, 8_000_000
STARTS = 1_000  # steps of SAC before its first update
TASKS = {"half_cheetah": "HalfCheetah-v5", "hopper": "Hopper-v5", "walker2d": "Walker2d-v5"}
STEPS = {"PPO": 1_000_000, "SAC": 60_000}
OURS = ("ours fp32", "ours bf16") if has_bf16(torch.device("cpu")) else ("ours fp32",)  # imitated it takes hours
KINDS = {"PPO": ("theirs", "ours"), "SAC": ("theirs", *OURS)}
WHERE = {"PPO": ("half_cheetah", "hopper", "walker2d"), "SAC": ("half_cheetah", "hopper")}


def seeds_of(algorithm: str, task: str) -> range:
    return MORE.get((algorithm, task), SEEDS)


def score(policy: Any, task: str) -> float:
    """Mean return of the deterministic policy in our world, which is Gymnasium's bit for bit."""
    domain = Domain(embodiment=task, task=task, control="motor", observation="state")
    return evaluate(policy, resolve(domain, Registry()), EPISODES, EPISODE_SEED).mean_return


class TheirPolicy:
    """A Stable-Baselines3 model behind our policies' interface."""

    def __init__(self, model: Any, normalize: Any = None) -> None:
        self._model, self._normalize = model, normalize

    def act(self, observation: Any, memory: Any = None) -> tuple[np.ndarray, Any]:
        seen = observation["state"]
        seen = self._normalize(seen) if self._normalize is not None else seen
        return self._model.predict(seen.astype(np.float32), deterministic=True)[0], memory


def theirs_ppo(task: str, seed: int, steps: int = STEPS["PPO"]) -> Any:
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    envs = VecNormalize(DummyVecEnv([lambda: gymnasium.make(TASKS[task])] * 8), gamma=0.99)
    model = PPO("MlpPolicy", envs, n_steps=256, batch_size=256, n_epochs=10, seed=seed, device="cpu")
    model.learn(steps)
    return TheirPolicy(model, envs.normalize_obs)


def theirs_sac(task: str, seed: int) -> Any:
    from stable_baselines3 import SAC

    model = SAC("MlpPolicy", gymnasium.make(TASKS[task]), seed=seed, device="cpu", learning_starts=STARTS)
    model.learn(STEPS["SAC"])
    return TheirPolicy(model)


def our_learner(task: str, seed: int, steps: int) -> Any:
    """Our PPO on a new policy."""
    from studio.rl.algorithms.ppo import PPO
    from studio.rl.algorithms.ppo_params import PPOParams
    from studio.rl.networks.gaussian import GaussianActorCritic
    from studio.sim.gymnasium_ids import make_vector

    settings = PPOParams()
    world = make_vector(settings.simulations, task, task)
    policy = GaussianActorCritic()
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, seed)
    iterations = -(-steps // (settings.simulations * settings.steps))  # as many as theirs, rounded up
    return PPO(policy, world, settings, iterations=iterations, seed=seed)


def ours_ppo(task: str, seed: int) -> Any:
    learner = our_learner(task, seed, STEPS["PPO"])
    for _ in learner.iterate():
        pass
    learner.rollouts.world.close()
    return learner.policy


def trained(algorithm: str, kind: str, task: str, seed: int) -> float:
    """The score of one training, made or found."""

    def make() -> float:
        if algorithm == "PPO":
            policy = theirs_ppo(task, seed) if kind == "theirs" else ours_ppo(task, seed)
        else:
            policy = theirs_sac(task, seed) if kind == "theirs" else ours_sac(task, seed, kind.split()[1])
        return score(policy, task)

    name = f"{algorithm}-{kind}-{task}-{STEPS[algorithm]}-{seed}".replace(" ", "_")
    return float(kept("returns", name, make, TRAININGS))


def ours_sac(task: str, seed: int, precision: str) -> Any:
    from studio.rl.networks.squashed import SquashedActorCritic
    from studio.sim.gymnasium_ids import make_vector

    settings = SACParams(precision=precision, learning_starts=STARTS)
    world = make_vector(settings.simulations, task, task)
    policy = SquashedActorCritic()
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, seed)
    learner = SAC(policy, world, settings, iterations=-(-STEPS["SAC"] // settings.samples), seed=seed)
    for _ in learner.iterate():
        pass
    world.close()
    return policy


def rows_of(algorithm: str, task: str) -> list[dict[str, Any]]:
    """Theirs first, then ours, which may not fall below theirs by more than the intervals bear."""
    rows, ceiling = [], -np.inf
    for kind in KINDS[algorithm]:
        values = np.array([trained(algorithm, kind, task, seed) for seed in seeds_of(algorithm, task)])
        value, low, high = interval(iqm, values)
        unit = f"return [{low:.0f}, {high:.0f}], IQM of {len(values)} seeds"
        name = f"{algorithm}, {task}, {STEPS[algorithm]} steps: {kind}"
        if kind == "theirs":
            rows.append(row(name, value, unit, seeds=values))
            ceiling, floor = value, low
        else:  # below: theirs lies above our whole interval, and ours below their whole interval
            below = high < ceiling and value < floor
            rows.append(row(name, value, unit, f"not below {ceiling:.0f}", not below, values))
    return rows


def main(algorithm: str) -> None:
    torch.set_num_threads(1)
    words = set(sys.argv[1:]) - {"--json"}
    if words:  # a part
        for task in WHERE[algorithm]:
            for seed in seeds_of(algorithm, task):
                for kind in KINDS[algorithm]:
                    if words <= {kind, *kind.split(), task, str(seed)}:
                        trained(algorithm, kind, task, seed)
        return
    finish([line for task in WHERE[algorithm] for line in rows_of(algorithm, task)])


if __name__ == "__main__":
    main("PPO")
