"""The goal-conditioned strategy by a session: what it says before it starts, and what it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.algorithms.dqn import DQN
from studio.rl.algorithms.sac import SAC
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from tests import tiny

BITS = {"embodiment": "bits_8", "task": "bit_flip", "control": "discrete", "observation": "goal"}
ARM = {"embodiment": "franka_7dof", "task": "reach", "control": "end_effector", "observation": "goal"}
PARAMS = {
    "simulations": 4, "samples": 64, "batch_size": 16, "learning_starts": 64, "capacity": 1000,
    "update": "eager", "physics_threads": 1,
}  # fmt: skip


def plan(domain: dict[str, Any] = BITS, params: dict[str, Any] | None = None, **changes: Any) -> Experiment:
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": domain, "target": domain,
            "policy": {"id": "q_mlp" if domain is BITS else "squashed_mlp", "params": {"width": 16}},
            "strategy": {"id": "goal_conditioned", "params": PARAMS | (params or {})},
            "budget": {"iterations": 8, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 4, "source_episodes": 0, "every": 4, "short_episodes": 2},
            "device": "cpu",
        }
    )  # fmt: skip
    return made.changed(**changes) if changes else made


@pytest.mark.parametrize(
    ("domain", "changes", "field", "text"),
    [
        (BITS, {"target.task": "hopper", "target.embodiment": "hopper"}, "target.task", "does not define the goal"),
        (ARM, {"source.task": "pick_place"}, "source.task", "does not define the goal"),
        (ARM, {"target.observation": "image"}, "target.observation", "observes the image"),
        (BITS, {"policy": {"id": "squashed_mlp"}}, "policy.id", "control is discrete"),
        (ARM, {"policy": {"id": "q_mlp"}}, "policy.id", "not discrete"),
        (BITS, {"policy": {"id": "token_transformer"}}, "policy.id", "cannot be trained"),
        (BITS, {"policy.params.ignored": ["goal"]}, "policy.params.ignored", "observe the goal"),
        (BITS, {"target.embodiment": "bits_15"}, "target.embodiment", "differ in embodiment"),
        (BITS, {"strategy.params": PARAMS | {"her": "past"}}, "strategy.params.her", "future"),
        (BITS, {"strategy.params": PARAMS | {"k": -1}}, "strategy.params.k", "out of range"),
        (
            BITS,
            {"strategy.params": PARAMS | {"learning_starts": 512}},
            "strategy.params.learning_starts",
            "has only",
        ),
    ],
)
def test_what_cannot_work_is_said_before_it_starts(
    domain: dict[str, Any], changes: dict[str, Any], field: str, text: str
) -> None:
    problems = check(plan(domain, **changes), Registry())
    assert any(p.field == field and text in p.message + p.remedy for p in problems), problems


def test_what_can_work_has_no_problems_and_is_trained_by_the_fitting_learner(monkeypatch: pytest.MonkeyPatch) -> None:
    point = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "goal"}
    for domain, kind in ((BITS, DQN), (ARM, SAC), (point, SAC)):
        assert check(plan(domain), Registry()) == []
        assert kind.__name__.lower() == Registry().get("policies", plan(domain).policy.id).algorithm
    monkeypatch.setenv("PATH", "/nowhere")
    (problem,) = check(plan(params={"update": "compiled"}), Registry())
    assert problem.field == "strategy.params.update"


def test_the_shipped_examples_have_no_problems() -> None:
    folder = Path(__file__).parents[2] / "assets" / "experiments"
    for name in ("bit_flip", "goal_reach"):
        assert check(Experiment.load(folder / f"{name}.yaml"), Registry()) == []


def test_eight_bits_are_solved_without_the_environments_goals_or_rewards(runs: Path) -> None:
    params = {"goals": "self_generated", "simulations": 16, "samples": 1000, "batch_size": 64, "learning_starts": 500}
    dreamer = plan(params=params | {"capacity": 100_000, "epsilon_steps": 2000, "tau": 0.02}, **{
        "policy.params": {"width": 64}, "budget.iterations": 10, "evaluation.episodes": 50,
    })  # fmt: skip
    session = Session(dreamer, Registry(), Channels(), runs)
    published = tiny.listen(session)
    session.run()
    logged = [e.values for e in published() if isinstance(e, MetricsLogged)]
    assert "goals_reached" in logged[-1] and logged[-1]["samples"] == 10 * 1000
    assert session.evaluations[0]["success"] < 0.5 and session.evaluations[-1]["success"] > 0.9
