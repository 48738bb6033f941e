"""EPOpt as a strategy: its problems, its example, and what a run of it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio import paths
from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from tests import tiny

BODIES = [{"field": "mass", "parts": "torso", "low": 0.5, "high": 1.5}]


def plan(**changes: Any) -> Experiment:
    domain = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}
    params = {"simulations": 10, "steps": 8, "minibatch": 16, "epochs": 2, "update": "eager", "epsilon": 0.2}
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": domain | {"randomization": BODIES}, "target": domain,
            "policy": {"id": "gaussian_mlp"}, "strategy": {"id": "epopt", "params": params},
            "budget": {"iterations": 4, "checkpoint_every": 2, "threads": 1},
            "evaluation": {"episodes": 2, "source_episodes": 0, "every": 4, "short_episodes": 2},
            "device": "cpu",
        }
    )  # fmt: skip
    return made.changed(**changes) if changes else made


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"source.randomization": []}, "source.randomization", "no worst cases to train on"),
        ({"strategy.params.epsilon": 0}, "strategy.params.epsilon", "out of range"),
        ({"strategy.params.epsilon": 1.5}, "strategy.params.epsilon", "out of range"),
        ({"strategy.params.warm_up": -0.1}, "strategy.params.warm_up", "out of range"),
        ({"strategy.params.warm_up": 0.9}, "strategy.params.warm_up", "takes all 4 iterations"),
        ({"policy.id": "squashed_mlp"}, "policy.id", "cannot train"),
    ],
)
def test_what_does_not_fit_is_said_before_it_starts(changes: dict[str, Any], field: str, text: str) -> None:
    assert check(plan(), Registry()) == []
    (problem,) = check(plan(**changes), Registry())
    assert problem.field == field and text in problem.message and problem.remedy


def test_a_run_tells_of_the_worst_after_its_warm_up(runs: Path) -> None:
    session = Session(plan(), Registry(), Channels(), runs)
    published = tiny.listen(session)
    session.run()
    logged = [event.values for event in published() if isinstance(event, MetricsLogged)]
    assert len(logged) == 4
    assert ["worst_return" in values for values in logged] == [False, False, True, True]
    for values in logged[2:]:
        assert values["worst_return"] <= values["return"] and values["return_10"] <= values["return"]
        assert values["learned_from"] < values["samples"]


def test_the_example_is_without_a_problem() -> None:
    experiment = Experiment.load(paths.assets() / "experiments" / "epopt_hopper.yaml")
    assert experiment.strategy.id == "epopt" and len(experiment.source.randomization) == 4
    assert check(experiment, Registry()) == []
