"""From an embodiment and a task to a compiled model, and the indices the simulator needs of it."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from studio.contracts import Embodiment, Limb, Task
from studio.errors import DataError
from studio.sim.contact_forces import add_contact_forces
from studio.sim.hidden_dynamics import apply_hidden_dynamics, read_hidden_dynamics
from studio.sim.robots.actuators import command_of, is_motor

DENSE_UP_TO = 60  # degrees of freedom; above, MuJoCo's "auto" is sparse
WRONG_SPARSE_SOLVER = 4000000  # the version of MuJoCo, as mj_version() gives it
MAX_DELAY = 0.05  # s; the ring buffer for actuator delay holds this much, or what the domain's terms ask for


@dataclass(frozen=True)
class LimbIndex:
    """Where one limb lies in the model's arrays."""

    site: int
    body: int
    qpos: np.ndarray
    dofs: np.ndarray
    ctrl: np.ndarray
    low: np.ndarray
    high: np.ndarray
    velocity_controlled: bool
    gripper: int  # actuator; −1: none


@dataclass(frozen=True)
class Scene:
    """A compiled model with its limbs' indices and resting pose."""

    model: mujoco.MjModel
    limbs: tuple[LimbIndex, ...]
    home_qpos: np.ndarray
    home_ctrl: np.ndarray
    home_mocap: tuple[np.ndarray, np.ndarray]  # places (bodies, 3), m, and turns (bodies, 4) of the mocap bodies
    added: tuple[str, ...]  # names of the bodies that the task added
    marks: slice  # where in the mocap bodies' arrays those of them are that are mocap bodies

    @property
    def moving_body(self) -> int:
        """Return the first body that moves by joints of its own; the world itself where there is none."""
        return int(np.argmax(self.model.body_dofnum > 0))


def load_spec(path: Path, where: str = "") -> mujoco.MjSpec:
    """Read MJCF or URDF. Raises DataError where the file is missing or is neither; ``where``: what it names instead
    of the file."""
    where = where or str(path)
    if not path.is_file():
        raise DataError("The model file does not exist.", where, "Check the path.")
    try:
        return mujoco.MjSpec.from_file(str(path))
    except (ValueError, RuntimeError, mujoco.FatalError) as error:
        raise DataError(
            f"The model does not compile: {plain_words(error)}.", where, "Fix the MJCF or URDF file."
        ) from None


def compile_spec(spec: mujoco.MjSpec, where: str) -> mujoco.MjModel:
    """Compiles; raises DataError with MuJoCo's own finding."""
    try:
        with warnings.catch_warnings():
            # Gymnasium's HalfCheetah says this at every load; what it does is still what it says
            warnings.filterwarnings("ignore", message=".*settotalmass.*")
            model = spec.compile()
    except (ValueError, RuntimeError, mujoco.FatalError) as error:
        raise DataError(
            f"The model does not compile: {plain_words(error)}.", where, "Fix the MJCF or URDF file."
        ) from None
    if needs_dense_jacobian(model):
        spec.option.jacobian = model.opt.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    return model


def needs_dense_jacobian(model: mujoco.MjModel) -> bool:
    """Whether MuJoCo would solve the model's constraints with its sparse solver, and its version does so wrongly: 4.0.0
    computes a wrong Cholesky factor, by the release notes of 4.0.1.
    """
    sparse = (
        model.nv > DENSE_UP_TO
        if model.opt.jacobian == mujoco.mjtJacobian.mjJAC_AUTO
        else (model.opt.jacobian == mujoco.mjtJacobian.mjJAC_SPARSE)
    )
    return sparse and mujoco.mj_version() == WRONG_SPARSE_SOLVER


def build(
    embodiment: Embodiment,
    task: Task | None = None,
    max_delay: float = MAX_DELAY,
    hidden_dynamics: Path | None = None,
    timestep: float | None = None,
) -> Scene:
    """Compiles the embodiment with the task's bodies in it.

    Args:
        max_delay: how far actuators' commands can be delayed, s; 0: not at all, and no past is kept.
        hidden_dynamics: a file with the hidden parameters of a robot that stands in for a real one.
        timestep: s; None: the model's own.
    """
    hidden = read_hidden_dynamics(hidden_dynamics) if hidden_dynamics is not None else None
    if hidden is not None:
        max_delay = max(max_delay, hidden.actuator_delay)
    spec = load_spec(embodiment.model, embodiment.id)
    own = {body.name for body in spec.bodies}
    if task is not None:
        task.build(spec, embodiment)
        if task.contact_forces:
            add_contact_forces(spec)
    if timestep is not None:
        spec.option.timestep = timestep
    if max_delay:
        samples = math.ceil(round(max_delay / spec.option.timestep, 6)) + 1
        for actuator in spec.actuators:
            actuator.nsample = samples
    model = compile_spec(spec, embodiment.id)
    limbs = tuple(_index(model, limb, embodiment) for limb in embodiment.limbs)
    if hidden is not None:
        apply_hidden_dynamics(model, hidden)
    key = model.keyframe(embodiment.home).id if embodiment.home and _has_key(model, embodiment.home) else -1
    if key >= 0:
        qpos, ctrl = model.key_qpos[key].copy(), model.key_ctrl[key].copy()
        mocap = model.key_mpos[key].reshape(-1, 3), model.key_mquat[key].reshape(-1, 4)
    else:
        qpos, ctrl = model.qpos0.copy(), np.zeros(model.nu)
        for limb in limbs:
            ctrl[limb.ctrl] = 0.0 if limb.velocity_controlled else qpos[limb.qpos]
        bodies = np.flatnonzero(model.body_mocapid >= 0)  # in the order of their mocap numbers
        mocap = model.body_pos[bodies], model.body_quat[bodies]
    added = tuple(model.body(i).name for i in range(model.nbody) if model.body(i).name not in own)
    return Scene(model, limbs, qpos, ctrl, mocap, added, _marks(model, added))


