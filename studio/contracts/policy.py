"""What acts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from studio.contracts.arrays import Array, Observation
from studio.contracts.batch import Batch, Outputs
from studio.contracts.domain import ResolvedDomain
from studio.contracts.embodiment import Embodiment
from studio.contracts.episodes import Episodes

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class TransitionScore(Protocol):
    """A number for each transition, to color a policy's path by: DARC's Δr, for one. Green above 0 and red below."""

    @property
    def title(self) -> str:
        """Short, with its unit: the legend."""

    def transition_score(self, observation: Observation, action: Array, next_observation: Observation) -> Array:
        """Return the scores (n,), 0 where there is nothing to say.

        Native actions (n, dof), observations before and after, as ``act`` sees them. Near a millisecond for a few rows;
        may be called from any thread, on a copy of its own.
        """


class Companion(Protocol):
    """What a strategy saves beside a policy, of which it is no part: DARC's classifiers, for one.

    ``Strategy.companions`` names the class that a saved one is read back by.
    """

    def about(self) -> dict[str, Any]:
        """Return what :meth:`made` needs beside the tensors: numbers, strings, lists and dicts of them."""

    def state_dict(self) -> dict[str, Any]:
        """Return weights and statistics, tensors by name."""

    @classmethod
    def made(cls, about: Mapping[str, Any], state: Mapping[str, Any]) -> Self:
        """Return one from what :meth:`about` and :meth:`state_dict` gave.

        Raises ValueError, KeyError, TypeError or RuntimeError where they do not fit each other.
        """

    def transition_scores(self) -> TransitionScore | None:
        """Return what it scores transitions by; None: it scores none."""


class Policy(Protocol):
    """Anything that acts, batch first. ``studio.nn.policy.BasePolicy`` implements all but ``act``.

    ``value``, ``entropy`` and the scores are drawn under its picture while it plays. They are asked once a control
    step, with what ``act`` is given.
    """

    @property
    def params(self) -> Any:
        """The settings that it was built with, a ``Settings``; None: it has none."""

    @property
    def is_recurrent(self) -> bool:
        """Whether value and entropy depend on the memory too, as ``act`` left it; others ignore it."""

    @property
    def plays_trials(self) -> bool:
        """Whether it is a :class:`TrialPolicy`."""

    @property
    def reads_support(self) -> bool:
        """Whether it is a :class:`SupportPolicy`."""

    def act(self, observation: Observation, memory: object = None) -> tuple[Array, object]:
        """Return native actions (n, dof of the domain's control), ready for ``World.step``, and the new memory.

        Memory is None at an episode's beginning, and then what the last call returned: None, or arrays or tensors
        (n, …), of which only the rows of episodes that continue are given. It is never changed in place.
        """

    def parameters(self) -> Iterator[Any]:
        """Return trainable and frozen parameters."""

    def value(self, observation: Observation, memory: object = None) -> Array | None:
        """Return the expected return from here on, (n,), V(s) or min Q(s, a) at its own action, in the scale of the
        rewards it was trained with; None: it has no critic."""

    def entropy(self, observation: Observation, memory: object = None) -> Array | None:
        """Return the entropy of what it would explore with, (n,), nats; None: it does not explore."""

    def probabilities(self, observation: Observation) -> Array | None:
        """Return the probability of each discrete choice, (n, choices); None: it does not choose among discrete
        actions. ``gives_probabilities`` of its class says the same before there is one."""

    def companions(self) -> Mapping[str, Companion]:
        """Return, by name, what is saved beside it; none of it is among its parameters or its ``state_dict``."""

    def transition_scores(self) -> TransitionScore | None:
        """Return what its path is colored by; None: it scores no transitions."""


Act = Callable[[Observation, Any], tuple[Array, Any]]
"""The ``act`` of a policy: from an observation and a memory to native actions and the memory after it."""


class TrialPolicy(Policy, Protocol):
    """A policy whose memory lasts over the episodes of a trial: it explores in the first and uses what it found."""

    @property
    def explores_apart(self) -> bool:
        """Return whether episodes of exploration are apart from those that count, which ``act`` plays, as in PEARL;
        otherwise the whole trial counts, and is played alike, as in RL²."""

    def exploring(self, seed: int) -> Act:
        """Return what acts in a trial: as ``act``, with actions sampled by random numbers of their own."""


@runtime_checkable
class LatentPolicy(Policy, Protocol):
    """An adapted policy that acts by a latent variable z of the task, of which it has a normal posterior.

    What :meth:`Strategy.adapt` of PEARL and of MAESN returns is one (``isinstance`` tells). To show what it believes:
    draw several z ~ N(mean, std²) and play an episode of ``with_latent(z)`` for each; after no shots that is the prior.
    """

    def posterior(self) -> tuple[Array, Array]:
        """Return mean and standard deviation of z, (latent,) each; its components are independent."""

    def with_latent(self, latent: Array) -> Policy:
        """Return the policy that acts by this z, (latent,), in every episode, whatever happens in it."""


class SupportPolicy(Policy, Protocol):
    """A policy that is adapted to labeled examples of a task, of many tasks at once."""

    def adapted(self, observations: Observation, actions: Array) -> object:
        """Return the memory with which it acts on each task from then on: arrays (tasks, …), as ``act`` takes them.

        Args:
            observations: by entry, (tasks, n, …).
            actions: the labels, native, (tasks, n, dof).
        """


@dataclass(frozen=True)
class EmbodimentSpec:
    """What a policy has to know of one of its embodiments: slots and statistics.

    Args:
        control: what an action means there, as ``Domain.control``.
        statistics: of that domain's data, as ``Episodes.statistics`` gives them: entry → mean, std → (width,).
        choices: under control "discrete", how many the task has.
    """

    embodiment: Embodiment
    control: str
    statistics: Mapping[str, Mapping[str, Array]]
    choices: int = 0

    @classmethod
    def of(cls, domain: ResolvedDomain, episodes: Episodes) -> EmbodimentSpec:
        """Return the spec of a domain, with the statistics of its episodes."""
        return cls(domain.embodiment, domain.domain.control, episodes.statistics(), domain.task.actions)


class FeaturePolicy(Protocol):
    """A policy whose features can be looked at. ``has_features`` of its class says so before there is one."""

    @property
    def embodiments(self) -> int:
        """For how many embodiments it has tables; 0: it has none, and reads all of them alike."""

    def tensors(self, observation: Observation) -> dict[str, Tensor]:
        """Return an observation's arrays as a batch holds them, on the policy's device."""

    def features(self, batch: Batch) -> Tensor:
        """Return what the head reads, (n, width)."""


class AdaptableBlock(Protocol):
    """A transformer block that small trainable parts can be added to; none of them changes the output at first."""

    def add_prefix(self, tokens: int, generator: Generator) -> None:
        """Add learned keys and values of ``tokens`` tokens to the attention."""

    def add_bottlenecks(self, width: int, generator: Generator) -> None:
        """Add a bottleneck behind the attention and behind the perceptron."""


class TrainablePolicy(Policy, Protocol):
    """A policy that learns from batches, on one embodiment or on several at once. It is a ``torch.nn.Module`` too.

    PEFT adapts the linear layers ``adapter_targets`` and trains the modules ``modules_to_save`` whole.
    """

    @property
    def loss_unit(self) -> str:
        """Unit of :meth:`loss`, as the curves show it."""

    @property
    def adapter_targets(self) -> Sequence[str]:
        """Names of the linear layers that an adapter is placed on."""

    @property
    def modules_to_save(self) -> Sequence[str]:
        """Names of the modules that are trained whole beside an adapter, and saved with it."""

    @property
    def trunk(self) -> Sequence[str]:
        """Names of the modules between what reads the inputs and what gives the actions."""

    @property
    def head(self) -> str:
        """Name of the module that gives the actions from the features; its last layer is linear."""

    @property
    def blocks(self) -> Iterable[AdaptableBlock]:
        """The transformer's blocks, in which prefixes and bottleneck adapters are placed."""

    def output_mask(self, slots: Sequence[int]) -> Tensor:
        """Return which outputs of the head are these slots of the unified action space, (outputs,) bool."""

    prompt: nn.Parameter | None  # (tokens, width): extra tokens before all others

    @property
    def chunk(self) -> int:
        """Steps that it predicts at once. From 2 on, ``Batch.actions`` are chunks and ``Batch.mask`` says which of
        their steps exist."""

    @property
    def feature_width(self) -> int:
        """Width of what :meth:`features` returns."""

    @property
    def token_width(self) -> int:
        """Width of a prompt's token."""

    def get_submodule(self, target: str) -> Any:
        """Return a module by its dotted name."""

    def bind(self, embodiments: Sequence[EmbodimentSpec], keep: bool = False) -> None:
        """Take slots, masks and statistics of embodiments; ``Batch.embodiment`` indexes them.

        The first is the one that the policy acts on.

        Args:
            keep: metric quantities that the policy knows (end-effector positions and actions, goals) keep their
                statistics, so that a meter means the same number as before; joints always take the new ones.
        """

    def tensors(self, observation: Observation) -> dict[str, Tensor]:
        """Return an observation's arrays as a batch holds them, on the policy's device."""

    def encoded(self, seen: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what :meth:`tensors` returned, with the features of encoders that no training changes."""

    def features(self, batch: Batch) -> Tensor:
        """Return what the head reads, (n, width)."""

    def loss(self, batch: Batch) -> tuple[Tensor, Outputs]:
        """Return the loss, (), each sample by its weight, and what was computed on the way to it."""

    def train(self, mode: bool = True) -> Any:
        """Set training mode; returns the policy."""

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Freeze or unfreeze all parameters; returns the policy."""

    def state_dict(self) -> dict[str, Any]:
        """Return the weights, and the tables that ``bind`` made."""

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Restore what :meth:`state_dict` returned."""
