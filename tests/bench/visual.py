"""Reinforcement from images between two looks of one world, and the second seed document's counter-example.

The source: a point that learned by PPO from images to go to its goal (16 k images of random steps, 45 k of its own).
The target: the same world in other colors and darker (assets/experiments/visual_adaptation.yaml, visual_matching.yaml),
or seen by a camera that stands elsewhere under another lamp (visual_camera.yaml). Scored by 64 episodes' mean return on
the target: the source's policy as it is ("before"); adapted on images that the policy gathers itself, by ADDA, by MMD
of the encoder's first layer (for the other camera: of an affine map of its feature points), and by DANN; and a policy
trained on the target, the upper line ("upper"). For the other camera, "paired" says what each part of the encoder could
do at all, fitted by least squares on images of the same states.

The counter-example (visual_poor_target.yaml): a target that the source's policy can read, but with images of random
steps, by ADDA; and its remedies, images that the policy gathers itself, or the first layer alone.

Probes are on the features of the same target images, half the expert's and half of random steps. They say how much a
linear layer reads of the reward, which is minus the distance to the goal; of the state, the point's and the goal's
place, which is what the encoder learned to tell; and of their difference, the way to the goal, which is what the action
depends on, and what says how well the policy does. It is also read by the layer that was fitted on the source's
features of the same states, as the action head was.

Means over five seeds, each with source and target policies of its own, with 95% intervals by resampling seeds.
Experiments were tried out on seed 7. What lies under ``runs/bench/visual`` is taken as it is. A part of the work is
``python tests/bench/visual.py KIND-SEED``, and ``finished`` prints rows of the parts that are there.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from _report import finish, row
from _training import RUNS, kept
from torch import Tensor

from studio.analysis.transfer_metrics import interval
from studio.experiment import Domain, Experiment
from studio.nn.adda import random_rows
from studio.nn.domain_alignment import mmd, probe
from studio.nn.point_placement import PointPlacement
from studio.paths import assets
from studio.registry import Registry
from studio.rl.collectors.images import CollectedImages, ImageCollector
from studio.run import pretrain
from studio.run.channels import Channels
from studio.run.evaluate import evaluate
from studio.run.session import Session
from studio.sim.domains import embodiment_of, resolve, task_of
from studio.sim.world import World
from studio.store.policies import load_policy_folder

BENCH = "visual"
SEEDS = range(5)
EPISODES, EPISODE_SEED = 64, 8_000_000
ADAPTATION, MATCHING, CAMERA, COUNTEREXAMPLE = (
    Experiment.load(assets() / "experiments" / f"visual_{name}.yaml")
    for name in ("adaptation", "matching", "camera", "poor_target")
)
KINDS: dict[str, tuple[Experiment, dict[str, Any]]] = {
    "adda": (ADAPTATION, {}),
    "mmd": (MATCHING, {}),
    "dann": (ADAPTATION, {"variant": "dann"}),
    "camera_mmd": (CAMERA, {}),
    "counterexample": (COUNTEREXAMPLE, {}),
    "counterexample_own_policy": (COUNTEREXAMPLE, {"target_data": "own_policy"}),
    "counterexample_first": (COUNTEREXAMPLE, {"variant": "mmd", "adapted_layers": "first"}),
}
# what an adaptation starts from, and a policy that learned on its target: of each target
BEFORE = {"before": "adda", "camera_before": "camera_mmd", "counterexample_before": "counterexample"}
UPPER = {"upper": "adda", "camera_upper": "camera_mmd"}
# what a part of the encoder could do for the other camera, if the images of both domains came in pairs
PAIRED = {f"camera_paired_{layers}": layers for layers in ("last", "first", "points")}
PAIRED_STEPS, PAIRED_BATCH, PAIRED_RATE = 1000, 128, 3e-3
REMEDIES = ("counterexample_own_policy", "counterexample_first")
PROBES = {
    "probe": "reward",
    "state": "state",
    "way": "way to the goal",
    "read": "way to the goal by the source's layer",
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
    return evaluate(policy, resolve(domain, REGISTRY), EPISODES, EPISODE_SEED).mean_return


def seen(domain: Domain) -> CollectedImages:
    """Return images of the same states in a domain's appearance: half the expert's, half of random actions."""
    with torch.enable_grad():
        policy = trained(plan_of("adda", SEEDS[0]))  # only its action's width is used
    found = []
    for behavior in ("expert", "random"):
        world = World(domain, task_of(domain, REGISTRY), embodiment_of(domain, REGISTRY), EPISODES, 1)
        collector = ImageCollector(world, 16, EPISODE_SEED, torch.Generator().manual_seed(0))
        found.append(collector.collect(policy, behavior, 0))
        world.close()
    return CollectedImages(
        *(torch.cat([getattr(part, name) for part in found]) for name in ("images", "rewards", "states"))
    )


def read(source: Tensor, target: Tensor, values: tuple[Tensor, Tensor]) -> float:
    """Return R² on the target's features of a linear layer that was fitted on the source's, as the action head was.

    Args:
        source, target: features (n, width) of the same states in both domains.
        values: what is read, (n, k) each.
    """
    return probe(*(torch.stack(pair, 1).flatten(0, 1) for pair in ((source, target), values)))


def probes(plan: Experiment, one: Any, other: Any) -> dict[str, float]:
    """Return what is read of the reward, the state and the way to the goal in the target's features, and their distance
    from the source's. ``one``, ``other``: the policies whose encoders see the source and the target."""
    source, target = seen(plan.source), seen(plan.target)
    features, adapted = one(source.images), other(target.images)
    ways = [images.states[:, -2:] - images.states[:, :2] for images in (source, target)]
    return {
        "probe_source": probe(features, source.rewards), "state_source": probe(features, source.states),
        "way_source": probe(features, ways[0]), "probe": probe(adapted, target.rewards),
        "state": probe(adapted, target.states), "way": probe(adapted, ways[1]),
        "read": read(features, adapted, (ways[0], ways[1])), "mmd": mmd(features[::2], adapted[::2]).item(),
    }  # fmt: skip


