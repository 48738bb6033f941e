"""RL²: it trains over trials with a hidden context, says what each episode of a trial returns, and adapts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plugins.strategies.rl2 import RL2
from studio.contracts import Shots
from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.context import SessionContext
from studio.run.session import Session
from studio.sim.domains import resolve
from studio.store.policies import load_policy_folder
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
    held_out = [values for values in logged if "held_out_return/episode 2" in values]
    assert len(held_out) == 1 and held_out[0]["held_out_return/episode 1"] < 0
    assert load_policy_folder(session.folder / "policy").id == "trial_gru"


@pytest.mark.parametrize("observation", ["state", "goal"])
def test_rl2_never_observes_the_context(observation: str, tmp_path: Path) -> None:
    changes = {"source.observation": observation, "target.observation": observation, "budget.iterations": 1}
    policy = load_policy_folder(tiny.run(plan(**changes), tmp_path).folder / "policy")
    seen = {"state": np.zeros((1, 2), np.float32)}
    goals = [policy.act({**seen, "goal": np.full((1, 2), place, np.float32)})[0] for place in (-0.5, 0.5)]
    assert policy.params.inputs == 2 + 2 + 1 + 1 and np.array_equal(*goals)


def test_rl2_adapts_by_the_episodes_of_its_shots() -> None:
    experiment, registry = plan(), shared_registry()
    domain = resolve(experiment.source, registry)
    context = SessionContext(
        experiment, registry, "cpu", [domain], domain, None, False, lambda done, total: None, lambda sentence: None
    )
    strategy = RL2(RL2.Params(**experiment.strategy.params))
    strategy.setup(context)
    policy, seen = strategy.policy(), {"state": np.zeros((2, 2), np.float32)}
    assert strategy.adapt(Shots(domain, 0, 5)) is policy
    memories = [strategy.adapt(Shots(domain, count, 5)).act(seen)[1] for count in (1, 2)]
    assert memories[0].shape == (2, 16) and not np.allclose(*memories)
    assert not np.allclose(memories[0], policy.act(seen)[1])
