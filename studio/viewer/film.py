"""A run's policy at work, as a film: the target's evaluation episodes, one after another, without a window."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from studio.errors import DataError
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.sim.render.gl import thread_context
from studio.sim.render.renderer import PLANE
from studio.sim.render.video import FPS, VideoWriter
from studio.store.checkpoint import load_policy
from studio.viewer.player import Player

WIDTH, HEIGHT = 640, 480
SHADOW, SAMPLES, SLICES = 1024, 4, 28  # quality; a film takes the time it needs
MAX_GEOMS = 4_000


@dataclass(frozen=True)
class Filmed:
    """What a film shows. ``success``: of each episode; empty where the task has no success."""

    path: Path
    seconds: float
    episodes: int
    success: tuple[bool, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "film": str(self.path),
            "seconds": self.seconds,
            "episodes": self.episodes,
            "successes": sum(self.success) if self.success else None,
        }


def film_run(run: Path, path: Path, episodes: int = 5, tick: Callable[[int, int], None] | None = None) -> Filmed:
    """Film the first ``episodes`` of the run's evaluation on its target, in real time, as an MP4 of 640×480 px.

    Args:
        tick: called at the beginning of each episode with (episodes filmed, episodes); it may raise to leave. What was
            filmed until then is kept.

    Raises:
        DataError: there is no such run, it has no policy yet, or the film cannot be written.
        StudioError: the machine has no GL.
    """
    run, path = Path(run), Path(path)
    if not (run / "experiment.yaml").is_file():
        raise DataError("There is no run in this folder.", str(run), "Check the path.")
    if path.suffix.lower() != ".mp4":
        raise DataError("A film must be an MP4 file.", str(path), "Give it a name that ends in .mp4.")
    if episodes < 1:
        raise DataError("A film needs at least one episode.", "episodes", "Ask for 1 or more.")
    if path.exists():
        there = "folder" if path.is_dir() else "file"
        raise DataError(f"A {there} of this name exists already.", str(path), "Choose another name.")
    plan = Experiment.load(run / "experiment.yaml")
    policy = load_policy(run)
    thread_context()  # without GL it fails before anything is written
    player = Player(resolve(plan.target, shared_registry()), policy, plan.seed)
    try:
        camera = _Camera(player)
        try:
            writer = VideoWriter(path, WIDTH, HEIGHT, "rgb24")
            try:
                success, pictures = _play(player, camera, writer, episodes, tick)
            except BaseException:
                writer.close()
                writer.join(10)
                raise
            writer.close(wait=True)
        finally:
            camera.close()
    finally:
        player.close()
    has_success = player.world.task.has_success
    return Filmed(path, pictures / FPS, episodes, tuple(success) if has_success else ())


def _play(
    player: Player, camera: _Camera, writer: VideoWriter, episodes: int, tick: Callable[[int, int], None] | None
) -> tuple[list[bool], int]:
    """Play and film; return each episode's success, and how many pictures there are."""
    success = [False] * episodes
    pictures, reported = 0, -1
    while (now := player.info)["episode"] < episodes:
        if tick is not None and now["episode"] != reported:
            reported = now["episode"]
            tick(reported, episodes)
        success[now["episode"]] = now["success"]
        picture = camera.picture()
        while not writer.add(picture, pictures / FPS):
            if not writer.alive:
                writer.close(wait=True)  # raises the reason
            time.sleep(0.005)  # the encoder lags: a film leaves nothing out
        pictures += 1
        player.advance(1 / FPS)
    return success, pictures


class _Camera:
    """Draws what a player shows. Used and closed on one thread, whose GL context it takes."""

    def __init__(self, player: Player) -> None:
        model = player.model
        model.vis.global_.offwidth, model.vis.global_.offheight = WIDTH, HEIGHT
        model.vis.quality.shadowsize, model.vis.quality.offsamples = SHADOW, SAMPLES
        model.vis.quality.numslices, model.vis.quality.numstacks = SLICES, SLICES // 2
        model.geom_size[model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE] = (
            PLANE  # an endless one costs more than the robot
        )
        self._player = player
        self._gl = thread_context()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        self._scene = mujoco.MjvScene(model, maxgeom=MAX_GEOMS)
        self._option, self._view = mujoco.MjvOption(), mujoco.MjvCamera()
        mujoco.mjv_defaultFreeCamera(model, self._view)  # as the model's author meant it to be seen
        self._rect = mujoco.MjrRect(0, 0, WIDTH, HEIGHT)
        self._pixels = np.empty((HEIGHT, WIDTH, 3), np.uint8)

    def picture(self) -> bytes:
        """Return the present view: rows from the top, red, green and blue."""
        player = self._player
        self._gl.make_current()  # the policy's own camera may have drawn since
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(player.model, player.data, self._option, None, self._view, everything, self._scene)
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._rect, self._context)
        return self._pixels[::-1].tobytes()  # GL's origin is the lower left corner

    def close(self) -> None:
        """Free what is in the GL context."""
        self._gl.make_current()
        self._context.free()
