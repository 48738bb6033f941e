"""Several recorded episodes of one task side by side: the last as the robot, the others as translucent ones beside it.

Nothing is simulated. A person may move the goal, or turn the context: that is asked for in the :class:`SideBySide`, and
whoever fills it answers with other episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import mujoco
import numpy as np

from studio.contracts import Ball, Decoration, Ghost, Line, PlayerInfo, ResolvedDomain
from studio.contracts.decorations import Color, Point
from studio.sim.scene import build
from studio.sim.trajectory import Trajectory
from studio.viewer import steering
from studio.viewer.recorded_player import RecordedPlayer
from studio.viewer.showing import Showing, ShownEpisode, SideBySide

Array = np.ndarray
HOLD_SECONDS = 1.0  # how long the end of the longest episode stays
PATH_LINES = 40  # of each episode, at most
PATH_WIDTH, BALL = 0.006, 0.012  # in extents of the model


class SideBySidePlayer(RecordedPlayer):
    """Plays what a :class:`SideBySide` holds, over and over.

    Args:
        resolved: the domain of the episodes.
    """

    components: tuple[steering.Component, ...]

    def __init__(self, resolved: ResolvedDomain, source: SideBySide) -> None:
        task = resolved.new_task()
        scene = build(resolved.embodiment, task, hidden_dynamics=resolved.domain.hidden_dynamics)
        super().__init__(scene.model, task.control_hz)
        self._source = source
        self.components = steering.components(task, resolved.domain.contexts, margin_of_places=steering.BEYOND)
        self.goal_in_plane = task.goal_in_plane
        self._goal_body = _body_of_mocap(scene.model, scene.marks.start)
        self._goal_mark = int(scene.model.body_mocapid[self._goal_body])
        self._goal_components = steering.goal_components(task) if self._goal_body else 0
        self._root = scene.moving_body
        self.perturb = mujoco.MjvPerturb() if self._goal_components or self._names_direction() else None
        self._showing: Showing | None = None
        self._context: Array | None = None  # that a person asks for, until its episodes come
        self._places: Array | None = None
        self._show()

    # -- a player's interface ------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Play on; after the longest episode all begin again."""
        self._drag()
        self._at += seconds
        if self._at > (self.length - 1) / self.control_hz + HOLD_SECONDS:
            self._at = 0.0
        self._show()

    def drag_at_rest(self) -> None:
        """Move the goal that the mouse holds."""
        self._drag()
        self._show()

    def context_values(self) -> Array:
        """Return the context, (components,)."""
        return self._present_context().copy()

    def set_context(self, component: int, value: float) -> None:
        """Ask for the episodes of a context with another component."""
        self._ask(steering.with_component(self.components, self._present_context(), component, value))

    @property
    def aim(self) -> tuple[Point, Point] | None:
        """Foot and tip of the arrow that shows where to go; None: the context is no direction."""
        arrow = self._arrow()
        return (arrow[0].start, arrow[0].end) if arrow else None

    def aim_at(self, point: Array) -> None:
        """Ask for the episodes of the direction to a point in the world, (3,) m."""
        ahead = np.asarray(point)[:2] - self.data.xpos[self._root, :2]
        self._ask(steering.toward(self.components, self._present_context(), ahead))

    @property
    def info(self) -> PlayerInfo:
        """time (s), step, and what the robot's own episode is."""
        title = self._showing.title if self._showing is not None else ""
        time, step = self.frame / self.control_hz, self.frame
        return {"time": time, "episode": 0, "episodes": 1, "step": step, "name": title}

    @property
    def ghosts(self) -> Sequence[Ghost]:
        """The robots of the other episodes."""
        return [Ghost(self._pose(one.trajectory), one.color, one.label) for one in self._episodes[:-1]]

    @property
    def overlays(self) -> Sequence[Decoration]:
        """The ways up to this frame, the marked places, and the arrow to the goal direction."""
        extent = float(self.model.stat.extent)
        found: list[Decoration] = list(self._arrow())
        for one in self._episodes:
            found += _way(one.trajectory.path[: self.frame + 1], PATH_WIDTH * extent, one.color)
        for places, color in self._showing.points if self._showing is not None else ():
            found += [Ball(_point(place), BALL * extent, color) for place in places]
        return found

    @property
    def named_colors(self) -> Sequence[tuple[str, Color]]:
        """The robot's own episode, and the goal."""
        showing = self._showing
        if showing is None or not showing.episodes:
            return ()
        own, goal = showing.episodes[-1], self._goal_color()
        return [(own.label, own.color), *([(showing.goal, goal)] if showing.goal and goal is not None else [])]

    @property
    def places(self) -> Array | None:
        """All places of the episodes, of what is marked, and of the goal."""
        return self._places

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _episodes(self) -> Sequence[ShownEpisode]:
        return self._showing.episodes if self._showing is not None else ()

    @property
    def length(self) -> int:
        """Frames of the longest episode."""
        return max((len(one.trajectory.qpos) for one in self._episodes), default=1)

    def _pose(self, trajectory: Trajectory) -> Array:
        pose: Array = trajectory.qpos[min(self.frame, len(trajectory.qpos) - 1)]
        return pose

    def _present_context(self) -> Array:
        if self._context is not None:
            return self._context
        return self._showing.context if self._showing is not None else np.zeros(len(self.components))

    def _names_direction(self) -> bool:
        return bool(steering.arrow(self.components, np.ones(max(2, len(self.components))), (0, 0, 0), 1.0))

    def _arrow(self) -> list[Line]:
        if not self.components or self._showing is None:
            return []
        x, y, z = self.data.xpos[self._root]
        at = float(x), float(y), float(z)
        return steering.arrow(self.components, self._present_context(), at, float(self.model.stat.extent))

    def _goal_color(self) -> Color | None:
        """Return the color of the goal's mark, or of the arrow to the goal; None: nothing shows it."""
        geom = int(self.model.body_geomadr[self._goal_body])
        if self._goal_components and geom >= 0:
            red, green, blue, opacity = self.model.geom_rgba[geom]
            return float(red), float(green), float(blue), float(opacity)
        arrow = self._arrow()
        return arrow[0].color if arrow else None

    def _find_places(self, showing: Showing) -> Array:
        marks = [one.trajectory.mocap[:, self._goal_mark] for one in showing.episodes] if self._goal_components else []
        paths = [one.trajectory.path for one in showing.episodes]
        return np.concatenate([*paths, *marks, *(places for places, _ in showing.points), np.zeros((0, 3))])

    def _ask(self, context: Array) -> None:
        self._context = context
        self._source.ask(context)

    def _drag(self) -> None:
        """Let the mouse move the goal; the robot cannot be touched."""
        perturb = self.perturb
        if perturb is None or not perturb.active or perturb.select != self._goal_body:
            return
        mujoco.mjv_applyPerturbPose(self.model, self.data, perturb, 1)
        context, count = self._present_context().copy(), self._goal_components
        context[:count] = self.data.mocap_pos[self._goal_mark, :count]
        self._ask(context)

    def _show(self) -> None:
        showing = self._source.showing()
        if showing is not self._showing:
            self._showing = showing
            held = self.perturb is not None and self.perturb.active
            self._context = self._context if held else None
            places = self._find_places(showing) if showing is not None else None
            if places is None or self._places is None or not np.array_equal(places, self._places):
                self._places = places
        if self._episodes:
            own = self._episodes[-1].trajectory
            self.data.qpos[:] = self._pose(own)
            self.data.mocap_pos[:] = own.mocap[min(self.frame, len(own.mocap) - 1)]
        if self._context is not None and self._goal_components:
            place = self.data.mocap_pos[self._goal_mark]
            place[: self._goal_components] = self._context[: self._goal_components]
        self.data.time = self.frame / self.control_hz
        mujoco.mj_forward(self.model, self.data)


def _body_of_mocap(model: mujoco.MjModel, mocap: int) -> int:
    """Return the body whose mocap index this is; 0, the world: there is none."""
    return next((body for body in range(model.nbody) if model.body_mocapid[body] == mocap), 0)


def _way(path: Array, width: float, color: Color) -> list[Line]:
    """Return lines along a path (n, 3); nothing where it does not move."""
    if len(path) < 2:
        return []
    places = path[np.unique(np.linspace(0, len(path) - 1, min(len(path), PATH_LINES + 1)).astype(int))]
    return [Line(_point(a), _point(b), width, color) for a, b in pairwise(places) if np.linalg.norm(b - a) > 1e-9]


def _point(place: Array) -> Point:
    return float(place[0]), float(place[1]), float(place[2])
