"""Drawing a MuJoCo scene into a QImage, at quality levels that software GL can hold.

A renderer belongs to the thread that made it; MuJoCo is imported with the first one, not with this module.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from studio.contracts import Decoration, Ghost
from widgets.viewport import show_options
from widgets.viewport.scene_extras import SceneExtras
from widgets.viewport.show_options import ViewOptions

if TYPE_CHECKING:
    import mujoco

MAX_GEOMS = 4_000
FLOOR_EXTENTS = 25.0  # half width of the box that replaces an endless floor, in extents of the model


@dataclass(frozen=True)
class Quality:
    """How finely a picture is drawn. ``scale``: rendered pixels for each shown one, along one side."""

    shadow: int
    samples: int
    slices: int
    scale: float = 1.0


# Best first. On two cores of software GL at 640×480 a frame of the Franka takes, in CPU ms: about 170, 110, 42, 30, 12,
# 9, 6 (the robot's vertices are drawn again for the shadow map and once more for the lit pass).
LEVELS = (
    Quality(2048, 4, 36),
    Quality(1024, 4, 28),
    Quality(1024, 0, 20),
    Quality(1024, 0, 14, 0.75),
    Quality(0, 0, 20),
    Quality(0, 0, 16, 0.75),
    Quality(0, 0, 12, 0.5),
)
START_LEVEL = 2
STILL_LEVEL = 1  # a standing picture is drawn once more at this level


class QualityControl:
    """Chooses the level from what frames cost: down at once when the rate cannot be held, up only with ample room.

    A level that was too slow is not tried again for a while, twice as long each time, so that the picture does not
    flicker between two levels.
    """

    FRAMES_DOWN, FRAMES_UP, FIRST_BAN = 9, 60, 150  # counted in frames

    def __init__(self, level: int = START_LEVEL, levels: int = len(LEVELS)) -> None:
        self.level = level
        self._levels = levels
        self._costs: deque[float] = deque(maxlen=self.FRAMES_DOWN)
        self._frames = 0  # drawn at this level
        self._total = 0
        self._banned_until = [0] * levels
        self._ban = [self.FIRST_BAN] * levels

    def record(self, seconds: float, budget: float) -> bool:
        """Note a frame's cost and what it may cost, s; return whether the level changed."""
        self._total += 1
        self._frames += 1
        if self._frames == 1:
            return False  # the first frame at a level includes making its GL context
        self._costs.append(seconds)
        cost = median(self._costs)  # one late frame may only mean that another thread had the core
        if cost > budget and self._frames > self.FRAMES_DOWN and self.level < self._levels - 1:
            self._banned_until[self.level] = self._total + self._ban[self.level]
            self._ban[self.level] *= 2
            return self._go(self.level + (2 if cost > 2.5 * budget else 1))
        ample = cost < 0.55 * budget and self._frames > self.FRAMES_UP and self.level > 0
        if ample and self._total >= self._banned_until[self.level - 1]:
            return self._go(self.level - 1)
        return False

    def _go(self, level: int) -> bool:
        self.level = min(level, self._levels - 1)
        self._frames = 0
        self._costs.clear()
        return True


