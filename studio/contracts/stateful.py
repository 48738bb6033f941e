"""What a checkpoint can hold."""

from __future__ import annotations

from typing import Any, Protocol


class Stateful(Protocol):
    """Anything whose state can be taken and given back: a module, an optimizer, a learner, a sampler.

    A state is a nest of dicts and lists of tensors, numbers, strings, booleans and None; nothing else can be saved.
    """

    def state_dict(self) -> dict[str, Any]:
        """Return the state."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Restore what :meth:`state_dict` returned."""
