"""Camera images a second by software GL, alone and by two workers, and what an image's time goes into.

States are the world's own, the starts of different episodes. Ways of drawing take turns; figures are medians over the
turns. The first row is the whole way of an observation: the world's ``images`` with camera, light, color and image
terms drawn for every episode.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from _report import finish, row

from studio.sim.gymnasium_ids import make_vector
from studio.sim.randomization.visual import VisualParams
from studio.sim.render import renderer as render
from studio.sim.render.renderer import CameraRenderer, default_workers
from studio.sim.world import World

IMAGES, TURNS = 256, 7
ROBOTS = ("franka_7dof", "ur5_6dof")
WANTED = 300.0  # images a second of the push scene at 96 px
# Software GL processes the vertices at the draw call, and fills the pixels when they are asked for.
STAGES = {
    "kinematics": (render.mujoco, "mj_kinematics"),
    "centers of mass": (render.mujoco, "mj_comPos"),
    "cameras and lights": (render.mujoco, "mj_camlight"),
    "looks": (VisualParams, "apply"),
    "scene": (render.mujoco, "mjv_updateScene"),
    "drawing: vertices": (render.mujoco, "mjr_render"),
    "reading back: pixels": (render.mujoco, "mjr_readPixels"),
}
TERMS: list[dict[str, Any]] = [
    {"field": "camera_position", "low": -0.02, "high": 0.02},
    {"field": "camera_fov", "low": 55, "high": 65},
    {"field": "light_position", "low": -0.5, "high": 0.5},
    {"field": "light_intensity", "low": 0.7, "high": 1.3},
    {"field": "color", "low": 0.8, "high": 1.2},
]
IMAGE_TERMS: list[dict[str, Any]] = [
    {"field": "brightness", "low": 0.7, "high": 1.3, "probability": 0.5},
    {"field": "contrast", "low": 0.7, "high": 1.3, "probability": 0.5},
    {"field": "saturation", "low": 0.7, "high": 1.3, "probability": 0.5},
    {"field": "blur", "low": 0.1, "high": 2.0, "probability": 0.5},
    {"field": "sharpness", "low": 2.0, "high": 2.0, "probability": 0.5},
]


def world_of(task: str, robot: str, size: int, terms: list[dict[str, Any]]) -> World:
    world: World = make_vector(IMAGES, task, robot, 1, observation="image", image_size=size, randomization=terms)
    world.reset_envs(np.arange(IMAGES), list(range(IMAGES)))
    return world


def rates(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Images a second of each way; they take turns."""
    for way in ways.values():
        way()
    time.sleep(2)  # helpers make their GL contexts beside the first pictures
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {name: IMAGES / statistics.median(taken) for name, taken in seconds.items()}


def stages(renderer: CameraRenderer, states: tuple[Any, ...], kept: dict[str, Any]) -> dict[str, float]:
    """Milliseconds an image of each stage, of one worker."""
    spent = dict.fromkeys(STAGES, 0.0)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments)
            spent[name] += time.perf_counter() - start
            return result

        return call

    own = {name: getattr(where, attribute) for name, (where, attribute) in STAGES.items()}
    for name, (where, attribute) in STAGES.items():
        setattr(where, attribute, timed(name, own[name]))
    start = time.perf_counter()
    renderer.render(*states, **kept)
    total = time.perf_counter() - start
    for name, (where, attribute) in STAGES.items():
        setattr(where, attribute, own[name])
    return {name: 1000 * value / IMAGES for name, value in spent.items()} | {
        "all the rest": 1000 * (total - sum(spent.values())) / IMAGES
    }


def main() -> None:
    rows = []
    whole = {}
    for robot in ROBOTS:
        plain, varied = (world_of("push", robot, 96, terms) for terms in ([], TERMS + IMAGE_TERMS))
        every = np.arange(IMAGES)
        found = rates({"plain": partial(plain.images, every), "randomized": partial(varied.images, every)})
        whole |= {(robot, how): rate for how, rate in found.items()}
        plain.close()
        varied.close()
    for (robot, how), rate in whole.items():
        rows.append(
            row(f"push observations, {robot}, 96 px, {how}", rate, "images/s", f">= {WANTED:g}", rate >= WANTED)
        )
    for task in ("push", "reach"):
        for robot in ROBOTS:
            for size in (96, 64):
                world = world_of(task, robot, size, [])
                states = (world.bind("qpos").copy(), world.bind("mocap_pos").copy())
                kept = {"mocap_quat": world.bind("mocap_quat").copy()}
                renderers = {n: CameraRenderer(world.model, "front", size, n) for n in (1, 2)}
                found = rates({str(n): partial(r.render, *states, **kept) for n, r in renderers.items()})
                for n, rate in found.items():
                    rows.append(row(f"{task}, {robot}, {size} px, {n} worker{'s' * (n != '1')}", rate, "images/s"))
                if size == 96:
                    for name, value in stages(renderers[1], states, kept).items():
                        rows.append(row(f"{task}, {robot}, 96 px: {name}", value, "ms/image"))
                for renderer in renderers.values():
                    renderer.close()
                print(task, robot, size, found, file=sys.stderr)
    rows.append(row("workers that a world's renderer takes here", default_workers(), "threads"))
    finish(rows)


if __name__ == "__main__":
    main()
