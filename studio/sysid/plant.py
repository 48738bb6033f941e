"""The plant: a domain's model, which replays the commands of trajectories for many parameter values at once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace

import mujoco
import mujoco.batch
import numpy as np

from studio.contracts import ResolvedDomain
from studio.cores import cores
from studio.errors import DataError
from studio.sim.randomization.fields import NOMINAL, PhysicsRandomizer
from studio.sim.scene import Scene, build, command_history
from studio.sysid.trajectories import Trajectories

Array = np.ndarray
AT_ONCE = 1024  # simulations in one batch
_DIVERGED = [
    int(w)
    for w in (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
]
Tick = Callable[[float], None]  # called with the progress, 0 to 1; it may raise to stop


class Plant:
    """A compiled model with its batch of simulations. Not thread-safe."""

    def __init__(self, scene: Scene, kind: str = "arm", threads: int = 0) -> None:
        self.model, self.home_qpos, self.home_ctrl = scene.model, scene.home_qpos, scene.home_ctrl
        self.kind = kind  # the embodiment's: an arm, a mobile base, or a motor-controlled body
        self._threads = threads or cores()
        self._history = command_history(scene.model)
        self._batch: mujoco.batch.Batch | None = None
        self._physics: PhysicsRandomizer | None = None

    @staticmethod
    def of(domain: ResolvedDomain, threads: int = 0, timestep: float | None = None) -> Plant:
        """Return the plant of the domain's embodiment and its task's bodies; ``timestep`` in s, None: the model's."""
        hidden = domain.domain.hidden_dynamics
        scene = build(domain.embodiment, domain.new_task(), hidden_dynamics=hidden, timestep=timestep)
        return Plant(scene, domain.embodiment.kind, threads)

    def replay(
        self, trajectories: Trajectories, values: Mapping[str, Array], tick: Tick | None = None
    ) -> tuple[Array, Array]:
        """Simulate the trajectories under other values of the parameters.

        Args:
            values: field → (draws,); a field that is left out is nominal.

        Returns:
            qpos (draws, n, T + 1, nq) and qvel (draws, n, T + 1, nv), NaN where a simulation diverged.

        Raises:
            DataError: the time between commands is not a multiple of the model's time step.
        """
        own = self.model.opt.timestep
        if trajectories.timestep(own) != own:
            raise DataError(
                f"Steps of {trajectories.dt:g} s in {trajectories.ramp} parts are no multiple of the model's {own:g}.",
                trajectories.source,
                "Replay them on a plant that is made for them (plant_for).",
            )
        draws = len(next(iter(values.values()))) if values else 1
        n, steps = len(trajectories), trajectories.steps
        qpos = np.empty((draws, n, steps + 1, self.model.nq))
        qvel = np.empty((draws, n, steps + 1, self.model.nv))
        chunk = max(1, AT_ONCE // n)
        for first in range(0, draws, chunk):
            rows = slice(first, min(first + chunk, draws))
            part = {name: np.repeat(v[rows], n) for name, v in values.items()}

            def report(share: float, first: int = first, rows: slice = rows) -> None:
                if tick is not None:
                    tick((first + share * (rows.stop - first)) / draws)

            states = self._run(trajectories, part, (rows.stop - first) * n, report)
            qpos[rows] = states[0].reshape(-1, n, steps + 1, self.model.nq)
            qvel[rows] = states[1].reshape(-1, n, steps + 1, self.model.nv)
        return qpos, qvel

    def simulated(
        self, trajectories: Trajectories, values: Mapping[str, float], tick: Tick | None = None
    ) -> Trajectories:
        """Return the trajectories as simulated under one set of values, without noise."""
        qpos, qvel = self.replay(trajectories, {name: np.array([value]) for name, value in values.items()}, tick)
        made = trajectories.with_measured(qpos[0], qvel[0])
        return replace(made, position_noise=0.0, velocity_noise=0.0)

    def with_smooth_delay(self) -> Plant:
        """Return an approximate plant whose delay is continuous, by interpolation between time steps."""
        smooth = copy.copy(self)
        smooth.model = copy.copy(self.model)
        smooth.model.actuator_history[:, 1] = 1
        smooth._batch = smooth._physics = None
        return smooth

    def coordinate_names(self) -> tuple[str, ...]:
        """Return a name for each column of qpos: its joint's, numbered where a joint has several."""
        names = [""] * self.model.nq
        ends = [*self.model.jnt_qposadr[1:], self.model.nq]
        for joint, end in zip(range(self.model.njnt), ends, strict=True):
            first = self.model.jnt_qposadr[joint]
            name = self.model.joint(joint).name or f"joint {joint}"
            for place in range(first, end):
                names[place] = name if end - first == 1 else f"{name} {place - first + 1}"
        return tuple(names)

    def _run(self, trajectories: Trajectories, values: dict[str, Array], sims: int, tick: Tick) -> tuple[Array, Array]:
        """Return qpos and qvel, (sims, T + 1, ·) each; simulation ``d · n + i`` runs recording i under draw d."""
        batch, ids = self._sized(sims), np.arange(sims)
        repeats = sims // len(trajectories)

        def tiled(array: Array) -> Array:
            return np.tile(array, (repeats,) + (1,) * (array.ndim - 1))

        start, before = trajectories.start, tiled(trajectories.command_before)
        commands = tiled(trajectories.commands)
        batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
        qpos, qvel, ctrl = batch.bind("qpos"), batch.bind("qvel"), batch.bind("ctrl")
        qpos[ids], qvel[ids], ctrl[ids] = tiled(start[0]), tiled(start[1]), before
        if self._history.size:  # MuJoCo resets the command history to zero
            batch.bind("history")[ids[:, None, None], self._history] = before[:, :, None]
        assert self._physics is not None
        nominal = {name: np.full(sims, NOMINAL[name]) for name in self._touched}
        self._touched |= set(values)
        self._physics.apply(ids, nominal | values)
        warned = batch.warning[ids][:, _DIVERGED, 1].copy()
        ramp = trajectories.ramp
        substeps = max(1, round(trajectories.dt / (self.model.opt.timestep * ramp)))
        out = (
            np.empty((sims, trajectories.steps + 1, self.model.nq)),
            np.empty((sims, trajectories.steps + 1, self.model.nv)),
        )
        out[0][:, 0], out[1][:, 0] = qpos[ids], qvel[ids]
        for step in range(trajectories.steps):
            goal = commands[:, step]
            for part in range(1, ramp + 1):
                ctrl[ids] = before + (goal - before) * (part / ramp)
                batch.step(ids, nstep=substeps)
            before = goal
            out[0][:, step + 1], out[1][:, step + 1] = qpos[ids], qvel[ids]
            tick((step + 1) / trajectories.steps)
        diverged = np.any(batch.warning[ids][:, _DIVERGED, 1] > warned, axis=1)
        out[0][diverged], out[1][diverged] = np.nan, np.nan
        return out

    def _sized(self, sims: int) -> mujoco.batch.Batch:
        if self._batch is None or len(self._batch.state) < sims:
            self._batch = mujoco.batch.Batch(self.model, sims, self._threads)
            self._physics = PhysicsRandomizer(self._batch, self.model)
            self._touched: set[str] = set()
        return self._batch
