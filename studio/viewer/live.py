"""A simulation to look at: shown, stepped back, pushed, posed and driven by hand. Single-threaded.

Subclasses make the control steps and say what they keep beside the simulation.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mujoco
import mujoco.batch
import numpy as np

from studio.sim.state import StateOwner
from studio.sim.tasks.marks import slid, sliding_marks
from studio.viewer.base_player import BasePlayer
from studio.viewer.history import History, Keeper, Snapshot

Array = np.ndarray
HISTORY_SECONDS = 20.0
STATE = mujoco.mjtState.mjSTATE_INTEGRATION.value


class LiveSimulation(BasePlayer):
    """The only simulation of ``batch``.

    Args:
        control_hz: control steps a second.
        parts: into how many parts a control step is split for showing.
        owners, fields: what else a snapshot must hold, see :class:`studio.viewer.history.Keeper`.
    """

    def __init__(
        self,
        batch: mujoco.batch.Batch,
        control_hz: float,
        parts: int,
        owners: Sequence[StateOwner] = (),
        fields: Mapping[str, Array] | None = None,
    ) -> None:
        super().__init__(copy.copy(batch.model))  # it takes this simulation's randomized values
        self.batch, self.control_hz, self.parts = batch, control_hz, parts
        self.perturb: mujoco.MjvPerturb = mujoco.MjvPerturb()
        self.sliding_marks = sliding_marks(self.model)
        self.history = History(round(HISTORY_SECONDS * control_hz))
        self._keeper = Keeper(batch, owners, fields)
        self._qpos, self._qvel, self._ctrl = batch.bind("qpos"), batch.bind("qvel"), batch.bind("ctrl")
        self._forces = batch.bind("xfrc_applied")
        self._mocap = batch.bind("mocap_pos"), batch.bind("mocap_quat")
        self._part = 1 / (control_hz * parts)  # s
        self._remainder = 0.0  # s of simulated time that did not fill a part yet
        self._pushed = False  # a force of the mouse may be set
        self._step_parts: Iterator[Any] = iter(())  # of the present control step
        self._part_index = 0  # parts of the present control step that are done

    # -- for the subclass ----------------------------------------------------------------------------------------

    def _control_step(self) -> Iterator[Any]:
        """Simulate one control step in ``parts`` parts."""
        raise NotImplementedError

    def _after_step(self) -> None:
        """Note what a control step led to."""

    def _is_waiting(self) -> bool:
        """Return whether no simulation happens in this part of a step, as after an episode's end."""
        return False

    def _extra_state(self) -> Any:
        """Return the counters that a snapshot holds beside the arrays."""
        return None

    def _restore_extra(self, extra: Any) -> None:
        """Restore those counters."""

    def _sync_commands(self) -> None:
        """Continue control from joints or controls that a person has set."""

    def _time(self) -> float:
        return float(self.batch.bind("time")[0])

    # -- time ----------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let simulated time pass, in parts of a control step; what is left over is kept for the next call."""
        self._remainder += seconds
        while self._remainder >= self._part:
            self._remainder -= self._part
            self._advance_part()
        self._update_data()

    def step(self) -> None:
        """Go one whole control step on: the one that the history has, or a new one."""
        if self._part_index == 0 and not self.history.at_end:
            self.seek(self.history.cursor + 1)
            return
        for _ in range(self.parts):
            self._advance_part()
        self._update_data()

    def back(self) -> None:
        """Go to the beginning of the present control step, or of the one before."""
        self.seek(self.history.cursor - (self._part_index == 0))

    def seek(self, index: int) -> None:
        """Go to entry ``index`` of the history, exactly as it was."""
        self.restore(self.history.go(index))

    def snapshot(self) -> Snapshot:
        """Return everything that :meth:`restore` needs to come back to this moment, between two control steps."""
        return self._keeper.take(self._extra_state())

    def restore(self, snapshot: Snapshot) -> None:
        """Go to the moment of a snapshot, exactly as it was."""
        if self._keeper.restore(snapshot):
            self._copy_model()
        self._restore_extra(snapshot.extra)
        self._drop_step()
        self._pushed = True  # a recorded push is not held any more
        self._update_data()

    @property
    def moment(self) -> tuple[int, int, float]:
        """(entry of the history, entries, seconds from one to the next)."""
        return self.history.cursor, len(self.history), 1 / self.control_hz

    # -- the hand ------------------------------------------------------------------------------------------------

    def pose(self, joint: int, value: float) -> None:
        """Put a hinge or slide at ``value``, rad or m, at rest."""
        self._drop_step()
        self._qpos[0, self.model.jnt_qposadr[joint]] = value
        self._qvel[0] = 0
        self._after_edit()

    def set_ctrl(self, actuator: int, value: float) -> None:
        """Set an actuator's control while the simulation is driven by hand."""
        self._ctrl[0, actuator] = value
        self._update_data()

    def keyframe(self, key: int) -> None:
        """Take pose, speed and controls of one of the model's keyframes; goals and time stay."""
        self._drop_step()
        self._qpos[0], self._qvel[0] = self.model.key_qpos[key], self.model.key_qvel[key]
        self._ctrl[0] = self.model.key_ctrl[key]
        if self.model.na:
            self.batch.bind("act")[0] = self.model.key_act[key]
        self._after_edit()

    def drag_at_rest(self) -> None:
        """Move what the mouse holds while the simulation is paused: free bodies and mocap bodies follow it."""
        if self.perturb.active:
            self._drop_step()
            self._drag_held()

    def _drag_held(self) -> None:
        if not self._slide():
            mujoco.mjv_applyPerturbPose(self.model, self.data, self.perturb, 1)
            self._qpos[0] = self.data.qpos
        self._store_mocap()
        self._after_edit(obey=False)

    def actuator_values(self) -> Array:
        """Return the control of each actuator, (nu,)."""
        return self._ctrl[0].copy()

    # -- inside --------------------------------------------------------------------------------------------------

    def _advance_part(self) -> None:
        if self._is_waiting():
            return
        self._apply_push()
        if self._part_index == 0:
            self._step_parts = self._control_step()
        next(self._step_parts)
        self._part_index = (self._part_index + 1) % self.parts
        if self._part_index == 0:
            for _ in self._step_parts:  # lets the step finish what it does after its last part
                pass
            self._after_step()
            self._remember()

    def _remember(self) -> None:
        self.history.push(self.snapshot())

    def _drop_step(self) -> None:
        self._step_parts, self._part_index, self._remainder = iter(()), 0, 0.0

    def _after_randomization(self) -> None:
        """Take over values of the model that were randomized."""
        self._keeper.note_randomization()
        self._copy_model()

    def _copy_model(self) -> None:
        """Copy the simulation's values of the model to the one that is drawn."""
        self.batch.get_model(0, self.model)

    def _after_edit(self, obey: bool = True) -> None:
        if obey:
            self._sync_commands()
        self.batch.forward(np.zeros(1, int))
        self.history.replace(self.snapshot())
        self._update_data()

    def _apply_push(self) -> None:
        """Apply the mouse's force on the selected body for this part of a step."""
        if not self.perturb.active and not self._pushed:
            return
        self._forces[0] = 0
        self._pushed = bool(self.perturb.active)
        if self._pushed:
            self._update_data()
            if self._slide():
                self.batch.forward(np.zeros(1, int))  # what is observed next follows the mark
                self._store_mocap()
                return
            self.data.xfrc_applied[:] = 0
            mujoco.mjv_applyPerturbPose(self.model, self.data, self.perturb, 0)  # mocap bodies: they obey no force
            mujoco.mjv_applyPerturbForce(self.model, self.data, self.perturb)
            self._forces[0] = self.data.xfrc_applied
            self._store_mocap()

    def _slide(self) -> bool:
        """Put a mark on slides where the mouse holds it; return whether that is what it holds."""
        body, model = self.perturb.select, self.model
        joints = self.sliding_marks.get(body)
        if joints is None:
            return False
        self._qpos[0, model.jnt_qposadr[joints]] = slid(model, self.data, body, joints, self.perturb.refpos)
        self._qvel[0, model.jnt_dofadr[joints]] = 0
        return True

    def _store_mocap(self) -> None:
        """Write the places of mocap bodies that the mouse moved to the simulation."""
        if self.model.nmocap:
            self._mocap[0][0], self._mocap[1][0] = self.data.mocap_pos, self.data.mocap_quat

    def _update_data(self) -> None:
        """Copy the state to the data that is drawn."""
        mujoco.mj_setState(self.model, self.data, self.batch.state[0], STATE)
        self.data.time = self._time()
        mujoco.mj_forward(self.model, self.data)
