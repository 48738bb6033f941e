"""Real to sim to real: its stages run in order, it finds what is hidden, and it goes on after a stop bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import tests.tiny as tiny
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels, MetricsLogged, StageChanged
from studio.run.check import check
from studio.run.checkpoint import latest_state
from studio.run.session import Session

REGISTRY = Registry()
STAGES = ["real_data", "identification", "calibrated_data", "training", "fine_tuning"]


def plan(**changes: Any) -> Experiment:
    made = tiny.experiment("real_to_sim_to_real")
    whole: dict[str, Any] = {
        "source.embodiment": "ur5_6dof",
        "target.stand_in": "heavy",
        "budget.iterations": 6,
        "evaluation.source_episodes": 0,
        "strategy.params": {
            "fields": ["actuator_gain", "mass"],
            "method": "sysid",
            "simulated_episodes": 3,
            "real_episodes": 2,
            "fine_tuning_iterations": 4,
        },
    }
    for domain in ("source", "target"):
        whole[f"{domain}.observation"] = "goal"
    return made.changed(**whole | changes)


def test_the_stages_run_in_order_and_what_is_hidden_is_found(tmp_path: Path) -> None:
    channels = Channels()
    heard = channels.events.subscribe()
    session = Session(plan(), REGISTRY, channels, tmp_path)
    session.run()
    events = heard.drain()
    entered = [e.stage for e in events if isinstance(e, StageChanged)]
    assert [s for s in entered if s in STAGES] == STAGES
    assert next(e.way for e in events if isinstance(e, StageChanged)) == (
        "source",
        "pretrain",
        *STAGES,
        "evaluate",
        "export",
    )
    metrics = [e for e in events if isinstance(e, MetricsLogged)]
    assert [m.step for m in metrics] == list(range(1, 3 + 6 + 4 + 1))
    (found,) = [m.values for m in metrics if m.stage == "identification"]
    # the stand-in's delay and friction are not asked for, so the two may not be exact; far from nominal they are
    assert found["estimate_actuator_gain"] < 0.95 and found["estimate_mass"] > 1.2
    assert found["misfit"] < found["misfit_nominal"] / 2
    (score,) = session.evaluations
    assert score["domain"] == "target" and score["episodes"] == 2


@pytest.mark.parametrize("held", [("fine_tuning", 11), ("training", 5), ("calibrated_data", 3)])
def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path, held: tuple[str, int]) -> None:
    """Checkpoints are every third step, so each of these is killed after one and before the next."""
    whole = plan(**{"strategy.params.simulation": "randomized"})
    wanted = tiny.run(whole, tmp_path / "whole").folder
    file, runs = tiny.write(whole, tmp_path), tmp_path / "killed"
    tiny.kill(tiny.held(*held, "run", file, "--out", runs))
    resumed = tiny.only_run(runs)
    done = tiny.call("resume", resumed)
    assert done.returncode == 0, done.stderr
    one, other = latest_state(wanted, "adapt"), latest_state(resumed, "adapt")
    assert one is not None and other is not None and one[0] == other[0]
    for name, tensor in one[1]["training"]["policy"].items():
        assert torch.equal(tensor, other[1]["training"]["policy"][name]), name


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target.stand_in": None}, "target.stand_in"),
        ({"strategy.params.fields": ["color"]}, "strategy.params.fields"),
        ({"source.embodiment": "franka_7dof"}, "source.embodiment"),
        ({"target.stand_in": "nowhere.yaml"}, "target.stand_in"),
    ],
)
def test_what_does_not_fit_is_a_problem_at_its_field(changes: dict[str, Any], field: str) -> None:
    problems = check(plan(**changes), REGISTRY)
    assert [p.field for p in problems] == [field]
    assert problems[0].message and problems[0].remedy
