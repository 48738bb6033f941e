"""Supervised pretraining of decisions: from a trial's transitions to the expert's action, by cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from studio.contracts import Metrics
from studio.experiment import Settings, setting
from studio.meta.decision_trials import DecisionBatch, DecisionCollector, DecisionTrials
from studio.meta.trial_transformer import TrialTransformer
from studio.meta.trials import Trials
from studio.rl.flat import Adam, FlatParameters, clipped
from studio.sim.world import World


class DecisionParams(Settings):
    """Optimization and collection."""

    learning_rate: float = setting(1e-3, "Learning rate", "Adam learning rate.", gt=0, le=1)
    anneal: bool = setting(True, "Anneal", "Decays the learning rate linearly to 0 over the budget.")
    simulations: int = setting(
        512, "Simulations", "Trials of an iteration, each of a new task.", "simulations", ge=1, le=65_536
    )
    epochs: int = setting(2, "Epochs", "Passes over the trials of an iteration.", ge=1, le=1000)
    minibatch: int = setting(512, "Minibatch", "Trials in a gradient step.", "trials", ge=1, le=65_536)
    queries: int = setting(
        1, "Queries", "States of each trial that a gradient step asks about; none is in the support.", ge=1, le=1000
    )
    own: float = setting(
        0.0,
        "Own play",
        "Share of the trials that the policy itself plays; random behavior plays the others.",
        ge=0,
        le=1,
    )
    max_gradient_norm: float = setting(1.0, "Gradient norm", "Gradients are clipped to this norm.", gt=0, le=1000)
    physics_threads: int = setting(
        0, "Physics threads", "Threads for the simulation; 0 uses every core.", "threads", ge=0, le=1024
    )


class DecisionPretraining:
    """Trains a :class:`TrialTransformer` in place (Lee et al. 2023, arXiv:2306.14892, algorithm 1).

    With unlimited tasks its distribution of the best action becomes the posterior given the support. A gradient step's
    support has a size that is drawn uniformly, from none to all but one step of a trial; it is the same share of each
    of its trials.

    Args:
        iterations: over which the learning rate is annealed.
        seed: of the tasks and of all other draws.
    """

    units: ClassVar[dict[str, str]] = {
        "loss": "nats", "entropy": "nats", "trial_return": "", "samples": "steps", "gradient_norm": "",
    }  # fmt: skip

    def __init__(
        self,
        policy: TrialTransformer,
        world: World,
        trials: Trials,
        settings: DecisionParams,
        *,
        iterations: int,
        seed: int,
    ) -> None:
        self.policy, self.settings, self.iterations, self.iteration = policy, settings, iterations, 0
        self.generator = torch.Generator().manual_seed(seed)
        self.collector = DecisionCollector(world, trials, policy, settings.own, seed, self.generator)
        self.flat = FlatParameters(policy)
        self.adam = Adam(self.flat.vector)

    def iterate(self) -> Iterator[Metrics]:
        """Collect trials, learn, and yield the metrics of each iteration until the budget is spent."""
        while self.iteration < self.iterations:
            share = 1 - self.iteration / self.iterations if self.settings.anneal else 1.0
            trials = self.collector.collect()
            self.policy.moments.update(trials.transitions[trials.present])
            found = self.learn(trials, self.settings.learning_rate * share)
            self.iteration += 1
            names = ("loss", "accuracy", "entropy", "gradient_norm")
            values = dict(zip(names, found.tolist(), strict=True)) | {"samples": float(self.collector.samples)}
            values |= {"trial_return": trials.own_returns.mean().item()} if len(trials.own_returns) else {}
            yield Metrics(self.iteration, self.iterations, values)

    def learn(self, trials: DecisionTrials, rate: float) -> Tensor:
        """Make the gradient steps of an iteration; return the mean diagnostics."""
        n, time = trials.present.shape
        diagnostics = []
        for _ in range(self.settings.epochs):
            order = torch.randperm(n, generator=self.generator).to(trials.present.device)
            for rows in order.split(self.settings.minibatch):
                support = int(torch.randint(time, (), generator=self.generator))
                batch = trials.split(rows, support, self.settings.queries, self.generator)
                diagnostics.append(self.step(batch, rate))
        return torch.stack(diagnostics).mean(0)

    def step(self, batch: DecisionBatch, rate: float) -> Tensor:
        """Make a gradient step in place; return loss, accuracy, entropy and the gradient's norm, (4,)."""
        vector = self.flat.vector.detach().requires_grad_()
        inputs = (batch.support, batch.present, batch.states)
        logits = functional_call(self.policy, self.flat.unflatten(vector), inputs, strict=False)
        asked, labels = logits[batch.asked], batch.labels[batch.asked]
        loss = functional.cross_entropy(asked, labels)
        (gradient,) = torch.autograd.grad(loss, vector)
        gradient, norm = clipped(gradient, self.settings.max_gradient_norm)
        self.adam.step(self.flat.vector, gradient, rate)
        logs = asked.detach().log_softmax(-1)
        accuracy, entropy = (logs.argmax(-1) == labels).float().mean(), -(logs.exp() * logs).sum(-1).mean()
        return torch.stack([loss.detach(), accuracy, entropy, norm])

    def state_dict(self) -> dict[str, Any]:
        """Return all that training continues from, the policy's parameters and statistics included."""
        return {
            "iteration": self.iteration,
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            **self.adam.state_dict(),
            "generator": self.generator.get_state(),
            "collector": self.collector.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.iteration = int(state["iteration"])
        self.policy.load_state_dict(state["policy"])
        self.adam.load_state_dict(state)
        self.generator.set_state(state["generator"].cpu())
        self.collector.load_state_dict(state["collector"])
