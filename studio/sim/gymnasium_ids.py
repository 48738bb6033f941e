"""Gymnasium ids for the worlds: ``studio/HalfCheetah-v5``, ``studio/Reach-franka_7dof-v0``, for one world or many.

Registered by ``import studio.gym``, which ``gymnasium.make("studio.gym:studio/Hopper-v5")`` does itself.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from studio.contracts import Embodiment, Task
from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import shared_registry

NAMESPACE = "studio"


def register_all() -> list[str]:
    """Register an id for every task and embodiment that go together, and return the ids."""
    registry, ids = shared_registry(), []
    for task in registry.all("tasks").values():
        for embodiment in registry.all("embodiments").values():
            if not task.gymnasium_id or task().check(embodiment):
                continue
            id = f"{NAMESPACE}/{task.gymnasium_id.format(embodiment=embodiment.id)}"
            gymnasium.register(
                id,
                entry_point="studio.sim.gymnasium_ids:SingleWorld",
                vector_entry_point="studio.sim.gymnasium_ids:make_vector",
                kwargs={"task": task.id, "embodiment": embodiment.id},
            )
            ids.append(id)
    return ids


def default_domain(task: type[Task], embodiment: Embodiment, **settings: Any) -> Domain:
    """Return the domain of a task and an embodiment, with the task's first control and its usual observation."""
    observation = "goal" if "goal" in task.observations else task.observations[0]
    usual: dict[str, Any] = {"control": task.controls[0], "observation": observation}
    if "state" in task.observations:
        usual["observation"] = "state"
    if embodiment.cameras:
        usual["camera"] = embodiment.cameras[0]
    return Domain(**usual | {"task": task.id, "embodiment": embodiment.id} | settings)


def make_vector(num_envs: int, task: str, embodiment: str, threads: int = 0, **settings: Any) -> Any:
    """Return a :class:`studio.sim.world.World`; ``settings`` are fields of the domain (``observation="image"`` …).

    Raises:
        StudioError: a randomization term is of something that the model does not have.
    """
    from studio.sim.randomization.fields import check_terms
    from studio.sim.world import World

    registry = shared_registry()
    body, kind = registry.get("embodiments", embodiment), registry.get("tasks", task)
    world = World(default_domain(kind, body, **settings), kind(), body, num_envs, threads)
    for problem in check_terms(world.domain.randomization, world.model):
        world.close()
        raise StudioError(problem.message, problem.field, problem.remedy)
    return world


class SingleWorld(gymnasium.Env[Any, Any]):
    """One world as a plain Gymnasium environment; ``settings`` are fields of the domain."""

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(
        self, task: str, embodiment: str, render_mode: str | None = None, size: int = 480, **settings: Any
    ) -> None:
        self.world = make_vector(1, task, embodiment, threads=1, **settings)
        self.metadata = {"render_modes": ["rgb_array"], "render_fps": round(self.world.task.control_hz)}
        self.render_mode, self._size = render_mode, size
        self.observation_space = self.world.single_observation_space
        self.action_space = self.world.single_action_space
        self._one = np.zeros(1, int)
        self._renderer: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.world.reset_envs(self._one, [seed if seed is not None else int(self.np_random.integers(2**62))])
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        world, one = self.world, self._one
        world.advance(np.asarray(action)[None], one)
        reward = float(world.reward(one)[0])
        terminated, late = bool(world.terminated(one)[0]), bool(world.truncated(one)[0])
        info = {"diverged": bool(world.diverging(one)[0])}
        if world.task.has_success:
            info["success"] = bool(world.success(one)[0])
        return self._observation(), reward, terminated, late and not terminated, info

    def set_state(self, qpos: np.ndarray, qvel: np.ndarray) -> None:
        """Put the simulation into a given state, as Gymnasium's MuJoCo environments have it."""
        self.world.set_state(self._one, np.asarray(qpos)[None], np.asarray(qvel)[None])

    def render(self) -> Any:
        """Return the image of the domain's camera, with the episode's colors and light, (size, size, 3) uint8."""
        from studio.sim.randomization.fields import is_nominal
        from studio.sim.randomization.visual import VISUALS
        from studio.sim.render.renderer import CameraRenderer

        if self.render_mode is None:
            return None
        world = self.world
        if self._renderer is None:
            self._renderer = CameraRenderer(world.model, world.domain.camera, self._size, keep=world.scene.added)
        qpos, place, turn = (world.bind(name) for name in ("qpos", "mocap_pos", "mocap_quat"))
        looks = {
            key: value for key, value in world.randomization.items() if key in VISUALS and not is_nominal(key, value)
        }
        return self._renderer.render(qpos, place, looks, mocap_quat=turn)[0]

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        self.world.close()

    def _observation(self) -> Any:
        seen = self.world.observe(self._one)
        if isinstance(self.observation_space, gymnasium.spaces.Dict):
            return {key: value[0] for key, value in seen.items()}
        return seen["state"][0]
