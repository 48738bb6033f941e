"""What a strategy is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from studio.contracts.adaptation import TaskSplit
from studio.contracts.domain import ResolvedDomain
from studio.contracts.episodes import Episodes
from studio.experiment import Domain, Experiment

if TYPE_CHECKING:
    from studio.contracts.policy import TrainablePolicy

W = TypeVar("W", covariant=True)  # the engine's world; contracts lie below it


class Context(Protocol[W]):
    """Everything that a session has prepared for a strategy's ``setup``."""

    @property
    def experiment(self) -> Experiment:
        """What is asked for: budget, seed, policy, parameters."""

    @property
    def device(self) -> str:
        """Where tensors belong: ``cpu`` or ``cuda``."""

    @property
    def sources(self) -> Sequence[ResolvedDomain]:
        """Where knowledge comes from."""

    @property
    def target(self) -> ResolvedDomain:
        """Where it goes."""

    @property
    def tasks(self) -> TaskSplit:
        """Contexts of the source's task family: to meta-train on, and held out."""

    def demonstrations(self, domain: ResolvedDomain, seed: int | None = None) -> Episodes:
        """Return a domain's episodes: its dataset's, or the scripted expert's. Long work; it may raise to stop.

        Args:
            seed: of the expert's episodes; None: as ``Experiment.demonstration_seeds`` has it.
        """

    def policy(self, pretrained: bool) -> TrainablePolicy:
        """Return a new copy of the source policy, or a newly initialized one, on the device.

        Where the strategy requires the target's data it is bound to the target alone; of a pretrained one the metric
        statistics stay the source's. Bind it again for several embodiments.
        """

    def world(self, domain: Domain | ResolvedDomain, num_envs: int, threads: int = 0) -> W:
        """Return simulations of a domain to train in; the strategy closes them.

        Args:
            threads: of the physics; 0: as many as there are processors.
        """

    def progress(self, done: int, total: int) -> None:
        """Report how much of a long piece of work is done. It may raise to stop."""

    def log(self, sentence: str) -> None:
        """Write a sentence into the run's log."""
