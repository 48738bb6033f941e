"""A way to carry knowledge from source domains to a target domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel

from studio.contracts.problem import Metrics, Problem
from studio.experiment import Experiment, Settings

if TYPE_CHECKING:
    from studio.run.context import Context


class Strategy:
    """A way to carry knowledge from a source domain to a target domain. One file in ``plugins/strategies``."""

    id: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    reference: ClassVar[str]  # the paper or document
    needs_source: ClassVar[bool] = True  # False: no source policy is trained for it
    needs_demonstrations: ClassVar[bool] = True  # False: it makes its own experience
    same_widths: ClassVar[bool] = False  # True: one network sees and moves in both, so their widths have to agree
    needs_family: ClassVar[bool] = (
        False  # True: the source is a family of tasks, or of bodies whose values are observed
    )
    acts_at_once: ClassVar[bool] = False  # True: its policy acts before the first iteration, and is scored there too
    unused_budget: ClassVar[tuple[str, ...]] = ()  # fields of the budget that say nothing to it
    stages: ClassVar[tuple[str, ...]] = ()  # of its own, in order, shown on the way; empty: "adapt" alone
    units: ClassVar[Mapping[str, str]] = {}
    tags: ClassVar[tuple[str, ...]] = ()

    class Params(Settings):
        """No parameters."""

    def __init__(self, params: BaseModel | None = None) -> None:
        self.params: Any = params if params is not None else self.Params()

    @property
    def settings_field(self) -> str:
        """Where in an experiment the settings of its learner stand, its learning rate among them."""
        return "strategy.params"

    def check(self, experiment: Experiment) -> list[Problem]:
        """Why this experiment cannot run with this strategy; empty if it can."""
        return []

    def setup(self, context: Context) -> None:
        """Takes what it needs of the context: policies, dataset, device, seeds, budget."""
        raise NotImplementedError

    def iterate(self) -> Iterator[Metrics]:
        """Trains; yields after every iteration. Continues from the loaded state."""
        raise NotImplementedError

    def policy(self) -> Any:
        """What is evaluated, shown and exported."""
        raise NotImplementedError

    def merged_policy(self) -> Any:
        """The policy with any adapter folded in; it loads without the strategy."""
        return self.policy()

    def state_dict(self) -> dict[str, Any]:
        """Everything that training goes on from: nested dicts of tensors, numbers and strings."""
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        raise NotImplementedError

    def export(self, folder: Path) -> None:
        """Writes ``adapter/`` (PEFT's layout) into the folder where the strategy has an adapter."""
