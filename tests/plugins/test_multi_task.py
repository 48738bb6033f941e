"""Many tasks in one policy: what it observes, the return of every context, and what cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.events import EpisodesEnded, MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.collectors.context_returns import Component, components
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.store.policies import load_policy_folder
from tests import tiny

PARAMS = {"simulations": 8, "steps": 64, "minibatch": 64, "epochs": 2, "update": "eager", "physics_threads": 1}
POINT = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "goal"}
HOPPER = {
    "embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state",
    "randomization": [{"field": "mass", "parts": "torso", "low": 0.5, "high": 1.5, "observed": True}],
}  # fmt: skip
FEW = [[0.3, 0.3], [-0.3, 0.3], [0.0, -0.4]]


def plan(source: dict[str, Any] = POINT, **changes: Any) -> Experiment:
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": source, "target": source, "policy": {"id": "gaussian_mlp"},
            "strategy": {"id": "multi_task", "params": PARAMS},
            "budget": {"iterations": 8, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 6, "source_episodes": 0}, "device": "cpu",
        }
    )  # fmt: skip
    return made.changed(**changes) if changes else made


def body(**term: float) -> dict[str, Any]:
    """The hopper whose torso's mass is observed, and varies as given."""
    return HOPPER | {"randomization": [HOPPER["randomization"][0] | term]}


def logged(session: Session) -> tuple[dict[str, float], dict[str, np.ndarray], np.ndarray]:
    """The last metrics of contexts, and the training's episodes: what was drawn, and returns."""
    published = tiny.listen(session)
    session.run()
    events = published()
    values = [e for e in events if isinstance(e, MetricsLogged)][-1].values
    episodes = [e for e in events if isinstance(e, EpisodesEnded) and e.domain == "train"]
    drawn = {key: np.concatenate([e.randomization[key] for e in episodes]) for key in episodes[0].randomization}
    contexts = {name.removeprefix("return/"): v for name, v in values.items() if name.startswith("return/")}
    return contexts, drawn, np.concatenate([e.returns for e in episodes])


def test_a_few_values_have_a_curve_each_and_ranges_have_bins() -> None:
    few = Component.of("context:direction", np.array([1.0, -1.0, 1.0, -1.0]))
    assert few.labels == ["direction -1", "direction 1"]
    assert few.places(np.array([0.9, -1.0])).tolist() == [1, 0]
    many = Component.of("velocity", np.linspace(0, 3, 100))
    assert many.labels[0] == "velocity 0..0.5" and many.labels[-1] == "velocity 2.5..3" and len(many.labels) == 6
    assert many.places(np.array([-1.0, 0.2, 0.7, 2.9, 7.0])).tolist() == [0, 0, 1, 5, 5]


def test_every_context_has_its_return(runs: Path) -> None:
    found, drawn, returns = logged(Session(plan(**{"source.contexts": FEW}), Registry(), Channels(), runs))
    assert len(returns) > 20
    assert found.keys() == {f"goal_x {x}" for x in ("-0.3", "0", "0.3")} | {f"goal_y {y}" for y in ("-0.4", "0.3")}
    for label, value in found.items():
        key, _, at = label.partition(" ")
        inside = returns[drawn[f"context:{key}"] == float(at)][-32:]
        assert value == pytest.approx(inside.mean())


def test_a_familys_range_is_told_in_bins(runs: Path) -> None:
    found, drawn, returns = logged(Session(plan(), Registry(), Channels(), runs))
    x, y = components(plan().source, Registry().get("tasks", "point_navigation")())
    assert (x.low, x.high) == pytest.approx((-0.5, 0.5), abs=0.01)
    assert found.keys() == {*x.labels, *y.labels}
    for place, label in enumerate(x.labels):
        inside = returns[x.places(drawn["context:goal_x"]) == place][-32:]
        assert found[label] == pytest.approx(inside.mean())


def test_bodies_are_a_family_where_the_policy_observes_them(runs: Path) -> None:
    session = Session(plan(HOPPER), Registry(), Channels(), runs)
    found, _, _ = logged(session)
    assert found and all(name.startswith("mass:torso ") for name in found)
    assert load_policy_folder(session.folder / "policy").params.inputs == 12  # its state, and the mass
    task = Registry().get("tasks", "hopper")()
    assert [(c.low, c.high) for c in components(plan(HOPPER).source, task)] == [(0.5, 1.5)]


