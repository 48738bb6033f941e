"""A broken joint: its actuator's commands do nothing, cost what they cost, and no observation tells them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment, Selection
from studio.registry import Registry
from studio.run.check import check
from studio.sim.gymnasium_ids import make_vector

BROKEN = {"field": "actuator_gain", "parts": "bthigh", "low": 0.0, "high": 0.0}
ALL = slice(None)


def rolled(acts: np.ndarray, terms: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Observations and rewards of a cheetah."""
    world = make_vector(acts.shape[1], "half_cheetah", "half_cheetah", threads=1, randomization=terms)
    world.reset(seed=3)
    rows = []
    for act in acts:
        world.advance(act, ALL)
        rows.append((world.observe(ALL)["state"], world.reward(ALL)))
    return np.array([seen for seen, _ in rows]), np.array([reward for _, reward in rows])


def test_a_broken_actuators_commands_do_nothing_but_cost() -> None:
    acts = np.random.default_rng(0).uniform(-1, 1, (20, 4, 6))
    silent = acts.copy()
    silent[..., 0] = 0
    seen, reward = rolled(acts, [BROKEN])
    same, less = rolled(silent, [BROKEN])
    whole, _ = rolled(silent, [])
    np.testing.assert_array_equal(seen, same)
    np.testing.assert_array_equal(seen, whole)  # a whole cheetah that commands nothing there
    np.testing.assert_allclose(less - reward, 0.1 * acts[..., 0] ** 2, atol=1e-12)
    assert np.abs(rolled(acts, [])[0] - seen).max() > 1


def test_joint_breaks_with_the_terms_probability() -> None:
    world = make_vector(200, "half_cheetah", "half_cheetah", threads=1, randomization=[BROKEN | {"probability": 0.5}])
    world.reset(seed=0)
    gains = world.batch.expanded("actuator_gainprm")[:, :, 0]
    broken = world.randomization["actuator_gain:bthigh"] == 0
    assert 70 < broken.sum() < 130
    assert (gains[broken, 0] == 0).all() and (gains[~broken, 0] != 0).all() and (gains[:, 1:] != 0).all()


def test_only_named_actuators_may_break() -> None:
    body = {"task": "half_cheetah", "embodiment": "half_cheetah", "control": "motor", "observation": "state"}
    plan = Experiment(target=Domain(randomization=[BROKEN], **body), strategy=Selection(id="rl_from_scratch"))
    assert not [p for p in check(plan, Registry()) if p.field.startswith("target.randomization")]
    unknown = plan.changed(**{"target.randomization": [BROKEN | {"parts": "wing"}]})
    (problem,) = [p for p in check(unknown, Registry()) if p.field.startswith("target.randomization")]
    assert "wing" in problem.message and "bthigh" in problem.remedy
    with pytest.raises(ExperimentError, match="breaks every actuator"):
        plan.changed(**{"target.randomization": [BROKEN | {"parts": ""}]})
    with pytest.raises(ExperimentError, match="above 0"):
        plan.changed(**{"target.randomization": [{"field": "mass", "parts": "torso", "low": 0.0, "high": 1.0}]})
