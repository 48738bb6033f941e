"""What acts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from studio.contracts.arrays import Array, Observation

if TYPE_CHECKING:
    pass


class TransitionScore(Protocol):
    """A number for each transition, to color a policy's path by: DARC's Δr, for one. Green above 0 and red below."""

    @property
    def title(self) -> str:
        """Short, with its unit: the legend."""

    def transition_score(self, observation: Observation, action: Array, next_observation: Observation) -> Array:
        """(n,), 0: nothing to say. Native actions (n, dof), observations before and after, as ``act`` sees them. Near a
        millisecond for a few rows; may be called from any thread, on a copy of its own."""


class Policy(Protocol):
    """Anything that acts, batch first.

    A policy may carry a ``gap``, a :class:`TransitionScore`, as a plain attribute: look for it by
    ``getattr(policy, "gap", None)``. ``copy.deepcopy`` copies it along; it is none of the policy's parameters and not
    among the tensors of its ``state_dict``. DARC's is saved beside the policy and comes back with it.

    It may have two methods more, which are drawn under its picture while it plays. They are asked once a control step,
    with what ``act`` is given, batch first:

    - ``value(observation) -> (n,)``: what it expects to gain from here on, V(s) or min Q(s, a) at its own action, in
      the scale of the rewards it was trained with.
    - ``entropy(observation) -> (n,)``: of what it would explore with, nats.

    One whose ``is_recurrent`` is true is asked with its memory too, as ``act`` left it: ``value(observation, memory)``.
    """

    def act(self, observation: Observation, memory: Any = None) -> tuple[Any, Any]:
        """Native actions (n, dof of the domain's control), ready for ``World.step``, and the new memory.

        Memory is None at an episode's beginning, and then what the last call returned: None, or arrays or tensors
        (n, …), of which only the rows of the episodes that go on are given. It is never changed in place.
        """

    def parameters(self) -> Iterator[Any]:
        """Trainable and frozen parameters."""
