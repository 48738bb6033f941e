"""What the cloning strategies share: a policy, some of whose parameters behavior cloning trains on the target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from studio.contracts import Metrics, Strategy
from studio.experiment import Settings, setting
from studio.il.cloning import UNITS, BehaviorCloning


class CloningParams(Settings):
    """Optimization."""

    learning_rate: float = setting(1e-3, "Learning rate", "Peak of the cosine schedule (AdamW).", gt=0, le=1)
    weight_decay: float = setting(1e-4, "Weight decay", "AdamW's.", ge=0, le=1)


class CloningStrategy(Strategy):
    """A subclass's ``setup`` chooses the policy and what of it is trained, and calls :meth:`clone`."""

    units = UNITS

    class Params(CloningParams):
        """Optimization."""

    def clone(self, context: Any, policy: Any, parameters: list[nn.Parameter], frozen_features: bool = False) -> None:
        """Prepares behavior cloning of ``parameters`` on the target's demonstrations, within the budget."""
        budget = context.experiment.budget
        self._policy = policy
        self._learner = BehaviorCloning(
            policy,
            context.episodes,
            parameters,
            iterations=budget.iterations,
            batch_size=budget.batch_size,
            learning_rate=self.params.learning_rate,
            weight_decay=self.params.weight_decay,
            seed=context.experiment.seed,
            frozen_features=frozen_features,
        )

    def iterate(self) -> Iterator[Metrics]:
        return self._learner.iterate()

    def policy(self) -> Any:
        return self._policy

    def state_dict(self) -> dict[str, Any]:
        return {"policy": self._policy.state_dict(), "learner": self._learner.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._policy.load_state_dict(state["policy"])
        self._learner.load_state_dict(state["learner"])
