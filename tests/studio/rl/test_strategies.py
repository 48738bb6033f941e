"""The strategies by a session: they run, and say what is wrong before they start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.strategies.rl_from_scratch import RLFromScratch
from studio.errors import ExperimentError
from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.compiling import compiler
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.sim.gymnasium_ids import make_vector
from studio.store.policies import load_policy_folder
from studio.store.runs import read_run
from tests import tiny

STRATEGIES = ("rl_from_scratch", "rl_domain_randomization")
PARAMS = {"simulations": 4, "steps": 16, "minibatch": 16, "epochs": 2, "update": "eager", "physics_threads": 1}


OBSERVED = [{"field": "mass", "parts": "torso", "low": 0.5, "high": 1.5, "observed": True}]


def plan(strategy: str, **changes: Any) -> Experiment:
    domain = {
        "embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state",
        "randomization": [{"field": "mass", "parts": "torso", "low": 0.5, "high": 1.5}],
    }  # fmt: skip
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": domain, "target": domain, "policy": {"id": "gaussian_mlp"},
            "strategy": {"id": strategy, "params": PARAMS},
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
    wanted = {"loss", "value_loss", "entropy", "kl", "clip_fraction", "steps_per_second", "return", "episode_length"}
    assert wanted <= logged[-1].values.keys() and logged[-1].values["samples"] == 8 * 64
    policy = load_policy_folder(session.folder / "policy")
    world = make_vector(2, "hopper", "hopper")
    world.reset(seed=0)
    action, _ = policy.act(world.observe([0, 1]))
    assert action.shape == (2, 3) and abs(action).max() <= 1


def test_only_one_of_them_meets_other_bodies() -> None:
    registry = Registry()
    masses = {}
    for strategy in STRATEGIES:
        experiment = plan(strategy)
        kind = registry.get("strategies", strategy)
        terms = kind(kind.Params(**PARAMS)).terms(experiment.source)
        world = make_vector(4, "hopper", "hopper", randomization=terms)
        world.reset(seed=0)
        expanded = world.batch.expanded("body_mass")
        masses[strategy] = 1 if expanded is None else len(set(expanded[:, 1].tolist()))
    assert masses == {"rl_from_scratch": 1, "rl_domain_randomization": 4}


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"policy.id": "token_transformer"}, "policy.id", "cannot train"),
        ({"target.embodiment": "walker2d", "target.task": "walker2d"}, "target.embodiment", "differ"),
        ({"source.observation": "image", "source.camera": "track"}, "source.observation", "not images"),
        ({"source.randomization": []}, "source.randomization", "has no randomization"),
        ({"strategy.params": PARAMS | {"minibatch": 100}}, "strategy.params.minibatch", "fewer than a minibatch"),
        ({"strategy.params": PARAMS | {"clip": 0}}, "strategy.params.clip", "out of range"),
        ({"target.randomization": OBSERVED}, "target.randomization", "none, the target mass:torso"),
        ({"policy.params": {"ignored": ["goal"]}}, "policy.params.ignored", "no entry 'goal'"),
        ({"policy.params": {"ignored": ["state"]}}, "policy.params.ignored", "would observe nothing"),
    ],
)
def test_what_cannot_work_is_said_before_it_starts(changes: dict[str, Any], field: str, text: str) -> None:
    problems = check(plan("rl_domain_randomization", **changes), Registry())
    assert any(p.field == field and text in p.message for p in problems), problems


def test_source_and_target_of_different_widths_are_told_apart_before_it_starts() -> None:
    arm = {"embodiment": "franka_7dof", "task": "reach", "control": "end_effector", "observation": "goal"}
    problems = check(plan("rl_from_scratch", source=arm, target=arm | {"task": "push"}), Registry())
    assert [p.field for p in problems] == ["target.task"] and "13 and 3 wide, the target's 16" in problems[0].message
    assert check(plan("rl_from_scratch", source=arm, target=arm), Registry()) == []


def test_discrete_choices_are_refused_where_they_cannot_be_trained() -> None:
    bits = {"embodiment": "bits_8", "task": "bit_flip", "control": "discrete", "observation": "goal"}
    assert check(plan("rl_from_scratch", source=bits, target=bits), Registry()) == []
    fields = [p.field for p in check(plan("rl_fine_tuning", source=bits, target=bits), Registry())]
    assert fields == ["strategy.id"]


def test_from_scratch_trains_on_the_target_where_it_is_told_to() -> None:
    kind = Registry().get("strategies", "rl_from_scratch")
    experiment = plan("rl_from_scratch", **{"target.randomization": []})
    assert kind(kind.Params(**PARAMS)).training_domain(experiment) == experiment.source.changed(randomization=[])
    logged = kind(kind.Params(**PARAMS, train_on="target"))
    assert logged.training_domain(plan("rl_from_scratch")) == plan("rl_from_scratch").target


def test_without_a_compiler_the_compiled_update_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    compiled = plan("rl_from_scratch", **{"strategy.params": {}})
    (problem,) = check(compiled, Registry())
    assert problem.field == "strategy.params.update" and "eager" in problem.remedy
    assert check(plan("rl_from_scratch"), Registry()) == []


def test_behavior_cloning_with_this_policy_is_refused(runs: Path) -> None:
    wrong = tiny.experiment("from_scratch", policy={"id": "gaussian_mlp"})
    with pytest.raises(ExperimentError, match="behavior cloning"):
        tiny.run(wrong, runs)


def test_it_learns_on_an_arms_dictionary_of_observations_too(runs: Path) -> None:
    arm = {"embodiment": "franka_7dof", "task": "reach", "control": "end_effector", "observation": "goal"}
    plain = plan("rl_from_scratch", source=arm, target=arm, **{"budget.iterations": 2})
    session = tiny.run(plain, runs)
    assert session.evaluations[-1]["measure"] == "success"


def test_what_is_observed_of_the_body_stays_observed_where_it_does_not_vary(runs: Path) -> None:
    both = {"source.randomization": OBSERVED, "target.randomization": OBSERVED, "evaluation.every": 0}
    session: Session = tiny.run(plan("rl_from_scratch", **both), runs)
    assert session.state == "finished" and load_policy_folder(session.folder / "policy").params.inputs == 12
    (term,) = RLFromScratch().training_domain(plan("rl_from_scratch", **both)).randomization
    assert term.observed and term.probability == 0


def test_a_policy_may_ignore_entries_in_training_and_after(runs: Path) -> None:
    changes: dict[str, Any] = {
        "source.randomization": OBSERVED,
        "target.randomization": OBSERVED,
    }
    # "body" is what the entry was called at first
    for strategy, entry in (("rl_domain_randomization", "dynamics_params"), ("rl_fine_tuning", "body")):
        changes["policy.params"] = {"ignored": [entry]}
        more = {"pretraining.iterations": 2, "pretraining.params": PARAMS, "evaluation.every": 0}
        session: Session = tiny.run(plan(strategy, **changes, **more), runs / strategy)
        assert load_policy_folder(session.folder / "policy").params.inputs == 11


def test_without_a_source_policy_it_is_scored_on_the_source_too(runs: Path) -> None:
    """Otherwise what was never learned looks like what did not transfer."""
    heavy = [{"field": "mass", "low": 30, "high": 30}]
    changes = {"target.randomization": heavy, "evaluation.source_episodes": 3, "evaluation.every": 0}
    session: Session = tiny.run(plan("rl_from_scratch", **changes), runs)
    assert [row["domain"] for row in session.evaluations] == ["target", "source"]
    run = read_run(session.folder)
    assert run.source_success == session.evaluations[1]["success"] != run.success


@pytest.mark.skipif(not compiler(), reason="there is no C++ compiler")
def test_a_stop_while_the_update_compiles_is_a_stop(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the compiler's processes before the session sees that it is to stop."""
    session = Session(plan("rl_from_scratch", **{"strategy.params.update": "compiled"}), Registry(), Channels(), runs)

    def interrupted(*given: Any) -> Any:
        session.stop()
        raise RuntimeError("InductorError: Broken pipe") from BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("studio.rl.compiling.compiled", lambda method, cpp: interrupted)
    session.run()
    status = json.loads((session.folder / "run.json").read_text())
    assert status["state"] == "stopped" and "error" not in status
