"""A world's only simulation under a person's hand: its context, its goal's marks, its actuators, what is randomized."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mujoco
import numpy as np

from studio.contracts import Line, RandomizationValues, ResolvedDomain
from studio.contracts.decorations import Point
from studio.sim.control import ServoControl
from studio.sim.randomization import fields as randomization
from studio.sim.scene import MAX_DELAY
from studio.sim.substeps import PARTS, SubstepSchedule
from studio.sim.world import World
from studio.viewer import steering
from studio.viewer.live import LiveSimulation
from studio.viewer.model_look import ModelLook
from studio.viewer.sight import Sight

Array = np.ndarray


class SteeredWorld(LiveSimulation):
    """A domain's simulation. A subclass says who acts, and begins episodes by :meth:`_begin_world`."""

    kind = "world"

    def __init__(self, resolved: ResolvedDomain) -> None:
        domain, task = resolved.domain, resolved.new_task()
        self.world = World(domain, task, resolved.embodiment, 1, threads=1, max_delay=MAX_DELAY)
        world = self.world
        super().__init__(world.batch, task.control_hz, PARTS, world.state_owners(), world.fields)
        self._ids = np.zeros(1, int)
        self._domain = domain
        self._sight = Sight(world)
        self._root = int(np.argmax(self.model.body_dofnum > 0))  # the first body that moves
        self._schedule = SubstepSchedule(task.control_hz, world.model.opt.timestep)
        self._preview: dict[str, Any] = {}
        camera = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_CAMERA, domain.camera)
        self._look = ModelLook(self.model, self.data, camera, world.scene.added)
        self.goal_in_plane = task.goal_in_plane
        self._parts = self.components = steering.components(task, domain.contexts)
        marks = world.marks
        self._goal = marks.start  # which mocap body the task's first one is
        self._placed = steering.placed(task) if marks.start < marks.stop else 0
        self._holds = False  # further episodes have the present one's context
        self._put: dict[int, Array] = {}  # where a hand put marks, by body: they stay there until a reset,
        self._moved = False  # and so does a context that is one

    # -- a player's interface ------------------------------------------------------------------------------------

    def randomize(self, values: RandomizationValues) -> None:
        """Applies values, numbers or three of them, by key at once (what is not named is nominal), to this episode and
        all further ones; empty: each episode's own draw again.

        Raises:
            StudioError: a delay is longer than the past commands that are kept. Everything stays as it is.
        """
        if values:
            self._apply(values)
        else:
            self.world.draw_again(self._ids)
        self._preview = dict(values)
        self._sight.forget()
        self._after_randomization()
        self._update_data()

    def observation_image(self) -> Array | None:
        """What the policy sees, (h, w, 3) uint8; None where the domain has no images."""
        if not self.world.domain.observes("image"):
            return None
        image: Array = self.world.images(self._ids)[0]
        return image

    def set_context(self, component: int, value: float) -> None:
        """Makes the episode that plays another of its task's family, at once; until the next episode, unless held."""
        self._take_context(steering.turned(self._parts, self.world.contexts[0], component, value))

    def hold_context(self, on: bool) -> None:
        """Whether further episodes have this one's context, in place of one of their own."""
        self._holds = on

    def context_values(self) -> Array:
        """The components of the context, (width,); of no family, (0,)."""
        return self.world.contexts[0].copy()

    @property
    def aim(self) -> tuple[Point, Point] | None:
        """Foot and tip of the arrow that says where to go, which a hand may turn; None: there is none."""
        arrow = self._arrow()
        return (arrow[0].start, arrow[0].end) if arrow else None

    def aim_at(self, point: Array) -> None:
        """Turns the arrow to a point in the world, (3,): the episode is another of its family at once."""
        ahead = np.asarray(point)[:2] - self.data.xpos[self._root, :2]
        self._take_context(steering.aimed(self._parts, self.world.contexts[0], ahead))

    def close(self) -> None:
        """Frees the observation renderer."""
        self.world.close()

    # -- for the subclass ----------------------------------------------------------------------------------------

    def _place(self) -> Point:
        """Where the robot is at the beginning of the present step, m: its end effector, or its first moving body."""
        world = self.world
        place = world.end_effectors(self._ids)[0, 0] if world.scene.limbs else world.bind("xpos")[0, self._root]
        return float(place[0]), float(place[1]), float(place[2])

    def _begin_world(self, seed: int) -> None:
        """Begins the episode of a seed, with what a hand holds."""
        held = self._moved or (self._holds and self.components)
        kept = [self.world.contexts[0].tolist()] if held else self._domain.contexts
        self.world.domain = self._domain.model_copy(update={"contexts": kept})
        self.world.reset_envs(self._ids, [seed])
        self._drop_step()
        self._sight.forget()
        if self._preview:
            self._apply(self._preview)
        if self._put:
            for body, there in self._put.items():
                self._mark(body)[:] = there
            self.batch.forward(self._ids)

    def _step_by_hand(self) -> Iterator[float]:
        """The actuators keep the controls of their sliders; task and clock go on as under a policy."""
        world = self.world
        world.task.before(world, self._ids)
        world.steps[0] += 1
        if world.domain.control == "motor":
            world.actions[0] = self._ctrl[0]
        self._sync_commands()
        for part in range(1, PARTS + 1):
            world.physics_step(self._ids, self._schedule.of_part(part, world.steps), mujoco.mjtStage.mjSTAGE_POS)
            yield part / PARTS

    def _arrow(self) -> list[Line]:
        """What points where the context says to go; empty: there is nothing of the kind."""
        if not self.components:
            return []
        at = (float(self.data.xpos[self._root, 0]), float(self.data.xpos[self._root, 1]), self._height())
        return steering.arrow(self._parts, self.world.contexts[0], at, float(self.model.stat.extent))

    def _height(self) -> float:
        """Of the arrow's foot, m: it is to move with the robot, and not to shake with it."""
        return self._place()[2]

    def _mark(self, body: int) -> Any:
        """Where a mark stands: its live place, (3,) m, or that of its slides, (2,) m; None: it is no mark."""
        if (mocap := self.model.body_mocapid[body]) >= 0:
            return self._mocap[0][0, mocap]
        joints = self.sliding_marks.get(body)
        return None if joints is None else self._qpos[0, self.model.jnt_qposadr[joints[0]] :][:2]

    # -- inside --------------------------------------------------------------------------------------------------

    def _take_context(self, context: Array) -> None:
        world = self.world
        world.contexts[0] = context
        if self._placed:
            self._mocap[0][0, self._goal, : self._placed] = world.contexts[0, : self._placed]
        self._sight.forget()
        if self._part_index == 0:
            self._after_edit(obey=False)

    def _sync_commands(self) -> None:
        """Servos that are commanded step by step go on from what the hand set."""
        control = self.world.control
        if not isinstance(control, ServoControl):
            return
        command = control.command
        if self.by_hand:
            command[0] = self._ctrl[0]
            return
        for limb in self.world.scene.limbs:
            command[0, limb.ctrl] = 0.0 if limb.velocity_controlled else self._qpos[0, limb.qpos]
        control.hold(self._ids)

    def _after_edit(self, obey: bool = True) -> None:
        self._sight.forget()
        super()._after_edit(obey)

    def _store_mocap(self) -> None:
        super()._store_mocap()
        self._sight.forget()
        if self._placed:  # the hand moved the mark: the episode is another of the family
            self.world.contexts[0, : self._placed] = self._mocap[0][0, self._goal, : self._placed]
            self._moved = True
        elif (mark := self._mark(self.perturb.select)) is not None:
            self._put = {**self._put, self.perturb.select: mark.copy()}

    def _update_data(self) -> None:
        super()._update_data()
        self._look.apply(self.world.randomization)

    def _copy_model(self) -> None:
        super()._copy_model()
        self._look.forget()

    def _apply(self, values: RandomizationValues) -> None:
        # the domain's own terms of some parts too
        nominal = {key: randomization.NOMINAL[randomization.base_field(key)] for key in self.world.randomization}
        shown = {**nominal, **values}
        rows = {key: np.broadcast_to(shown[key], randomization.nominal(key, 1).shape) for key in shown}
        self.world.randomize(self._ids, rows)

    def _time(self) -> float:
        return float(self.world.steps[0] / self.world.task.control_hz)