@torch.no_grad()
def before(kind: str, seed: int) -> dict[str, float]:
    """The source's policy as it is."""
    plan = plan_of(kind, seed)
    with torch.enable_grad():
        policy = trained(plan)
    scores = {"source": score(policy, plan.source), "target": score(policy, plan.target)}
    return {**scores, **probes(plan, policy, policy)}


def upper(kind: str, seed: int) -> dict[str, float]:
    """A policy that was trained on the target as the source's was on the source."""
    plan = plan_of(kind, seed)
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
    values = probes(session.experiment, policy if "dann" in kind else base, policy)
    shutil.rmtree(runs)
    return {**scores, **values}


def paired(layers: str, seed: int) -> dict[str, float]:
    """A part of the encoder that was fitted by least squares to the source's features of the same states."""
    plan = plan_of("camera_mmd", seed)
    policy, (source, target) = trained(plan), (seen(plan.source), seen(plan.target))
    encoder: Any = policy.encoder
    with torch.no_grad():
        wanted = encoder(source.images)
    parts = {"last": encoder.last, "first": encoder.first_layer, "points": PointPlacement(encoder)}
    net = parts["points"] if layers == "points" else encoder
    optimizer = torch.optim.Adam(parts[layers].parameters(), PAIRED_RATE)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(PAIRED_STEPS):
        rows = random_rows(len(wanted), PAIRED_BATCH, generator)
        loss = (net(target.images[rows]) - wanted[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if layers == "points":
        net.write()
    return {"target": score(policy, plan.target)}


def maker(kind: str) -> Callable[[int], dict[str, float]]:
    """Return what measures a part of the work for a seed."""
    if kind in BEFORE:
        return partial(before, BEFORE[kind])
    if kind in PAIRED:
        return partial(paired, PAIRED[kind])
    return partial(upper, UPPER[kind]) if kind in UPPER else partial(adapted, kind)


def summary_row(name: str, values: list[float], unit: str, goal: str = "", met: bool | None = None) -> dict[str, Any]:
    """A row: the mean over seeds and its interval."""
    mean, low, high = interval(np.mean, np.array(values))
    each = ", ".join(f"{value:.3g}" for value in values)
    seeds = f"{len(values)} of {len(SEEDS)} seeds: {each}"
    return row(name, mean, f"{unit} [{low:.3g}, {high:.3g}]; {seeds}", goal, met if len(values) == len(SEEDS) else None)


def pieces(kind: str, make: Callable[[int], dict[str, float]], finished: bool) -> dict[int, dict[str, float]]:
    """By seed: what was found, or is found now; only what was found already where ``finished`` is asked for."""
    there = [seed for seed in SEEDS if not finished or (RUNS / BENCH / f"{kind}-{seed}.json").exists()]
    return {seed: kept(BENCH, f"{kind}-{seed}", partial(make, seed)) for seed in there}


def rows(finished: bool) -> list[dict[str, Any]]:
    """The table."""
    found = {kind: pieces(kind, maker(kind), finished) for kind in (*BEFORE, *UPPER, *PAIRED, *KINDS)}

    def line(name: str, kind: str, key: str, unit: str) -> list[dict[str, Any]]:
        values = [one[key] for one in found[kind].values()]
        return [summary_row(f"{kind}: {name}", values, unit)] if values else []

    def change(name: str, kind: str, other: str, key: str, unit: str, sign: int = 0) -> list[dict[str, Any]]:
        """Of a figure against another kind's; ``sign``: which way it is said to go."""
        gained = [one[key] - found[other][seed][key] for seed, one in found[kind].items() if seed in found[other]]
        if not gained:
            return []
        _, low, high = interval(np.mean, np.array(gained))
        met = bool(low > 0 if sign > 0 else high < 0) if sign else None
        name = f"{kind}: {name} against {other}"
        return [summary_row(name, gained, unit, ("", "above 0", "below 0")[sign], met)]

    def closed(kind: str, start: str, end: str, asked: bool = True) -> list[dict[str, Any]]:
        """Return which share of the way from the source's policy to one of the target's an adaptation goes."""
        ways = [
            (one["target"] - found[start][seed]["target"], found[end][seed]["target"] - found[start][seed]["target"])
            for seed, one in found[kind].items()
            if seed in found[start] and seed in found[end]
        ]
        if not ways:
            return []
        shares, table = [gained / lost for gained, lost in ways], np.array(ways)
        goal = (">= 0.5", float(np.mean(shares)) >= 0.5) if asked else ()
        whole, low, high = interval(lambda rows: float(rows[:, 0].sum() / rows[:, 1].sum()), table)
        return [
            summary_row(f"{kind}: share of the gap closed, mean over seeds", shares, "", *goal),
            row(f"{kind}: share of the mean gap closed", whole, f"[{low:.3g}, {high:.3g}]; {len(ways)} seeds"),
        ]

    table = []
    for kind in BEFORE:
        table += line("return on the source", kind, "source", "return")
        table += line("return on the target", kind, "target", "return")
        for key, name in PROBES.items():
            if f"{key}_source" in next(iter(found[kind].values()), {}):
                table += line(f"probe of the {name} on the source", kind, f"{key}_source", "R²")
            table += line(f"probe of the {name}", kind, key, "R²")
        table += line("distance of the features", kind, "mmd", "MMD²")
    for kind in UPPER:
        table += line("return on the target", kind, "target", "return")
    for kind in PAIRED:
        table += line("return on the target", kind, "target", "return")
        table += closed(kind, "camera_before", "camera_upper", asked=False)
    for kind, (plan, _) in KINDS.items():
        start = next(before for before, like in BEFORE.items() if KINDS[like][0].target == plan.target)
        end = next((upper for upper, like in UPPER.items() if KINDS[like][0].target == plan.target), None)
        harmed = kind == "counterexample"
        sign = 0 if end is None else 1
        table += line("return on the target", kind, "target", "return")
        table += change("change of the return", kind, start, "target", "return", -1 if harmed else sign)
        table += closed(kind, start, end) if end is not None else []
        table += line("return on the source", kind, "source", "return")
        for key, name in PROBES.items():
            table += line(f"probe of the {name}", kind, key, "R²")
            lost = -1 if harmed and key == "way" else 0
            table += change(f"change of the probe of the {name}", kind, start, key, "R²", lost)
        table += line("distance of the features", kind, "mmd", "MMD²")
    for kind in REMEDIES:
        table += change("change of the return", kind, "counterexample", "target", "return", 1)
        table += change("change of the probe of the way to the goal", kind, "counterexample", "way", "R²", 1)
    return table


def main() -> None:
    torch.set_num_threads(1)
    words = sys.argv[1:]  # parts of the work, such as before-0 or adda-2; or "finished": rows of what is there
    for word in words:
        kind, _, seed = word.rpartition("-")
        if kind:
            kept(BENCH, word, partial(maker(kind), int(seed)))
    if not words or words == ["finished"]:
        finish(rows(finished=bool(words)))


if __name__ == "__main__":
    main()
