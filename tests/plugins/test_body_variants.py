"""Families of bodies: each simulation moves as a MuJoCo model with the context's masses, friction and damping."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest

from studio.meta.task_split import split
from studio.meta.trials import Trials
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.sim.gymnasium_ids import default_domain, make_vector
from studio.viewer.player import Player

ALL = slice(None)
LIMBS = {
    "hopper": ["torso", "thigh", "leg", "foot"],
    "half_cheetah": ["torso", "thigh", "shin", "foot"],
    "walker2d": ["torso", "thigh", "leg", "foot"],
}


def scaled(model: mujoco.MjModel, limbs: list[str], context: np.ndarray) -> mujoco.MjModel:
    """The model with factors on the mass of limbs, by their names' ends, on friction and on damping."""
    for i in range(model.nbody):
        name = model.body(i).name.removesuffix("_left")
        for limb, factor in zip(limbs, context, strict=False):
            if name.endswith(limb):
                model.body_mass[i] *= factor
                model.body_inertia[i] *= factor
    model.geom_friction[:] *= context[-2]
    model.dof_damping[:] *= context[-1]
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


@pytest.mark.parametrize("body", sorted(LIMBS))
def test_variants_move_as_models_with_scaled_values(body: str) -> None:
    contexts = [[0.7, 1.3, 0.8, 1.2, 0.6, 1.4], [1.0] * 6]
    world: Any = make_vector(8, f"{body}_bodies", body, threads=1, contexts=contexts)
    Trials(world, 2)
    world.reset(seed=0)
    world.reset_envs(np.arange(8), range(100, 108))  # the trials' second episodes: the same bodies
    qpos, qvel = world.bind("qpos").copy(), world.bind("qvel").copy()
    act = np.random.default_rng(0).uniform(-1, 1, (8, world.actions.shape[1]))
    for _ in range(5):
        world.advance(act, ALL)
    for i in range(8):
        model = scaled(mujoco.MjModel.from_xml_path(str(world.embodiment.model)), LIMBS[body], world.contexts[i])
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:], data.ctrl[:] = qpos[i], qvel[i], act[i]
        steps = round(5 / world.task.control_hz / model.opt.timestep)
        mujoco.mj_step(model, data, steps)
        np.testing.assert_allclose(world.bind("qpos")[i], data.qpos, rtol=0, atol=1e-9)
    assert len(np.unique(world.contexts, axis=0)) == 2


def test_body_variants_have_bodies_outside_and_go_on_bit_for_bit() -> None:
    registry = shared_registry()
    kind, body = registry.get("tasks", "hopper_bodies"), registry.get("embodiments", "hopper")
    found = split(resolve(default_domain(kind, body), registry), 0)
    assert ((np.array(found.inside) >= 0.6) & (np.array(found.inside) <= 1.4)).all()
    outside = np.array(found.outside)
    assert outside.shape == (20, 6) and ((outside < 0.6) | (outside > 1.4)).all() and outside.min() > 0
    one, other = (make_vector(3, "hopper_bodies", "hopper", threads=1) for _ in range(2))
    one.reset(seed=1)
    other.reset(seed=50)
    other.load_state_dict(one.state_dict())
    for _ in range(30):  # some fall, and begin again with other bodies
        assert np.array_equal(one.step(np.ones((3, 3)))[0], other.step(np.ones((3, 3)))[0])


def test_a_turned_context_changes_the_body_that_is_shown() -> None:
    registry = shared_registry()
    kind, body = registry.get("tasks", "hopper_bodies"), registry.get("embodiments", "hopper")
    player = Player(resolve(default_domain(kind, body, contexts=[[1.0] * 6]), registry), "random", seed=3)
    own = player.model.body("torso").mass[0]
    player.set_context(0, 1.25)
    assert player.model.body("torso").mass[0] == pytest.approx(1.25 * own)
    player.randomize({"friction": 1.0, "mass": 1.1})
    assert player.model.body("torso").mass[0] == pytest.approx(1.1 * 1.25 * own)
    player.close()
