"""Light, floor, camera and visible links for a model that has none; else pictures are black and blocks fall."""

from __future__ import annotations

import mujoco
import numpy as np

from studio.sim.robots.names import free_name

Array = np.ndarray

ROD = 0.02  # m, radius
WIDE = 0.25  # m; a fixed box of at least this half length and width is something to stand on
# name, position and target (m), field of view (degrees) of a camera that sees a table before the robot
FRONT = ("front", np.array([1.16, 0.0, 0.66]), np.array([0.4, 0.0, 0.1]), 58.0)
TABLE = np.array([[x, y, z] for x in (0.30, 0.64) for y in (-0.30, 0.30) for z in (0.0, 0.07)])  # m, what lies on it
FILLED = 0.9  # share of the picture that the robot and the table may fill


def add_light(spec: mujoco.MjSpec) -> list[str]:
    """Add two lights, and a sky behind, where a model has no light. Return what was added, in sentences."""
    if spec.lights:
        return []
    key = {"pos": [1.25, -0.95, 1.9], "dir": [-0.42, 0.40, -0.82], "diffuse": [0.45] * 3, "castshadow": True}
    fill = {"pos": [0.6, 1.8, 1.8], "dir": [-0.25, -0.72, -0.65], "diffuse": [0.2] * 3, "castshadow": False}
    for light in (key, fill):
        spec.worldbody.add_light(type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, **light)
    spec.visual.headlight.ambient = np.maximum(spec.visual.headlight.ambient, 0.4)
    if not any(texture.type == mujoco.mjtTexture.mjTEXTURE_SKYBOX for texture in spec.textures):
        spec.add_texture(
            name=free_name("studio_sky", {texture.name for texture in spec.textures}),
            type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
            builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
            rgb1=[0.93, 0.945, 0.96],
            rgb2=[0.60, 0.66, 0.73],
            width=128,
            height=768,
        )
    return ["Lights were added: the model has none."]


def add_rods(spec: mujoco.MjSpec, model: mujoco.MjModel) -> list[str]:
    """Add rods from joint to joint, which touch and weigh nothing, where no moving link has a shape to be seen.

    A URDF may have no shapes, or only visual ones, which MuJoCo discards by default.
    """
    ids = [model.body(body.name).id for body in spec.bodies]  # a changed spec loses its parts' ids
    moving = [b for b, i in zip(spec.bodies, ids, strict=True) if model.body_weldid[i] and model.body_mocapid[i] < 0]
    if any(body.geoms for body in moving):
        return []
    spec.compiler.discardvisual = False
    rod = {"type": mujoco.mjtGeom.mjGEOM_CAPSULE, "size": [ROD, 0, 0], "rgba": [0.45, 0.50, 0.56, 1], "group": 2}
    for body in moving:
        for child in body.bodies:
            if np.linalg.norm(child.pos) > ROD:
                body.add_geom(**rod, fromto=[0, 0, 0, *child.pos], contype=0, conaffinity=0, mass=0)
    return ["Rods were added from joint to joint: no link has a shape."]


def add_floor(spec: mujoco.MjSpec, model: mujoco.MjModel) -> str:
    """Add a floor at height 0 where a model has nothing fixed to stand on. Return its body's name; "": nothing added.

    Args:
        model: what the spec compiles to.
    """
    if any(
        _can_stand_on(model, geom) for geom in range(model.ngeom) if model.body_weldid[model.geom_bodyid[geom]] == 0
    ):
        return ""
    name = free_name("studio_floor", {body.name for body in spec.bodies})
    color = [0.70, 0.72, 0.745, 1]
    spec.worldbody.add_body(name=name).add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.1], rgba=color)
    return name


def _can_stand_on(model: mujoco.MjModel, geom: int) -> bool:
    kind = int(model.geom_type[geom])
    if kind == mujoco.mjtGeom.mjGEOM_BOX:
        return bool((model.geom_size[geom, :2] >= WIDE).all())
    return kind in (mujoco.mjtGeom.mjGEOM_PLANE, mujoco.mjtGeom.mjGEOM_HFIELD)


def exclude_floor_contacts(
    spec: mujoco.MjSpec, model: mujoco.MjModel, floor: str, qpos: Array, chain: list[int]
) -> None:
    """Let links pass through an added floor: those that touch it at home, such as a base sunk into it, and all links of
    a robot that is fixed to the world, because its bare flange must come down to the blocks that lie on the floor.

    Args:
        model: what the spec compiles to, with the floor.
        qpos: the home pose, (nq,).
        chain: the joints that are moved.
    """
    data, body = mujoco.MjData(model), model.body(floor).id
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    mujoco.mj_collision(model, data)
    pairs = model.geom_bodyid[data.contact.geom[: data.ncon]]
    excluded = {int(b if a == body else a) for a, b in pairs.tolist() if body in (a, b)}
    root = int(model.body_rootid[model.jnt_bodyid[chain[0]]])
    tree = np.flatnonzero(model.body_rootid == root)
    if not np.isin(model.jnt_type[np.isin(model.jnt_bodyid, tree)], mujoco.mjtJoint.mjJNT_FREE).any():
        excluded |= {int(link) for link in tree}
    for other in sorted(excluded):
        spec.add_exclude(bodyname1=floor, bodyname2=model.body(other).name)


def add_camera(spec: mujoco.MjSpec, model: mujoco.MjModel, qpos: Array) -> list[str]:
    """Add a camera that sees the robot at home and the table before it, where a model has no named camera.

    Args:
        model: what the spec compiles to.
        qpos: the home pose, (nq,).

    Returns:
        What was added, in sentences.
    """
    if any(camera.name for camera in spec.cameras):
        return []
    name, place, target, fov = FRONT
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    backward = (place - target) / np.linalg.norm(place - target)
    right = np.cross((0, 0, 1), backward)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(backward, right), backward], 1)
    robot = data.xpos[(model.body_weldid > 0) & (model.body_mocapid < 0)]
    place = _far_enough(np.concatenate([TABLE, robot[np.isfinite(robot).all(1)]]), place, axes, fov)
    turn = np.empty(4)
    mujoco.mju_mat2Quat(turn, axes.ravel())
    spec.worldbody.add_camera(name=name, pos=place, quat=turn, fovy=fov)
    return [f"A camera '{name}' was added: the model has none with a name."]


def _far_enough(points: Array, place: Array, axes: Array, fov: float) -> Array:
    """Return the camera's place, moved if necessary so that all points (n, 3) are in the picture."""
    slope = FILLED * np.tan(np.radians(fov) / 2)
    seen = (points - place) @ axes  # right, up and toward the camera, m
    if (np.abs(seen[:, :2]).max(1) <= -slope * seen[:, 2]).all():
        return place
    across = (seen[:, :2].min(0) + seen[:, :2].max(0)) / 2
    seen[:, :2] -= across
    back = float((np.abs(seen[:, :2]).max(1) / slope + seen[:, 2]).max())
    return np.asarray(place + axes[:, :2] @ across + axes[:, 2] * back)
