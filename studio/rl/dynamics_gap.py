"""The gap between the dynamics of two domains, estimated by two domain classifiers (DARC).

Eysenbach et al., "Off-Dynamics Reinforcement Learning" (arXiv:2006.13916), section 4.2: by Bayes' rule
``Δr(s, a, s') = log p_target(s' | s, a) − log p_source(s' | s, a)`` is the difference of two log odds,
``[log q(target | s, a, s') − log q(source | s, a, s')] − [log q(target | s, a) − log q(source | s, a)]``.

Two choices that leave the optimum unchanged: the log odds of (s, a, s') are those of (s, a) plus a second network's
output, so that this output is Δr itself instead of a small difference of two large numbers; and the second network also
reads s' − s, because one step is small against the spread of states, and noise on normalized inputs would hide it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value
from torch.nn.functional import binary_cross_entropy_with_logits

from studio.contracts import TransitionScore
from studio.experiment import Settings, setting
from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.compiling import compile_update
from studio.rl.flat import Adam, FlatParameters
from studio.rl.networks.observations import flatten

Array = np.ndarray
COLUMNS = ("observations", "actions", "next_observations")  # of a batch of transitions
DIAGNOSTICS = ("sas_loss", "sa_loss", "sas_accuracy", "sa_accuracy")


class GapParams(Settings):
    """The two domain classifiers."""

    classifier_width: int = setting(256, "Classifier width", "Width of the classifiers' hidden layers.", ge=4, le=4096)
    classifier_layers: int = setting(2, "Classifier layers", "Number of the classifiers' hidden layers.", ge=1, le=8)
    classifier_rate: float = setting(3e-4, "Classifier learning rate", "Adam learning rate.", gt=0, le=1)
    classifier_batch: int = setting(
        128,
        "Classifier batch",
        "Transitions per domain in a gradient step of the classifiers.",
        "transitions",
        ge=1,
        le=65_536,
    )
    classifier_noise: float = setting(
        1.0,
        "Classifier noise",
        "Standard deviation of the noise on the classifiers' normalized inputs during training.",
        ge=0,
        le=100,
    )
    delta_bound: float = setting(
        10.0,
        "Bound of Δr",
        "Bound on |Δr|, which is infinite where a transition occurs in only one domain.",
        "nats",
        gt=0,
        le=1000,
    )


class Classifiers(nn.Module):
    """Log odds that a transition is from the target, given (s, a), and the change of them given s' too, which is Δr."""

    def __init__(self, observation: int, action: int, width: int, layers: int) -> None:
        super().__init__()
        hidden = [width] * layers
        self.sa = _network([observation + action, *hidden, 1])
        self.sas = _network([3 * observation + action, *hidden, 1])
        self._sa_width = observation + action

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log odds of (s, a), (n,), and Δr, (n,), for normalized (s, a, s', s' − s), (n, width)."""
        return self.sa(inputs[:, : self._sa_width]).squeeze(-1), self.sas(inputs).squeeze(-1)


class DynamicsGap:
    """Estimates Δr of transitions. It is a companion of the policy: saved beside its weights, not among them.

    Args:
        observation: width of an observation.
        low, high: range of the native actions, (width,); the classifiers read actions scaled to [−1, 1].
        ignored: observation entries that the policy does not receive; the classifiers don't either.
    """

    title = "Δr, nats"

    def __init__(
        self,
        observation: int,
        low: Array,
        high: Array,
        settings: GapParams,
        seed: int,
        device: Any = "cpu",
        ignored: Collection[str] = (),
    ) -> None:
        self.bound, self._settings = settings.delta_bound, settings
        self._observation, self._ignored = observation, tuple(ignored)
        self._low, self._high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            networks = Classifiers(observation, len(low), settings.classifier_width, settings.classifier_layers)
        self.networks = networks.to(device)
        self.moments = RunningMeanStd(3 * observation + len(low)).to(device)

    def inputs(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return (s, a, s', s' − s) of transitions, (n, width), not yet normalized."""
        observation, action, following = (batch[name] for name in COLUMNS)
        return torch.cat([observation, action, following, following - observation], 1)

    @torch.no_grad()
    def delta_reward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return Δr, (n,), nats within ±bound, of transitions whose actions are scaled to [−1, 1]."""
        return self.networks(self.moments(self.inputs(batch)))[1].clamp(-self.bound, self.bound)

    def transition_score(self, observation: Any, action: Array, next_observation: Any) -> Array:
        """Return Δr, (n,), of native actions and observations as a world gives them."""
        scaled = 2 * (np.asarray(action, np.float32) - self._low) / (self._high - self._low) - 1
        before, after = (flatten(rows, self._ignored) for rows in (observation, next_observation))
        on = {"dtype": torch.float32, "device": self.moments.mean.device}
        rows = [torch.as_tensor(rows, **on) for rows in (before, scaled.clip(-1, 1), after)]
        return self.delta_reward(dict(zip(COLUMNS, rows, strict=True))).cpu().numpy()

    def transition_scores(self) -> TransitionScore | None:
        """Return itself."""
        return self

    def about(self) -> dict[str, Any]:
        """Return what :meth:`made` needs beside the tensors: numbers and strings."""
        settings = self._settings.model_dump(include=set(GapParams.model_fields))
        low, high = self._low.tolist(), self._high.tolist()
        return {"observation": self._observation, "low": low, "high": high, "ignored": list(self._ignored), **settings}

    def state_dict(self) -> dict[str, Tensor]:
        """Return weights and statistics."""
        parts = {"networks": self.networks, "moments": self.moments}
        return {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}

    @classmethod
    def made(cls, about: Mapping[str, Any], state: Mapping[str, Tensor]) -> DynamicsGap:
        """Return a gap from what :meth:`about` and :meth:`state_dict` returned.

        Raises:
            ValueError, KeyError, RuntimeError: they do not fit each other.
        """
        settings = dict(about)
        observation, low, high, ignored = (settings.pop(name) for name in ("observation", "low", "high", "ignored"))
        gap = cls(observation, low, high, GapParams(**settings), 0, ignored=ignored)
        for name, part in (("networks", gap.networks), ("moments", gap.moments)):
            part.load_state_dict({k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")})
        return gap


class GapLearner:
    """Trains a gap's classifiers on batches with equally many transitions of either domain. ``gap`` changes in place.

    Args:
        compile: compile the update as one graph, about three times as fast after some seconds; needs a C++ compiler.
        log: receives sentences for the run's log.
    """

    def __init__(
        self,
        gap: DynamicsGap,
        settings: GapParams,
        seed: int,
        compile: bool = False,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.gap, self.settings = gap, settings
        device = gap.moments.mean.device
        self.generator = torch.Generator(device).manual_seed(seed)
        self.flat = FlatParameters(gap.networks)
        self.adam = Adam(self.flat.vector)
        self._update: Callable[[Tensor], Tensor] | None = None if compile else self.update
        self._log = log

    def step(self, source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """Make one gradient step on transitions of both domains, (n, …) each; return the ``DIAGNOSTICS`` in order."""
        rows = torch.cat([self.gap.inputs(source), self.gap.inputs(target)])
        self.gap.moments.update(rows)
        noise = torch.randn(rows.shape, generator=self.generator, device=rows.device)
        inputs = self.gap.moments(rows) + self.settings.classifier_noise * noise
        if self._update is None:
            changing = (self.flat.vector, *self.adam.tensors)
            self._update = compile_update(self.update, (torch.zeros_like(inputs),), changing, self._log)
        return self._update(inputs)

    def update(self, inputs: Tensor) -> Tensor:
        """Make one step of Adam on noisy inputs (2n, width), the source's first; return the diagnostics."""
        target = torch.zeros(len(inputs), device=inputs.device)
        target[len(inputs) // 2 :] = 1

        def loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            sa, delta = functional_call(self.gap.networks, self.flat.unflatten(vector), (inputs,))
            sas = sa.detach() + delta  # the loss of (s, a, s') must not train the classifier of (s, a)
            losses = [binary_cross_entropy_with_logits(logits, target) for logits in (sas, sa)]
            accuracies = [((logits > 0) == (target > 0.5)).float().mean() for logits in (sas, sa)]
            return losses[0] + losses[1], torch.stack([*losses, *accuracies]).detach()

        gradient, (_, diagnostics) = grad_and_value(loss, has_aux=True)(self.flat.vector)
        self.adam.step(self.flat.vector, gradient, self.settings.classifier_rate)
        return diagnostics

    def state_dict(self) -> dict[str, Any]:
        """Return all that training continues from, the gap's own weights and statistics included."""
        parts = {"networks": self.gap.networks, "moments": self.gap.moments}
        state: dict[str, Any] = {
            name: {key: value.clone() for key, value in part.state_dict().items()} for name, part in parts.items()
        }
        return state | {**self.adam.state_dict(), "generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.gap.networks.load_state_dict(state["networks"])
        self.gap.moments.load_state_dict(state["moments"])
        self.adam.load_state_dict(state)
        self.generator.set_state(state["generator"].cpu())


def exact_delta(source: Array, target: Array, bound: float = np.inf) -> Array:
    """Return log p_target − log p_source of transition tables (states, actions, next states), clipped to ±bound; NaN
    where a transition is impossible in both."""
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.log(target) - np.log(source)
    return np.where((source > 0) | (target > 0), np.clip(delta, -bound, bound), np.nan)


def _network(widths: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n, m in pairwise(widths):
        layers += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
