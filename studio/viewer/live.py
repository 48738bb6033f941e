"""A simulation for watching: it is shown, stepped back, pushed, posed and driven by hand. Single-threaded.

Subclasses say how a control step passes and what they keep beside the simulation.
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
from studio.viewer.history import History, Keeper

Array = np.ndarray
HISTORY_SECONDS = 20.0
STATE = mujoco.mjtState.mjSTATE_INTEGRATION.value


class LiveSimulation(BasePlayer):
    """One simulation of ``batch``.

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
        self._part = 1 / (control_hz * parts)
        self._debt = 0.0
        self._pushed = False
        self._passing: Iterator[Any] = iter(())
        self._part_index = 0  # parts of the present control step that lie behind

    # -- for the subclass ----------------------------------------------------------------------------------------

    def _control_step(self) -> Iterator[Any]:
        """Passes one control step in ``parts`` parts."""
        raise NotImplementedError

    def _step_over(self) -> None:
        """Called after each control step."""

    def _holding(self) -> bool:
        """Whether this part of a step only waits."""
        return False

    def _more(self) -> Any:
        """Counters that belong to the moment."""
        return None

    def _take_back(self, more: Any) -> None:
        """Puts the counters back."""

    def _obey_pose(self) -> None:
        """Called when a hand changed joints or actuators: whatever commands them must know."""

    def _time(self) -> float:
        return float(self.batch.bind("time")[0])

    # -- time ----------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Lets simulated time pass, in parts of a control step; what is left over is kept for the next call."""
        self._debt += seconds
        while self._debt >= self._part:
            self._debt -= self._part
            self._one_part()
        self._show()

    def step(self) -> None:
        """One whole control step; where the history knows it, the one that was."""
        if self._part_index == 0 and not self.history.at_end:
            self.seek(self.history.cursor + 1)
            return
        for _ in range(self.parts):
            self._one_part()
        self._show()

    def back(self) -> None:
        """To the beginning of the present control step, or of the one before."""
        self.seek(self.history.cursor - (self._part_index == 0))

    def seek(self, index: int) -> None:
        """To entry ``index`` of the history, exactly as it was."""
        entry = self.history.go(index)
        if self._keeper.restore(entry):
            self._take_model()
        self._take_back(entry.more)
        self._drop_step()
        self._pushed = True  # a recorded push is not held any more
        self._show()

    @property
    def moment(self) -> tuple[int, int, float]:
        """(entry of the history, entries, seconds from one to the next)."""
        return self.history.cursor, len(self.history), 1 / self.control_hz

    # -- the hand ------------------------------------------------------------------------------------------------

    def pose(self, joint: int, value: float) -> None:
        """Puts a hinge or slide at ``value``, rad or m, at rest."""
        self._drop_step()
        self._qpos[0, self.model.jnt_qposadr[joint]] = value
        self._qvel[0] = 0
        self._touched()

    def set_ctrl(self, actuator: int, value: float) -> None:
        """Sets an actuator's control while the simulation is driven by hand."""
        self._ctrl[0, actuator] = value
        self._show()

    def keyframe(self, key: int) -> None:
        """Takes pose, speed and controls of one of the model's keyframes; goals and time stay."""
        self._drop_step()
        self._qpos[0], self._qvel[0] = self.model.key_qpos[key], self.model.key_qvel[key]
        self._ctrl[0] = self.model.key_ctrl[key]
        if self.model.na:
            self.batch.bind("act")[0] = self.model.key_act[key]
        self._touched()

    def drag_at_rest(self) -> None:
        """Move what the mouse holds while the simulation is paused: free bodies and mocap bodies follow it."""
        if self.perturb.active:
            self._drop_step()
            self._drag()

    def _drag(self) -> None:
        if not self._slide():
            mujoco.mjv_applyPerturbPose(self.model, self.data, self.perturb, 1)
            self._qpos[0] = self.data.qpos
        self._take_mocap()
        self._touched(obey=False)

    def actuator_values(self) -> Array:
        """The control of each actuator, (nu,)."""
        return self._ctrl[0].copy()

    # -- inside --------------------------------------------------------------------------------------------------

    def _one_part(self) -> None:
        if self._holding():
            return
        self._push()
        if self._part_index == 0:
            self._passing = self._control_step()
        next(self._passing)
        self._part_index = (self._part_index + 1) % self.parts
        if self._part_index == 0:
            for _ in self._passing:  # lets the step finish what it does after its last part
                pass
            self._step_over()
            self._remember()

    def _remember(self) -> None:
        self.history.push(self._keeper.take(self._more()))

    def _drop_step(self) -> None:
        self._passing, self._part_index, self._debt = iter(()), 0, 0.0

    def _randomized(self) -> None:
        """After the simulation was given values of its own."""
        self._keeper.note_randomization()
        self._take_model()

    def _take_model(self) -> None:
        """The values of this simulation, after they became others."""
        self.batch.get_model(0, self.model)

    def _touched(self, obey: bool = True) -> None:
        if obey:
            self._obey_pose()
        self.batch.forward(np.zeros(1, int))
        self.history.replace(self._keeper.take(self._more()))
        self._show()

    def _push(self) -> None:
        """The mouse's force on the selected body, for this part of a step."""
        if not self.perturb.active and not self._pushed:
            return
        self._forces[0] = 0
        self._pushed = bool(self.perturb.active)
        if self._pushed:
            self._show()
            if self._slide():
                self.batch.forward(np.zeros(1, int))  # what is observed next follows the mark
                self._take_mocap()
                return
            self.data.xfrc_applied[:] = 0
            mujoco.mjv_applyPerturbPose(self.model, self.data, self.perturb, 0)  # mocap bodies: they obey no force
            mujoco.mjv_applyPerturbForce(self.model, self.data, self.perturb)
            self._forces[0] = self.data.xfrc_applied
            self._take_mocap()

    def _slide(self) -> bool:
        """Puts a mark on slides where the hand holds it; whether that is what it holds."""
        body, model = self.perturb.select, self.model
        joints = self.sliding_marks.get(body)
        if joints is None:
            return False
        self._qpos[0, model.jnt_qposadr[joints]] = slid(model, self.data, body, joints, self.perturb.refpos)
        self._qvel[0, model.jnt_dofadr[joints]] = 0
        return True

    def _take_mocap(self) -> None:
        """The hand moved a mark."""
        if self.model.nmocap:
            self._mocap[0][0], self._mocap[1][0] = self.data.mocap_pos, self.data.mocap_quat

    def _show(self) -> None:
        """Copies the state to the data that is drawn."""
        mujoco.mj_setState(self.model, self.data, self.batch.state[0], STATE)
        self.data.time = self._time()
        mujoco.mj_forward(self.model, self.data)
