"""Reinforcement from images between two looks of one world, and the second seed document's counter-example.

The source: a point that learned by PPO from images to go to its goal (16 k images of random steps, 45 k of its own).
The target: the same world in another look (assets/experiments/visual_adaptation.yaml). Scored by 64 episodes' mean
return on the target: the source's policy as it is; adapted by ADDA and by DANN on images that the policy gathers
itself; adapted by ADDA on images of steps that go astray (assets/experiments/visual_counterexample.yaml); and a policy
trained on the target, the upper line. The probe says how much of the reward, which is minus the distance to the goal, a
linear layer reads out of the features of the same target images, half the expert's and half of random steps, before the
alignment and after it; and how much of the state, the point's and the goal's place, which is what the encoder learned
to tell: a distance is no linear function of it.

Means over three seeds (fewer than five, for want of CPU time), each with source and target policies of its own, with
95% intervals by resampling seeds. Experiments were tried out on seed 7. What lies under ``runs/bench/visual`` is taken
as it is.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _training import RUNS, kept

from studio.experiment import Domain, Experiment
from studio.nn.adversarial import mmd, probe
from studio.paths import assets
from studio.registry import Registry
from studio.rl.gathering import Gathered, Gathering
from studio.run import pretrain
from studio.run.channels import Channels
from studio.run.evaluate import evaluate
from studio.run.policies import load_policy_folder
from studio.run.session import Session
from studio.run.transfer_metrics import interval
from studio.sim.domains import embodiment_of, task_of
from studio.sim.world import World

BENCH = "visual"
SEEDS = range(3)
EPISODES, EPISODE_SEED = 64, 8_000_000
ADAPTATION, COUNTEREXAMPLE = (
    Experiment.load(assets() / "experiments" / f"visual_{name}.yaml") for name in ("adaptation", "counterexample")
)
KINDS: dict[str, tuple[Experiment, dict[str, Any]]] = {
    "adda": (ADAPTATION, {}),
    "dann": (ADAPTATION, {"variant": "dann"}),
    "counterexample": (COUNTEREXAMPLE, {}),
}
REGISTRY = Registry()


def plan_of(kind: str, seed: int) -> Experiment:
    """An adaptation, from a source policy of this seed's own."""
    plan, params = KINDS[kind]
    changes = {f"strategy.params.{name}": value for name, value in params.items()}
    scored = {"evaluation.episodes": EPISODES, "evaluation.source_episodes": EPISODES, "evaluation.every": 0}
    return plan.changed(seed=seed, **{"pretraining.seed": seed, "evaluation.seed": EPISODE_SEED}, **changes, **scored)


def trained(plan: Experiment) -> Any:
    """The policy that learned on a plan's source, made or found."""
    folder = pretrain.find(plan, REGISTRY)
    if folder is None:
        training = pretrain.pretraining(plan, REGISTRY, "cpu", lambda made, wanted: None, print)
        for _ in training.learner.iterate():
            pass
        folder = pretrain.save(training.policy, plan, REGISTRY)
    return load_policy_folder(folder)


def score(policy: Any, domain: Domain) -> float:
    """Mean return of the policy without exploration."""
    return evaluate(policy, domain, REGISTRY, EPISODES, EPISODE_SEED).mean_return


def seen(domain: Domain) -> Gathered:
    """The same states in a domain's look: half the expert's, half of random steps."""
    policy = trained(plan_of("adda", SEEDS[0]))  # random and expert steps ask it for the width of an action alone
    found = []
    for acting in ("expert", "random"):
        world = World(domain, task_of(domain, REGISTRY), embodiment_of(domain, REGISTRY), EPISODES, 1)
        gathering = Gathering(world, 16, EPISODE_SEED, torch.Generator().manual_seed(0))
        found.append(gathering.gather(policy, acting, 0))  # type: ignore[arg-type]
        world.close()
    return Gathered(*(torch.cat([getattr(part, name) for part in found]) for name in ("images", "rewards", "states")))


@torch.no_grad()
def before(seed: int) -> dict[str, float]:
    """The source's policy as it is."""
    plan = plan_of("adda", seed)
    with torch.enable_grad():
        policy = trained(plan)
    source, target = seen(plan.source), seen(plan.target)
    one, other = policy(source.images), policy(target.images)
    return {
        "source": score(policy, plan.source), "target": score(policy, plan.target),
        "probe_source": probe(one, source.rewards), "state_source": probe(one, source.states),
        "probe": probe(other, target.rewards), "state": probe(other, target.states),
        "mmd": mmd(one[::2], other[::2]).item(),
    }  # fmt: skip


