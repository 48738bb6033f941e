"""RL²: it trains over trials with a hidden context, says what each episode of a trial returns, and adapts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins.strategies.snail import BANDIT
from studio.events import MetricsLogged
from studio.experiment import Domain, EvaluationPlan, Experiment
from studio.meta.exact_bandits import policy_value
from studio.meta.task_split import split
from studio.nn.policy import BasePolicy
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.evaluate_run import evaluate_run
from studio.run.score_target import score_target
from studio.run.session import Session
from studio.sim.domains import resolve
from studio.store.log_reader import read_episodes
from studio.store.policies import load_policy_folder
from studio.store.runs import read_run
from tests import tiny

DOMAIN = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "state"}


def plan(**changes: Any) -> Experiment:
    params = {"simulations": 4, "steps": 64, "minibatch": 128, "epochs": 2, "physics_threads": 1}
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": DOMAIN, "target": DOMAIN,
            "policy": {"id": "trial_gru", "params": {"width": 16, "hidden": 16}},
            "strategy": {"id": "rl2", "params": params},
            "budget": {"iterations": 8, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 3, "source_episodes": 0, "every": 4, "short_episodes": 2},
            "device": "cpu",
        }
    )  # fmt: skip
    return made.changed(**changes) if changes else made


def test_rl2_logs_returns_by_episode_of_the_trial(tmp_path: Path) -> None:
    session = Session(plan(), shared_registry(), Channels(), tmp_path)
    published = tiny.listen(session)
    session.run()
    logged = [event.values for event in published() if isinstance(event, MetricsLogged)]
    assert any({"return/episode 1", "return/episode 2"} <= values.keys() for values in logged)
    assert all("return" not in values for values in logged)  # of which episode?
    assert load_policy_folder(session.folder / "policy").id == "trial_gru"


def test_rl2_is_scored_over_trials_on_held_out_tasks(tmp_path: Path) -> None:
    asked = plan(**{"evaluation.shots": [0, 1], "evaluation.held_out": "inside", "evaluation.episodes": 6})
    session = Session(asked, shared_registry(), Channels(), tmp_path)
    published = tiny.listen(session)
    session.run()
    first, second = [row for row in session.evaluations if row["final"]]
    assert (first["shots"], second["shots"], second["episodes"]) == (0, 1, 6)
    values = [e.values for e in published() if isinstance(e, MetricsLogged) and e.stage == "evaluate"]
    assert values == [{"target_return/episode 1": first["success"], "target_return/episode 2": second["success"]}]
    run, episodes = read_run(session.folder), read_episodes(session.folder)
    assert (run.success, run.measure) == (second["success"], "return") and first["success"] != second["success"]
    scored = (episodes.domain == "target") & (episodes.step == 8)
    assert scored.sum() == 6 and episodes.returns[scored].mean() == pytest.approx(second["mean_return"])
    held_out = {x for x, _ in split(resolve(asked.target, shared_registry()), asked.evaluation.seed).inside}
    assert set(episodes.randomization["context:goal_x"][scored]) <= held_out
    again = evaluate_run(session.folder, asked, shared_registry())
    assert again.score == pytest.approx(second["success"], rel=1e-3)


def test_fast_weights_need_a_compiler_unless_their_update_is_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    asked = plan(**{"strategy.params.minibatch": 64, "policy.id": "trial_fast_weights"})
    fields = [p.field for p in check(asked, shared_registry())]
    assert fields == ["strategy.params.update"]
    assert check(asked.changed(**{"strategy.params.update": "eager"}), shared_registry()) == []
    assert check(asked.changed(**{"policy.id": "trial_gru"}), shared_registry()) == []


def test_trial_policy_without_shots_observes_what_its_steps_led_to() -> None:
    """A bandit's policy that pulls another arm after each failure earns what the rule does by enumeration."""

    class Stay(BasePolicy):
        plays_trials = True
        explores_apart = False

        def exploring(self, seed: int) -> Any:
            def act(seen: Any, memory: Any) -> tuple[np.ndarray, np.ndarray]:
                arm = np.zeros((len(seen["state"]), 1)) if memory is None else memory
                moved = (arm + (seen["previous_reward"] == 0)) % 5 if memory is not None else arm
                return moved, moved

            return act

    domain = Domain.model_validate({**BANDIT, "observation": "state"})
    (found,) = score_target(Stay(), resolve(domain, shared_registry()), EvaluationPlan(), 2000, 0)

    def stay(pull: np.ndarray, before: np.ndarray, reward: np.ndarray) -> np.ndarray:
        return np.where(before < 0, 0, (before + (reward == 0)) % 5)

    assert found.low - 0.1 < policy_value(5, 10, stay) < found.high + 0.1 and found.low > 5.2


@pytest.mark.parametrize(
    ("observation", "kind"),
    [("state", "trial_gru"), ("goal", "trial_hypernetwork"), ("goal", "trial_fast_weights")],
)
def test_rl2_never_observes_the_context(observation: str, kind: str, tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "source.observation": observation,
        "target.observation": observation,
        "budget.iterations": 1,
    }
    changes["policy.id"] = kind
    policy = load_policy_folder(tiny.run(plan(**changes), tmp_path).folder / "policy")
    seen = {"state": np.zeros((1, 2), np.float32)}
    goals = [policy.act({**seen, "goal": np.full((1, 2), place, np.float32)})[0] for place in (-0.5, 0.5)]
    assert policy.params.inputs == 2 + 2 + 1 + 1 and np.array_equal(*goals)
