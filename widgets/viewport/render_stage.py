"""What the render thread owns: the player, who drives it, the clock, and what makes frames of them.

Nothing here is touched from another thread, and nothing here knows of threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtGui import QImage

from studio.contracts import Array, PlayerProtocol, PolicyChoice, RandomizationValues
from widgets.viewport.frame import Frame
from widgets.viewport.frame_painter import FramePainter
from widgets.viewport.frame_readings import FrameReadings
from widgets.viewport.model_sheet import NO_MODEL, describe
from widgets.viewport.orbit_camera import camera_names
from widgets.viewport.player_commands import INDEXED, PAUSING, PlayerCommands
from widgets.viewport.policy_supply import POLL_SECONDS, PolicySource, PolicySupply
from widgets.viewport.render_pace import Pace
from widgets.viewport.scene_renderer import Quality

CATCH_UP = 0.1  # s; a longer gap between two frames is not made good
SLICE = 0.04  # s of simulation between two looks at the clock
FILM_SECONDS = 10.0  # how long the end waits for a film to be completed

# messages after which an earlier failure is no longer shown
STARTS = ("player", "policy", "preview", "play", "step", "back", "seek", "choose", "reset", "keyframe")


class Stage:
    """Obeys messages, lets simulated time pass, and makes frames.

    Raises:
        StudioError: the machine can make no GL context.
    """

    def __init__(self) -> None:
        import mujoco

        self._mj = mujoco
        self.painter = FramePainter(mujoco)
        self.readings = FrameReadings()
        self._commands = PlayerCommands(self.painter.renderer, mujoco)
        self._supply = PolicySupply()
        self._pace = Pace()
        self.camera = self._commands.camera
        self.player: PlayerProtocol | None = None
        self.visible, self.playing, self.dirty = True, True, True
        self.speed = 1.0  # simulated seconds in a second
        self._preview: RandomizationValues = {}
        self._hold = False  # further episodes have the present one's context
        self._message = ""  # of the last failure
        self._models = 0
        self._last = 0.0  # when the player was last advanced
        self._fitted: Array | None = None  # the places that the view was last fitted to
        self._names: tuple[str, ...] = ()
        self._sheet = NO_MODEL

    def close(self) -> None:
        """Complete a film and free player and renderer."""
        self.painter.film.stop(FILM_SECONDS)
        self._close_player()
        self.painter.renderer.close()

    @property
    def moving(self) -> bool:
        """Whether the simulation goes on by itself."""
        return self.playing and not self.waiting and not self._stopped

    @property
    def waiting(self) -> bool:
        """Whether it waits for the training's first policy; the robot holds still meanwhile."""
        return self._supply.waiting

    @property
    def _stopped(self) -> str:
        """Why the simulation cannot go on; empty: it can."""
        return self._message or self._supply.refused

    # -- messages --------------------------------------------------------------------------------------------------

    def obey(self, key: str, value: Any) -> None:
        """Carry out one message of the UI thread, as :class:`RenderRequests` posts them."""
        self.dirty = True
        if key in STARTS:
            self._message = ""
        match key:
            case "player":
                self._rebuild(value)
            case "policy":
                self._set_policy(*value)
            case "play":
                self.playing, self._last = value, 0.0
            case "speed":
                self.speed = value
            case "visible":
                self.visible = value
            case "preview":
                self._set_preview(value)
            case "hold":
                self._hold = value
                self._hold_context()
            case "camera":
                self.camera.choose(value)
            case "size":
                self.painter.size, self._fitted = value, None
            case "inset":
                self.painter.shows_inset = value
            case "show":
                self.painter.renderer.show(value)
            case "ghosts":
                self.painter.ghosts = value
            case "overlays":
                self.painter.decorations = value
            case "inspect":
                self.readings.inspected = value
            case "watch":
                self.readings.watcher.watch(value)
            case _ if self.player is not None:
                self._carry_out(self.player, key, value)
        if key in ("size", "inset", "preview"):
            self.painter.refresh_inset()

    def _carry_out(self, player: PlayerProtocol, key: str, value: Any) -> None:
        """Carry out what needs a player."""
        command, _, index = key.partition(" ")
        if command in PAUSING:
            self.playing = False
        if command in ("step", "back") and (self.waiting or self._supply.refused):
            return
        number = int(index) if command in INDEXED else 0
        self._commands.carry_out(player, command, number, value, self.painter.aspect)
        if command == "drag" and not self.moving:
            player.drag_at_rest()

    def _rebuild(self, factory: Callable[[], PlayerProtocol]) -> None:
        self._close_player()
        self.player = player = factory()
        self._supply.hand_over(player)
        self._models += 1
        self._names = tuple(camera_names(player.model))
        self._sheet = describe(player, self._mj)
        self.readings.watcher.use(player)
        self.painter.use(player)
        self.camera.frame(player.model)
        self._fitted = None
        self._last = 0.0
        if self._preview:
            player.randomize(self._preview)
        self._hold_context()

    def _close_player(self) -> None:
        player, self.player = self.player, None
        if player is not None:
            player.close()

    def _set_preview(self, values: RandomizationValues) -> None:
        self._preview = values
        if self.player is not None:
            self.player.randomize(values)

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

    # -- time ------------------------------------------------------------------------------------------------------

    def advance(self, now: float, interval: float) -> bool:
        """Play on by the time that has passed; return whether anything moved."""
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

    def rest(self) -> float | None:
        """Return for how many seconds nothing has to be done; None: until the next message."""
        if self.player is None or not self.visible:
            return None
        if self.moving or self.dirty:
            return 0.0
        if not self.painter.is_fine:
            return max(0.0, self.painter.until_fine())
        return POLL_SECONDS if self.playing else None

    # -- frames ----------------------------------------------------------------------------------------------------

    def wants_picture(self, moved: bool) -> bool:
        """Return whether to draw a frame now: something changed, or a standing picture may be drawn finely."""
        if self.player is None or not self.visible:
            return False
        return moved or self.dirty or (not self.painter.is_fine and self.painter.until_fine() <= 0)

    def draw(self, moved: bool, budget: float, spent: float) -> Frame:
        """Return a frame at the level that the machine can hold; there must be a player.

        Args:
            budget: s, what a frame may cost.
            spent: s, how much of that the simulation has taken.
        """
        assert self.player is not None, "there is nothing to draw"
        began = time.perf_counter()
        self._fit_view(self.player)
        image = self.painter.paint_next(self.player, self.camera, still=not moved and not self.dirty)
        if moved and self.moving:
            self._pace.picture(began)
            self.painter.record_cost(time.perf_counter() - began, max(budget - spent, 0.25 * budget))
        self.dirty = False
        self.painter.paint_inset(self.player)
        return self.frame(image)

    def _fit_view(self, player: PlayerProtocol) -> None:
        """Bring places that a player wants to be seen into the picture, once for each set of them."""
        places = player.places
        held = player.perturb is not None and player.perturb.active  # what the mouse drags must not move under it
        if places is not self._fitted and not held:
            self._fitted = places
            if places is not None and len(places):
                self.camera.fit(places, player.model, self.painter.aspect)

    def paint(self, quality: Quality) -> QImage:
        """Return a picture of the present view; there must be a player."""
        assert self.player is not None, "there is nothing to draw"
        return self.painter.paint(self.player, self.camera, quality)

    def fail(self, message: str) -> Frame:
        """Stop after an exception until a person's next request, and return the frame with the reason.

        What is chosen next plays where this one did.
        """
        self.dirty, self._last = False, 0.0
        self._message = message
        return self.frame(None)

    def frame(self, image: QImage | None) -> Frame:
        """Return what is to be shown, with the present numbers."""
        player, painter = self.player, self.painter
        self._pace.measure(time.perf_counter(), self.moving)
        more: dict[str, Any] = {}
        if player is not None:
            more = {
                "info": dict(player.info),
                "moment": player.moment,
                "by_hand": player.by_hand,
                "selected": self._commands.grab.name(player),
                "legend": player.legend,
                "ghosts": painter.renderer.ghosts,
                "named_colors": tuple(player.named_colors),
                **self.readings.read(player, self._models, self._supply.policy, self.moving),
            }
        return Frame(
            image=image,
            inset=painter.inset if painter.shows_inset else None,
            message=self._stopped,
            playing=self.playing and not self._stopped,
            waiting=self.waiting,
            preview=bool(self._preview),
            fps=self._pace.fps,
            speed=self._pace.speed,
            level=painter.level,
            camera=self.camera.mode,
            cameras=self._names,
            model=self._models,
            sheet=self._sheet,
            filmed=painter.film.seconds,
            **more,
        )
