"""A way to carry knowledge from source domains to a target domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel

from studio.contracts.adaptation import Shots
from studio.contracts.arrays import Array
from studio.contracts.context import Context
from studio.contracts.domain import ResolvedDomain
from studio.contracts.policy import Companion, Policy
from studio.contracts.problem import Metrics, Problem
from studio.contracts.requires import Requires
from studio.contracts.stateful import Stateful
from studio.errors import StudioError
from studio.experiment import Domain, Experiment, Settings

if TYPE_CHECKING:
    from torch import Tensor


class Strategy:
    """A way to carry knowledge from a source domain to a target domain. One file in ``plugins/strategies``."""

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]  # the paper or document
    requires: ClassVar[Requires] = Requires(source_policy=True, target_data=True)
    adapts: ClassVar[bool] = False  # :meth:`adapt` uses support episodes of a task, as many as evaluation.shots says
    acts_on_source: ClassVar[bool] = True  # its policy still does, fitted back to it: forgetting is scored
    unused_budget: ClassVar[tuple[str, ...]] = ()  # fields of the budget that say nothing to it
    stages: ClassVar[tuple[str, ...]] = ()  # of its own, in order, shown on the way; empty: "adapt" alone
    units: Mapping[str, str] = {}
    tags: ClassVar[tuple[str, ...]] = ()
    moves_source_features: ClassVar[bool] = False  # before the head learns from them: see :meth:`aligned`
    domain_accuracy: ClassVar[str] = ""  # the metric that is its own domain classifier's accuracy; empty: it has none
    companions: ClassVar[Mapping[str, type[Companion]]] = {}  # what it saves beside a policy, by the names there
    example: ClassVar[
        Mapping[str, Any]
    ] = {}  # a tiny experiment with it, seconds long, as a file has it; without its id
    example_variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # by name, what of the example is changed

    class Params(Settings):
        """No parameters."""

    def __init__(self, params: BaseModel | None = None) -> None:
        self.params: Any = params if params is not None else self.Params()

    @classmethod
    def examples(cls) -> dict[str, Experiment]:
        """Return its tiny experiments, by name: ``example`` as it is, and each of its variants.

        The contract suite (``tests/contract``) runs, kills, resumes, evaluates and exports each of them.

        Raises:
            ExperimentError: the example is no valid experiment.
        """
        chosen = {**cls.example.get("strategy", {}), "id": cls.id}
        plain = Experiment.from_dict({**cls.example, "strategy": chosen})
        return {"example": plain, **{name: plain.changed(**changes) for name, changes in cls.example_variants.items()}}

    @property
    def settings_field(self) -> str:
        """Return where in an experiment the settings of its learner are, its learning rate among them."""
        return "strategy.params"

    def check(self, experiment: Experiment) -> list[Problem]:
        """Return why this experiment cannot run with this strategy; empty if it can."""
        return []

    def check_domains(self, experiment: Experiment, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        """Return why it cannot run with the tasks of the experiment's domains; empty if it can. It is asked where
        nothing else was found.

        Args:
            domains: by their names, as :attr:`Experiment.domains` has them.
        """
        return []

    def training_source(self, source: Domain) -> Domain:
        """Return a source as the strategy learns from it; by default as it is. It is scored as the experiment says."""
        return source

    def setup(self, context: Context[Any]) -> None:
        """Take what it needs of the context: policies, demonstrations, worlds, device, seed, budget.

        A run that is resumed calls it again before the state is restored.
        """
        raise NotImplementedError

    def iterate(self) -> Iterator[Metrics]:
        """Train; yield after every iteration. Continues from the loaded state."""
        raise NotImplementedError

    def policy(self) -> Any:
        """Return what is evaluated, shown and exported."""
        raise NotImplementedError

    def aligns_to_source_policy(self) -> bool:
        """Return whether the target's features are aligned to those that the source policy has of the source."""
        return False

    def aligned(self, features: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Return features of the source, (n, width), as the head learns from them; by default as they are.

        Asked where ``moves_source_features``; what that needs of both domains is estimated from samples of their
        features, ``source`` (m, width) and ``target`` (k, width).
        """
        return features

    def adapt(self, shots: Shots) -> Policy:
        """Return the policy for a new task, after what it may use of it; by default the policy itself: zero-shot, or
        one that plays trials, whose memory adapts it while it acts."""
        policy: Policy = self.policy()
        return policy

    def support_places(self, shots: Shots) -> Array:
        """Return where the support episodes end that :meth:`adapt` uses, (n, 3), m: of a regression, the points that
        a curve is fitted to. By default none: they are not known."""
        return np.empty((0, 3))

    def merged_policy(self) -> Any:
        """Return the policy with any adapter folded in; it loads without the strategy."""
        return self.policy()

    def stateful(self) -> Mapping[str, Stateful]:
        """Return, by name, all that training continues from; a checkpoint holds the state of each.

        What is not named here is lost when a run is resumed. The same names, whenever it is asked after ``setup``.
        """
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all that :meth:`stateful` names."""
        return {name: part.state_dict() for name, part in self.stateful().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        for name, part in self.stateful().items():
            part.load_state_dict(state[name])

    def artifacts(self, folder: Path) -> None:
        """Write what an export holds beside the policy: ``adapter/`` in PEFT's layout, where there is an adapter."""


def check_methods(strategy: Strategy) -> None:
    """Raise StudioError where an attribute that a strategy has set hides one of the methods that a session calls."""
    for name in vars(strategy):
        if callable(vars(Strategy).get(name)):
            message = f"The attribute '{name}' hides a method of every strategy."
            raise StudioError(message, type(strategy).__name__, "Call the attribute something else.")
