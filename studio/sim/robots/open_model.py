"""Any MJCF or URDF file as an embodiment: its longest chain of hinges and slides, and what moves at the chain's end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mujoco
import numpy as np

from studio.contracts import Embodiment, Limb
from studio.errors import DataError
from studio.experiment import content_hash
from studio.files import file_hash
from studio.sim.robots.actuators import actuators_of, command_of
from studio.sim.robots.chain import chain_of, deepest_fixed
from studio.sim.robots.defaults import forget_defaults
from studio.sim.robots.files import Stamp, assets_of, files_of, read_model, stamp_of, write_copy
from studio.sim.robots.home import find_home
from studio.sim.robots.mocap_welds import release_from_mocap
from studio.sim.robots.names import check_names, name_parts
from studio.sim.robots.servos import add_servos
from studio.sim.robots.surroundings import add_camera, add_floor, add_light, add_rods, exclude_floor_contacts
from studio.sim.robots.tip import add_tip
from studio.sim.robots.urdf import is_urdf, prepare_urdf
from studio.sim.scene import compile_spec

DENSE = (
    "The constraint Jacobian is dense: the sparse solver of this version of MuJoCo is wrong above 60 degrees of "
    "freedom, and the model has {}."
)
HINGE, SLIDE = int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)
BASE_SLOTS = (28, 29, 30)  # in the unified action space: x, y and yaw of a driving base
KEPT = 32  # models that stay open in a process


@dataclass(frozen=True)
class _Opened:
    embodiment: Embodiment
    files: tuple[Path, ...]
    stamp: Stamp


_OPENED: dict[tuple[str, Path], _Opened] = {}  # by the path as it was given, and what it meant


def open_model(path: Path) -> Embodiment:
    """Describe the model in a file.

    The limb is the chain from the root to the deepest body. What the model lacks to be used as a robot (servos, names,
    a home pose, light, a floor, a camera) is written to a copy in the studio's cache, never into the file itself;
    ``changes`` says what. The file is read again when it, or any file that it depends on, has changed.

    Raises:
        DataError: the file is missing, does not compile, or has no joint that could be moved.
    """
    key = str(path), path.absolute()
    known = _OPENED.get(key)
    if known is None or known.stamp != stamp_of(known.files) or not known.embodiment.model.is_file():
        known = _open(path)
        if len(_OPENED) >= KEPT:
            _OPENED.pop(next(iter(_OPENED)), None)
        _OPENED[key] = known
    return known.embodiment


def _open(path: Path) -> _Opened:
    spec = read_model(path)
    check_names(spec, path)
    redefined = forget_defaults(spec)
    changes = prepare_urdf(spec) if is_urdf(path) else []
    asked = spec.option.jacobian
    model = compile_spec(spec, str(path))
    if model.opt.jacobian != asked:
        changes.append(DENSE.format(model.nv))
    assets = assets_of(spec, model, path)
    files = files_of(path, assets)
    chain = chain_of(model)
    if not chain:
        raise DataError("The model has no hinge or slide joint to move.", str(path), "Choose a robot's model.")
    if named := name_parts(spec):
        changes += named
        model = compile_spec(spec, str(path))
    tip = deepest_fixed(model, int(model.jnt_bodyid[chain[-1]]))
    changes += [*release_from_mocap(spec, model, chain), *add_servos(spec, model, chain), *add_tip(spec, model, tip)]
    changes += add_rods(spec, model)
    floor = add_floor(spec, model)
    if changes or floor:
        model = compile_spec(spec, str(path))
    limb = _limb(model, chain, tip)
    kind: Literal["base", "arm"] = "base" if limb.end_effector_slots == BASE_SLOTS else "arm"
    home, pose = _home(spec), model.qpos0
    if not home and kind == "arm" and (found := find_home(model, chain, model.site(limb.site).id)) is not None:
        pose = found
        home = _add_home(spec, model, limb, pose)
        changes.append(_home_sentence(model, limb, pose))
    elif home:
        pose = model.key(home).qpos
    if floor:
        exclude_floor_contacts(spec, model, floor, pose, chain)
        changes.append("A floor at height 0 was added: the model has none. The robot's own links pass through it.")
    changes += [*add_light(spec), *add_camera(spec, model, pose)]
    contents = content_hash([file_hash(file) for file in files])
    embodiment = Embodiment(
        id=str(path),
        title=path.stem,
        summary=f"{len(limb.joints)} joints, from {path.name}.",
        reference=str(path),
        model=write_copy(spec, path, assets) if changes or redefined else path,
        kind=kind,
        limbs=(limb,),
        cameras=tuple(camera.name for camera in spec.cameras if camera.name),
        home=home,
        changes=tuple(changes),
        contents=contents,
    )
    return _Opened(embodiment, files, stamp_of(files))


def _limb(model: mujoco.MjModel, chain: list[int], tip: int) -> Limb:
    """Return the chain as a limb, in the slots of a driving base where it is one, else of an arm."""
    site = next(model.site(i).name for i in range(model.nsite) if model.site_bodyid[i] == tip)
    joints = tuple(model.joint(j).name for j in chain)
    actuators = tuple(model.actuator(actuators_of(model, j)[0]).name for j in chain)
    if [int(model.jnt_type[j]) for j in chain] == [SLIDE, SLIDE, HINGE]:
        return Limb(site, joints, actuators, BASE_SLOTS, BASE_SLOTS)
    return Limb(site, joints, actuators, tuple(range(len(joints))), (16, 17, 18))


def _home(spec: mujoco.MjSpec) -> str:
    """Return the name of the keyframe to rest in: ``home``, or the first one; empty where there is none."""
    names = [key.name for key in spec.keys]
    return "home" if "home" in names else next(iter(names), "")


def _add_home(spec: mujoco.MjSpec, model: mujoco.MjModel, limb: Limb, pose: np.ndarray) -> str:
    """Add a keyframe of a pose, (nq,), that the limb's servos hold. Return its name."""
    ctrl = np.zeros(model.nu)
    for name, joint in zip(limb.actuators, limb.joints, strict=True):
        actuator = model.actuator(name).id
        if command_of(model, actuator) == "position":
            ctrl[actuator] = pose[model.joint(joint).qposadr[0]]
    spec.add_key(name="home", qpos=pose, ctrl=ctrl)
    return "home"


def _home_sentence(model: mujoco.MjModel, limb: Limb, pose: np.ndarray) -> str:
    data = mujoco.MjData(model)
    data.qpos[:] = pose
    mujoco.mj_kinematics(model, data)
    x, y, z = data.site(limb.site).xpos
    return f"A resting pose 'home' was found, with the end of the arm at ({x:.2f}, {y:.2f}, {z:.2f}) m."
