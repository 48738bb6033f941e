"""The channels of one session."""

from __future__ import annotations

from typing import Any

from studio.events import Events, Progress, Snapshot
from studio.viewer.training_tap import TrainingTap


class Channels:
    """The channels of one session (or of one window, over its sessions).

    ``policy`` holds the latest policy for watchers: an evaluation copy that shares nothing with training. ``training``
    shows them its own simulations.
    """

    def __init__(self) -> None:
        self.events = Events()
        self.progress: Snapshot[Progress] = Snapshot()
        self.policy: Snapshot[Any] = Snapshot()
        self.training = TrainingTap()
