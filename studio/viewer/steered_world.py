"""A world's only simulation under a person's hand: context, goal marks, actuators, randomized values."""

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
from studio.viewer.cached_observation import CachedObservation
from studio.viewer.live import LiveSimulation
from studio.viewer.model_look import ModelLook

Array = np.ndarray


class SteeredWorld(LiveSimulation):
    """A domain's simulation. A subclass chooses who acts, and begins episodes by :meth:`_begin_world`."""

    kind = "world"
    components: tuple[steering.Component, ...]

    def __init__(self, resolved: ResolvedDomain) -> None:
        domain, task = resolved.domain, resolved.new_task()
        self.world = World(domain, task, resolved.embodiment, 1, threads=1, max_delay=MAX_DELAY)
        world = self.world
        super().__init__(world.batch, task.control_hz, PARTS, world.state_owners(), world.fields)
        self._ids = np.zeros(1, int)
        self._domain = domain
        self.changes = resolved.embodiment.changes
        self._observation = CachedObservation(world)
        self._root = world.scene.moving_body
        self._schedule = SubstepSchedule(task.control_hz, world.model.opt.timestep)
        self._preview: dict[str, Any] = {}
        camera = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_CAMERA, domain.camera)
        self._look = ModelLook(self.model, self.data, camera, world.scene.added)
        self.goal_in_plane = task.goal_in_plane
        self.components = steering.components(task, domain.contexts)
        marks = world.marks
        self._goal = marks.start  # index of the mocap body that is the task's first one
        self._goal_components = steering.goal_components(task) if marks.start < marks.stop else 0
        self._holds_context = False  # further episodes have the present one's context
        self._marks: dict[int, Array] = {}  # places of marks that a person moved, by body, until a reset
        self._context_moved = False  # a mark that is the context was moved: it stays until a reset too

    # -- a player's interface ------------------------------------------------------------------------------------

    def randomize(self, values: RandomizationValues) -> None:
        """Hold values of the randomization in this and all further episodes; empty: each episode's own draw again.

        What is not named is nominal.

        Raises:
            StudioError: a delay is longer than the past commands that are kept. Everything stays as it is.
        """
        if values:
            self._apply(values)
        else:
            self.world.draw_again(self._ids)
        self._preview = dict(values)
        self._observation.forget()
        self._after_randomization()
        self._update_data()

    def observation_image(self) -> Array | None:
        """Return what the policy sees, (h, w, 3) uint8; None where the domain has no images."""
        if not self.world.domain.observes("image"):
            return None
        image: Array = self.world.images(self._ids)[0]
        return image

    def set_context(self, component: int, value: float) -> None:
        """Make the present episode another of its task's family at once; until the next episode, unless held."""
        self._take_context(steering.with_component(self.components, self.world.contexts[0], component, value))

    def hold_context(self, on: bool) -> None:
        """Give further episodes this one's context, or each its own."""
        self._holds_context = on

    def context_values(self) -> Array:
        """Return the context, (components,); of no family, (0,)."""
        return self.world.contexts[0].copy()

    @property
    def aim(self) -> tuple[Point, Point] | None:
        """Foot and tip of the arrow that shows where to go, which a person may turn; None: there is none."""
        arrow = self._arrow()
        return (arrow[0].start, arrow[0].end) if arrow else None

    def aim_at(self, point: Array) -> None:
        """Turn the arrow to a point in the world, (3,) m: the episode is another of its family at once."""
        ahead = np.asarray(point)[:2] - self.data.xpos[self._root, :2]
        self._take_context(steering.toward(self.components, self.world.contexts[0], ahead))

    def close(self) -> None:
        """Free the observation renderer."""
        self.world.close()

    # -- for the subclass ----------------------------------------------------------------------------------------

    def _place(self) -> Point:
        """Return the place of the end effector, or of the first moving body, at the present step's beginning, m."""
        world = self.world
        place = world.end_effectors(self._ids)[0, 0] if world.scene.limbs else world.bind("xpos")[0, self._root]
        return float(place[0]), float(place[1]), float(place[2])

    def _begin_world(self, seed: int) -> None:
        """Start the episode of a seed, with the context, values and marks that a person holds."""
        held = self._context_moved or (self._holds_context and self.components)
        kept = [self.world.contexts[0].tolist()] if held else self._domain.contexts
        self.world.domain = self._domain.model_copy(update={"contexts": kept})
        self.world.reset_envs(self._ids, [seed])
        self._drop_step()
        self._observation.forget()
        if self._preview:
            self._apply(self._preview)
        if self._marks:
            for body, place in self._marks.items():
                self._mark(body)[:] = place
            self.batch.forward(self._ids)

    def _step_by_hand(self) -> Iterator[float]:
        """Simulate one control step with the controls of the sliders; task and clock go on as under a policy."""
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
        """Return the arrow along the direction that the context gives; empty: the context is no direction."""
        if not self.components:
            return []
        at = (float(self.data.xpos[self._root, 0]), float(self.data.xpos[self._root, 1]), self._height())
        return steering.arrow(self.components, self.world.contexts[0], at, float(self.model.stat.extent))

    def _height(self) -> float:
        """Return the height of the arrow's foot, m: it moves with the robot, but does not shake with it."""
        return self._place()[2]

    def _mark(self, body: int) -> Any:
        """Return a goal mark's present position, (3,) m, or its slides', (2,) m; None: the body is no mark."""
        if (mocap := self.model.body_mocapid[body]) >= 0:
            return self._mocap[0][0, mocap]
        joints = self.sliding_marks.get(body)
        return None if joints is None else self._qpos[0, self.model.jnt_qposadr[joints[0]] :][:2]

    # -- inside --------------------------------------------------------------------------------------------------

    def _take_context(self, context: Array) -> None:
        world = self.world
        world.contexts[0] = context
        if dynamics := world.context_dynamics(self._ids):
            world.randomize(self._ids, dynamics)
            self._after_randomization()
        if self._goal_components:
            self._mocap[0][0, self._goal, : self._goal_components] = world.contexts[0, : self._goal_components]
        self._observation.forget()
        if self._part_index == 0:
            self._after_edit(obey=False)

    def _sync_commands(self) -> None:
        """Let servos that are commanded step by step go on from what the person set."""
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
        self._observation.forget()
        super()._after_edit(obey)

    def _store_mocap(self) -> None:
        super()._store_mocap()
        self._observation.forget()
        if self._goal_components:  # the episode is another of the family
            self.world.contexts[0, : self._goal_components] = self._mocap[0][0, self._goal, : self._goal_components]
            self._context_moved = True
        elif (mark := self._mark(self.perturb.select)) is not None:
            self._marks = {**self._marks, self.perturb.select: mark.copy()}

    def _update_data(self) -> None:
        super()._update_data()
        self._look.apply(self.world.randomization)

    def _copy_model(self) -> None:
        super()._copy_model()
        self._look.forget()

    def _apply(self, values: RandomizationValues) -> None:
        # with the domain's own terms of single parts
        nominal = {key: randomization.NOMINAL[randomization.base_field(key)] for key in self.world.randomization}
        shown = {**nominal, **self.world.context_dynamics(self._ids), **values}
        rows = {key: np.broadcast_to(shown[key], randomization.nominal(key, 1).shape) for key in shown}
        self.world.randomize(self._ids, rows)

    def _time(self) -> float:
        return float(self.world.steps[0] / self.world.task.control_hz)
