"""The policy that drives the player: one that was chosen, or the newest of a training. Render thread only."""

from __future__ import annotations

from collections.abc import Callable

from studio.contracts import PlayerProtocol, Policy, PolicyChoice
from studio.errors import StudioError

POLL_SECONDS = 1.0  # between two looks for a newer training policy

PolicySource = Callable[[], tuple[int, Policy | None]]  # (version, policy); version 0 or policy None: nothing yet


class PolicySupply:
    """Gives policies to a player, and remembers why one was refused."""

    def __init__(self) -> None:
        self.policy: PolicyChoice | None = "expert"  # None: the training has none yet
        self.refused = ""  # why the policy cannot act in this world; the robot holds still meanwhile
        self._source: PolicySource | None = None
        self._version = 0
        self._polled = 0.0

    @property
    def waiting(self) -> bool:
        """Whether it waits for the training's first policy; the robot holds still meanwhile."""
        return self._source is not None and self.policy is None

    def choose(self, policy: PolicyChoice | None, source: PolicySource | None) -> None:
        """Take a policy, or a source that is polled."""
        self.policy, self._source = policy, source
        self._version, self._polled = 0, 0.0

    def poll(self, now: float) -> bool:
        """Ask the source, at most every ``POLL_SECONDS``; return whether there is another policy to hand over."""
        if self._source is None or now - self._polled < POLL_SECONDS:
            return False
        self._polled = now
        version, policy = self._source()
        if policy is None or version == self._version:
            return False
        self._version, self.policy = version, policy
        return True

    def hand_over(self, player: PlayerProtocol | None) -> None:
        """Let the policy drive the player. One that cannot act there leaves the robot still."""
        self.refused = ""
        if self.policy is None or player is None:
            return
        try:
            player.set_policy(self.policy)
        except StudioError as error:
            self.refused = str(error)
