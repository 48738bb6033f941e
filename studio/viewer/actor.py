"""Who acts in a simulation that is shown: the expert, random actions, a hand, or a policy with its memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from studio.contracts.player import PolicyChoice
from studio.errors import StudioError
from studio.sim.world import World
from studio.viewer.policy_probe import PolicyProbe

Array = np.ndarray
RANDOM_STREAM = 2  # of an episode's seed, for random actions
# exceptions of a policy that gets observations of other widths, entries or kinds than its own
MISMATCH_ERRORS = (RuntimeError, ValueError, LookupError, TypeError, AttributeError)


class Actor:
    """Chooses the actions of a world's only simulation, and has a policy evaluate its steps.

    Args:
        policy: ``"expert"``, ``"random"``, ``"hand"`` or a policy. It is not checked.
        observe: returns the present observation, (1, …); called only where it is needed.
    """

    def __init__(self, world: World, policy: PolicyChoice, observe: Callable[[], Any]) -> None:
        self._world, self._observe = world, observe
        self._ids = np.zeros(1, int)
        self._policy, self.probe = policy, _probe(policy)
        self.memory: Any = None  # of the policy, within an episode
        self._acted: tuple[Any, Array] | None = None  # the last observation and action

    @property
    def by_hand(self) -> bool:
        """Whether a hand acts, in place of a policy."""
        return isinstance(self._policy, str) and self._policy == "hand"

    def replace(self, policy: PolicyChoice) -> None:
        """Let another act. A later state of the same policy keeps its memory.

        Raises:
            StudioError: it cannot act in this world. Who acted before goes on.
        """
        probe = _probe(policy)
        if _is_later_state(policy, self._policy):
            probe.answers = self.probe.answers
        else:
            self._check(policy)
            self.memory = None
            if not isinstance(policy, str):
                probe.evaluate(self._observe())  # whether it has anything to say
        self._policy, self.probe = policy, probe

    def action(self, seed: int) -> Array:
        """Return the next native action, (1, …). Raises StudioError where the task has no expert.

        Args:
            seed: of the episode, for random actions.
        """
        space = self._world.single_action_space
        if isinstance(self._policy, str):
            if self._policy == "expert":
                self._check(self._policy)
                return self._world.expert(self._ids)
            rng = np.random.default_rng([seed, int(self._world.steps[0]), RANDOM_STREAM])
            return rng.uniform(space.low, space.high, (1, *space.shape))
        observation = self._observe()
        action: Array
        action, self.memory = self._policy.act(observation, self.memory)
        if self.probe.scores is not None:
            self._acted = observation, np.array(action)
        return action

    def score(self) -> dict[str, float]:
        """Return the ``score`` of the transition that a policy's last action led to, once; empty: there was none."""
        if self._acted is None:
            return {}
        before, action = self._acted
        self._acted = None
        return {"score": self.probe.score_transition(before, action, self._observe())}

    def evaluate(self) -> dict[str, float]:
        """Return the policy's ``value`` and ``entropy`` of the present state, where it has them."""
        return {} if self.probe.answers is False else self.probe.evaluate(self._observe(), self.memory)

    def begin(self, memory: Any = None) -> None:
        """Go on from another step with the memory that was kept of it; None: from the beginning of an episode."""
        self.memory, self._acted = memory, None

    def _check(self, policy: PolicyChoice) -> None:
        """Let a policy act once on the present observation. Raises StudioError where it cannot."""
        task = self._world.task
        if isinstance(policy, str):
            if policy == "expert" and not task.has_expert:
                message = f"The task '{task.id}' has no scripted expert."
                raise StudioError(message, "", "Choose another policy: current, a checkpoint, random.")
            return
        fits, reason = False, None
        try:
            fits = np.shape(policy.act(self._observe())[0]) == (1, *self._world.single_action_space.shape)
        except MISMATCH_ERRORS as error:
            reason = error
        if not fits:
            message = "The policy does not fit this world: it was made for other observations or actions."
            remedy = "Choose another policy, or show the world that it was trained in."
            raise StudioError(message, "", remedy) from reason


def _probe(policy: PolicyChoice) -> PolicyProbe:
    return PolicyProbe(None if isinstance(policy, str) else policy)


def _is_later_state(policy: PolicyChoice, before: PolicyChoice) -> bool:
    """Whether a policy is the one that acted before, trained further."""
    if isinstance(policy, str) or isinstance(before, str):
        return False
    return type(policy) is type(before) and policy.params is not None and policy.params == before.params
