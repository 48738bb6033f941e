"""Randomization: what a domain's terms draw for an episode, and how a draw reaches the physics.

Values are kept by the term's key: its field, or ``field:parts`` where it speaks of some parts of the model only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import mujoco
import mujoco.batch
import numpy as np

from studio.contracts import NAMESPACE, Problem
from studio.experiment import PARTED, RandomizationTerm
from studio.rng import EpisodeRng

Array = np.ndarray

# What leaves the model as it is. Scale factors are 1; delay is in s; sensor noise in the sensor's own units; camera and
# light position in m (each axis); fov in degrees, where NaN stands for the model's own; color is a factor for each of
# red, green and blue.
NOMINAL: dict[str, float] = {
    "friction": 1.0,
    "mass": 1.0,
    "damping": 1.0,
    "armature": 1.0,
    "gravity": 1.0,
    "actuator_gain": 1.0,
    "actuator_delay": 0.0,
    "sensor_noise": 0.0,
    "camera_position": 0.0,
    "camera_fov": float("nan"),
    "light_position": 0.0,
    "light_intensity": 1.0,
    "color": 1.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "saturation": 1.0,
    "blur": 0.0,
    "sharpness": 1.0,
}
PHYSICS = ("friction", "mass", "damping", "armature", "gravity", "actuator_gain", "actuator_delay")
CAMERA = ("camera_position", "camera_fov", "light_position", "light_intensity", "color")
IMAGE = ("brightness", "contrast", "saturation", "blur", "sharpness")
VECTORS = ("camera_position", "light_position", "color")  # three numbers each
DERIVED_FROM = ("mass", "armature", "gravity")  # MuJoCo derives constants from these

# what a field's parts are
KINDS = {
    "friction": "geoms",
    "mass": "bodies",
    "damping": "joints",
    "armature": "joints",
    "actuator_gain": "actuators",
}

_SCALED = {"friction": "geom_friction", "mass": "body_mass", "damping": "dof_damping", "armature": "dof_armature"}
_TABLE = 4096  # points of a truncated normal's distribution function


def base_field(key: str) -> str:
    """The field of a key."""
    return key.partition(":")[0]


def nominal(key: str, count: int) -> Array:
    """Nominal values for ``count`` simulations, (count,) or (count, 3)."""
    field = base_field(key)
    return np.full((count, 3) if field in VECTORS else count, NOMINAL[field])


def is_nominal(key: str, values: Array) -> bool:
    """Whether all values leave the model as it is."""
    rest = NOMINAL[base_field(key)]
    return bool(np.all(np.isnan(values) if math.isnan(rest) else values == rest))


def nominal_value(key: str, model: mujoco.MjModel, camera: str = "") -> float:
    """The value that leaves the model as it is, as a number: the camera's own angle for its field of view."""
    value = NOMINAL[base_field(key)]
    if not math.isnan(value):
        return value
    index = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
    return float(model.cam_fovy[index]) if index >= 0 else float(model.vis.global_.fovy)


def draw(terms: Sequence[RandomizationTerm], rng: EpisodeRng) -> dict[str, Array]:
    """Each episode's values of each term, (n,) or (n, 3), by key; nominal where a term's probability skips it."""
    values: dict[str, Array] = {}
    for term in terms:
        shape = (3,) if term.field in VECTORS else ()
        applied = rng.uniform() < term.probability if term.probability < 1 else None
        value = _sample(term, rng.uniform(shape=shape))
        if applied is not None:
            rest = values.get(term.key, nominal(term.key, len(rng)))  # of two terms of a field the later one wins
            value = np.where(applied[:, None] if shape else applied, value, rest)
        values[term.key] = value
    return values


def _sample(term: RandomizationTerm, unit: Array) -> Array:
    """The term's quantiles at ``unit`` in [0, 1)."""
    if term.distribution == "log_uniform":
        return np.asarray(np.exp(math.log(term.low) + unit * (math.log(term.high) - math.log(term.low))))
    if term.distribution == "normal" and term.high > term.low:
        return np.interp(unit, *_normal_table(term.low, term.high, term.spread))
    return np.asarray(term.low + unit * (term.high - term.low))


@functools.lru_cache(maxsize=256)
def _normal_table(low: float, high: float, std: float) -> tuple[Array, Array]:
    """Distribution function and values of a normal around the middle, cut off at the ends."""
    middle = (low + high) / 2
    # beyond eight deviations nothing is ever drawn, and a narrow peak wants the table's points
    values = np.linspace(max(low, middle - 8 * std), min(high, middle + 8 * std), _TABLE)
    z = (values - middle) / (std * math.sqrt(2))
    below = np.array([math.erf(x) for x in z])
    return (below - below[0]) / (below[-1] - below[0]), values