@pytest.mark.parametrize(("source", "inputs"), [(POINT, 2), (HOPPER, 11)])
def test_a_hidden_context_is_neither_trained_on_nor_seen(source: dict[str, Any], inputs: int, runs: Path) -> None:
    session = Session(plan(source, **{"strategy.params.context": "hidden"}), Registry(), Channels(), runs)
    found, _, _ = logged(session)
    policy = load_policy_folder(session.folder / "policy")
    assert found and policy.params.inputs == inputs
    assert session.evaluations[-1]["episodes"] == 6  # scored where the target would tell the context


def test_a_context_that_is_not_observed_may_be_hidden_on_purpose(runs: Path) -> None:
    blind = plan(POINT | {"observation": "state"}, **{"budget.iterations": 1})
    (problem,) = check(blind, Registry())
    assert problem.remedy.endswith("set context to hidden.")
    remedied = blind.changed(**{"strategy.params.context": "hidden"})
    assert check(remedied, Registry()) == []
    session = Session(remedied, Registry(), Channels(), runs)
    session.run()
    assert load_policy_folder(session.folder / "policy").params.inputs == 2  # its position, and no goal


def test_hiding_the_context_hides_no_less_than_was_hidden_already(runs: Path) -> None:
    arm = {"embodiment": "franka_7dof", "task": "reach", "observation": "goal"}
    term = {"field": "mass", "low": 0.5, "high": 1.5, "observed": True}
    changes = {"strategy.params.context": "hidden", "policy.params": {"ignored": ["eef_pos"]}, "budget.iterations": 1}
    session = Session(plan(arm | {"randomization": [term]}, **changes), Registry(), Channels(), runs)
    session.run()
    policy = load_policy_folder(session.folder / "policy")
    assert policy.params.ignored == ["eef_pos", "goal", "dynamics_params"]
    assert policy.params.inputs == 7  # the joints alone


def test_sac_learns_a_family_too(runs: Path) -> None:
    soft = {
        "simulations": 4, "samples": 500, "learning_starts": 200, "batch_size": 8, "capacity": 2000,
        "update_ratio": 0.02, "update": "eager", "physics_threads": 1,
    }  # fmt: skip
    params = {"algorithm": "sac", "sac": soft, "context": "hidden"}
    changes = {"policy.id": "squashed_mlp", "strategy.params": params, "source.contexts": FEW}
    session = Session(plan(**changes), Registry(), Channels(), runs)
    found, _, returns = logged(session)
    assert len(found) == 5 and len(returns) > 20
    assert load_policy_folder(session.folder / "policy").params.inputs == 2


def test_a_policy_acts_alike_whatever_it_ignores() -> None:
    policy = GaussianActorCritic(GaussianActorCritic.Params(ignored=["goal"]))
    policy.fit(3, -np.ones(2), np.ones(2), 0)
    state, rng = np.ones((5, 3), np.float32), np.random.default_rng(0)
    acted = [policy.act({"state": state, "goal": rng.normal(size=(5, 2))})[0] for _ in range(2)]
    assert np.array_equal(*acted) and np.array_equal(acted[0], policy.act(state)[0])
    assert np.array_equal(policy.value({"state": state, "goal": state}), policy.value(state))


@pytest.mark.parametrize(
    ("source", "changes", "field", "text"),
    [
        (POINT, {"policy.id": "token_transformer", "policy.params": {}}, "policy.id", "cannot train"),
        (HOPPER | {"randomization": []}, {}, "source.task", "is not a task family"),
        (POINT | {"observation": "state"}, {}, "source.observation", "neither the task's context"),
        (POINT | {"contexts": [[0.1, 0.1]]}, {}, "source.contexts", "only one task"),
        (POINT | {"contexts": [[0.1, 0.1], [0.1, 0.1]]}, {}, "source.contexts", "only one task"),
        (body(low=1.5, high=1.5), {}, "source.randomization", "only one task to learn"),
        (body(probability=0), {}, "source.randomization", "only one task to learn"),
        (body(low=1, high=1, probability=0.5), {}, "source.randomization", "only one task to learn"),
        (POINT | {"contexts": [[0.1]]}, {}, "source.contexts.0", "[0.1] has 1 number; "),
        (POINT, {"strategy.params": {"context": "secret"}}, "strategy.params.context", "not a choice"),
    ],
)
def test_what_cannot_work_is_said_before_it_starts(
    source: dict[str, Any], changes: dict[str, Any], field: str, text: str
) -> None:
    problems = check(plan(source, **changes), Registry())
    assert any(p.field == field and text in p.message for p in problems), problems


def test_a_family_of_either_kind_has_no_problem() -> None:
    for source in (POINT, HOPPER, POINT | {"contexts": FEW}, body(low=1.5, high=1.5, probability=0.5)):
        assert check(plan(source), Registry()) == []
