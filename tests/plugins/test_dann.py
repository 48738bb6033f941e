"""DANN: both domains in every batch, features that the discriminator reads less and less of, a file that acts alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from plugins.strategies.dann import DANN
from studio.events import MetricsLogged
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.session import Session
from studio.store.policies import load_policy_folder
from tests import tiny


def test_dann_trains_on_two_robots_and_acts_on_the_target(runs: Path) -> None:
    session = Session(tiny.experiment("dann"), shared_registry(), Channels(), runs)
    published = tiny.listen(session)
    session.run()
    steps = [e.values for e in published() if isinstance(e, MetricsLogged) and e.stage == "adapt"]
    assert len(steps) == 10 and all(0 <= values["domain_accuracy"] <= 1 for values in steps)
    assert {row["domain"] for row in session.evaluations} == {"target", "source"}
    policy = load_policy_folder(session.folder / "policy")
    assert policy.spaces.action_mask.shape == (2, 32)
    assert not np.array_equal(policy.spaces.joint_mask[0], policy.spaces.joint_mask[1])


def test_dann_refuses_a_batch_without_room_for_both_domains() -> None:
    strategy = DANN(DANN.Params(source_share=0.01))
    (problem,) = strategy.check(tiny.experiment("dann"))
    assert problem.field == "budget.batch_size"