class SceneRenderer:
    """Draws in the thread's GL context, with one MuJoCo context for each quality in use.

    Raises:
        StudioError: the machine can make no GL context.
    """

    def __init__(self) -> None:
        from studio.sim.render.gl import thread_context

        self._mj = import_module("mujoco")
        self._gl = thread_context()
        self._contexts: dict[tuple[int, int, int], mujoco.MjrContext] = {}
        self._sizes: dict[tuple[int, int, int], tuple[int, int]] = {}
        self._model: mujoco.MjModel = None  # until :meth:`use`, as the scene
        self._scene: mujoco.MjvScene = None
        self._option = self._mj.MjvOption()
        self._shown = ViewOptions()
        show_options.apply(self._shown, self._mj, self._option)
        self._held = False  # a body is selected
        self._extras = SceneExtras(self._mj)
        self.ghosts: tuple[Ghost, ...] = ()  # those of the last picture
        self._pixels = np.empty((0, 0, 3), np.uint8)
        self._rect: mujoco.MjrRect = None  # of the pixels, once there are any
        self._flags: tuple[Any, ...] = ()  # of the scene as last set
        self._floor: tuple[bytes, list[int]] | None = None  # groups shown, and where planes lie then

    def use(self, model: mujoco.MjModel) -> None:
        """Draw this model from now on."""
        if model is self._model:
            return
        self._free_contexts()
        self._model, self._flags, self._floor = model, (), None
        self._scene = self._mj.MjvScene(model, maxgeom=MAX_GEOMS)
        self._extras.use(model)

    @property
    def scene(self) -> Any:
        """The ``MjvScene`` last drawn."""
        return self._scene

    def show(self, shown: ViewOptions) -> None:
        """Show contacts, joints, labels and so on, from the next picture on."""
        self._shown = shown
        show_options.apply(shown, self._mj, self._option)

    def draw(
        self,
        data: mujoco.MjData,
        camera: mujoco.MjvCamera,
        width: int,
        height: int,
        quality: Quality,
        perturb: mujoco.MjvPerturb | None = None,
        decorations: Sequence[Decoration] = (),
        ghosts: Sequence[Ghost] = (),
    ) -> QImage:
        """Return a picture of ``width`` × ``height`` pixels, or fewer by ``quality``, in the format of the screen.

        It is stretched by whoever shows it: here Qt would hold the interpreter while it does that.

        Args:
            perturb: an ``MjvPerturb`` whose selection and force are drawn.
            decorations: balls and lines in the world.
            ghosts: translucent copies of what moves; those of another model are left out.
        """
        mj = self._mj
        scale = quality.scale if self._shown.label == "none" else 1.0  # text must not be stretched
        w, h = max(16, round(width * scale)), max(16, round(height * scale))
        self._gl.make_current()  # a policy's own camera renderer may have taken the thread's context
        context = self._context(quality, w, h)
        held = perturb is not None and perturb.select > 0
        if held or not self._shown.is_plain:
            show_options.enlarge_marks(self._model)
        if held != self._held:
            self._held = held
            for name in ("PERTFORCE", "PERTOBJ", "SELECT"):
                self._option.flags[getattr(mj.mjtVisFlag, f"mjVIS_{name}")] = held
        all_kinds, shown = mj.mjtCatBit.mjCAT_ALL.value, perturb if held else None
        mj.mjv_updateScene(self._model, data, self._option, shown, camera, all_kinds, self._scene)
        self.ghosts = self._extras.add_ghosts(self._scene, data, ghosts, self._option.geomgroup) if ghosts else ()
        if decorations:
            self._extras.add_decorations(self._scene, decorations)
        self._set_flags("wireframe" in self._shown.on, quality.shadow > 0, quality.samples > 0)
        self._cheapen_floor()
        if self._pixels.shape != (h, w, 3):
            self._pixels, self._rect = np.empty((h, w, 3), np.uint8), mj.MjrRect(0, 0, w, h)
        mj.mjr_render(self._rect, self._scene, context)
        mj.mjr_readPixels(self._pixels, None, self._rect, context)
        picture = QImage(self._pixels.data, w, h, 3 * w, QImage.Format.Format_RGB888)
        picture = picture.convertToFormat(QImage.Format.Format_RGB32)  # a copy, and what painting wants
        return _upright(picture)

    def pick(self, data: mujoco.MjData, x: float, y: float, aspect: float) -> tuple[int, np.ndarray | None]:
        """Return (body, world point) under (x, y), in [0, 1] from the last picture's upper left; else (−1, None)."""
        point = np.zeros((3, 1))
        ids = [np.zeros((1, 1), np.int32) for _ in range(3)]
        body = self._mj.mjv_select(
            self._model, data, self._option, aspect, x, 1 - y, self._scene, point, *ids
        )  # fmt: skip
        return int(body), point[:, 0] if body >= 0 else None

    def close(self) -> None:
        """Free everything; call it on the thread that made the renderer."""
        self._free_contexts()

    def _context(self, quality: Quality, width: int, height: int) -> mujoco.MjrContext:
        key = (quality.shadow, quality.samples, quality.slices)
        visual = self._model.vis
        context = self._contexts.get(key)
        if context is None:
            visual.global_.offwidth, visual.global_.offheight = width, height
            visual.quality.shadowsize, visual.quality.offsamples = quality.shadow, quality.samples
            visual.quality.numslices, visual.quality.numstacks = quality.slices, quality.slices // 2
            context = self._mj.MjrContext(self._model, self._mj.mjtFontScale.mjFONTSCALE_100.value)
            self._contexts[key], self._sizes[key] = context, (width, height)
        elif self._sizes[key] != (width, height):  # software GL clears and resolves the whole buffer: keep it tight
            self._mj.mjr_resizeOffscreen(width, height, context)
            self._sizes[key] = (width, height)
        self._mj.mjr_setBuffer(self._mj.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
        return context

    def _set_flags(self, *wanted: bool) -> None:
        """Set wireframe, shadows and reflections."""
        if wanted != self._flags:
            flags, flag = self._scene.flags, self._mj.mjtRndFlag
            for name, on in zip(("WIREFRAME", "SHADOW", "REFLECTION"), wanted, strict=True):
                flags[getattr(flag, f"mjRND_{name}")] = on
            self._flags = wanted

    def _cheapen_floor(self) -> None:
        """Draw planes as flat boxes: MuJoCo splits an endless plane so finely that it costs more than the robot."""
        geom = self._mj.mjtGeom
        scene = self._scene
        half = FLOOR_EXTENTS * self._model.stat.extent
        for index in self._planes():
            shape = scene.geoms[index]
            if shape.type != geom.mjGEOM_PLANE:
                continue
            axis = shape.mat[:, 2]
            width, depth = (s if s > 0 else half for s in shape.size[:2])
            shape.type = geom.mjGEOM_BOX
            shape.size[:] = (width, depth, 0.01)
            shape.pos[:] = shape.pos - 0.01 * axis  # the upper face lies where the plane was
            shape.dataid = -1

    def _planes(self) -> list[int]:
        """Return where planes are in the scene, which is filled in the order of geom ids without hidden groups."""
        if not self._shown.is_plain:  # with other things among the geoms their places are not known
            kinds = (int(self._scene.geoms[i].type) for i in range(self._scene.ngeom))
            return [i for i, kind in enumerate(kinds) if kind == int(self._mj.mjtGeom.mjGEOM_PLANE)]
        model, groups = self._model, self._option.geomgroup
        if self._floor is None or self._floor[0] != groups.tobytes():
            plane = int(self._mj.mjtGeom.mjGEOM_PLANE)
            shown = groups[model.geom_group] != 0
            places = np.cumsum(shown) - 1
            found = [int(places[g]) for g in np.flatnonzero((model.geom_type == plane) & shown)]
            self._floor = (groups.tobytes(), found)
        return self._floor[1]

    def _free_contexts(self) -> None:
        if self._contexts:
            self._gl.make_current()
        for context in self._contexts.values():
            context.free()
        self._contexts.clear()
        self._sizes.clear()


def _upright(picture: QImage) -> QImage:
    """Return a picture with its first row at the top, as GL's is at the bottom.

    Numpy would release the interpreter for the copy, and wait to get it back.
    """
    if hasattr(picture, "flipped"):  # Qt 6.9
        return picture.flipped(Qt.Orientation.Vertical)
    return picture.mirrored(False, True)
