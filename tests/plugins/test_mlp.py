"""The perceptron: what it learns, and where it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plugins.policies.mlp import MLP
from studio.contracts import Batch, EmbodimentSpec
from studio.registry import Registry
from studio.run.check import check
from studio.store.checkpoint import load_policy
from tests import tiny
from tests.plugins.test_token_transformer import FRAMES, bound

GOAL = {"source.observation": "goal", "target.observation": "goal"}
SMALL = {"policy.id": "mlp", "policy.params": {"width": 16}, **GOAL}


def test_mlp_of_several_robots_learns_a_batch() -> None:
    parts = [bound(robot, "joint", "goal") for robot in ("franka_7dof", "mobile_3dof")]
    torch.manual_seed(0)
    policy = MLP(MLP.Params(width=32, chunk=2))
    policy.bind([EmbodimentSpec(embodiment, "joint", statistics) for *_, statistics, embodiment, _ in parts])
    losses, first = [], torch.zeros(FRAMES, dtype=torch.long)
    optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
    for step in range(60):
        row = step % 2
        _, seen, actions, *_ = parts[row]
        chunks = torch.as_tensor(actions)[:, None].repeat(1, 2, 1)
        exists = torch.ones(FRAMES, 2, dtype=torch.bool)
        loss, outputs = policy.loss(Batch(policy.tensors(seen), chunks, first + row, first + row, mask=exists))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert outputs.features.shape == (FRAMES, 32) and sum(losses[-2:]) < 0.5 * sum(losses[:2])
    acted, memory = policy.act(parts[0][1])
    assert acted.shape == parts[0][2].shape and np.abs(acted).max() <= 1 and memory is not None


@pytest.mark.parametrize("joints", [True, False])
def test_mlp_without_joints_acts_by_goal_and_end_effector_alone(joints: bool) -> None:
    _, seen, _, statistics, embodiment, _ = bound("franka_7dof", "end_effector", "goal")
    policy = MLP(MLP.Params(width=16, joints=joints))
    policy.bind([EmbodimentSpec(embodiment, "end_effector", statistics)])
    moved = {**seen, "joint_pos": seen["joint_pos"] + 1}
    assert np.array_equal(policy.act(seen)[0], policy.act(moved)[0]) is not joints


def test_mlp_gets_an_adapter_by_name(tmp_path: Path) -> None:
    plan = tiny.experiment("lora", **SMALL, **{"strategy.params": {"target_modules": ["hidden.0"], "rank": 2}})
    assert check(plan, Registry()) == []
    session = tiny.run(plan, tmp_path)
    assert load_policy(session.folder).id == "mlp"


@pytest.mark.parametrize(
    ("strategy", "change", "field", "words"),
    [
        ("full_finetuning", {"target.observation": "image"}, "target.observation", "does not read"),
        ("prompt_tuning", {}, "policy.id", "transformer"),
        ("lora", {}, "strategy.params.target_modules", "no linear layer 'q_proj'"),
    ],
)
def test_what_an_mlp_cannot_do_is_a_problem(strategy: str, change: dict[str, Any], field: str, words: str) -> None:
    problems = check(tiny.experiment(strategy, **{**SMALL, **change}), Registry())
    assert [p for p in problems if p.field == field and words in p.message and p.remedy]
