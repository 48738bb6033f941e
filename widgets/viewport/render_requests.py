"""What may be asked of the render thread: every request is posted to its mailbox and returns at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from studio.contracts import Decoration, Ghost, PlayerProtocol, PolicyChoice
from widgets.shell.mailbox import Mailbox
from widgets.viewport.policy_supply import PolicySource
from widgets.viewport.show_options import ViewOptions


class RenderRequests:
    """Requests that replace or sum up those not read yet. Any thread may make them; a subclass reads the mailbox."""

    _mail: Mailbox
    _presses = 0  # how often a body was taken hold of

    # -- what is played, and who drives it -------------------------------------------------------------------------

    def show_domain(self, factory: Callable[[], PlayerProtocol]) -> None:
        """Replace the player. ``factory`` is called on the render thread."""
        self._mail.post("player", factory)

    def set_policy(self, policy: PolicyChoice | None, source: PolicySource | None = None) -> None:
        """Let ``"expert"``, ``"random"``, ``"hand"`` or a policy drive; None: the newest of a ``source``."""
        self._mail.post("policy", (policy, source))

    def preview(self, values: Mapping[str, float]) -> None:
        """Hold these randomization values, episode after episode; empty: each episode's own draw again."""
        self._mail.post("preview", dict(values))

    def set_context(self, component: int, value: float) -> None:
        """Make the present episode another of its task's family."""
        self._mail.post(f"context {component}", value)

    def hold_context(self, on: bool) -> None:
        """Keep the present context in further episodes, or let each have its own."""
        self._mail.post("hold", on)

    # -- time ------------------------------------------------------------------------------------------------------

    def play(self, on: bool) -> None:
        """Play or pause."""
        self._mail.post("play", on)

    def set_speed(self, factor: float) -> None:
        """Set how many simulated seconds pass in a second."""
        self._mail.post("speed", factor)

    def step(self) -> None:
        """Pause and go one control step on: the one that the history has, or a new one."""
        self._mail.add("step", 1)

    def back(self) -> None:
        """Pause and go one control step back."""
        self._mail.add("back", 1)

    def seek(self, index: int) -> None:
        """Pause and go to an entry of the history, or a frame of the recorded episode."""
        self._mail.post("seek", index)

    def choose(self, episode: int) -> None:
        """Start another of the recorded episodes."""
        self._mail.post("choose", episode)

    def reset(self, seed: int | None = None) -> None:
        """Start the episode of a seed; None: the present one again."""
        self._mail.post("reset", (seed,))

    # -- the hand --------------------------------------------------------------------------------------------------

    def keyframe(self, index: int) -> None:
        """Pause and pose the robot as in one of the model's keyframes."""
        self._mail.post("keyframe", index)

    def pose(self, joint: int, value: float) -> None:
        """Pause and put a joint at ``value``, rad or m."""
        self._mail.post(f"pose {joint}", value)

    def set_ctrl(self, actuator: int, value: float) -> None:
        """Set an actuator's control under the policy ``"hand"``."""
        self._mail.post(f"ctrl {actuator}", value)

    def select(self, x: float, y: float) -> None:
        """Select the body under (x, y), in [0, 1] from the upper left."""
        self._mail.post("select", (x, y))

    def deselect(self) -> None:
        """Select nothing."""
        self._mail.post("select", None)

    def grab(self, how: str, flat: bool = False) -> None:
        """Hold the selected body, to ``pull`` or ``turn`` it; ``flat``: in the horizontal plane."""
        self._presses += 1
        self._mail.post("grab", (how, flat, self._presses))

    def drag(self, dx: float, dy: float) -> None:
        """Move the hand that holds a body, in heights of the view."""
        self._mail.add("drag", dx, dy)

    def release(self) -> None:
        """Let go of the body."""
        self._mail.post("grab", None)

    # -- the camera ------------------------------------------------------------------------------------------------

    def set_camera(self, mode: str) -> None:
        """Look through ``free``, ``follow``, or one of the model's cameras by its name."""
        self._mail.post("camera", mode)

    def move_camera(self, how: str, *amounts: float) -> None:
        """Move the camera: ``orbit`` or ``pan`` by (dx, dy) in heights of the view, ``zoom`` by notches."""
        self._mail.add(how, *amounts)

    def center_at(self, x: float, y: float) -> None:
        """Center what lies at (x, y), in [0, 1] from the upper left; the whole model where nothing does."""
        self._mail.post("center", (x, y))

    # -- the picture -----------------------------------------------------------------------------------------------

    def set_size(self, width: int, height: int) -> None:
        """Set the picture's size, device px."""
        self._mail.post("size", (width, height))

    def set_visible(self, on: bool) -> None:
        """Draw and simulate, or rest while nobody can see it."""
        self._mail.post("visible", on)

    def set_inset(self, on: bool) -> None:
        """Let frames carry what the policy sees, or not."""
        self._mail.post("inset", on)

    def show(self, shown: ViewOptions) -> None:
        """Draw contacts, joints, labels and so on over the scene."""
        self._mail.post("show", shown)

    def set_ghosts(self, ghosts: Sequence[Ghost]) -> None:
        """Draw these translucent copies of the robot until others are set; a player may have more of its own."""
        self._mail.post("ghosts", tuple(ghosts))

    def set_overlays(self, decorations: Sequence[Decoration]) -> None:
        """Draw balls and lines in the world until others are set; a player may have more of its own."""
        self._mail.post("overlays", tuple(decorations))

    def capture(self) -> None:
        """Draw the present view once in the best quality; the thread emits it with ``captured``."""
        self._mail.post("capture")

    def film(self, path: Path | None) -> None:
        """Record what is drawn into an MP4 file; None: complete it. The thread emits ``film_ended`` when it is."""
        self._mail.post("film", path)

    # -- numbers that frames carry ---------------------------------------------------------------------------------

    def inspect(self, parts: frozenset[str]) -> None:
        """Let frames carry these: ``joints``, ``actuators``, ``context``."""
        self._mail.post("inspect", parts)

    def watch(self, texts: Sequence[str]) -> None:
        """Let frames carry readings of these fields, see studio.viewer.watched_fields."""
        self._mail.post("watch", tuple(texts))
