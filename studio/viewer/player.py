"""A simulation of a domain to look at, driven by an expert, a policy, random actions or a person. Single-threaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from studio.contracts import Decoration, PlayerInfo, ResolvedDomain
from studio.contracts.player import PolicyChoice
from studio.viewer.actor import Actor
from studio.viewer.policy_probe import StepRecord
from studio.viewer.steered_world import SteeredWorld
from studio.viewer.step_overlays import StepOverlays

HOLD_SECONDS = 0.5  # how long the end of an episode stays before the next one begins


class Player(SteeredWorld):
    """Plays episodes of a domain; made and used on one thread.

    Args:
        policy: ``"expert"``, ``"random"``, ``"hand"`` or a policy.
        seed: of the first episode; each further episode takes the next.
    """

    def __init__(self, resolved: ResolvedDomain, policy: PolicyChoice = "expert", seed: int = 0) -> None:
        super().__init__(resolved)
        self._actor = Actor(self.world, policy, self._observation)
        self._overlays = StepOverlays(self.history, float(self.model.stat.extent))
        self._last_step: dict[str, Any] = {}  # action, reward and score, for the step's record
        self._episode = self._successes = 0
        self.by_hand = self._actor.by_hand
        self.reset(seed)

    # -- a player's interface ------------------------------------------------------------------------------------

    def set_policy(self, policy: PolicyChoice) -> None:
        """Change who acts, from the next control step on. A later state of the same policy keeps its memory.

        Raises:
            StudioError: it cannot act in this world. Who acted before goes on.
        """
        self._actor.replace(policy)
        before, self.by_hand = self.by_hand, self._actor.by_hand
        if self.by_hand and not before:
            self._drop_step()  # the rest of the policy's step would overwrite what the person sets

    def reset(self, seed: int | None = None) -> None:
        """Start the episode of a seed; None: the present one again."""
        self._marks, self._context_moved = {}, False
        self._begin(self._seed if seed is None else seed)

    def step(self) -> None:
        """Go one whole control step on; from an episode's end, to the beginning of the next."""
        if self._ended and self.history.at_end:
            self._begin_next()
        else:
            super().step()

    def traces(self) -> dict[str, np.ndarray] | None:
        """Return the policy's numbers over the history, (entries, width) by name: the same object until there are more.

        None: it has none.
        """
        return self._overlays.traces(self._actor.probe)

    @property
    def overlays(self) -> Sequence[Decoration]:
        """The arrow to the goal direction, and the episode's path in the color of its scores, where it has scores."""
        path = self._overlays.path(self._actor.probe)
        return [*self._arrow(), *path] if self.components else path

    @property
    def legend(self) -> tuple[str, float] | None:
        """(title, score of the full color) of the path; None: there is none."""
        return self._overlays.legend(self._actor.probe)

    @property
    def info(self) -> PlayerInfo:
        """time (s), episode, seed, step, reward (of the last step), success, successes, return_ of this episode."""
        return {
            "time": float(self.data.time),
            "episode": self._episode,
            "seed": self._seed,
            "step": int(self.world.steps[0]),
            "reward": self._reward,
            "success": self._success,
            "successes": self._successes,
            "return_": self._return,
        }

    # -- episodes ------------------------------------------------------------------------------------------------

    def _begin(self, seed: int) -> None:
        self._seed = seed
        self._ended, self._success, self._return, self._reward = 0.0, False, 0.0, 0.0
        self._actor.begin()
        self._last_step = {}
        self._begin_world(seed)
        self._after_randomization()
        self._remember()
        self._update_data()

    def _begin_next(self) -> None:
        self._episode += 1
        self._begin(self._seed + 1)

    def _is_waiting(self) -> bool:
        if not self._ended:
            return False
        self._ended -= self._part
        if self._ended <= 0:
            self._begin_next()
        elif self.perturb.active and self._mark(self.perturb.select) is not None:
            self._drag_held()
        return True

    # -- how a control step passes -------------------------------------------------------------------------------

    def _control_step(self) -> Iterator[Any]:
        if self.by_hand:
            return self._step_by_hand()
        return self.world.advance_parts(self._actor.action(self._seed), self._ids)

    def _after_step(self) -> None:
        world = self.world
        self._reward = float(world.reward(self._ids)[0])
        self._observation.forget()
        self._last_step = {"reward": self._reward, "action": world.actions[0].copy(), **self._actor.score()}
        self._return += self._reward
        self._success = world.task.has_success and bool(world.success(self._ids)[0])
        self._successes += self._success
        if not self.by_hand and (world.terminated(self._ids)[0] or world.truncated(self._ids)[0]):
            self._ended = HOLD_SECONDS  # a hand has no time limit

    # -- what the history keeps of a step ------------------------------------------------------------------------

    def _extra_state(self) -> Any:
        record: dict[str, Any] = {**self._last_step, **self._actor.evaluate()}
        self._record = StepRecord(int(self.world.steps[0]), self._place(), **record)
        episode = self._seed, self._episode, self._successes, self._ended, self._success, self._return, self._reward
        return episode, self._actor.memory, self._marks, self._context_moved, self._record

    def _restore_extra(self, extra: Any) -> None:
        episode, memory, self._marks, self._context_moved, self._record = extra
        self._seed, self._episode, self._successes, self._ended, self._success, self._return, self._reward = episode
        self._actor.begin(memory)
        self._observation.forget()
        self._last_step = {"action": self._record.action, "reward": self._record.reward, "score": self._record.score}

    def _height(self) -> float:
        return self._record.place[2]  # of the step's beginning
