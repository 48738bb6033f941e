"""Prompt tuning: the trunk stays as it was, the prompt learns, and it is saved with the policy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests import tiny


@pytest.mark.parametrize("robot_parts", [True, False])
def test_prompt_tuning_changes_the_prompt_and_nothing_of_the_trunk(runs: Path, robot_parts: bool) -> None:
    plan = tiny.experiment(
        "prompt_tuning", **{"strategy.params": {"tokens": 3, "train_robot_parts": robot_parts}}
    )  # fmt: skip
    folder = tiny.run(plan, runs).folder
    base, tuned = (tiny.tensors(folder / part / "policy.safetensors") for part in ("base", "policy"))
    assert tuned["prompt"].shape == (3, plan.policy.params["width"]) and "prompt" not in base
    changed = {name.split(".")[0] for name in base if not torch.equal(base[name], tuned[name])}
    parts = {"action_head", "joint_embedding", "end_effector_embedding"}
    assert changed - {"spaces", "fingerprint"} == (parts if robot_parts else set())
    start = 0.02 * torch.randn(3, plan.policy.params["width"], generator=torch.Generator().manual_seed(plan.seed))
    assert not torch.equal(tuned["prompt"], start)
