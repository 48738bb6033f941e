"""What the render thread owns: the player, the camera, the quality, the clock; and the frames it makes of them.

Nothing here is touched from another thread, and nothing here knows of threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtGui import QImage

from studio.errors import StudioError
from widgets.viewport.film import Film
from widgets.viewport.frame import Frame
from widgets.viewport.model_sheet import NO_MODEL, describe
from widgets.viewport.orbit_camera import OrbitCamera, names
from widgets.viewport.perturb_controller import PerturbController
from widgets.viewport.render_pace import Pace
from widgets.viewport.scene_renderer import LEVELS, STILL_LEVEL, Quality, QualityControl, SceneRenderer
from widgets.viewport.watching import Watching

CATCH_UP = 0.1  # s; a longer gap between two frames is not made good
SLICE = 0.04  # s of simulation between two looks at the clock
INSET_SECONDS = 0.1  # between two pictures of what the policy sees
FILM_SECONDS = 10.0  # how long the end waits for a film to be completed
TRACE_SECONDS = 0.15  # between two readings of what a policy says of its moments
POLL_SECONDS = 1.0  # between two looks for a newer training policy
STILL_SECONDS = 0.3  # of rest, before a standing picture is drawn finely

# an old failure is over
STARTS = ("player", "policy", "preview", "play", "step", "back", "seek", "choose", "reset", "keyframe")
PAUSING = ("step", "back", "seek", "keyframe")
# what a player must be able to do for a message to concern it
NEEDS = {
    "back": "back", "seek": "seek", "choose": "choose", "keyframe": "keyframe", "pose": "pose", "ctrl": "set_ctrl",
    "context": "set_context",
}  # fmt: skip
READ = {"joints": "joint_values", "actuators": "actuator_values", "context": "context_values"}

PolicySource = Callable[[], tuple[int, Any]]  # (version, policy); version 0 or policy None: nothing yet


class Stage:
    """What the thread owns. Nothing of it is touched from outside."""

    def __init__(self) -> None:
        self.renderer = SceneRenderer()
        import mujoco

        self._mj = mujoco
        self._view = mujoco.MjvCamera()
        self.grab = PerturbController(mujoco)
        self.film = Film()
        self.watching = Watching()
        self.decorations: Sequence[Any] = ()
        self.camera = OrbitCamera()
        self.quality = QualityControl()
        self.player: Any = None
        self.visible, self.playing, self.dirty = True, True, True
        self.speed = 1.0
        self.size = (640, 480)
        self.inset = False
        self._policy: Any = "expert"
        self._source: PolicySource | None = None
        self._version = 0
        self._polled = 0.0
        self._refused = ""  # why the policy cannot act in this world; the robot holds still meanwhile
        self._preview: dict[str, float] = {}
        self._hold = False  # further episodes have the present one's context
        self._inset_image: QImage | None = None
        self._inset_at = 0.0
        self._fine = False  # the standing picture is the fine one
        self._changed = 0.0  # when something else than the fineness of the picture last changed
        self._message = ""
        self._models = 0
        self._last = 0.0  # when the player was last advanced
        self._pace = Pace()
        self._names: tuple[str, ...] = ()
        self._sheet = NO_MODEL
        self._inspected: frozenset[str] = frozenset()
        self._traces: Any = None
        self._traces_of: tuple[int, int, Any] = (0, 0, None)  # model, episode, policy
        self._traced = 0.0

    def close(self) -> None:
        self.film.stop(FILM_SECONDS)
        self._let_go()
        self.renderer.close()

    def _let_go(self) -> None:
        close = getattr(self.player, "close", None)
        self.player = None
        if close is not None:
            close()

    @property
    def moving(self) -> bool:
        """Whether the simulation goes on by itself."""
        return self.playing and not self.waiting and not self._stopped

    @property
    def _stopped(self) -> str:
        """Why the simulation cannot go on; empty: it can."""
        return self._message or self._refused

    @property
    def waiting(self) -> bool:
        """For the training's first policy; the robot holds still meanwhile."""
        return self._source is not None and self._policy is None

    def obey(self, key: str, value: Any) -> None:
        """One message of the UI thread."""
        self.dirty = True
        if key in STARTS:
            self._message = ""
        if key == "player":
            self._rebuild(value)
        elif key == "policy":
            self._set_policy(*value)
        elif key == "play":
            self.playing, self._last = value, 0.0
        elif key == "preview":
            self._preview, self._inset_at = value, 0.0
            if self.player is not None:
                self.player.randomize(value)
        elif key == "show":
            self.renderer.show(value)
        elif key == "ghosts":
            self.renderer.set_ghosts(*value)
        elif key == "overlays":
            self.decorations = value
        elif key == "hold":
            self._hold = value
            self._hold_context()
        elif key == "inspect":
            self._inspected = value
        elif key == "watch":
            self.watching.ask(value)
        elif key in ("size", "speed", "visible", "inset"):
            setattr(self, key, value)
            self._inset_at = 0.0
        elif key == "camera":
            self.camera.choose(value)
        elif self.player is not None:
            self._touch(key, value)

    def _touch(self, key: str, value: Any) -> None:
        """What needs a player to be done to."""
        player = self.player
        if key in PAUSING or key.startswith("pose "):
            self.playing = False
        if not hasattr(player, NEEDS.get(key.split()[0], "model")):
            return  # what is recorded is not posed, what is simulated has no episodes to choose from
        if key in ("step", "back"):
            for _ in range(0 if self.waiting or self._refused else int(value[0])):
                getattr(player, key)()
        elif key == "reset":
            player.reset(*value) if value[0] is not None else player.reset()
        elif key in ("seek", "keyframe", "choose"):
            getattr(player, key)(value)
        elif key.startswith("pose "):
            player.pose(int(key.split()[1]), value)
        elif key.startswith(("ctrl ", "context ")):
            getattr(player, NEEDS[key.split()[0]])(int(key.split()[1]), value)
        elif key in ("orbit", "pan", "zoom"):
            self.camera.leave_fixed(player.model, player.data)
            getattr(self.camera, key)(*value)
        elif key == "center":
            self._center(*value)
        elif key == "select":
            self._select(value)
            self.camera.track(getattr(player, "perturb", None))
        elif key == "grab":
            self.grab.take(player, self.renderer, *value) if value else self.grab.release(player)
        elif key == "drag":
            self.grab.drag(player, self.renderer, *value)
            if not self.moving and hasattr(player, "drag_at_rest"):
                player.drag_at_rest()

    def advance(self, now: float, interval: float) -> bool:
        """Plays on by the time that has passed; says whether anything moved."""
        if self.player is None or not self.visible:
            self._last = 0.0
            return False
        self._poll(now)
        if not self.moving:
            self._last = 0.0
            return self.camera.advance(self.player.data)
        elapsed = min(now - self._last, CATCH_UP) if self._last else 0.0
        self._last = now
        wanted, done = elapsed * self.speed, 0.0
        while wanted > 0 and time.perf_counter() - now < 0.6 * interval:
            part = min(wanted, SLICE)
            self.player.advance(part)
            wanted -= part
            done += part
        self._pace.passed(now, done)
        self.camera.advance(self.player.data)
        return True

    def wants_picture(self, moved: bool) -> bool:
        """Whether a frame is to be drawn now: something changed, or what stands still may be drawn finely."""
        if self.player is None or not self.visible:
            return False
        return moved or self.dirty or (not self._fine and self._rest_left() <= 0)

    def draw(self, moved: bool, budget: float, spent: float) -> Frame:
        """A frame at the level the machine can hold within ``budget`` seconds, of which ``spent`` are gone."""
        began = time.perf_counter()
        self._fine = not moved and not self.dirty
        level = min(STILL_LEVEL, self.quality.level) if self._fine else self.quality.level
        image = self.paint(LEVELS[level])
        self.film.add(image)
        if not self._fine:
            self._changed = began
        if moved and self.moving:
            self._pace.picture(began)
            self.quality.record(time.perf_counter() - began, max(budget - spent, 0.25 * budget))
        self.dirty = False
        if self.inset and began - self._inset_at > INSET_SECONDS:
            self._inset_image, self._inset_at = _image(self.player.observation_image()), began
        return self.frame(image)

    def paint(self, quality: Quality) -> QImage:
        """The present view."""
        camera = self._mj.mjtCamera
        self.camera.write(self._view, self.player.model, camera.mjCAMERA_FREE.value, camera.mjCAMERA_FIXED.value)
        player = self.player  # one that offers no decorations or copies of its own is not asked for them
        return self.renderer.draw(
            player.data,
            self._view,
            *self.size,
            quality,
            getattr(player, "perturb", None),
            (*self.decorations, *getattr(player, "overlays", ())),
            getattr(player, "ghosts", ((), ())),
        )

    def frame(self, image: QImage | None) -> Frame:
        """What is to be shown, with the present numbers."""
        player = self.player
        self._pace.measure(time.perf_counter(), self.moving)
        more: dict[str, Any] = {}
        if player is not None:
            more = {
                "moment": getattr(player, "moment", (0, 0, 0.0)),
                "by_hand": getattr(player, "by_hand", False),
                "selected": self.grab.name(player),
                "traces": self._read_traces(),
                "legend": getattr(player, "legend", None),
                "readings": self.watching.read(player) if self.watching else (),
            }
            for part in self._inspected:
                if hasattr(player, READ[part]):
                    more[part] = getattr(player, READ[part])()
        return Frame(
            image=image,
            inset=self._inset_image if self.inset else None,
            message=self._stopped,
            info=dict(player.info) if player is not None else {},
            playing=self.playing and not self._stopped,
            waiting=self.waiting,
            preview=bool(self._preview),
            fps=self._pace.fps,
            speed=self._pace.speed,
            level=self.quality.level,
            camera=self.camera.mode,
            cameras=self._names,
            model=self._models,
            sheet=self._sheet,
            filmed=self.film.seconds,
            **more,
        )

    def rest(self) -> float | None:
        """How long nothing has to be done, in s; None: until the next message."""
        if self.player is None or not self.visible:
            return None
        if self.moving or self.dirty:
            return 0.0
        if not self._fine:
            return max(0.0, self._rest_left())
        return POLL_SECONDS if self.playing else None

    def fail(self, message: str) -> Frame:
        """After an exception: no further step until a person asks for one. The frame says why. What is chosen next
        plays where this one did."""
        self.dirty, self._last = False, 0.0
        self._message = message
        return self.frame(None)

    def _rest_left(self) -> float:
        return self._changed + STILL_SECONDS - time.perf_counter()

    def _rebuild(self, factory: Callable[[], Any]) -> None:
        self._let_go()
        self.player = player = factory()
        self._hand_over()
        self._models += 1
        self._names = tuple(names(player.model))
        self._sheet = describe(player, self._mj)
        self.watching.use(player)
        self.renderer.use(player.model)
        self.camera.frame(player.model)
        self._inset_image, self._last = None, 0.0
        if self._preview:
            player.randomize(self._preview)
        self._hold_context()

    def _hold_context(self) -> None:
        if hasattr(self.player, "hold_context"):
            self.player.hold_context(self._hold)

    def _set_policy(self, policy: Any, source: PolicySource | None) -> None:
        self._policy, self._source = policy, source
        self._version, self._polled = 0, 0.0
        self._hand_over()
        self._poll(time.perf_counter())

    def _hand_over(self) -> None:
        """Gives the robot to the policy. One that cannot act here leaves it still, until there is another or another
        world."""
        self._refused = ""
        if self.waiting or self.player is None:
            return
        try:
            self.player.set_policy(self._policy)
        except StudioError as error:
            self._refused = str(error)

    def _read_traces(self) -> Any:
        """Of a recorded episode they are made once, and read now and then while a policy plays."""
        if not hasattr(self.player, "traces"):
            return None
        now, moment = time.perf_counter(), (self._models, int(self.player.info["episode"]), self._policy)
        grown = self._sheet.kind != "recorded" and (not self.moving or now - self._traced > TRACE_SECONDS)
        if moment != self._traces_of or grown:
            self._traces_of, self._traced = moment, now
            self._traces = self.player.traces()
        return self._traces

    @property
    def _aspect(self) -> float:
        return self.size[0] / max(1, self.size[1])

    def _poll(self, now: float) -> None:
        if self._source is None or now - self._polled < POLL_SECONDS:
            return
        self._polled = now
        version, policy = self._source()
        if policy is not None and version != self._version:
            self._version, self._policy = version, policy
            self._hand_over()
            self.dirty = True

    def _select(self, place: tuple[float, float] | None) -> None:
        if place is None:
            self.grab.clear(self.player)
        else:
            self.grab.select(self.player, self.renderer, *place, aspect=self._aspect)

    def _center(self, x: float, y: float) -> None:
        player = self.player
        self.camera.leave_fixed(player.model, player.data)
        _, point = self.renderer.pick(player.data, x, y, self._aspect)
        self.camera.center(point if point is not None else player.model.stat.center)


def _image(pixels: Any) -> QImage | None:
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    picture = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return picture.convertToFormat(QImage.Format.Format_RGB32)
