"""SAC as a choice of the strategies: it runs, and what does not fit is said before the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from studio.errors import StudioError
from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.algorithms.sac import DIAGNOSTICS, SACUpdate
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.sim.gymnasium_ids import make_vector
from studio.store.policies import load_policy_folder
from tests import tiny

SAC = {
    "simulations": 4, "samples": 40, "learning_starts": 60, "update_ratio": 0.25, "batch_size": 16, "capacity": 200,
    "update": "eager", "physics_threads": 1,
}  # fmt: skip


def plan(strategy: str, **changes: Any) -> Experiment:
    domain = {
        "embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state",
        "randomization": [{"field": "mass", "parts": "torso", "low": 0.5, "high": 1.5}],
    }  # fmt: skip
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": domain, "target": domain,
            "policy": {"id": "squashed_mlp", "params": {"width": 16}},
            "strategy": {"id": strategy, "params": {"algorithm": "sac", "sac": SAC}},
            "budget": {"iterations": 8, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 3, "source_episodes": 0, "every": 4, "short_episodes": 2},
            "device": "cpu",
        }
    )  # fmt: skip
    return made.changed(**changes) if changes else made


def test_what_a_run_tells_and_leaves(runs: Path) -> None:
    session = Session(plan("rl_domain_randomization"), Registry(), Channels(), runs)
    published = tiny.listen(session)
    session.run()
    logged = [e for e in published() if isinstance(e, MetricsLogged)]
    assert [e.step for e in logged] == list(range(1, 9))
    wanted = {"critic_loss", "actor_loss", "alpha", "entropy", "q", "steps_per_second"}
    assert wanted <= logged[-1].values.keys()
    assert (logged[-1].values["samples"], logged[-1].values["updates"]) == (8 * 40, (8 * 40 - 60) // 4)
    assert logged[-1].units["samples"] == "steps" and logged[-1].units["entropy"] == "nats"
    policy = load_policy_folder(session.folder / "policy")
    world = make_vector(2, "hopper", "hopper")
    world.reset(seed=0)
    action, _ = policy.act(world.observe([0, 1]))
    assert action.shape == (2, 3) and abs(action).max() <= 1


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"policy": {"id": "gaussian_mlp"}}, "policy.id", "SAC does not train 'gaussian_mlp'"),
        ({"strategy.params": {}}, "policy.id", "PPO does not train 'squashed_mlp'"),
        ({"policy": {"id": "token_transformer"}}, "policy.id", "cannot train"),
        ({"strategy.params.sac.batch_size": 1}, "strategy.params.sac.batch_size", "out of range"),
        ({"strategy.params.sac.batchsize": 9}, "strategy.params.sac.batchsize", "no such setting"),
        ({"strategy.params.sac.learning_starts": 320}, "strategy.params.sac.learning_starts", "has only"),
    ],
)
def test_what_does_not_fit_is_said_before_it_starts(changes: dict[str, Any], field: str, text: str) -> None:
    assert check(plan("rl_from_scratch"), Registry()) == []
    (problem,) = check(plan("rl_from_scratch", **changes), Registry())
    assert problem.field == field and text in problem.message and problem.remedy


def test_a_source_policy_that_would_never_learn_is_refused_too() -> None:
    changes = {"pretraining.iterations": 2, "pretraining.params": SAC | {"learning_starts": 80}}
    (problem,) = check(plan("rl_fine_tuning", **changes), Registry())
    assert problem.field == "pretraining.params.learning_starts" and "80 steps" in problem.message and problem.remedy
    assert check(plan("rl_fine_tuning", **(changes | {"pretraining.iterations": 3})), Registry()) == []


def test_without_a_compiler_the_compiled_update_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (problem,) = check(plan("rl_from_scratch", **{"strategy.params.sac.update": "compiled"}), Registry())
    assert problem.field == "strategy.params.sac.update" and "eager" in problem.remedy


@pytest.mark.parametrize(
    ("strategy", "field"),
    [("rl_from_scratch", "strategy.params.sac.learning_rate"), ("rl_fine_tuning", "pretraining.params.learning_rate")],
)
def test_a_loss_that_is_no_number_points_at_the_learners_own_rate(
    strategy: str, field: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SACUpdate, "step", lambda self, batch, noise: torch.full((len(DIAGNOSTICS),), torch.nan))
    with pytest.raises(StudioError, match="loss is nan") as caught:
        Session(plan(strategy), Registry(), Channels(), runs).run()
    assert caught.value.field == field
