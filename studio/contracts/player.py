"""What the viewport shows and drives: a live simulation, recorded episodes, a training's clips, a bare model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypedDict

from studio.contracts.arrays import Array
from studio.contracts.decorations import Color, Decoration, Ghost, Point
from studio.contracts.policy import Policy

if TYPE_CHECKING:
    import mujoco

PolicyChoice = Policy | str  # a policy, or one of "expert", "random", "hand"
RandomizationValues = Mapping[str, float | Sequence[float]]  # by key; a color or a position has three components


class PlayerInfo(TypedDict, total=False):
    """Numbers and words about the present moment; which ones there are depends on the player."""

    time: float  # s
    episode: int  # from 0
    episodes: int  # how many were recorded
    name: str  # what became of a recorded episode
    seed: int
    step: int  # of the episode
    reward: float  # of the last step
    success: bool
    successes: int  # of all episodes so far
    return_: float  # of this episode so far
    training: bool  # these are a training's clips
    stale: bool  # the training's simulation is of another domain by now


class ContextComponent(Protocol):
    """One component of a task family's context: its name, and how far a person may turn it."""

    @property
    def name(self) -> str: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


class PlayerProtocol(Protocol):
    """Plays something on one thread, a pose of ``data`` at a time.

    Not every player can do everything: what was recorded cannot be posed. It then does nothing, and answers None or
    something empty. ``studio.viewer.base_player.BasePlayer`` is a player that can do nothing.
    """

    model: mujoco.MjModel
    data: mujoco.MjData  # what is drawn

    @property
    def kind(self) -> str:
        """``world``, ``model``, ``recorded`` or ``training``."""

    @property
    def info(self) -> PlayerInfo:
        """Numbers and words about the present moment."""

    @property
    def moment(self) -> tuple[int, int, float]:
        """(entry of the history or frame of the episode, how many there are, seconds from one to the next)."""

    def close(self) -> None:
        """Free what it holds."""

    # -- time ----------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let simulated time pass, s."""

    def step(self) -> None:
        """Go one control step, or frame, on."""

    def back(self) -> None:
        """Go one control step, or frame, back."""

    def seek(self, index: int) -> None:
        """Go to an entry of the history, or a frame of the episode."""

    def reset(self, seed: int | None = None) -> None:
        """Start the episode of a seed; None: the present one again."""

    def choose(self, episode: int) -> None:
        """Start one of the recorded episodes."""

    # -- who acts, and in which world ----------------------------------------------------------------------------

    def set_policy(self, policy: PolicyChoice) -> None:
        """Change who acts. Raises StudioError where it cannot act here; who acted before then continues."""

    def randomize(self, values: RandomizationValues) -> None:
        """Hold values of the domain's randomization, by key; empty: each episode's own draw."""

    @property
    def changes(self) -> Sequence[str]:
        """How the studio's copy of a user's model differs from the file, in sentences; empty: not at all."""

    @property
    def components(self) -> Sequence[ContextComponent]:
        """Components of the context of a task family; empty: the task is none."""

    def context_values(self) -> Array | None:
        """Return the present context, (components,)."""

    def set_context(self, component: int, value: float) -> None:
        """Make the episode that plays another of its family."""

    def hold_context(self, on: bool) -> None:
        """Say whether further episodes keep the present context."""

    # -- the hand ------------------------------------------------------------------------------------------------

    @property
    def by_hand(self) -> bool:
        """Whether actuators obey their sliders."""

    @property
    def perturb(self) -> mujoco.MjvPerturb | None:
        """What the mouse has selected and holds, written by whoever shows the player; None: it cannot be touched."""

    @property
    def sliding_marks(self) -> Mapping[int, Array]:
        """Bodies that mark a goal and are moved along two slides, with their joints."""

    @property
    def goal_in_plane(self) -> bool:
        """Whether the goal's mark is on a table or floor."""

    @property
    def aim(self) -> tuple[Point, Point] | None:
        """Foot and tip of the arrow that shows where to go, which a hand may turn; None: there is none."""

    def aim_at(self, point: Array) -> None:
        """Turn the arrow to a point in the world, (3,) m."""

    def drag_at_rest(self) -> None:
        """Move what the mouse holds while the simulation is paused."""

    def pose(self, joint: int, value: float) -> None:
        """Put a hinge or slide at ``value``, rad or m."""

    def set_ctrl(self, actuator: int, value: float) -> None:
        """Set an actuator's control, where the robot is driven by hand."""

    def keyframe(self, key: int) -> None:
        """Take the pose of one of the model's keyframes."""

    def joint_values(self) -> Array | None:
        """Return the position of each hinge and slide, (njnt,); NaN for other joints."""

    def actuator_values(self) -> Array | None:
        """Return the control of each actuator, (nu,); NaN where it is not known."""

    # -- what is shown beside the pose ---------------------------------------------------------------------------

    def observation_image(self) -> Array | None:
        """Return what the policy sees, (h, w, 3) uint8; None: no image."""

    def traces(self) -> Mapping[str, Array] | None:
        """Return numbers over the steps, (steps, width) by name: the same object until there are more."""

    @property
    def overlays(self) -> Sequence[Decoration]:
        """What is drawn over the scene."""

    @property
    def ghosts(self) -> Sequence[Ghost]:
        """Translucent copies of the robot in other poses."""

    @property
    def named_colors(self) -> Sequence[tuple[str, Color]]:
        """What else the legend names, below the ghosts: each name with its color."""

    @property
    def places(self) -> Array | None:
        """Places that the view is to hold, (n, 3) m: the same object until there are others; None: it may choose."""

    @property
    def legend(self) -> tuple[str, float] | None:
        """What the colored path shows, and how much has the full color; None: there is none."""
