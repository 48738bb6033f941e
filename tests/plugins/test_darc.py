"""DARC by a session: it resumes bit for bit, says what is wrong, and its Δr tells a broken motor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plugins.strategies.darc import DARC, OffDynamicsSAC
from studio.contracts import Metrics
from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.collectors.env_runner import EnvRunner
from studio.run.check import check
from studio.run.context import SessionContext
from studio.run.session import Session
from studio.seeds import LAST_SEED, target_visit_seed
from studio.sim.domains import resolve
from studio.sim.gymnasium_ids import make_vector
from studio.store.checkpoint import load_policy
from tests import tiny

BROKEN = {"field": "actuator_gain", "parts": "x", "low": 0.0, "high": 0.0}
PARAMS = {
    "simulations": 4, "samples": 60, "batch_size": 16, "learning_starts": 40, "capacity": 1000, "update": "eager",
    "physics_threads": 1, "warm_up": 100, "classifier_width": 16, "classifier_batch": 8, "classifier_ratio": 0.5,
}  # fmt: skip


def plan(**changes: Any) -> Experiment:
    """From a point mass to the same with its stronger x motor broken."""
    domain = {"embodiment": "point_mass", "task": "point_open", "control": "motor", "observation": "state"}
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": domain, "target": {**domain, "randomization": [BROKEN]},
            "policy": {"id": "squashed_mlp", "params": {"width": 16}},
            "strategy": {"id": "darc", "params": PARAMS},
            "budget": {"iterations": 6, "checkpoint_every": 2, "threads": 1},
            "evaluation": {"episodes": 2, "source_episodes": 0},
            "device": "cpu",
        }
    )  # fmt: skip
    return made.changed(**changes) if changes else made


def strategy(experiment: Experiment) -> DARC:
    """Ready to iterate."""
    torch.set_num_threads(1)
    registry, made = Registry(), DARC(DARC.Params.model_validate(experiment.strategy.params))
    source, target = (resolve(domain, registry) for domain in (experiment.source, experiment.target))
    made.setup(
        SessionContext(
            experiment, registry, "cpu", (source,), target, None, False, lambda done, total: None, lambda text: None
        )
    )
    return made


def logged(metrics: Metrics) -> dict[str, float]:
    return {name: value for name, value in metrics.values.items() if name != "steps_per_second"}


def test_the_policys_transition_scores_are_the_delta_reward() -> None:
    made = strategy(plan())
    steps = made.iterate()
    found = [logged(next(steps)) for _ in range(3)]
    assert {"delta_reward", "sas_accuracy", "sa_accuracy", "sas_loss", "sa_loss", "target_samples"} <= found[-1].keys()
    rows = np.zeros((3, 4), np.float32), np.ones((3, 4)), np.full((3, 4), 0.1, np.float32)
    scores = made.policy().transition_scores()
    np.testing.assert_array_equal(made._learner.gap.transition_score(*rows), scores.transition_score(*rows))


def test_a_session_runs_it_headless(runs: Path) -> None:
    session: Session = tiny.run(plan(), runs)
    assert session.evaluations[-1]["domain"] == "target" and (session.folder / "policy" / "config.json").exists()
    _, watched = session.channels.policy.get()
    assert watched is not None and watched.transition_scores().title == "Δr, nats"
    assert not [name for name in watched.state_dict() if "gap" in name or "sas" in name]
    rows = np.zeros((3, 4), np.float32), np.ones((3, 4)), np.full((3, 4), 0.1, np.float32)

    def scores(policy: Any) -> np.ndarray:
        return policy.transition_scores().transition_score(*rows)

    for opened in (load_policy(session.folder), load_policy(session.folder, 6)):
        np.testing.assert_array_equal(scores(opened), scores(watched))
    folder = session.folder / "policy"
    config = json.loads((folder / "config.json").read_text())
    saved = config.pop("companions")["gap"]
    older = {**config, "gap": saved["about"], "gap_sha256": saved["sha256"]}  # as folders were before
    (folder / "config.json").write_text(json.dumps(older))
    np.testing.assert_array_equal(scores(load_policy(session.folder)), scores(watched))
    file = folder / "gap.safetensors"
    whole = file.read_bytes()
    for broken in (b"broken", whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(broken)
        with pytest.raises(DataError, match="companion 'gap' cannot be read"):
            load_policy(session.folder)


def test_the_target_is_met_once_for_ten_steps_and_pays_only_after_the_warm_up() -> None:
    made = strategy(plan())
    learner: OffDynamicsSAC = made._learner
    found = [logged(metrics) for metrics in made.iterate()]
    assert [values["samples"] for values in found] == [60.0 * i for i in range(1, 7)]
    assert [values["target_samples"] for values in found] == [6.0 * i for i in range(1, 7)]
    assert ["delta_reward" in values for values in found] == [False, True, True, True, True, True]
    batch = learner.replay.sample(5, torch.Generator().manual_seed(0))
    relabeled = learner.relabel(batch, torch.zeros(5), torch.zeros(5))
    delta = learner.gap.delta_reward(batch)[:, None]
    torch.testing.assert_close(relabeled["rewards"], batch["rewards"] + delta)
    assert delta.abs().sum() > 0
    learner.settings.warm_up = 360
    assert learner.relabel(batch, torch.zeros(5), torch.zeros(5)) is batch


def test_what_its_visits_to_the_target_returned_is_named_as_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The return on the target is what an evaluation found."""
    learner: OffDynamicsSAC = strategy(plan())._learner
    monkeypatch.setattr(learner.target_env, "metrics", lambda: {"diverged": 0.0, "return": -3.0, "episode_length": 5.0})
    logged = {"target_visit_return": -3.0, "target_visit_episode_length": 5.0}
    assert learner._gap_metrics() == {**logged, "target_samples": 0.0} and logged.keys() <= DARC.units.keys()


