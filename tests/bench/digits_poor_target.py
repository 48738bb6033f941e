"""The failure case of alignment: the target's data come from a poor policy, which sees only a part of the task.

Adversarial alignment of marginal distributions then maps the source's other classes onto the ones that were seen. The
task's feature is the digit: a linear probe reads it from the features of the target's images, of all ten digits.
Without alignment (source only), aligned with data of all digits (good), and with data of the digits 0, 1 and 2 alone
(poor); five seeds, the last step's policies.

    python tests/bench/digits_poor_target.py [SEED …]          (about 8 core-minutes after tests/bench/digits.py)
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

from plugins.tasks import digit_images
from plugins.tasks.digits import TARGET, TEST, VALIDATION, DigitsBlended
from studio.contracts import Batch
from studio.experiment import Experiment
from studio.nn.domain_alignment import class_probe
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.session import Session
from studio.store.checkpoint import list_checkpoints, load_policy
from studio.store.resolve import resolved
from tests.bench._report import finish, row
from tests.bench._training import RUNS, kept
from tests.bench.digits import SEEDS, interval, plan_of

SEEN = (0, 1, 2)  # the digits of the poor policy's data


def plan_for(method: str, data: str, seed: int) -> Experiment:
    """Return the experiment of a method on the good or the poor target data."""
    plan = plan_of(method, seed)
    if data == "good":
        return plan
    labels = digit_images.mnist()[1]
    return plan.changed(**{"target.contexts": [[float(i)] for i in TARGET if labels[i] in SEEN]})


def policy_of(plan: Experiment) -> Any:
    """Return the last step's policy of a run of this experiment: one that is there, or a new one."""
    last, whole = plan.budget.iterations, resolved(plan, shared_registry())
    for folder in sorted((RUNS / "digits").glob("*/")):
        same = Experiment.load(folder / "experiment.yaml").content_hash() == whole.content_hash()
        if same and ("adapt", last) in {(stage, step) for stage, step, _ in list_checkpoints(folder)}:
            return load_policy(folder, last)
    session = Session(plan, shared_registry(), Channels(), RUNS / "digits")
    session.run()
    return load_policy(session.folder, last)


def measured(method: str, data: str, seed: int) -> dict[str, float]:
    """Return what a probe reads of the digit in the features of all the target's images, fitted on every other one, and
    the policy's own accuracy on the test images."""
    policy, numbers = policy_of(plan_for(method, data, seed)), np.array([*TARGET, *VALIDATION, *TEST])
    seen, labels = {"image": DigitsBlended().images(numbers)}, digit_images.mnist()[1][numbers]
    none = torch.zeros(len(numbers), dtype=torch.long)
    with torch.no_grad():
        features = policy.features(Batch(policy.tensors(seen), torch.zeros(len(numbers), 1), none, none))
    right = policy.act(seen)[0][:, 0] == labels
    return {
        "probe": float(class_probe(features, torch.as_tensor(labels))),
        "accuracy": float(right[-len(TEST) :].mean()),
    }


def main(seeds: list[int]) -> None:
    cases = [("dann", "poor"), ("mmd", "poor"), ("source_only", "good"), ("dann", "good"), ("mmd", "good")]
    rows, probes = [], {}
    for method, data in cases:
        each = [kept("digits_poor", f"{method}-{data}-{s}", lambda a=(method, data, s): measured(*a)) for s in seeds]
        name = "no alignment" if method == "source_only" else f"{method}, {data} target data"
        for what in ("probe", "accuracy"):
            values = np.array([one[what] for one in each])
            low, high = interval(values)
            rows.append(row(f"{what}: {name}", float(values.mean()), f"95% [{low:.3f}, {high:.3f}]", seeds=values))
        probes[method, data] = np.array([one["probe"] for one in each])
    for method in ("dann", "mmd"):
        for data, other in (("poor", ("source_only", "good")), ("poor", (method, "good"))):
            change = probes[method, data] - probes[other]
            low, high = interval(change)
            against = "no alignment" if other[0] == "source_only" else "good data"
            unit = f"probe, 95% [{low:.3f}, {high:.3f}]"
            rows.append(row(f"{method} on poor data against {against}", float(change.mean()), unit, seeds=change))
    finish(rows)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or list(SEEDS))
