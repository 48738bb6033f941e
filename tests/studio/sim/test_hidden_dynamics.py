"""The stand-in robot: it moves as its file says, and says nothing of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.errors import DataError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.world import World

REGISTRY = Registry()
VALUES = {"mass": 1.6, "friction": 0.6, "actuator_delay": 0.04, "actuator_gain": 0.8}


def world(**changes: Any) -> World:
    plan = Domain(**({"embodiment": "ur5_6dof", "observation": "goal"} | changes))
    return World(plan, task_of(plan, REGISTRY), embodiment_of(plan, REGISTRY), 2, 1)


def roll(made: World, values: dict[str, float] | None = None) -> np.ndarray:
    ids = np.arange(2)
    made.reset_envs(ids, [3, 4])
    if values:
        made.randomize(ids, {name: np.full(2, value) for name, value in values.items()})
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(6):
        made.advance(rng.uniform(-1, 1, (2, 3)), ids)
        seen.append(made.bind("qpos").copy())
    return np.stack(seen)


def test_it_moves_as_a_simulation_with_its_values_would() -> None:
    real, nominal = world(hidden_dynamics="heavy"), world()
    np.testing.assert_allclose(roll(real), roll(nominal, VALUES), atol=1e-9)
    assert np.abs(roll(real) - roll(nominal)).max() > 1e-3


def test_what_is_drawn_comes_on_top_of_it() -> None:
    real = world(hidden_dynamics="heavy")
    np.testing.assert_allclose(roll(real, {"mass": 1.1}), roll(world(), VALUES | {"mass": 1.6 * 1.1}), atol=1e-9)


def test_it_says_nothing_of_its_values() -> None:
    real, nominal = world(hidden_dynamics="heavy"), world()
    roll(real)
    for name, value in real.randomization.items():
        np.testing.assert_array_equal(value, nominal.randomization[name], err_msg=name)
    seen = real.observe(np.arange(2))
    assert set(seen) == set(nominal.observe(np.arange(2)))
    folder = Path(__file__).resolve().parents[3]
    readers = {
        path.relative_to(folder).as_posix()
        for room in ("studio", "plugins", "widgets")
        for path in (folder / room).rglob("*.py")
        if "read_hidden_dynamics" in path.read_text(encoding="utf-8")
    }
    assert readers == {
        "studio/sim/hidden_dynamics.py",
        "studio/sim/scene.py",
    }  # nothing else reads it


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("mass: [", "is not YAML"),
        ("mass: -1", "not valid at mass"),
        ("weight: 2", "not valid at weight"),
        ("just words", "no values by name"),
    ],
)
def test_a_file_that_does_not_fit_is_one_sentence(tmp_path: Path, text: str | None, words: str) -> None:
    file = tmp_path / "robot.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        world(hidden_dynamics=file)
    assert words in caught.value.message and "\n" not in caught.value.message
    assert caught.value.remedy
