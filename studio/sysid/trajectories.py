"""Trajectories: commands to one robot, and its measured states."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import Any

import mujoco
import numpy as np

from studio.errors import DataError

Array = np.ndarray
SENSOR_NOISE = (5e-4, 1e-2)  # rad or m, and rad/s or m/s: a joint's encoder and its derivative
LEAST_STEPS = 10  # fewer carry too little information on a body's dynamics
_EQUAL = 1e-6  # share by which two times may differ and still be the same


@dataclass(frozen=True)
class Trajectories:
    """``n`` recordings of ``T`` steps of ``dt`` seconds.

    Args:
        commands: (n, T, nu), the actuators' commands, in the model's own units.
        qpos: (n, T + 1, nq), rad or m, measured; the first is before the first command.
        qvel: (n, T + 1, nv), rad/s or m/s, measured; NaN all over where velocities were not measured.
        dt: s.
        initial_qpos, initial_qvel: (n, nq) and (n, nv), the exact initial state; None: the first measured state.
        before: (n, nu), the command before the recording; None: the first command.
        ramp: the number of equal parts in which a step's command is reached, as in a World; 1: at once.
        position_noise, velocity_noise: standard deviation of the sensors; 0: unknown, ``SENSOR_NOISE`` is assumed.
    """

    commands: Array
    qpos: Array
    qvel: Array
    dt: float
    initial_qpos: Array | None = None
    initial_qvel: Array | None = None
    before: Array | None = None
    ramp: int = 1
    position_noise: float = 0.0
    velocity_noise: float = 0.0
    source: str = field(default="trajectories", compare=False)

    def __len__(self) -> int:
        return len(self.commands)

    @property
    def steps(self) -> int:
        """Return the number of steps in each recording."""
        return int(self.commands.shape[1])

    @property
    def has_velocities(self) -> bool:
        """Return whether velocities were measured."""
        return not bool(np.isnan(self.qvel).all())

    @property
    def noise(self) -> tuple[float, float]:
        """Return the standard deviations of measured positions and velocities."""
        return self.position_noise or SENSOR_NOISE[0], self.velocity_noise or SENSOR_NOISE[1]

    @property
    def start(self) -> tuple[Array, Array]:
        """Return the initial qpos (n, nq) and qvel (n, nv); velocities that were not measured start at 0."""
        qpos = self.qpos[:, 0] if self.initial_qpos is None else self.initial_qpos
        qvel = np.nan_to_num(self.qvel[:, 0]) if self.initial_qvel is None else self.initial_qvel
        return qpos, qvel

    @property
    def command_before(self) -> Array:
        """Return the command before the recording, (n, nu)."""
        return self.commands[:, 0] if self.before is None else self.before

    def with_measured(self, qpos: Array, qvel: Array) -> Trajectories:
        """Return the same commands and initial states with other measurements."""
        start = self.start
        return replace(self, qpos=qpos, qvel=qvel, initial_qpos=start[0], initial_qvel=start[1])

    def take(self, rows: Array | slice) -> Trajectories:
        """Return some of the recordings."""
        some: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in ("commands", "qpos", "qvel", "initial_qpos", "initial_qvel", "before")
        }
        return replace(self, **some)

    def joined(self, other: Trajectories) -> Trajectories:
        """Return these recordings followed by others of the same length and time step."""

        def both(one: Array, two: Array) -> Array:
            return np.concatenate([one, two])

        return replace(
            self,
            commands=both(self.commands, other.commands),
            qpos=both(self.qpos, other.qpos),
            qvel=both(self.qvel, other.qvel),
            initial_qpos=both(self.start[0], other.start[0]),
            initial_qvel=both(self.start[1], other.start[1]),
            before=both(self.command_before, other.command_before),
        )

    def until(self, steps: int) -> Trajectories:
        """Return the first ``steps`` steps of each recording."""
        return replace(
            self,
            commands=self.commands[:, :steps],
            qpos=self.qpos[:, : steps + 1],
            qvel=self.qvel[:, : steps + 1],
        )

    def timestep(self, longest: float) -> float:
        """Return the longest time step, s, up to ``longest``, that divides the time between commands evenly."""
        between = self.dt / self.ramp
        if abs(round(between / longest) * longest - between) <= _EQUAL * between:
            return longest
        return between / math.ceil(between / longest)

    def fitted(self, model: mujoco.MjModel) -> Trajectories:
        """Return the recordings, checked against the model; unmeasured velocities get its width. Raises DataError."""
        if self.qvel.ndim == 3 and not self.has_velocities and self.qvel.shape[2] != model.nv:
            shape = (*self.qvel.shape[:2], model.nv)
            fitted = replace(self, qvel=np.full(shape, np.nan))
        else:
            fitted = self
        fitted.check(model)
        return fitted

    def fingerprint(self) -> str:
        """Return a hash of all but the measurements: commands, initial states, and the sensors' noise."""
        digest = hashlib.sha256(f"{self.dt!r} {self.ramp} {self.noise} {self.has_velocities}".encode())
        for part in (self.commands, *self.start, self.command_before):
            digest.update(np.ascontiguousarray(part, float).tobytes())
        return digest.hexdigest()

    def check(self, model: mujoco.MjModel) -> None:
        """Raise DataError where the recordings do not fit the model, are too short, or hold NaN or infinity."""
        where = self.source
        for name in ("dt", "position_noise", "velocity_noise"):
            number = getattr(self, name)
            if not math.isfinite(number) or number < 0:
                raise DataError(f"'{name}' is {number:g}.", where, "Give a number that is not negative.")
        if self.ramp < 1:
            raise DataError(f"'ramp' is {self.ramp}.", where, "Give 1 or more parts; 1 reaches a command at once.")
        for name, wanted, axis in (("commands", model.nu, "actuators"), ("qpos", model.nq, "coordinates"),
                                   ("qvel", model.nv, "degrees of freedom")):  # fmt: skip
            value = getattr(self, name)
            if value.ndim != 3:
                raise DataError(f"'{name}' has {value.ndim} dimensions, not 3.", where, "Give (n, time, width).")
            if value.shape[2] != wanted:
                raise DataError(
                    f"'{name}' is {value.shape[2]} wide; the model has {wanted} {axis}.",
                    where,
                    "Choose the domain that the data was recorded on.",
                )
        n, steps = self.commands.shape[:2]
        if n == 0 or steps < LEAST_STEPS:
            raise DataError(
                f"The trajectories are too short: {n} of {steps} steps; at least one of {LEAST_STEPS} is needed.",
                where,
                "Record for longer.",
            )
        for name in ("qpos", "qvel"):
            if getattr(self, name).shape[:2] != (n, steps + 1):
                raise DataError(
                    f"'{name}' is {getattr(self, name).shape[:2]} long; {n} recordings of {steps} steps need "
                    f"{(n, steps + 1)}.",
                    where,
                    "Measure once before the first command and once after each.",
                )
        if self.dt < model.opt.timestep * self.ramp * (1 - _EQUAL):
            raise DataError(
                f"A step of {self.dt:g} s is shorter than the model's {model.opt.timestep * self.ramp:g} s.",
                where,
                "Give the time between two commands in seconds.",
            )
        widths = {"initial_qpos": model.nq, "initial_qvel": model.nv, "before": model.nu}
        given = {name: getattr(self, name) for name in widths if getattr(self, name) is not None}
        for name, value in given.items():
            if value.shape != (n, widths[name]):
                raise DataError(
                    f"'{name}' has the shape {value.shape}; {n} recordings on this model need {(n, widths[name])}.",
                    where,
                    "Give one row for each recording, or leave it out.",
                )
        given |= {"commands": self.commands, "qpos": self.qpos} | ({"qvel": self.qvel} if self.has_velocities else {})
        for name, value in given.items():
            broken = ~np.isfinite(value).reshape(n, -1).all(1)
            if broken.any():
                bad = int(np.argmax(broken))
                raise DataError(f"'{name}' holds NaN or infinity, first in recording {bad}.", where, "Remove it.")