def upper(seed: int) -> dict[str, float]:
    """A policy that was trained on the target as the source's was on the source."""
    plan = plan_of("adda", seed)
    return {"target": score(trained(plan.changed(source=plan.target)), plan.target)}


@torch.no_grad()
def adapted(kind: str, seed: int) -> dict[str, float]:
    """Scores and probes after an adaptation."""
    runs = RUNS / BENCH / f"run-{kind}-{seed}"
    shutil.rmtree(runs, ignore_errors=True)
    with torch.enable_grad():
        session = Session(plan_of(kind, seed), REGISTRY, Channels(), runs)
        folder = session.run()
    scores = {e["domain"]: float(e["mean_return"]) for e in session.evaluations if e["final"]}
    policy, base = load_policy_folder(folder / "policy"), load_policy_folder(folder / "base")
    source, target = (seen(domain) for domain in (session.experiment.source, session.experiment.target))
    other, one = policy(target.images), (policy if "dann" in kind else base)(source.images)
    values = {
        "probe": probe(other, target.rewards),
        "state": probe(other, target.states),
        "mmd": mmd(one[::2], other[::2]).item(),
    }
    shutil.rmtree(runs)
    return {**scores, **values}


def told(name: str, values: list[float], unit: str, goal: str = "", met: bool | None = None) -> dict[str, Any]:
    """A row: the mean over seeds and its interval."""
    mean, low, high = interval(np.mean, np.array(values))
    each = ", ".join(f"{value:.3g}" for value in values)
    return row(name, mean, f"{unit} [{low:.3g}, {high:.3g}]; by seed {each}", goal, met)


def rows() -> list[dict[str, Any]]:
    """The table."""
    first = [kept(BENCH, f"before-{seed}", partial(before, seed)) for seed in SEEDS]
    best = [kept(BENCH, f"upper-{seed}", partial(upper, seed)) for seed in SEEDS]
    runs = {kind: [kept(BENCH, f"{kind}-{seed}", partial(adapted, kind, seed)) for seed in SEEDS] for kind in KINDS}

    def column(found: list[dict[str, float]], name: str) -> list[float]:
        return [one[name] for one in found]

    plain = column(first, "target")
    table = [
        told("source policy on the source", column(first, "source"), "return"),
        told("source policy on the target", plain, "return"),
        told("trained on the target", column(best, "target"), "return"),
        told("source policy on the source: probe of the reward", column(first, "probe_source"), "R²"),
        told("source policy on the target: probe of the reward", column(first, "probe"), "R²"),
        told("source policy on the source: probe of the state", column(first, "state_source"), "R²"),
        told("source policy on the target: probe of the state", column(first, "state"), "R²"),
        told("source policy: distance of the features", column(first, "mmd"), "MMD²"),
    ]
    for kind, found in runs.items():
        gained = np.array(column(found, "target")) - np.array(plain)
        name = kind.replace("_", " on images of the ")
        low = interval(np.mean, gained)[1]
        good = kind in ("adda", "dann")
        table += [
            told(f"{name} on the target", column(found, "target"), "return"),
            told(f"{name}: gain on the target", gained.tolist(), "return", "above 0" if good else "",
                 bool(low > 0) if good else None),
            told(f"{name} on the source", column(found, "source"), "return"),
            told(f"{name}: probe of the reward on the target", column(found, "probe"), "R²"),
            told(f"{name}: probe of the state on the target", column(found, "state"), "R²"),
            told(f"{name}: distance of the features", column(found, "mmd"), "MMD²"),
        ]  # fmt: skip
    for name in ("probe", "state"):
        lost = np.array(column(runs["counterexample"], name)) - np.array(column(first, name))
        what = f"counterexample: change of the probe of the {'reward' if name == 'probe' else 'state'}"
        table.append(told(what, lost.tolist(), "R²", "below 0", bool(interval(np.mean, lost)[2] < 0)))
    return table


def main() -> None:
    torch.set_num_threads(1)
    for word in sys.argv[1:]:  # a part of the work: before-0, adda-2
        kind, _, seed = word.rpartition("-")
        made = {"before": before, "upper": upper}.get(kind, partial(adapted, kind))
        kept(BENCH, word, partial(made, int(seed)))
    if not sys.argv[1:]:
        finish(rows())


if __name__ == "__main__":
    main()
