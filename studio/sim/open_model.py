"""Any MJCF or URDF file as an embodiment: its longest chain of hinges and slides, and what moves at the chain's end."""

from __future__ import annotations

import functools
from pathlib import Path

import mujoco
import numpy as np

from studio.contracts import Embodiment, Limb
from studio.errors import DataError
from studio.sim.scene import compile_spec, load_spec

FRONT = ("front", (1.16, 0.0, 0.66), (0.4, 0.0, 0.1), 58.0)  # name, position and target (m), field of view (degrees)


def open_model(path: Path) -> Embodiment:
    """Describes the model in a file.

    The limb is the chain from the root to the deepest body. Where the model has no actuators its joints get position
    servos, and where it has no cameras a front camera: they are written to a copy
    in the studio's cache, never into the file itself.

    Raises:
        DataError: the file is missing, does not compile, or has no joint that could be moved.
    """
    return _opened(path, path.stat().st_mtime_ns if path.exists() else 0)


@functools.lru_cache(maxsize=32)
def _opened(path: Path, changed: int) -> Embodiment:
    spec = load_spec(path)
    model = compile_spec(spec, str(path))
    # what is written elsewhere still finds its meshes and textures here
    spec.meshdir, spec.texturedir = (
        str((path.parent / folder).resolve()) for folder in (spec.meshdir, spec.texturedir)
    )
    chain = _chain(model)
    if not chain:
        raise DataError("The model has no hinge or slide joint to move.", str(path), "Choose a robot's model.")
    tip = int(model.jnt_bodyid[chain[-1]])
    tip = _deepest(model, tip)
    added = _complete(spec, model, chain, tip)
    joints = tuple(model.joint(j).name for j in chain)
    if not all(joints):
        raise DataError("The model's joints have no names.", str(path), "Give every joint a name.")
    ours = path
    if added:
        from studio import paths
        from studio.experiment import content_hash
        from studio.files import file_hash, write_text

        model = compile_spec(spec, str(path))
        ours = paths.cache_folder("models") / f"{path.stem}-{content_hash(file_hash(path))[:12]}.xml"
        write_text(ours, spec.to_xml())
    site = next(model.site(i).name for i in range(model.nsite) if model.site_bodyid[i] == tip and model.site(i).name)
    actuators = tuple(_actuator(model, model.joint(name).id) for name in joints)
    base = len(joints) == 3 and [int(model.jnt_type[model.joint(n).id]) for n in joints] == [2, 2, 3]
    slots = tuple(range(min(len(joints), 14)))
    ends = (28, 29, 30) if base else (16, 17, 18)
    return Embodiment(
        id=str(path),
        title=path.stem,
        summary=f"{len(joints)} joints, from {path.name}.",
        reference=str(path),
        model=ours,
        kind="base" if base else "arm",
        limbs=(Limb(site, joints, actuators, ends if base else slots, ends),),
        cameras=tuple(model.camera(i).name for i in range(model.ncam) if model.camera(i).name),
        home=model.key(0).name if model.nkey else "",
    )


def _chain(model: mujoco.MjModel) -> list[int]:
    """Hinges and slides on the way to the deepest body, at most fourteen; without the fingers of a hand."""
    movable = (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE)
    best: list[int] = []
    for leaf in range(1, model.nbody):
        chain: list[int] = []
        body = leaf
        while body:
            first, count = model.body_jntadr[body], model.body_jntnum[body]
            chain = [j for j in range(first, first + count) if int(model.jnt_type[j]) in movable] + chain
            body = int(model.body_parentid[body])
        if len(chain) > len(best):
            best = chain
    # a hand is where the chain forks into fingers, shorter than the arm that carries them
    forks = [i for i, joint in enumerate(best) if _siblings(model, int(model.jnt_bodyid[joint])) > 1]
    hand = next((i for i in forks if len(best) - i < i), len(best))
    return best[: min(hand, 14)]


def _siblings(model: mujoco.MjModel, body: int) -> int:
    """How many bodies with joints hang on this body's parent, itself included."""
    parent = int(model.body_parentid[body])
    return sum(model.body_parentid[b] == parent and model.body_jntnum[b] > 0 for b in range(1, model.nbody))


def _deepest(model: mujoco.MjModel, body: int) -> int:
    """Follows fixed bodies (flange, tool) to the end of the chain; a body with a site wins."""
    while True:
        children = [b for b in range(1, model.nbody) if model.body_parentid[b] == body and model.body_jntnum[b] == 0]
        if not children:
            return body
        sited = [b for b in children if np.any(model.site_bodyid == b)]
        body = (sited or children)[0]


def _complete(spec: mujoco.MjSpec, model: mujoco.MjModel, chain: list[int], tip: int) -> bool:
    """Adds what is missing to the spec: a site at the tip, servos, a front camera. Whether anything was."""
    added = False
    if not any(model.site_bodyid[i] == tip and model.site(i).name for i in range(model.nsite)):
        spec.body(model.body(tip).name).add_site(name="studio_tip", size=[0.005, 0, 0], pos=model.body_ipos[tip])
        added = True
    for joint in chain:
        if not _actuator(model, joint):
            inertia = float(np.sum(model.body_subtreemass[model.jnt_bodyid[joint]])) * 0.05 + 0.05
            stiffness = inertia * 400  # a servo of about 20 rad/s, critically damped
            servo = spec.add_actuator(name=f"studio_{model.joint(joint).name}", target=model.joint(joint).name)
            servo.trntype = mujoco.mjtTrn.mjTRN_JOINT
            servo.set_to_position(kp=stiffness, kv=2 * float(np.sqrt(stiffness * inertia)))
            added = True
    if not any(model.camera(i).name for i in range(model.ncam)):
        name, place, target, fov = FRONT
        backward = np.subtract(place, target) / np.linalg.norm(np.subtract(place, target))
        right = np.cross((0, 0, 1), backward)
        right /= np.linalg.norm(right)
        axes = np.stack([right, np.cross(backward, right), backward], 1)
        turn = np.empty(4)
        mujoco.mju_mat2Quat(turn, axes.ravel())
        spec.worldbody.add_camera(name=name, pos=place, quat=turn, fovy=fov)
        added = True
    return added


def _actuator(model: mujoco.MjModel, joint: int) -> str:
    for i in range(model.nu):
        if model.actuator_trntype[i] == mujoco.mjtTrn.mjTRN_JOINT and model.actuator_trnid[i, 0] == joint:
            return model.actuator(i).name
    return ""
