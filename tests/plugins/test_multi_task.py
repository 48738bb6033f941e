"""Many tasks in one policy: what it is told, the return of every context, kill -9, and what cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.contexts import Component
from studio.rl.policy import GaussianActorCritic
from studio.run.channels import Channels, EpisodesEnded, Logged, MetricsLogged
from studio.run.check import check
from studio.run.session import Session
from tests import tiny

PARAMS = {"simulations": 8, "steps": 32, "minibatch": 32, "epochs": 2, "update": "eager", "physics_threads": 1}
ARM = {"embodiment": "franka_7dof", "task": "reach", "control": "end_effector", "observation": "goal"}


def plan(source: dict[str, Any] | None = None, **changes: Any) -> Experiment:
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": source or ARM, "target": source or ARM, "policy": {"id": "gaussian_mlp"},
            "strategy": {"id": "multi_task", "params": PARAMS}, "budget": {"iterations": 8, "checkpoint_every": 3},
            "evaluation": {"episodes": 3, "source_episodes": 0}, "device": "cpu",
        }
    )  # fmt: skip
    return made.changed(**changes) if changes else made


def test_a_few_values_have_a_curve_each_and_ranges_have_bins() -> None:
    few = Component.of("direction", np.array([1.0, -1.0, 1.0, -1.0]))
    assert few.labels == ["direction -1", "direction 1"]
    assert few.places(np.array([0.9, -1.0])).tolist() == [1, 0]
    many = Component.of("velocity", np.linspace(0, 3, 100))
    assert many.labels[0] == "velocity 0..0.5" and many.labels[-1] == "velocity 2.5..3" and len(many.labels) == 6
    assert many.places(np.array([-1.0, 0.2, 0.7, 2.9, 7.0])).tolist() == [0, 0, 1, 5, 5]


def test_every_context_has_its_return(runs: Path) -> None:
    session = Session(plan(), Registry(), Channels(), runs)
    published = tiny.listen(session)
    session.run()
    told = published()
    values = [e for e in told if isinstance(e, MetricsLogged)][-1].values
    found = {name: value for name, value in values.items() if name.startswith("return/goal x ")}
    episodes = [e for e in told if isinstance(e, EpisodesEnded) and e.domain == "train"]
    returns = np.concatenate([e.returns for e in episodes])
    places = np.concatenate([e.randomization["goal x"] for e in episodes])
    assert len(found) > 1 and len(returns) > 20
    ranges = [[float(end) for end in name.removeprefix("return/goal x ").split("..")] for name in found]
    ranges[0][0], ranges[-1][1] = -np.inf, np.inf  # what lies beyond the range belongs to its ends
    for value, (low, high) in zip(found.values(), ranges, strict=True):
        inside = returns[(places > low) & (places <= high)][-32:]
        assert value == pytest.approx(inside.mean()) and len(inside) > 2


def test_killed_and_resumed_it_ends_as_the_uninterrupted_one(runs: Path, tmp_path: Path) -> None:
    def returns(session: Session) -> dict[int, dict[str, float]]:
        published = tiny.listen(session)
        session.run()
        told = [e for e in published() if isinstance(e, MetricsLogged)]
        texts.extend(e.text for e in published() if isinstance(e, Logged))
        return {e.step: {k: v for k, v in e.values.items() if k.startswith("return")} for e in told}

    texts: list[str] = []
    whole = Session(plan(), Registry(), Channels(), tmp_path / "whole")
    wanted_returns = returns(whole)
    tiny.kill(tiny.held("adapt", 7, "run", tiny.write(plan(), tmp_path), "--out", runs))
    folder = tiny.only_run(runs)
    found_returns = returns(Session.resume(folder, Registry(), Channels()))
    assert "Resumed adapt at step 6." in texts
    assert found_returns == {step: wanted_returns[step] for step in (7, 8)} and len(found_returns[8]) > 3
    found, wanted = (tiny.tensors(run / "policy" / "policy.safetensors") for run in (folder, whole.folder))
    assert found.keys() == wanted.keys() and len(found) > 10
    assert not [name for name in wanted if not torch.equal(found[name], wanted[name])]


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"policy.id": "token_transformer", "policy.params": {}}, "policy.id", "an actor with a critic"),
        (
            {
                name: {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}
                for name in ("source", "target")
            },
            "source.observation",
            "no family of tasks",
        ),
        ({"strategy.params": {"context": "secret"}}, "strategy.params.context", "not a choice"),
    ],
)
def test_what_cannot_work_is_said_before_it_starts(changes: dict[str, Any], field: str, text: str) -> None:
    problems = check(plan(**changes), Registry())
    assert any(p.field == field and text in p.message for p in problems), problems
    assert check(plan(), Registry()) == []


def test_a_policy_acts_alike_whatever_it_ignores() -> None:
    policy = GaussianActorCritic(GaussianActorCritic.Params(ignored=["goal"]))
    policy.fit(3, -np.ones(2), np.ones(2), 0)
    state, rng = np.ones((5, 3), np.float32), np.random.default_rng(0)
    acted = [policy.act({"state": state, "goal": rng.normal(size=(5, 2))})[0] for _ in range(2)]
    assert np.array_equal(*acted) and np.array_equal(acted[0], policy.act(state)[0])
    assert np.array_equal(policy.value({"state": state, "goal": state}), policy.value(state))


def test_a_hidden_context_is_neither_trained_on_nor_seen() -> None:
    kind = Registry().get("strategies", "multi_task")
    told, untold = (kind(kind.Params(**PARAMS, context=context)) for context in ("observed", "hidden"))
    experiment = plan()
    assert told.training_domain(experiment) == experiment.source
    assert untold.training_domain(experiment) == experiment.source.changed(observation="state")
