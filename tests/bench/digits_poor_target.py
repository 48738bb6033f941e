"""The failure case of adversarial alignment: the target's data come from a poor policy, which sees a part of the task.

The target's images are the digits 0, 1 and 2 alone (assets/experiments/digits_poor_target.yaml); the source has all
ten. Where the features' distributions are made equal although the labels' differ, the errors on both cannot be small
(Zhao et al. 2019, arXiv:1901.09453, theorem 4.3): images of the three digits must be read as others. So what counts is
how often the policy is right on images of the digits that the poor policy saw, from the target's validation and test
images, which no training has; the other digits, and what a new linear probe reads of all ten, stand beside it. That
probe is fitted on the target's labels, which the policy's own head never had, and finds classes that were exchanged.

Without alignment (source only), aligned with data of all digits (good), and of the three alone (poor); five seeds, the
last step's policies. The measure was chosen on seed 101.

    python tests/bench/digits_poor_target.py [SEED …]          (about 8 core-minutes)
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from _report import finish, row
from _training import RUNS, kept
from digits import SEEDS, interval

from plugins.tasks import digit_images
from plugins.tasks.digits import TEST, VALIDATION, DigitsBlended, DigitsBlendedPartial
from studio.contracts import Batch
from studio.experiment import Experiment
from studio.nn.domain_alignment import class_probe
from studio.paths import assets
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.session import Session
from studio.store.policies import load_policy_folder

CASES = {
    "no alignment": ("source_only", DigitsBlended.id),
    "DANN, good data": ("dann", DigitsBlended.id),
    "DANN, poor data": ("dann", DigitsBlendedPartial.id),
}
MEASURES = {
    "seen": "accuracy on the digits 0 to 2",
    "as_other": "share of the digits 0 to 2 read as others",
    "unseen": "accuracy on the digits 3 to 9",
    "all": "accuracy on all digits",
    "probe": "probe of the digit",
}


def plan_of(case: str, seed: int) -> Experiment:
    """Return the experiment of a case and a seed, which is its source policy's too."""
    plan = Experiment.load(assets() / "experiments" / "digits_poor_target.yaml")
    method, task = CASES[case]
    params = plan.strategy.params if method == plan.strategy.id else plan.comparison.params[method]
    changes = {"strategy.id": method, "strategy.params": params, "target.task": task}
    return plan.changed(**changes, seed=seed, **{"pretraining.seed": seed, "evaluation.episodes": 100}, device="cpu")


def measured(case: str, seed: int) -> dict[str, float]:
    """Run a case; return what its policy reads of images of the target that no training has."""
    session = Session(plan_of(case, seed), shared_registry(), Channels(), RUNS / "digits_poor_target")
    session.run()
    policy, numbers = load_policy_folder(session.folder / "policy"), np.array([*VALIDATION, *TEST])
    images, labels = {"image": DigitsBlended().images(numbers)}, digit_images.mnist()[1][numbers]
    none = torch.zeros(len(numbers), dtype=torch.long)
    with torch.no_grad():
        features = policy.features(Batch(policy.tensors(images), torch.zeros(len(numbers), 1), none, none))
    read, seen = policy.act(images)[0][:, 0], np.isin(labels, DigitsBlendedPartial.drawn)
    right = read == labels
    return {
        "seen": float(right[seen].mean()),
        "as_other": float((~np.isin(read[seen], DigitsBlendedPartial.drawn)).mean()),
        "unseen": float(right[~seen].mean()),
        "all": float(right.mean()),
        "probe": float(class_probe(features, torch.as_tensor(labels))),
    }


def main(seeds: list[int]) -> None:
    rows, found = [], {}
    for seed in seeds:
        for case in CASES:
            name = f"{case.replace(', ', '-').replace(' ', '-')}-{seed}"
            found[case, seed] = kept("digits_poor", name, lambda case=case, seed=seed: measured(case, seed))

    def values(case: str, measure: str) -> np.ndarray:
        return np.array([found[case, seed][measure] for seed in seeds])

    for measure, title in MEASURES.items():
        for case in CASES:
            low, high = interval(values(case, measure))
            mean = float(values(case, measure).mean())
            rows.append(row(f"{title}: {case}", mean, f"95% [{low:.3f}, {high:.3f}]", seeds=values(case, measure)))
    for other in ("no alignment", "DANN, good data"):
        change = values("DANN, poor data", "seen") - values(other, "seen")
        low, high = interval(change)
        name = f"{MEASURES['seen']}: DANN, poor data against {other}"
        rows.append(row(name, float(change.mean()), f"95% [{low:.3f}, {high:.3f}]", "below 0", high < 0, seeds=change))
    finish(rows)


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or list(SEEDS))
