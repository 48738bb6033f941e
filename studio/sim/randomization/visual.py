"""How a scene looks: what may vary from one simulation's picture to the next, and how it reaches the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import mujoco
import numpy as np

from studio.errors import StudioError

Array = np.ndarray

OF_CAMERA = ("camera_position", "camera_fov")
VISUALS = (*OF_CAMERA, "light_position", "light_intensity", "color")
_UNSET = np.array([0.5, 0.5, 0.5, 1], np.float32)  # a geom of this color takes its material's


class Appearance:
    """A model's own look, from which every picture's look starts.

    Args:
        model: the compiled scene.
        camera: index of the camera.
        keep: names of bodies (with all below them) and geoms whose colors carry a meaning and never vary.

    Raises:
        StudioError: there is no body or geom of such a name.
    """

    def __init__(self, model: mujoco.MjModel, camera: int, keep: Collection[str] = ()) -> None:
        self.position = model.cam_pos[camera].copy()
        self.fovy = float(model.cam_fovy[camera])
        self.lights = [light.copy() for light in _light(model)]
        self.directional = np.flatnonzero(model.light_type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL.value)
        self.center, self.extent = model.stat.center.copy(), float(model.stat.extent)
        self.has_material = model.geom_matid >= 0
        self.colors = model.geom_rgba.copy()
        plain = self.has_material & np.all(self.colors == _UNSET, 1)
        self.colors[plain] = model.mat_rgba[model.geom_matid[plain]]
        self.varied = ~_kept(model, keep)


class VisualTarget:
    """One model that is given one look after another: where it keeps what varies, and which look it has now."""

    def __init__(self, model: mujoco.MjModel, camera: int) -> None:
        self.position, self.fovy = model.cam_pos[camera], model.cam_fovy[camera : camera + 1]
        self.lights = _light(model)
        self.colors = model.geom_rgba
        self.intensity, self.tinted = 1.0, False


class VisualParams:
    """The looks of ``n`` pictures. What ``visuals`` does not name is nominal.

    Args:
        visuals: ``camera_position`` (n, 3) m, added to the camera's own, in its body's frame; ``camera_fov`` (n,)
            vertical, degrees, NaN for the camera's own; ``light_position`` (n, 3) m, world frame, added to every
            light's: one that is directional, so without a place, turns as a lamp would that is moved and still aimed at
            the scene's center; ``light_intensity`` (n,) factor on all lights and the headlight; ``color`` (n, 3)
            factors on red, green and blue of every geom that is not kept. (GL clips light before it meets a texture: a
            textured surface that is fully lit can become darker, not brighter.)

    Raises:
        ValueError: a name that is none of these.
    """

    def __init__(self, own: Appearance, visuals: Mapping[str, Array], n: int) -> None:
        if unknown := sorted(set(visuals) - set(VISUALS)):
            raise ValueError(f"{', '.join(unknown)}: no visuals; there are {', '.join(VISUALS)}")
        self._own = own
        self._position = own.position + np.broadcast_to(visuals.get("camera_position", 0.0), (n, 3))
        fovy = np.broadcast_to(visuals.get("camera_fov", np.nan), n)
        self._fovy = np.where(np.isnan(fovy), own.fovy, fovy).tolist()
        self._offset = np.broadcast_to(visuals.get("light_position", 0.0), (n, 3))
        self._moved = np.any(self._offset != 0, 1).tolist()
        self._intensity = np.broadcast_to(visuals.get("light_intensity", 1.0), n).tolist()
        self._tinted = "color" in visuals
        self._colors = self._tint(np.asarray(visuals["color"])) if self._tinted else own.colors[None]

    def apply(self, i: int, target: VisualTarget) -> None:
        """Give a model picture ``i``'s look, whatever look it had before; cameras and lights are posed after it."""
        intensity = self._intensity[i]
        target.position[:] = self._position[i]
        target.fovy[0] = self._fovy[i]
        if intensity != target.intensity:
            target.intensity = intensity
            for light, own in zip(target.lights, self._own.lights):
                light[:] = own * intensity
        if self._tinted or target.tinted:
            target.tinted = self._tinted
            target.colors[:] = self._colors[i if self._tinted else 0]

    def move_lights(self, i: int, data: mujoco.MjData) -> None:
        """Move the lights that ``mj_camlight`` has just posed."""
        if not self._moved[i]:
            return
        own, offset = self._own, self._offset[i]
        place, direction = data.light_xpos[own.directional], data.light_xdir[own.directional]
        distance = np.maximum(((own.center - place) * direction).sum(1), own.extent)
        aim = direction * distance[:, None] - offset
        data.light_xdir[own.directional] = aim / np.linalg.norm(aim, axis=1, keepdims=True)
        data.light_xpos[:] += offset

    def _tint(self, factors: Array) -> Array:
        own = self._own
        colors = np.repeat(own.colors[None], len(factors), 0)
        colors[:, own.varied, :3] *= factors[:, None].astype(np.float32)
        # a color that happens to be the one which stands for "as the material" is moved by less than can be seen
        taken = own.has_material & np.all(colors == _UNSET, -1)
        colors[taken, 0] = np.nextafter(np.float32(0.5), np.float32(1))
        return colors


def _light(model: mujoco.MjModel) -> list[Array]:
    """Colors of all that shines, live."""
    head = model.vis.headlight
    return [
        model.light_ambient, model.light_diffuse, model.light_specular, head.ambient, head.diffuse, head.specular
    ]  # fmt: skip


def _kept(model: mujoco.MjModel, names: Collection[str]) -> Array:
    """Which geoms are named, or belong to a named body or one below it, (ngeom,) bool."""
    bodies, geoms = np.zeros(model.nbody, bool), np.zeros(model.ngeom, bool)
    for name in names:
        body = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_BODY, name)
        geom = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, name)
        if body < 0 and geom < 0:
            raise StudioError(f"There is no body or geom '{name}'.", "keep", "Name one that the scene has.")
        if body >= 0:
            bodies[body] = True
        if geom >= 0:
            geoms[geom] = True
    for body in range(1, model.nbody):  # parents come before their children
        bodies[body] |= bodies[model.body_parentid[body]] and model.body_parentid[body] > 0
    return geoms | bodies[model.geom_bodyid]
