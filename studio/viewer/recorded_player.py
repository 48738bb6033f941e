"""The base of players that show recorded frames: where one is among them, and how one goes through them."""

from __future__ import annotations

from abc import abstractmethod

import mujoco

from studio.viewer.base_player import BasePlayer


class RecordedPlayer(BasePlayer):
    """Shows frames of a fixed rate. A subclass says how many there are, and poses the model by :attr:`frame`.

    Args:
        control_hz: frames per second.
    """

    kind = "recorded"

    def __init__(self, model: mujoco.MjModel, control_hz: float) -> None:
        super().__init__(model)
        self.control_hz = control_hz
        self._at = 0.0  # s since the first frame

    @property
    @abstractmethod
    def length(self) -> int:
        """How many frames there are."""

    @abstractmethod
    def _show(self) -> None:
        """Pose the model as in the present frame."""

    def step(self) -> None:
        """Go one frame on."""
        self.seek(self.frame + 1)

    def back(self) -> None:
        """Go one frame back."""
        self.seek(self.frame - 1)

    def seek(self, index: int) -> None:
        """Go to frame ``index``, or to the first or last where it is outside."""
        self._at = (min(max(index, 0), self.length - 1) + 1e-6) / self.control_hz
        self._show()

    def reset(self, seed: int | None = None) -> None:
        """Begin again."""
        self.seek(0)

    @property
    def frame(self) -> int:
        """The frame shown, from 0."""
        return min(int(self._at * self.control_hz), self.length - 1)

    @property
    def moment(self) -> tuple[int, int, float]:
        """(frame, frames in all, seconds from one to the next)."""
        return self.frame, self.length, 1 / self.control_hz
