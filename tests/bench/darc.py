"""DARC: its Δr against a gridworld's transition tables, and its returns where dynamics differ.

Every training on a source takes 10,000 steps with one update per step; a tenth as many steps are allowed on the target.
"Target alone" trains on those 1,000 steps; "fine-tuning" trains on them after the source. All trainings have the same
settings, none of them tuned on these seeds. A training is scored by the mean return of 50 episodes of its deterministic
policy, on seeds that no training uses; the intervals are 95%, bootstrapped over five seeds.

The reverse case is expected to fail: a wall that only the source has keeps blocking the policy on the target, because
no transition of the source crosses it. "Fails" means: not better on the target than source alone by more than the
interval.

Finished parts are kept under ``runs/bench/darc`` and reused; command line words choose among the cases and seeds.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _training import RUNS, kept

from plugins.strategies.darc import DARCParams, OffDynamicsSAC
from studio.analysis.transfer_metrics import interval
from studio.experiment import Domain
from studio.registry import Registry
from studio.rl.algorithms.sac import SAC, SACParams
from studio.rl.dynamics_gap import DynamicsGap, GapLearner, GapParams, exact_delta
from studio.rl.networks.observations import flatten
from studio.rl.networks.squashed import SquashedActorCritic
from studio.run.evaluate import evaluate
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.world import World
from studio.store.policies import load_policy_folder, save_policy

BENCH = "darc"
SEEDS = range(5)
STEPS, SHARE = 10_000, 10
EPISODES, EPISODE_SEED = 50, 8_000_000
POINT = {"embodiment": "point_mass", "control": "motor", "observation": "state"}
BROKEN = {"field": "actuator_gain", "parts": "x", "low": 0.0, "high": 0.0}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # source, target
    "broken": ({"task": "point_axes"}, {"task": "point_axes", "randomization": [BROKEN]}),
    "disc": ({"task": "point_plane"}, {"task": "point_disc"}),
    "reverse wall": ({"task": "point_wall"}, {"task": "point_open"}),
}
KINDS = ("source alone", "darc", "target alone", "fine-tuning")
LEARNING: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": 128,
    "simulations": 4,
    "learning_starts": 500,
    "target_entropy": -2.0,
}
GAP: dict[str, Any] = {
    "classifier_width": 64,
    "classifier_batch": 64,
    "classifier_rate": 1e-3,
    "classifier_noise": 0.3,
    "warm_up": 3000,
}


def domains(case: str) -> tuple[Domain, Domain]:
    """Return source and target."""
    source, target = (Domain.model_validate(POINT | own) for own in CASES[case])
    return source, target


def world_of(domain: Domain, simulations: int) -> World:
    registry = Registry()
    return World(domain, task_of(domain, registry), embodiment_of(domain, registry), simulations, 1)


def settings(steps: int, **more: Any) -> dict[str, Any]:
    """Return a learner's settings; one iteration is the whole training. Short trainings are eager: compiling them would
    take longer."""
    update = "compiled" if steps == STEPS else "eager"
    return {**LEARNING, "samples": steps, "physics_threads": 1, "update": update, **more}


def trained(kind: str, case: str, seed: int) -> SquashedActorCritic:
    """Train a policy, from scratch or from the source's."""
    source, target = domains(case)
    on_target = kind in ("target alone", "fine-tuning")
    world = world_of(target if on_target else source, 1 if on_target else LEARNING["simulations"])
    policy = SquashedActorCritic(SquashedActorCritic.Params(width=64))
    policy.fit(flatten(world.observe([0])).shape[1], world.control.low, world.control.high, seed)
    if kind == "darc":
        visited = world_of(target, 1)
        chosen = DARCParams(**settings(STEPS, **GAP), source_steps=SHARE)
        learner: SAC = OffDynamicsSAC(policy, world, chosen, target=visited, iterations=1, seed=seed)
    else:
        more: dict[str, Any] = {}
        if kind == "fine-tuning":
            policy, alpha = source_policy(case, seed)
            more = {"learning_starts": 0, "alpha": alpha}
        given = SACParams(**settings(STEPS // SHARE if on_target else STEPS, **more))
        learner = SAC(policy, world, given, iterations=1, seed=seed)
    for _ in learner.iterate():
        pass
    # fine-tuning starts with this temperature
    policy.register_buffer("temperature", learner.update.log_alpha.exp(), persistent=False)
    world.close()
    return policy


def source_policy(case: str, seed: int) -> tuple[SquashedActorCritic, float]:
    """Return the policy trained on the source alone, and its last temperature; it is trained if it isn't kept."""
    folder = RUNS / BENCH / f"source-{case.replace(' ', '_')}-{seed}"

    def make() -> float:
        policy = trained("source alone", case, seed)
        folder.parent.mkdir(parents=True, exist_ok=True)
        save_policy(policy, folder)
        return float(policy.temperature)

    alpha = kept(BENCH, folder.name, make)
    return load_policy_folder(folder), alpha


def outcome(kind: str, case: str, seed: int) -> dict[str, float]:
    """Return mean returns and successes on target and source."""

    def make() -> dict[str, float]:
        policy = source_policy(case, seed)[0] if kind == "source alone" else trained(kind, case, seed)
        found = {}
        for name, domain in zip(("source", "target"), domains(case), strict=True):
            result = evaluate(policy, resolve(domain, Registry()), EPISODES, EPISODE_SEED)
            found |= {name: result.mean_return, f"{name}_success": result.score}
        return found

    found: dict[str, float] = kept(BENCH, f"{case}-{kind}-{seed}".replace(" ", "_"), make)
    return found


def gridworld(seed: int) -> dict[str, float]:
    """Return the correlation of Δr with that of the tables over the visited (s, a, s′), from 20,000 random steps in
    each domain."""

    def make() -> dict[str, float]:
        given = GapParams(classifier_width=64, classifier_rate=1e-3, classifier_noise=GAP["classifier_noise"])
        registry = Registry()
        source, target = (registry.get("tasks", name)().transitions() for name in ("gridworld", "gridworld_wall"))
        states, actions = source.shape[:2]
        one_hot, units = torch.eye(states), 2 * torch.eye(actions) - 1
        rng = np.random.default_rng(seed)

        def rows(s: Any, a: Any, after: Any) -> dict[str, torch.Tensor]:
            return {"observations": one_hot[s], "actions": units[a], "next_observations": one_hot[after]}

        seen = []
        for name in ("gridworld", "gridworld_wall"):
            world = world_of(Domain(embodiment="point", task=name, control="discrete", observation="state"), 100)
            world.reset(seed=int(rng.integers(1 << 30)))
            parts: list[Any] = []
            for _ in range(200):
                here, chosen = world.task.cells(slice(None)), rng.integers(actions, size=100)
                world.advance(chosen[:, None].astype(float), slice(None))
                parts.append((here, chosen, world.task.cells(slice(None))))
                old = np.flatnonzero(world.steps >= 40)
                world.reset_envs(old, rng.integers(1 << 30, size=len(old)))
            seen.append(tuple(np.concatenate(column) for column in zip(*parts, strict=True)))
            world.close()
        gap = DynamicsGap(states, -np.ones(actions), np.ones(actions), given, seed)
        learner = GapLearner(gap, given, seed)
        for _ in range(1500):
            drawn = (rng.integers(len(data[0]), size=128) for data in seen)
            learner.step(*(rows(*(column[i] for column in data)) for i, data in zip(drawn, seen, strict=True)))
        weights = np.zeros(source.shape)
        for data in seen:
            np.add.at(weights, data, 0.5 / len(data[0]))
        exact = exact_delta(source, target, 3.0)
        s, a, after = np.nonzero(weights)
        ours = gap.delta_reward(rows(s, a, after)).clamp(-3, 3).numpy()
        truth, w = exact[s, a, after], weights[s, a, after]
        both = (source * target)[s, a, after] > 0
        return {
            "weighted": correlation(ours, truth, w), "alike": correlation(ours, truth, np.ones_like(w)),
            "finite": float(np.abs(ours - truth)[both].mean()),
        }  # fmt: skip

    found: dict[str, float] = kept(BENCH, f"gridworld-{seed}", make)
    return found


def correlation(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> float:
    """Return Pearson's weighted correlation."""
    weights = weights / weights.sum()
    a, b = one - (weights * one).sum(), other - (weights * other).sum()
    return float((weights * a * b).sum() / np.sqrt((weights * a * a).sum() * (weights * b * b).sum()))


def rows_of_gridworld() -> list[dict[str, Any]]:
    results = [gridworld(seed) for seed in SEEDS]
    rows = []
    for name, words in (("weighted", "weighted by their frequency"), ("alike", "all alike")):
        value, low, high = interval(np.mean, np.array([run[name] for run in results]))
        about = f"correlation [{low:.3f}, {high:.3f}], over the visited (s, a, s′), {words}, Δr within ±3 nats, 5 seeds"
        target = (">= 0.95", value >= 0.95) if name == "weighted" else ("", None)
        rows.append(row(f"gridworld: Δr, {name}", value, about, *target))
    error = float(np.mean([run["finite"] for run in results]))
    return [*rows, row("gridworld: Δr, mean error where both domains allow the transition", error, "nats")]


def rows_of(case: str) -> list[dict[str, Any]]:
    """Return a row for each kind; DARC's is compared with source alone."""
    rows: list[dict[str, Any]] = []
    runs = {kind: [outcome(kind, case, seed) for seed in SEEDS] for kind in KINDS}
    returns = {kind: np.array([run["target"] for run in found]) for kind, found in runs.items()}
    for kind, found in runs.items():
        value, low, high = interval(np.mean, returns[kind])
        on_source = np.mean([run["source"] for run in found])
        about = f"return on the target [{low:.1f}, {high:.1f}], 5 seeds; {on_source:.1f} on the source"
        goal, met = "", None
        if kind == "darc":
            _, _, top = interval(np.mean, returns["source alone"])
            better = low > top
            goal, met = f"> {top:.1f}, source alone's interval", better
            if case.startswith("reverse"):
                goal, met = f"not > {top:.1f}: it must fail", not better
        rows.append(row(f"{case}: {kind}", value, about, goal, met))
    domain = domains(case)[1]
    if task_of(domain, Registry()).has_expert and case.startswith("reverse"):
        best = evaluate("expert", resolve(domain, Registry()), EPISODES, EPISODE_SEED).mean_return
        rows.append(row(f"{case}: straight to the goal, by the expert", best, "return on the target"))
    return rows


def main() -> None:
    torch.set_num_threads(1)
    words = sys.argv[1:]
    if not words:
        finish([*rows_of_gridworld(), *(line for case in CASES for line in rows_of(case))])
        return
    for seed in SEEDS:
        for case in CASES:
            for kind in KINDS:
                if set(words) <= {case, *case.split(), kind, *kind.split(), str(seed)}:
                    outcome(kind, case, seed)


if __name__ == "__main__":
    main()
