"""Returns of training over many bodies against training on one, on the nominal body and on 50 unseen ones.

The claim ("Trick: Randomization" of the second seed document): such a policy is better on bodies it has not met, and
loses almost nothing on the nominal one. What varies: the weight of every limb by itself, friction, and joint damping.
Limbs keep their size. Both kinds of training get the same number of steps.

Trainings that lie under ``runs/bench/bodies`` are taken as they are, so an interrupted bench goes on where it stopped.
Intervals are 95%, from resampling the seeds: a trained policy is the unit, since its scores on 50 bodies are not
independent of each other; the two kinds are resampled apart.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish, row

from studio.analysis.transfer_metrics import interval, iqm
from studio.experiment import RandomizationTerm
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.observations import flatten
from studio.rng import EpisodeRng
from studio.sim.gymnasium_ids import make_vector
from studio.sim.randomization import fields as randomization

KEPT = Path(__file__).resolve().parents[2] / "runs" / "bench" / "bodies"
SEEDS = range(5)
BODIES, EPISODES, NOMINAL = 50, 3, 30  # unseen bodies, episodes of each, episodes of the nominal body
BODY_SEED, EPISODE_SEED = 7_000_000, 8_000_000  # training's seeds begin at 2^32
LIMBS = {
    "hopper": ("torso", "thigh", "leg", "foot"),
    "half_cheetah": ("torso", "bthigh", "bshin", "bfoot", "fthigh", "fshin", "ffoot"),
}
STEPS = {"hopper": 614_400, "half_cheetah": 409_600}  # of experience in each training
LOW, HIGH = 0.5, 1.5


def varied(task: str) -> list[RandomizationTerm]:
    """Every limb's mass by itself, friction, damping."""
    masses = [RandomizationTerm(field="mass", parts=limb, low=LOW, high=HIGH) for limb in LIMBS[task]]
    return [*masses, *(RandomizationTerm(field=f, low=LOW, high=HIGH) for f in ("friction", "damping"))]


def train(task: str, randomized: bool, seed: int) -> GaussianActorCritic:
    """PPO with its usual settings."""
    world = make_vector(PPOParams().simulations, task, task, randomization=varied(task) if randomized else [])
    policy = GaussianActorCritic()
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, seed)
    settings = PPOParams()
    learner = PPO(policy, world, settings, iterations=STEPS[task] // 2048, seed=seed)
    for _ in learner.iterate():
        pass
    world.close()
    return policy


def score(task: str, policy: GaussianActorCritic) -> dict[str, list[float]]:
    """Mean return on each unseen body, and on the nominal one in each of its episodes; the same for every policy."""
    count = BODIES * EPISODES + NOMINAL
    world = make_vector(count, task, task, randomization=varied(task))
    every = np.arange(count)
    world.reset_envs(every, range(EPISODE_SEED, EPISODE_SEED + count))
    drawn = randomization.draw(varied(task), EpisodeRng(range(BODY_SEED, BODY_SEED + BODIES)))
    world.randomize(every, {k: np.concatenate([np.repeat(v, EPISODES), np.ones(NOMINAL)]) for k, v in drawn.items()})
    returns, active = np.zeros(count), every
    while len(active):
        world.advance(policy.act(flatten(world.observe(active)))[0], active)
        returns[active] += world.reward(active)
        active = active[~(world.terminated(active) | world.truncated(active))]
    world.close()
    unseen = returns[: BODIES * EPISODES].reshape(BODIES, EPISODES).mean(1)
    return {"unseen": unseen.tolist(), "nominal": returns[BODIES * EPISODES :].tolist()}


def scores(task: str, randomized: bool, seed: int) -> dict[str, list[float]]:
    """Of one training, made or found."""
    kind = "many" if randomized else "one"
    file = KEPT / f"{task}-{STEPS[task]}-{kind}-{seed}.json"
    if not file.exists():
        began = time.process_time()
        found = score(task, train(task, randomized, seed))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({**found, "cpu_seconds": time.process_time() - began}), encoding="utf-8")
        means = {name: round(float(np.mean(found[name]))) for name in ("nominal", "unseen")}
        print(f"{file.stem}: {means}, {time.process_time() - began:.0f} s of CPU", file=sys.stderr, flush=True)
    kept: dict[str, list[float]] = json.loads(file.read_text(encoding="utf-8"))
    return kept


def tenth(values: np.ndarray) -> float:
    """The 10th percentile of the bodies, mean of the seeds."""
    return float(np.percentile(values, 10, axis=1).mean())


def rows_of(task: str) -> list[dict[str, Any]]:
    """The table of one task."""
    table: dict[tuple[str, str], np.ndarray] = {}
    for seed in SEEDS:
        for kind in ("one", "many"):
            found = scores(task, kind == "many", seed)
            for place in ("nominal", "unseen"):
                table.setdefault((kind, place), []).append(found[place])  # type: ignore[attr-defined]
    table = {key: np.array(value) for key, value in table.items()}
    rows = []
    for kind, title in (("one", "trained on one body"), ("many", "trained over bodies")):
        for place in ("nominal", "unseen"):
            measures = [("mean", np.mean), ("IQM", iqm)] + ([("10th percentile", tenth)] if place == "unseen" else [])
            for name, statistic in measures:
                value, low, high = interval(statistic, table[kind, place])
                where = "the nominal body" if place == "nominal" else f"{BODIES} unseen bodies"
                rows.append(row(f"{task}, {title}, {where}: {name}", value, f"return [{low:.0f}, {high:.0f}]"))

    def gap(many: np.ndarray, one: np.ndarray) -> float:
        return float(many.mean() - one.mean())

    value, low, high = interval(gap, table["many", "unseen"], table["one", "unseen"])
    rows.append(
        row(
            f"{task}, unseen bodies: what training over bodies adds", value, f"return [{low:.0f}, {high:.0f}]",
            "the document: more; the interval above 0", low > 0,
        )
    )  # fmt: skip
    value, low, high = interval(gap, table["many", "nominal"], table["one", "nominal"])
    allowed = -0.05 * float(table["one", "nominal"].mean())
    rows.append(
        row(
            f"{task}, nominal body: what training over bodies adds", value, f"return [{low:.0f}, {high:.0f}]",
            f"the document: almost no loss; at least {allowed:.0f} (5%)", value >= allowed,
        )
    )  # fmt: skip
    return rows


def main() -> None:
    torch.set_num_threads(1)
    finish([line for task in STEPS for line in rows_of(task)])


if __name__ == "__main__":
    main()
