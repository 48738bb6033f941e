"""The map between action spaces: it starts as the unmapped policy, learns, and is saved with the policy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from studio.registry import shared_registry
from studio.run.evaluate import evaluate
from studio.sim.domains import resolve
from studio.store.policies import fit_to_source, load_policy_folder
from tests import tiny


@pytest.mark.parametrize("layout", ["semantic", "front"])
def test_action_map_starts_as_the_unmapped_policy_and_alone_learns(runs: Path, layout: str) -> None:
    policy = {"id": "token_transformer", "params": {**tiny.POLICY, "layout": layout}}
    goal = {"observation": "goal", "control": "joint", "episodes": 2}
    plan = tiny.experiment(
        "action_space_adapter",
        source={**goal, "embodiment": "franka_7dof"},
        target={**goal, "embodiment": "ur5_6dof"},
        policy=policy,
        **{"evaluation.every": 5, "evaluation.short_episodes": 2},
    )
    session = tiny.run(plan, runs)
    assert {row["domain"] for row in session.evaluations} == {"target"}  # the source's robot has no map
    base, mapped = (tiny.tensors(session.folder / part / "policy.safetensors") for part in ("base", "policy"))
    added = {name for name in mapped if name.replace("action_head.head.", "action_head.") not in base}
    assert added == {
        f"action_head.{name}" for name in ("mask", "hidden.weight", "hidden.bias", "out.weight", "out.bias")
    }
    assert mapped["action_head.mask"].nonzero().flatten().tolist() == list(range(7))
    kept = {name: name.replace("action_head.", "action_head.head.") for name in base if not name.startswith("spaces")}
    assert all(torch.equal(base[name], mapped[place]) for name, place in kept.items() if "fingerprint" not in name)
    assert mapped["action_head.out.weight"].abs().max() > 0
    # the score at step 0 is that of the source policy with nothing but the target's slots and statistics
    unmapped = load_policy_folder(session.folder / "base")
    fit_to_source(unmapped, session.folder / "policy", shared_registry())
    score = evaluate(unmapped, resolve(plan.target, shared_registry()), 2, plan.evaluation.seed)
    first = next(row for row in session.evaluations if row["step"] == 0)
    assert first["mean_return"] == pytest.approx(score.mean_return, rel=1e-5)