def command_history(model: mujoco.MjModel) -> np.ndarray:
    """Return the columns of ``MjData.history`` that hold each actuator's past commands, (nu, samples)."""
    columns = []
    if not model.nhistory:
        return np.zeros((model.nu, 0), int)
    for actuator in range(model.nu):
        data = mujoco.MjData(model)
        before = data.history.copy()
        mujoco.mj_initCtrlHistory(model, data, actuator, None, np.ones(model.actuator_history[actuator, 0]))
        columns.append(np.flatnonzero(data.history != before))
    return np.array(columns).reshape(model.nu, -1)


def _index(model: mujoco.MjModel, limb: Limb, embodiment: Embodiment) -> LimbIndex:
    try:
        joints = [model.joint(name) for name in limb.joints]
        actuators = [model.actuator(name) for name in limb.actuators]
        site = model.site(limb.site)
    except KeyError as error:
        raise DataError(
            f"The model of '{embodiment.id}' lacks a part: {plain_words(error)}.",
            embodiment.id,
            "Name the joints, actuators and sites as the embodiment does.",
        ) from None
    if len(actuators) != len(joints):
        raise DataError(
            f"The model of '{embodiment.id}' has {len(joints)} joints to move and {len(actuators)} actuators for them.",
            embodiment.id,
            "Name one actuator for each joint of a limb.",
        )
    ids = np.array([j.id for j in joints])
    commands = {command_of(model, actuator.id) for actuator in actuators}
    if "other" in commands or len(commands) > 1:
        motor = next((actuator.name for actuator in actuators if is_motor(model, actuator.id)), "")
        found = f"'{motor}' is a torque motor" if motor else "its actuators are not all position or all velocity servos"
        raise DataError(
            f"'{embodiment.id}' cannot be commanded to move: {found}.",
            embodiment.id,
            "Give each of its joints a <position> actuator.",
        )
    limited = model.jnt_limited[ids].astype(bool)
    ctrl = np.array([a.id for a in actuators])
    return LimbIndex(
        site=site.id,
        body=int(model.site_bodyid[site.id]),
        qpos=model.jnt_qposadr[ids],
        dofs=model.jnt_dofadr[ids],
        ctrl=ctrl,
        low=np.where(limited, model.jnt_range[ids, 0], -np.inf),
        high=np.where(limited, model.jnt_range[ids, 1], np.inf),
        velocity_controlled=commands == {"velocity"},
        gripper=mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_ACTUATOR, limb.gripper) if limb.gripper else -1,
    )


def _marks(model: mujoco.MjModel, added: tuple[str, ...]) -> slice:
    """Where the added mocap bodies are. They are children of the world and its last ones, so together."""
    found = [int(model.body_mocapid[model.body(name).id]) for name in added]
    own = [mocap for mocap in found if mocap >= 0]
    return slice(min(own), max(own) + 1) if own else slice(0, 0)


def _has_key(model: mujoco.MjModel, name: str) -> bool:
    return mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_KEY, name) >= 0


def plain_words(error: BaseException) -> str:
    """Return what MuJoCo found in a model, in one line and without its codes, as the end of a sentence."""
    text = " ".join(str(error).split())
    if broken := re.search(r"Line number=(\d+)", text):
        return f"the XML is broken at line {broken.group(1)}"
    text = re.sub(r"^((XML )?Error: )+", "", text)
    text = re.sub(r"^Error opening file", "there is no file", text)
    text = text.removesuffix("The static bodies of the spec were fused before this error, and remain so.").rstrip(" .")
    place = re.search(r" Element (?:name )?'([^']*)'(?:, id \d+)?(?:, line (\d+))?$", text)
    if place is None:
        return text
    name, line = place.groups()
    where = [part for part in (f"element '{name}'" if name else "", f"line {line}" if line else "") if part]
    return text[: place.start()].rstrip(" .,") + (f" ({', '.join(where)})" if where else "")
