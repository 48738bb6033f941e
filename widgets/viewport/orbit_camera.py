"""The viewport's camera: free, following the robot, or one of the model's own. Plain numbers, without MuJoCo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import mujoco

FREE, FOLLOW = "free", "follow"
_FREE_JOINT, _SLIDE = 0, 2  # MuJoCo's mjtJoint
NEAR = (0.5, 3.0)  # distance of the eye from a robot that leaves its place: extents of its world, and m at least
FARTHEST = 50  # extents from what is looked at
FIT_AT_MOST = 4.0  # times the distance of the first view
INSIDE = 0.85  # of half the picture: where a place counts as well inside
EASE, FOLLOW_EASE = 0.35, 0.15  # share of the way to a new center that a frame takes; while following


class OrbitCamera:
    """Moved by the mouse. Angles in degrees, lengths in m; ``mode`` is free, follow, or a camera's name."""

    def __init__(self) -> None:
        self.mode = FREE
        self._by_hand = False  # the mode is a person's choice
        self.lookat = np.zeros(3)
        self.distance = 2.0
        self.azimuth, self.elevation = 140.0, -22.0
        self._goal: np.ndarray | None = None  # the center it eases to
        self._body = self._followed = -1
        self._extent = 1.0
        self._framed = self.lookat, self.distance  # as the model is first seen
        self._moved = False  # a person has chosen what is seen
        self._roams = False  # the robot leaves its place

    def frame(self, model: mujoco.MjModel) -> None:
        """Look at a model as its author meant it to be seen."""
        visual, stat = model.vis.global_, model.stat
        self._extent = float(stat.extent)
        self.lookat = np.array(stat.center, float)
        root = roaming_body(model)
        self.distance = 1.5 * self._extent if root < 0 else max(NEAR[0] * self._extent, NEAR[1])
        self.azimuth, self.elevation = float(visual.azimuth), float(visual.elevation)
        self._framed, self._moved = (self.lookat, self.distance), False
        self._goal, self._roams = None, root >= 0
        self._body = self._followed = moving_body(model) if root < 0 else root
        if not self._by_hand:
            self.mode = FREE if root < 0 else FOLLOW
        if self.mode not in (FREE, FOLLOW) and self.mode not in camera_names(model):
            self.mode = FREE

    def fit(self, places: np.ndarray, model: mujoco.MjModel, aspect: float) -> None:
        """See the model as at first; where a place would be outside the picture, their middle from farther off.

        Where that would be so far that nothing is recognized, what moves is followed. Nothing changes where a person
        has moved the view or chosen to follow, nor with a robot that leaves its place, which is followed already.

        Args:
            places: (n, 3), m.
            aspect: width of the picture by its height.
        """
        chosen = self.mode == FOLLOW and self._by_hand
        if self._moved or self._roams or chosen or self.mode not in (FREE, FOLLOW):
            return
        half = np.tan(np.radians(float(model.vis.global_.fovy)) / 2)
        self.lookat, self.distance = self._framed
        self._goal, self.mode = None, FREE
        if self._holds(places, half, aspect):
            return
        self.lookat, most = (places.min(0) + places.max(0)) / 2, FIT_AT_MOST * self.distance
        while not self._holds(places, half, aspect) and self.distance < most:
            self.distance *= 1.1
        if self.distance >= most and not self._by_hand:
            self.lookat, self.distance = self._framed
            self.mode = FOLLOW

    def _holds(self, places: np.ndarray, half: float, aspect: float) -> bool:
        """Return whether all places are well inside a picture; ``half``: its height by twice the distance."""
        right, up, forward = self.axes()
        ahead = places - (self.lookat - self.distance * forward)
        depth = ahead @ forward
        aside, above = np.abs(ahead @ right), np.abs(ahead @ up)
        inside = (depth > 0) & (above < INSIDE * half * depth) & (aside < INSIDE * half * aspect * depth)
        return bool(inside.all())

    def choose(self, mode: str) -> None:
        """Take a person's choice of mode, which holds for models shown later too."""
        self.mode, self._by_hand = mode, True

    def track(self, perturb: mujoco.MjvPerturb) -> None:
        """Follow the body that an ``MjvPerturb`` has selected; none: the one behind the most joints again."""
        chosen = perturb is not None and perturb.select > 0
        self._followed = int(perturb.select) if chosen else self._body

    def orbit(self, dx: float, dy: float) -> None:
        """Turn by a drag of (dx, dy), in heights of the view."""
        self.azimuth = (self.azimuth - 180 * dx) % 360
        self.elevation = float(np.clip(self.elevation - 180 * dy, -89.9, 89.9))

    def pan(self, dx: float, dy: float) -> None:
        """Shift by a drag of (dx, dy), in heights of the view."""
        right, up, _ = self.axes()
        scale = 0.83 * self.distance  # what a 45° view sees over its height
        self.lookat = self.lookat - scale * (dx * right - dy * up)
        self._goal, self._moved = None, True

    def zoom(self, notches: float) -> None:
        """Come closer by so many notches of the wheel."""
        self.distance = float(np.clip(self.distance * 0.9**notches, 0.02 * self._extent, FARTHEST * self._extent))
        self._moved = True

    def center(self, point: np.ndarray) -> None:
        """Ease to a new center over the next frames."""
        self._goal, self._moved = np.array(point, float), True

    def advance(self, data: mujoco.MjData) -> bool:
        """Take a frame's share of easing and following; return whether the view moved."""
        if self.mode == FOLLOW and self._followed >= 0:
            self._goal = np.array(data.xpos[self._followed])
        if self._goal is None:
            return False
        step = self._goal - self.lookat
        if np.linalg.norm(step) < 1e-3 * self.distance:
            if self.mode != FOLLOW:
                self._goal = None
            return False
        self.lookat = self.lookat + (EASE if self.mode != FOLLOW else FOLLOW_EASE) * step
        return True

    def leave_fixed(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        """Change from one of the model's cameras to a free one with the same view."""
        if self.mode in (FREE, FOLLOW):
            return
        camera = camera_names(model).index(self.mode)
        position, forward = np.array(data.cam_xpos[camera]), -np.array(data.cam_xmat[camera]).reshape(3, 3)[:, 2]
        along = float(np.dot(np.array(model.stat.center) - position, forward))
        self.distance = max(along, 0.1 * self._extent)
        self.lookat = position + self.distance * forward
        self.azimuth = float(np.degrees(np.arctan2(forward[1], forward[0]))) % 360
        self.elevation = float(np.degrees(np.arcsin(np.clip(forward[2], -1, 1))))
        self._goal, self.mode, self._moved = None, FREE, True

    def write(self, camera: mujoco.MjvCamera, model: mujoco.MjModel, free: int, fixed: int) -> None:
        """Write the view into an ``MjvCamera``; ``free`` and ``fixed`` are MuJoCo's camera types."""
        known = camera_names(model)
        if self.mode in known:
            camera.type, camera.fixedcamid = fixed, known.index(self.mode)
            return
        camera.type, camera.fixedcamid = free, -1
        camera.lookat[:] = self.lookat
        camera.distance, camera.azimuth, camera.elevation = self.distance, self.azimuth, self.elevation

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the directions right, up and forward of the free camera."""
        a, e = np.radians(self.azimuth), np.radians(self.elevation)
        forward = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
        right = np.array([np.sin(a), -np.cos(a), 0.0])
        return right, np.cross(right, forward), forward


def camera_names(model: mujoco.MjModel) -> list[str]:
    """Return the names of the model's cameras, in order."""
    return [model.camera(i).name or f"camera {i}" for i in range(model.ncam)]


def roaming_body(model: mujoco.MjModel) -> int:
    """Return the root of a robot that can leave its place, such as a walker's torso; −1: there is none."""
    for body in range(1, model.nbody):
        if int(model.body_parentid[body]) != 0 or not model.body_jntnum[body]:
            continue
        first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
        free = any(
            model.jnt_type[joint] == _FREE_JOINT or (model.jnt_type[joint] == _SLIDE and not model.jnt_limited[joint])
            for joint in range(first, first + count)
        )
        if free and int((model.body_rootid == body).sum()) > 2:
            return body
    return -1


def moving_body(model: mujoco.MjModel) -> int:
    """Return the body to follow: the one behind the most joints, such as a hand; −1: nothing moves."""
    best, most = -1, 0
    joints = [0] * model.nbody
    for body in range(1, model.nbody):
        joints[body] = joints[model.body_parentid[body]] + int(model.body_jntnum[body])
        if joints[body] > most and model.body_jntnum[body]:
            best, most = body, joints[body]
    return best