def test_a_move_by_the_broken_motor_is_unlike_the_target() -> None:
    """Random actions in both worlds; then Δr of what only the source does, and of what both do."""
    params = {**PARAMS, "samples": 2400, "learning_starts": 2400, "classifier_width": 32, "classifier_batch": 64}
    made = strategy(plan(**{"strategy.params": {**params, "classifier_noise": 0.3, "classifier_rate": 2e-3}}))
    learner: OffDynamicsSAC = made._learner
    for _ in range(600):
        learner.act()
    for _ in range(300):
        batches = (replay.sample(64, learner.generator) for replay in (learner.replay, learner.target_replay))
        learner.classifiers.step(*batches)
    world = learner.env_runner.world
    world.reset_envs(np.arange(4), [1, 2, 3, 4])
    seen = world.observe(slice(None))
    actions = np.array([[1, 0, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]], float)
    world.advance(actions, slice(None))
    delta = learner.gap.transition_score(seen, actions, world.observe(slice(None)))
    assert delta[:2].max() < -1.5 and delta[2:].min() > delta[:2].max() + 1


@pytest.mark.parametrize(
    "field, changes",
    [
        ("policy.id", {"policy": {"id": "gaussian_mlp"}}),
        ("strategy.params.warm_up", {"strategy.params": {**PARAMS, "warm_up": 360}}),
        ("strategy.params.learning_starts", {"strategy.params": {**PARAMS, "learning_starts": 360}}),
        ("target.embodiment", {"target.embodiment": "hopper", "target.task": "hopper", "target.randomization": []}),
        ("target.task", {"target.task": "point_plane"}),  # observes 6 numbers, not 4
    ],
)
def test_what_is_wrong_is_said_before_the_start(field: str, changes: dict[str, Any]) -> None:
    problems = check(plan(**changes), Registry())
    assert field in [problem.field for problem in problems]
    assert all(problem.message.endswith(".") and problem.remedy for problem in problems)


def test_the_last_seed_leaves_room_for_the_visits_to_the_target() -> None:
    world = make_vector(2, "point_axes", "point_mass", threads=1)
    there = EnvRunner(world, target_visit_seed(LAST_SEED))
    assert (world.seeds > LAST_SEED << 32).all() and torch.isfinite(there.step(np.zeros((2, 4))).rewards).all()
    world.close()
    for name in ("seed", "pretraining.seed", "evaluation.seed"):
        with pytest.raises(ExperimentError, match="out of range"):
            plan(**{name: LAST_SEED + 1})


def test_nothing_is_wrong_with_a_target_like_the_source() -> None:
    assert check(plan(), Registry()) == []
    assert check(plan(**{"target.randomization": []}), Registry()) == []
