"""Trains a policy to be adapted: its loss on a task's query after adaptation to the task's support."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.func import grad

from studio.contracts import Metrics
from studio.experiment import Settings, setting
from studio.meta.examples import Examples
from studio.meta.support_perceptron import SupportPerceptron
from studio.rl.compiling import compile_update
from studio.rl.flat import adam, clipping
from studio.seeds import batch_seed

UNITS = {"loss": "", "query_error": "", "learning_rate": "", "tasks_per_second": "tasks/s"}


class SupportParams(Settings):
    """Tasks, their examples, and the outer loop."""

    support: int = setting(
        10, "Support", "Episodes of the expert in a task's support: what training adapts to.", "episodes", ge=1, le=1000
    )
    query: int = setting(
        10, "Query", "Other episodes of the task, on which the adapted policy is judged.", "episodes", ge=1, le=1000
    )
    tasks: int = setting(
        5000, "Tasks", "Tasks of the family that the training draws from.", "tasks", ge=2, le=1_000_000
    )
    meta_batch: int = setting(25, "Meta-batch", "Tasks in a gradient step of the outer loop.", "tasks", ge=1, le=10_000)
    updates: int = setting(50, "Updates", "Gradient steps of the outer loop in an iteration.", "steps", ge=1, le=10_000)
    learning_rate: float = setting(
        3e-3, "Learning rate", "Peak learning rate of the outer loop's cosine schedule (Adam).", gt=0, le=1
    )
    max_gradient_norm: float = setting(
        0.0, "Gradient norm", "Gradients of the outer loop are clipped to this norm; 0: they are not.", ge=0, le=1e6
    )
    adam_beta2: float = setting(
        0.999,
        "Adam's β₂",
        "Decay of Adam's second moment. Gradients of tasks differ much in size: 0.99 forgets large ones sooner.",
        ge=0.5,
        lt=1,
    )
    update: Literal["compiled", "eager"] = setting(
        "compiled", "Update", "compiled: needs a C++ compiler, and is about eight times as fast. eager: plain torch."
    )


class SupportLearner:
    """The outer loop. An iteration is some gradient steps, each on a new batch of tasks; what it draws depends on the
    seed and the iteration alone. A task's episodes are split at random into support and query, which never share an
    episode. For classification, episodes are drawn in rounds that show each class once."""

    units = UNITS

    def __init__(
        self,
        policy: SupportPerceptron,
        examples: Examples,
        settings: SupportParams,
        iterations: int,
        seed: int,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.policy, self.settings, self.iterations, self.seed = policy, settings, iterations, seed
        self.iteration = 0
        self._log = log
        self._observations = policy.scaled(examples.observations)  # (tasks, episodes, frames, inputs)
        self._actions = policy.scaled_actions(examples.actions)
        self._parameters = dict(policy.named_parameters())
        self._trained = [name for name, value in self._parameters.items() if value.requires_grad]
        trained = [self._parameters[name] for name in self._trained]
        self._first, self._second = ([torch.zeros_like(value) for value in trained] for _ in range(2))
        self._count = torch.zeros((), device=trained[0].device)
        self._step: Callable[..., tuple[Tensor, Tensor]] | None = None

    @property
    def learning_rate(self) -> float:
        """Return the present learning rate."""
        return self.settings.learning_rate * 0.5 * (1 + math.cos(math.pi * self.iteration / self.iterations))

    def iterate(self) -> Iterator[Metrics]:
        """Train until the budget is spent; yield the mean loss and query error of each iteration."""
        while self.iteration < self.iterations:
            batches = self.batches()
            step, started = self.prepare(), time.perf_counter()
            rate = torch.tensor(self.learning_rate, device=self._count.device)
            found = torch.stack([torch.stack(step(rate, *batch)) for batch in batches]).mean(0).tolist()
            seconds = time.perf_counter() - started
            values = dict(zip(("loss", "query_error"), found, strict=True))
            values["learning_rate"] = float(rate)
            values["tasks_per_second"] = len(batches) * self.settings.meta_batch / seconds
            self.iteration += 1
            yield Metrics(self.iteration, self.iterations, values)

    def update(self, rate: Tensor, *batch: Tensor) -> tuple[Tensor, Tensor]:
        """Take one step of Adam; return the mean loss and query error before it.

        Args:
            rate: the learning rate, ().
            batch: observations and actions of the support, then of the query, (tasks, n, width) each.
        """
        policy = self.policy
        kept = {name: value.detach() for name, value in self._parameters.items() if name not in self._trained}

        def loss(parameters: dict[str, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
            losses, errors = policy.query_loss({**kept, **parameters}, batch[:2], batch[2:])
            mean = losses.mean()
            return mean, (mean.detach(), errors.mean())

        gradients, found = grad(loss, has_aux=True)({name: self._parameters[name].detach() for name in self._trained})
        with torch.no_grad():
            self._count += 1
            share, decay = self._share(gradients.values()), self.settings.adam_beta2
            for name, first, second in zip(self._trained, self._first, self._second, strict=True):
                parameter, gradient = self._parameters[name], gradients[name] * share
                adam(parameter, gradient, first, second, self._count, rate, beta2=decay)
        return found

    def _share(self, gradients: Iterable[Tensor]) -> Tensor | float:
        """Return what gradients are multiplied by so that their common norm is within the limit."""
        if not self.settings.max_gradient_norm:
            return 1.0
        norm = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
        return clipping(norm, self.settings.max_gradient_norm)

    def state_dict(self) -> dict[str, Any]:
        """Return all that training continues from."""
        moments = {"first": self._first, "second": self._second}
        copied = {name: [value.clone() for value in values] for name, values in moments.items()}
        return {"policy": self.policy.state_dict(), "iteration": self.iteration, "count": self._count.clone(), **copied}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.policy.load_state_dict(state["policy"])
        self.iteration = state["iteration"]
        self._count.copy_(state["count"])
        for values, saved in ((self._first, state["first"]), (self._second, state["second"])):
            for value, was in zip(values, saved, strict=True):
                value.copy_(was)

    def batches(self) -> list[tuple[Tensor, ...]]:
        """Return the batches of an iteration: observations and actions of support and query, (tasks, n, width) each."""
        s, device = self.settings, self._actions.device
        generator = torch.Generator().manual_seed(batch_seed(self.seed, self.iteration))
        tasks = torch.randint(len(self._actions), (s.updates, s.meta_batch), generator=generator)
        ways = self.policy.params.choices or 1
        keys = torch.rand(s.updates, s.meta_batch, self._actions.shape[1] // ways, generator=generator)
        rounds = keys.argsort(-1)[..., : (s.support + s.query) // ways, None]
        dealt = (rounds * ways + torch.arange(ways)).flatten(2).to(device)
        rows = tasks[..., None].to(device)
        parts = [values[rows, dealt] for values in (self._observations, self._actions)]
        sides = (slice(s.support), slice(s.support, None))
        cut = [part[:, :, side].flatten(2, 3) for side in sides for part in parts]
        return list(zip(*cut, strict=True))

    def prepare(self) -> Callable[..., tuple[Tensor, Tensor]]:
        """Return :meth:`update`, compiled if the settings ask for it: once, which takes some seconds."""
        if self._step is None:
            self._step = self.update
            if self.settings.update == "compiled":
                trained = (self._parameters[name].detach() for name in self._trained)
                changing = [*trained, *self._first, *self._second, self._count]
                example = (torch.tensor(self.learning_rate, device=self._count.device), *self.batches()[0])
                self._step = compile_update(self.update, example, changing, self._log)
        return self._step
