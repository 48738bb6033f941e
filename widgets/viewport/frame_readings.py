"""The numbers that a frame carries beside its picture: traces, watched fields, joints, actuators, context."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from studio.contracts import PlayerProtocol, PolicyChoice
from widgets.viewport.field_watcher import FieldWatcher

TRACE_SECONDS = 0.15  # between two readings of a policy's evaluations of its steps


class FrameReadings:
    """Reads what somebody looks at, and nothing else. Render thread only."""

    def __init__(self) -> None:
        self.watcher = FieldWatcher()
        self.inspected: frozenset[str] = frozenset()  # joints, actuators, context
        self._traces: Mapping[str, np.ndarray] | None = None
        self._traces_of: tuple[int, int, PolicyChoice | None] = (0, 0, None)  # model, episode, policy
        self._traced = 0.0

    def read(self, player: PlayerProtocol, model: int, policy: PolicyChoice | None, moving: bool) -> dict[str, Any]:
        """Return the fields of a frame that these readings fill.

        Args:
            model: counts the models shown.
            policy: that drives the player.
            moving: whether the simulation goes on by itself.
        """
        return {
            "traces": self._read_traces(player, model, policy, moving),
            "readings": self.watcher.read(player) if self.watcher else (),
            "joints": player.joint_values() if "joints" in self.inspected else None,
            "actuators": player.actuator_values() if "actuators" in self.inspected else None,
            "context": player.context_values() if "context" in self.inspected else None,
        }

    def _read_traces(
        self, player: PlayerProtocol, model: int, policy: PolicyChoice | None, moving: bool
    ) -> Mapping[str, np.ndarray] | None:
        """Return traces: of a recorded episode made once, of a policy that plays read now and then."""
        now, shown = time.perf_counter(), (model, player.info.get("episode", 0), policy)
        grown = player.kind != "recorded" and (not moving or now - self._traced > TRACE_SECONDS)
        if shown != self._traces_of or grown:
            self._traces_of, self._traced = shown, now
            self._traces = player.traces()
        return self._traces
