"""Randomization: what a domain's terms draw for an episode, and how a draw reaches physics, camera and image."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import mujoco.batch
import numpy as np

from studio.experiment import RandomizationTerm

Array = np.ndarray

# What leaves the model as it is. Scale factors are 1; delay is in s; camera position in m (each axis); fov in degrees,
# where NaN stands for the model's own.
NOMINAL: dict[str, float] = {
    "friction": 1.0,
    "mass": 1.0,
    "damping": 1.0,
    "actuator_gain": 1.0,
    "actuator_delay": 0.0,
    "camera_position": 0.0,
    "camera_fov": float("nan"),
    "brightness": 1.0,
    "contrast": 1.0,
    "saturation": 1.0,
    "blur": 0.0,
    "sharpness": 1.0,
}
PHYSICS = ("friction", "mass", "damping", "actuator_gain", "actuator_delay")
IMAGE = ("brightness", "contrast", "saturation", "blur", "sharpness")
_SCALED = {"friction": "geom_friction", "mass": "body_mass", "damping": "dof_damping"}


def draw(terms: Sequence[RandomizationTerm], rng: np.random.Generator) -> dict[str, float | Array]:
    """One episode's values, nominal where no term speaks. A camera position is a vector (3,)."""
    values: dict[str, float | Array] = dict(NOMINAL)
    for term in terms:
        applied = rng.random() < term.probability
        shape = 3 if term.field == "camera_position" else None
        if term.distribution == "log_uniform":
            value = np.exp(rng.uniform(np.log(term.low), np.log(term.high), shape))
        else:
            value = rng.uniform(term.low, term.high, shape)
        if applied:
            values[term.field] = value
    return values


class PhysicsRandomizer:
    """Writes drawn values into a batch's per-simulation model fields, always starting from the nominal model."""

    def __init__(self, batch: mujoco.batch.Batch, model: mujoco.MjModel) -> None:
        self._batch = batch
        self._model = model
        self._touched: set[str] = set()

    def apply(self, ids: Array, values: dict[str, Array]) -> None:
        """Gives simulations ``ids`` the values (n,) of each physics field in ``values``."""
        for field in PHYSICS:
            scale = values.get(field)
            if scale is None or (field not in self._touched and np.all(scale == NOMINAL[field])):
                continue
            self._touched.add(field)
            self._write(field, ids, scale)
        if "mass" in self._touched:
            self._batch.set_const(ids)  # mass enters constants that mj_setConst derives

    def _write(self, field: str, ids: Array, value: Array) -> None:
        batch, model = self._batch, self._model
        if field in _SCALED:
            name = _SCALED[field]
            nominal = getattr(model, name)
            batch.expand(name)[ids] = nominal * value.reshape(-1, *[1] * nominal.ndim)
            if field == "mass":  # a heavier body of the same shape
                batch.expand("body_inertia")[ids] = model.body_inertia * value[:, None, None]
        elif field == "actuator_gain":  # the servo's stiffness: gain and position bias scale together
            batch.expand("actuator_gainprm")[ids] = model.actuator_gainprm * value[:, None, None]
            bias = np.repeat(model.actuator_biasprm[None], len(ids), 0)
            bias[:, :, 1] *= value[:, None]
            batch.expand("actuator_biasprm")[ids] = bias
        else:
            batch.expand("actuator_delay")[ids] = value[:, None]


def transform_images(images: Array, values: dict[str, Array]) -> Array:
    """Applies brightness, contrast, saturation, blur and sharpness, each image its own values.

    Args:
        images: (n, h, w, 3) uint8.
        values: field → (n,). Factors as torchvision's ``adjust_*``; blur is a Gaussian sigma in px.
    """
    if all(np.all(values[f] == NOMINAL[f]) for f in IMAGE if f in values):
        return images
    x = images.astype(np.float32)

    def factor(name: str) -> Array:
        return np.asarray(values.get(name, np.full(len(x), NOMINAL[name])), np.float32)[:, None, None, None]

    x = np.clip(x * factor("brightness"), 0, 255)
    gray = x @ np.array([0.2989, 0.587, 0.114], np.float32)
    mean = gray.mean((1, 2))[:, None, None, None]
    x = np.clip(mean + (x - mean) * factor("contrast"), 0, 255)
    gray = (x @ np.array([0.2989, 0.587, 0.114], np.float32))[..., None]
    x = np.clip(gray + (x - gray) * factor("saturation"), 0, 255)
    for i, sigma in enumerate(np.broadcast_to(values.get("blur", 0.0), len(x))):
        if sigma > 0:
            x[i] = _gaussian(x[i], float(sigma))
    sharp = factor("sharpness")
    if np.any(sharp != 1):
        smooth = np.stack([_convolve(_convolve(i, [0.25, 0.5, 0.25], 0), [0.25, 0.5, 0.25], 1) for i in x])
        x = np.clip(smooth + (x - smooth) * sharp, 0, 255)
    return x.astype(np.uint8)


def _gaussian(image: Array, sigma: float) -> Array:
    offsets = np.arange(-2, 3)  # the document's kernel of 5
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    return _convolve(_convolve(image, list(kernel), 0), list(kernel), 1)


def _convolve(image: Array, kernel: list[float], axis: int) -> Array:
    half = len(kernel) // 2
    pad = [(half, half) if a == axis else (0, 0) for a in range(image.ndim)]
    padded = np.pad(image, pad, mode="edge")
    size = image.shape[axis]
    parts = [w * np.take(padded, range(k, k + size), axis) for k, w in enumerate(kernel)]
    return np.asarray(sum(parts), image.dtype)
