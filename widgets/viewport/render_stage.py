"""What the render thread owns: the player, the camera, the quality, the clock; and the frames it makes of them.

Nothing here is touched from another thread, and nothing here knows of threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PySide6.QtGui import QImage

from studio.contracts import Decoration, Ghost, PlayerProtocol, PolicyChoice, RandomizationValues
from widgets.viewport.film import Film
from widgets.viewport.frame import Frame
from widgets.viewport.model_sheet import NO_MODEL, describe
from widgets.viewport.orbit_camera import names
from widgets.viewport.player_commands import INDEXED, PAUSING, PlayerCommands
from widgets.viewport.policy_supply import POLL_SECONDS, PolicySource, PolicySupply
from widgets.viewport.render_pace import Pace
from widgets.viewport.scene_renderer import LEVELS, STILL_LEVEL, Quality, QualityControl, SceneRenderer
from widgets.viewport.watching import Watching

CATCH_UP = 0.1  # s; a longer gap between two frames is not made good
SLICE = 0.04  # s of simulation between two looks at the clock
INSET_SECONDS = 0.1  # between two pictures of what the policy sees
FILM_SECONDS = 10.0  # how long the end waits for a film to be completed
TRACE_SECONDS = 0.15  # between two readings of what a policy says of its moments
STILL_SECONDS = 0.3  # of rest, before a standing picture is drawn finely

# an old failure is over
STARTS = ("player", "policy", "preview", "play", "step", "back", "seek", "choose", "reset", "keyframe")


class Stage:
    """What the thread owns. Nothing of it is touched from outside."""

    def __init__(self) -> None:
        self.renderer = SceneRenderer()
        import mujoco

        self._mj = mujoco
        self._view = mujoco.MjvCamera()
        self._commands = PlayerCommands(self.renderer, mujoco)
        self._supply = PolicySupply()
        self.film = Film()
        self.watching = Watching()
        self.decorations: Sequence[Decoration] = ()
        self.ghosts: Sequence[Ghost] = ()
        self.camera = self._commands.camera
        self.quality = QualityControl()
        self.player: PlayerProtocol | None = None
        self.visible, self.playing, self.dirty = True, True, True
        self.speed = 1.0
        self.size = (640, 480)
        self.inset = False
        self._preview: RandomizationValues = {}
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
        self._traces: Mapping[str, np.ndarray] | None = None
        self._traces_of: tuple[int, int, Any] = (0, 0, None)  # model, episode, policy
        self._traced = 0.0

    def close(self) -> None:
        self.film.stop(FILM_SECONDS)
        self._let_go()
        self.renderer.close()

    def _let_go(self) -> None:
        player, self.player = self.player, None
        if player is not None:
            player.close()

    @property
    def moving(self) -> bool:
        """Whether the simulation goes on by itself."""
        return self.playing and not self.waiting and not self._stopped

    @property
    def _stopped(self) -> str:
        """Why the simulation cannot go on; empty: it can."""
        return self._message or self._supply.refused

    @property
    def waiting(self) -> bool:
        """For the training's first policy; the robot holds still meanwhile."""
        return self._supply.waiting

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
            self.ghosts = value
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
            self._carry_out(self.player, key, value)

    def _carry_out(self, player: PlayerProtocol, key: str, value: Any) -> None:
        """What needs a player to be done to."""
        command, _, index = key.partition(" ")
        if command in PAUSING:
            self.playing = False
        if command in ("step", "back") and (self.waiting or self._supply.refused):
            return
        number = int(index) if command in INDEXED else 0
        self._commands.carry_out(player, command, number, value, self._aspect)
        if command == "drag" and not self.moving:
            player.drag_at_rest()

    def advance(self, now: float, interval: float) -> bool:
        """Plays on by the time that has passed; says whether anything moved."""
        player = self.player
        if player is None or not self.visible:
            self._last = 0.0
            return False
        self._poll(now)
        if not self.moving:
            self._last = 0.0
            return self.camera.advance(player.data)
        elapsed = min(now - self._last, CATCH_UP) if self._last else 0.0
        self._last = now
        wanted, done = elapsed * self.speed, 0.0
        while wanted > 0 and time.perf_counter() - now < 0.6 * interval:
            part = min(wanted, SLICE)
            player.advance(part)
            wanted -= part
            done += part
        self._pace.passed(now, done)
        self.camera.advance(player.data)
        return True

    def wants_picture(self, moved: bool) -> bool:
        """Whether a frame is to be drawn now: something changed, or what stands still may be drawn finely."""
        if self.player is None or not self.visible:
            return False
        return moved or self.dirty or (not self._fine and self._rest_left() <= 0)

    def draw(self, moved: bool, budget: float, spent: float) -> Frame:
        """A frame at the level the machine can hold within ``budget`` seconds, of which ``spent`` are gone. There must
        be a player."""
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
        if self.player is not None and self.inset and began - self._inset_at > INSET_SECONDS:
            self._inset_image, self._inset_at = _image(self.player.observation_image()), began
        return self.frame(image)

    def paint(self, quality: Quality) -> QImage:
        """The present view of the player; there must be one."""
        player, camera = self.player, self._mj.mjtCamera
        assert player is not None, "there is nothing to draw"
        self.camera.write(self._view, player.model, camera.mjCAMERA_FREE.value, camera.mjCAMERA_FIXED.value)
        return self.renderer.draw(
            player.data,
            self._view,
            *self.size,
            quality,
            player.perturb,
            (*self.decorations, *player.overlays),
            (*self.ghosts, *player.ghosts),
        )

    def frame(self, image: QImage | None) -> Frame:
        """What is to be shown, with the present numbers."""
        player = self.player
        self._pace.measure(time.perf_counter(), self.moving)
        more: dict[str, Any] = {}
        if player is not None:
            more = {
                "moment": player.moment,
                "by_hand": player.by_hand,
                "selected": self._commands.grab.name(player),
                "traces": self._read_traces(player),
                "legend": player.legend,
                "ghosts": self.renderer.ghosts,
                "readings": self.watching.read(player) if self.watching else (),
                "joints": player.joint_values() if "joints" in self._inspected else None,
                "actuators": player.actuator_values() if "actuators" in self._inspected else None,
                "context": player.context_values() if "context" in self._inspected else None,
            }
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

    def _rebuild(self, factory: Callable[[], PlayerProtocol]) -> None:
        self._let_go()
        self.player = player = factory()
        self._supply.hand_over(player)
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
        if self.player is not None:
            self.player.hold_context(self._hold)

    def _set_policy(self, policy: PolicyChoice | None, source: PolicySource | None) -> None:
        self._supply.choose(policy, source)
        self._supply.hand_over(self.player)
        self._poll(time.perf_counter())

    def _poll(self, now: float) -> None:
        if self._supply.poll(now):
            self._supply.hand_over(self.player)
            self.dirty = True

    def _read_traces(self, player: PlayerProtocol) -> Mapping[str, np.ndarray] | None:
        """Of a recorded episode they are made once, and read now and then while a policy plays."""
        now, shown = time.perf_counter(), (self._models, player.info.get("episode", 0), self._supply.policy)
        grown = self._sheet.kind != "recorded" and (not self.moving or now - self._traced > TRACE_SECONDS)
        if shown != self._traces_of or grown:
            self._traces_of, self._traced = shown, now
            self._traces = player.traces()
        return self._traces

    @property
    def _aspect(self) -> float:
        return self.size[0] / max(1, self.size[1])


def _image(pixels: Any) -> QImage | None:
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    picture = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return picture.convertToFormat(QImage.Format.Format_RGB32)