class PhysicsRandomizer:
    """Writes drawn values into a batch's per-simulation model fields, always starting from the nominal model."""

    def __init__(self, batch: mujoco.batch.Batch, model: mujoco.MjModel) -> None:
        self._batch = batch
        self._model = model
        self._touched: set[str] = set()
        self._masks: dict[str, Array] = {}
        self._parts = {field: len(parts_of(model, field)) for field in PARTED}

    def apply(self, ids: Array, values: Mapping[str, Array]) -> None:
        """Give simulations ``ids`` the values (n,) of each physics key in ``values``; other fields stay as they are.

        All keys of a field must be given at once: their factors are multiplied.
        """
        derive = False
        for field in PHYSICS:
            keys = [key for key in values if base_field(key) == field]
            if not keys or (field not in self._touched and all(np.all(values[k] == NOMINAL[field]) for k in keys)):
                continue
            self._touched.add(field)
            self._write(field, ids, keys, values)
            derive |= field in DERIVED_FROM
        if derive:
            self._batch.set_const(ids)

    def _write(self, field: str, ids: Array, keys: list[str], values: Mapping[str, Array]) -> None:
        batch, model = self._batch, self._model
        if field == "gravity":
            batch.expand("opt.gravity")[ids] = model.opt.gravity * values["gravity"][:, None]
        elif field == "actuator_delay":
            batch.expand("actuator_delay")[ids] = values["actuator_delay"][:, None]
        else:
            scale = self._scale(field, keys, values)  # (n, parts)
            if field == "actuator_gain":  # the servo's stiffness: gain and position bias scale together
                batch.expand("actuator_gainprm")[ids] = model.actuator_gainprm * scale[..., None]
                bias = np.repeat(model.actuator_biasprm[None], len(scale), 0)
                bias[:, :, 1] *= scale
                batch.expand("actuator_biasprm")[ids] = bias
                return
            name = _SCALED[field]
            whole = getattr(model, name)
            batch.expand(name)[ids] = whole * scale.reshape(*scale.shape, *[1] * (whole.ndim - 1))
            if field == "friction" and model.npair:  # as between two geoms, the larger factor counts
                pair = np.maximum(scale[:, model.pair_geom1], scale[:, model.pair_geom2])
                batch.expand("pair_friction")[ids] = model.pair_friction * pair[..., None]
            if field == "mass":  # a heavier body of the same shape
                batch.expand("body_inertia")[ids] = model.body_inertia * scale[..., None]

    def _scale(self, field: str, keys: list[str], values: Mapping[str, Array]) -> Array:
        """The factor of each part of the model in each simulation, (n, parts)."""
        if keys == [field]:
            return np.repeat(values[field][:, None], self._parts[field], 1)
        scale = np.ones((len(values[keys[0]]), self._parts[field]))
        for key in keys:
            if key not in self._masks:
                self._masks[key] = mask_of(self._model, key)
            scale[:, self._masks[key]] *= values[key][:, None]
        return scale


def parts_of(model: mujoco.MjModel, field: str) -> list[str]:
    """Return the parts that a field has a value for: geoms, bodies, the joints of degrees of freedom, actuators.

    A geom without a name goes by its body's, an actuator by its joint's.
    """
    if field == "friction":
        return [model.geom(i).name or model.body(model.geom_bodyid[i]).name for i in range(model.ngeom)]
    if field == "mass":
        return [model.body(i).name for i in range(model.nbody)]
    if field in ("damping", "armature"):
        return [model.joint(j).name for j in model.dof_jntid]
    return [model.actuator(i).name or _driven(model, i) for i in range(model.nu)]


def _driven(model: mujoco.MjModel, actuator: int) -> str:
    """Name of the joint that an actuator without a name drives."""
    joints = (mujoco.mjtTrn.mjTRN_JOINT.value, mujoco.mjtTrn.mjTRN_JOINTINPARENT.value)
    if int(model.actuator_trntype[actuator]) not in joints:
        return ""
    name: str = model.joint(model.actuator_trnid[actuator, 0]).name
    return name


def mask_of(model: mujoco.MjModel, key: str) -> Array:
    """(parts,) bool: what of the model a key means. A task's own parts go by their plain names too."""
    field, _, pattern = key.partition(":")
    patterns = [p.strip() for p in (pattern or "*").split(",")]
    names = [{name, name.removeprefix(NAMESPACE)} for name in parts_of(model, field)]
    return np.array([any(fnmatchcase(name, p) for p in patterns for name in both) for both in names], bool)


def check_terms(terms: Iterable[RandomizationTerm], model: mujoco.MjModel) -> list[Problem]:
    """What is wrong with a domain's terms for a model, each problem at the term's own field."""
    problems = []
    for index, term in enumerate(terms):
        at = f"randomization.{index}"
        if term.low == term.high == NOMINAL[term.field]:
            problems.append(
                Problem(
                    f"{at}.high",
                    f"{term.field}: the range from {term.low:g} to {term.high:g} is empty and changes nothing.",
                    "Widen the range, or remove the term.",
                )
            )
            continue
        if term.field not in PARTED:
            if term.field == "actuator_delay" and not model.nu:
                problems.append(
                    Problem(f"{at}.field", f"{term.field}: the model has no actuators.", "Remove the term.")
                )
            continue
        mask = mask_of(model, term.key)
        if not mask.any():
            names = list(dict.fromkeys(n for n in parts_of(model, term.field) if n and n != "world"))
            known = ", ".join(names[:12]) + (" and others" if len(names) > 12 else "")
            if term.parts and known:
                words, remedy = f"{term.field}: nothing is named '{term.parts}'.", f"The model has: {known}."
            else:
                words, remedy = f"{term.field}: the model has no {KINDS[term.field]}.", "Remove the term."
            problems.append(Problem(f"{at}.parts", words, remedy))
        elif term.field in _SCALED and not np.any(getattr(model, _SCALED[term.field])[mask]):
            problems.append(
                Problem(
                    f"{at}.field",
                    f"{term.field}: the model has none there, so a factor changes nothing.",
                    "Remove the term, choose other parts, or give the model's parts a value.",
                )
            )
    return problems
