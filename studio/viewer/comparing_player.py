"""A player that shows a second policy beside the first, as a translucent robot in episodes of the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.contracts import Ghost, Policy, RandomizationValues, ResolvedDomain
from studio.contracts.decorations import Color
from studio.contracts.player import PolicyChoice
from studio.viewer.player import Player


class ComparingPlayer(Player):
    """Both start an episode together; the next one begins when both have ended. A hand moves the first robot only.

    Args:
        beside: who drives the second robot.
        label: what the legend calls it; its color.
    """

    def __init__(
        self,
        resolved: ResolvedDomain,
        beside: Policy,
        label: str,
        color: Color,
        policy: PolicyChoice = "expert",
        seed: int = 0,
    ) -> None:
        self._second = _Second(resolved, beside, seed)
        self._label, self._color = label, color
        super().__init__(resolved, policy, seed)

    def close(self) -> None:
        self._second.close()
        super().close()

    def randomize(self, values: RandomizationValues) -> None:
        self._second.randomize(values)
        super().randomize(values)

    def set_context(self, component: int, value: float) -> None:
        self._second.set_context(component, value)
        super().set_context(component, value)

    def hold_context(self, on: bool) -> None:
        self._second.hold_context(on)
        super().hold_context(on)

    @property
    def ghosts(self) -> Sequence[Ghost]:
        """The second robot."""
        return [Ghost(self._second.batch.bind("qpos")[0].copy(), self._color, self._label)]

    def _begin(self, seed: int) -> None:
        self._second.reset(seed)
        super()._begin(seed)

    def _advance_part(self) -> None:
        self._second.advance_part()
        super()._advance_part()

    def _is_waiting(self) -> bool:
        if self._ended and not self._second.has_ended:
            return True
        return super()._is_waiting()

    def _extra_state(self) -> Any:
        return super()._extra_state(), self._second.snapshot()

    def _restore_extra(self, extra: Any) -> None:
        own, second = extra
        super()._restore_extra(own)
        self._second.restore(second)


class _Second(Player):
    """Stands still from an episode's end until it is reset."""

    @property
    def has_ended(self) -> bool:
        return bool(self._ended)

    def advance_part(self) -> None:
        """Simulate a part of a control step."""
        self._advance_part()

    def _is_waiting(self) -> bool:
        return bool(self._ended)
