"""The channels of one session."""

from __future__ import annotations

from typing import Any

from studio.events import Events, Progress, Snapshot
from studio.viewer.training_tap import TrainingTap


class Channels:
    """The channels of one session (or of one window, over its sessions).

    ``policy`` holds a recent copy of the policy, in evaluation mode. It is for acting only: frozen weights are shared
    with the training (see :func:`studio.nn.snapshot.snapshot`). ``training`` taps the training's own simulations.
    """

    def __init__(self) -> None:
        self.events = Events()
        self.progress: Snapshot[Progress] = Snapshot()
        self.policy: Snapshot[Any] = Snapshot()
        self.training = TrainingTap()
