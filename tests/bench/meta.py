"""Supervised meta-learning on sinusoids: MAML, Meta-SGD and the hypernetwork, against the package parallel-metalearn;
and tasks that are batched by ``vmap`` against a loop over tasks.

Ten points are the support, one inner step. Every method is scored on the same 600 tasks that no training draws, on 100
other points of each, and on tasks outside of the ranges of training; intervals are over tasks and seeds. Trainings run
in one thread; seconds are of that core, from the first task that is drawn to the last step, without compiling, which is
timed apart. The package is given the same tasks, scaled in the same way, the same network, meta-batch, rates and limit
of the gradient, and as many seconds.

``pip install parallel-metalearn`` before, or its rows are left out. What a training found is kept in
``runs/bench/meta`` and taken as it is: remove it to measure again. Words after the script's name choose one to make:
``meta.py maml 0``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import finish, row, seed_interval
from _training import kept
from torch import Tensor
from torch.func import functional_call

from studio.experiment import Domain, Experiment, Settings
from studio.meta.examples import Examples, collect_examples
from studio.meta.gradient_policy import GradientPolicy, InnerLoopParams
from studio.meta.hypernetwork_policy import HypernetworkPolicy
from studio.meta.support_learner import SupportLearner, SupportParams
from studio.meta.support_perceptron import SupportPerceptron
from studio.meta.support_strategy import SINUSOID
from studio.meta.task_split import split
from studio.registry import shared_registry
from studio.rl.flat import BETA1
from studio.seeds import training_episode_seed
from studio.sim.domains import resolve

Array = np.ndarray
SEEDS = (0, 1, 2)
TASKS, SHOTS, ASKED, TEST_SEED = 600, 10, 100, 10_000
TRAINING = SupportParams(support=SHOTS, query=10)
DOMAIN = resolve(Domain.model_validate(SINUSOID), shared_registry())
STRETCHES = 5
EXPERIMENTS = Path(__file__).resolve().parents[2] / "assets" / "experiments"


@dataclass
class Method:
    """What is trained, as an example's file has it, and what it is asked for."""

    name: str
    most: float | None = None  # MSE

    @property
    def plan(self) -> Experiment:
        """Return the experiment."""
        return Experiment.load(EXPERIMENTS / f"{self.name}.yaml")

    @property
    def training(self) -> SupportParams:
        """Return the outer loop's settings."""
        return SupportParams.model_validate(chosen(self.plan.strategy.params, SupportParams))

    @property
    def iterations(self) -> int:
        """Return how many times ``training.updates`` steps are taken."""
        return self.plan.budget.iterations

    def policy(self) -> SupportPerceptron:
        """Return the policy, before its sizes are known."""
        plan = self.plan
        if plan.policy.id == HypernetworkPolicy.id:
            return HypernetworkPolicy(HypernetworkPolicy.Params.model_validate(plan.policy.params))
        inner_loop = chosen(plan.strategy.params, InnerLoopParams)
        return GradientPolicy(GradientPolicy.Params.model_validate({**plan.policy.params, **inner_loop}))


def chosen(params: dict[str, Any], kind: type[Settings]) -> dict[str, Any]:
    """Return what of a strategy's parameters belongs to these settings."""
    return {name: value for name, value in params.items() if name in kind.model_fields}


METHODS = {
    "maml": Method("sinusoid_maml_limited", 0.36),
    "maml_rates": Method("sinusoid_maml_rates", 0.36),
    "meta_sgd": Method("sinusoid_meta_sgd", 0.30),
    "hypernetwork": Method("sinusoid_hypernetwork"),
}


def learner_of(
    policy: SupportPerceptron, examples: Examples, iterations: int, seed: int, training: SupportParams = TRAINING
) -> SupportLearner:
    """Return the learner of a policy with fresh weights."""
    policy.make(seed, inputs=1, outputs=1)
    policy.set_ranges(np.array([-10.0]), np.array([10.0]))
    policy.fit_scales(examples)
    return SupportLearner(policy, examples, training, iterations, seed)


def train(name: str, seed: int) -> dict[str, Any]:
    """Train a method from one seed; return its errors on the test tasks, that before adaptation, and its seconds."""
    method, started = METHODS[name], time.process_time()
    examples = training_tasks(seed, method.training.tasks)
    learner = learner_of(method.policy(), examples, method.iterations, seed, method.training)
    collected, clock = time.process_time() - started, time.perf_counter()
    learner.prepare()
    compiling, started = time.perf_counter() - clock, time.process_time()
    for _ in learner.iterate():
        pass
    seconds, test = collected + time.process_time() - started, test_tasks()
    x, y = query(test)
    own = learner.policy.act({"state": x.reshape(-1, 1)})[0]
    return {
        "errors": errors_of(learner.policy, test).tolist(),
        "outside": errors_of(learner.policy, outside_tasks()).tolist(),
        "before": float(np.square(own - y.reshape(-1, 1)).mean()),
        "seconds": seconds,
        "compiling": compiling,
    }


def training(name: str, seed: int) -> dict[str, Any]:
    """Return what a training found, which is made now if it was not."""
    found: dict[str, Any] = kept("meta", f"{name}-{seed}", lambda: train(name, seed))
    return found


def test_tasks() -> Examples:
    """Return the tasks of the scores, whose first ``SHOTS`` points are the support."""
    return collect_examples(DOMAIN, TASKS, SHOTS + ASKED, TEST_SEED)


def outside_tasks() -> Examples:
    """Return as many tasks whose amplitudes are above training's, by up to half of the range's width, and whose phases
    no curve of training has."""
    contexts = [list(context) for context in split(DOMAIN, TEST_SEED, TASKS).outside]
    domain = DOMAIN.changed(DOMAIN.domain.changed(contexts=contexts))
    return collect_examples(domain, TASKS, SHOTS + ASKED, TEST_SEED)


def errors_of(policy: SupportPerceptron, test: Examples) -> Array:
    """Return the MSE of each test task, (tasks,), after adaptation to its support."""
    memory, (x, y) = policy.adapted(*test.first(SHOTS).flat()), query(test)
    found = np.stack([policy.act({"state": x[:, i]}, memory)[0] for i in range(ASKED)], 1)
    return np.asarray(np.square(found - y).mean((1, 2)))


def query(test: Examples) -> tuple[Array, Array]:
    """Return x and y of the test tasks' points that are no support, (tasks, n, 1) each."""
    return test.observations["state"][:, SHOTS:, 0], test.actions[:, SHOTS:, 0]


def error_row(id: str, errors: list[Array], what: str, most: float | None = None) -> dict[str, Any]:
    """Return the row of a method's error on the test tasks."""
    value, (low, high) = float(np.mean(errors)), seed_interval(np.stack(errors))
    asked, met = ("", None) if most is None else (f"<= {most}", value <= most)
    return row(
        id,
        round(value, 4),
        f"MSE, 95% [{low:.3f}, {high:.3f}], {what}",
        asked,
        met,
        [float(np.mean(one)) for one in errors],
    )


def loop_step(policy: GradientPolicy, optimizer: torch.optim.Optimizer) -> Callable[..., Tensor]:
    """Return an outer step by a loop over tasks and torch's own autograd: the mathematics of ``SupportLearner``."""
    weights = dict(policy.network.named_parameters())

    def step(*batch: Tensor) -> Tensor:
        optimizer.zero_grad()
        total = torch.zeros((), dtype=batch[0].dtype)
        for support_x, support_y, query_x, query_y in zip(*batch, strict=True):
            loss = (functional_call(policy.network, weights, (support_x,)) - support_y).square().mean()
            slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
            rate = policy.params.inner_rate
            own = {name: weights[name] - rate * slope for name, slope in zip(weights, slopes, strict=True)}
            loss = (functional_call(policy.network, own, (query_x,)) - query_y).square().mean() / len(batch[0])
            loss.backward()
            total += loss.detach()
        optimizer.step()
        return total

    return step


def their_step(policy: SupportPerceptron) -> Callable[..., Any]:
    """Return parallel-metalearn's outer step of MAML from our policy's weights, which it trains in place."""
    from metalearn.algorithms import MAML
    from metalearn.inner_optimizers import InnerSGD
    from metalearn.loss.base import BaseLoss
    from metalearn.model_wrappers import MAML_Model

    class MSE(BaseLoss):  # type: ignore[misc]  # the package has no types
        def forward(
            self, out_dict: Any, targets: Any, model_states: Any = None, **kwargs: Any
        ) -> tuple[Tensor, Tensor]:
            loss = (out_dict["logits"] - targets["labels"]).square().mean()
            return loss, loss.detach()

    class Plain(torch.nn.Module):
        """A module that ignores what the package gives it beside its input."""

        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor, **kwargs: Any) -> Any:
            return self.inner(x)

    assert isinstance(policy, GradientPolicy)
    model = MAML_Model(backbone=Plain(policy.network[:-1]), head=Plain(policy.network[-1]))
    inner = InnerSGD(
        initial_fast_weights=model.get_fast_weights(),
        inner_lr=policy.params.inner_rate,
        max_inner_steps=1,
        learn_lr=False,
    )
    settings = METHODS["maml"].training
    optimizer = torch.optim.Adam(model.parameters(), settings.learning_rate, (BETA1, settings.adam_beta2))

    def limit(*_: object) -> None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.max_gradient_norm)

    optimizer.register_step_pre_hook(limit)
    learner = MAML(
        model=model, optimizer=optimizer, inner_optimizer=inner, support_loss_fn=MSE(), inner_steps=1, chunk_size=1000
    )

    def step(rate: float, *batch: Tensor) -> Any:
        support_x, support_y, query_x, query_y = batch
        optimizer.param_groups[0]["lr"] = rate
        return learner.step(iter([(support_x, {"labels": support_y}, query_x, {"labels": query_y})]), training=True)

    return step


def package_rows(bank: Examples, test: Examples, seconds: float) -> list[dict[str, Any]]:
    """Return parallel-metalearn's error after as many seconds of training, and both rates, in alternating stretches."""
    maml = METHODS["maml"]
    ours, theirs = (learner_of(maml.policy(), bank, maml.iterations, 0, maml.training) for _ in range(2))
    step = their_step(theirs.policy)
    update, rate = ours.prepare(), torch.tensor(maml.training.learning_rate)
    rates: list[tuple[float, float]] = []
    for _ in range(STRETCHES):
        batches = ours.batches()
        rates.append((timed(lambda batch: update(rate, *batch), batches), timed(lambda b: step(0.0, *b), batches)))
    mine, other = np.median(rates, 0)
    ratio = float(np.median([one / two for one, two in rates]))
    found = kept("meta", "package", lambda: package_training(int(seconds * other), test))
    return [
        error_row("parallel-metalearn: maml", [np.array(found["errors"])], f"after {found['steps']} steps, seed 0"),
        row("parallel-metalearn: rate", round(float(other)), "steps/s"),
        row("maml: rate", round(float(mine)), "steps/s"),
        row("maml against parallel-metalearn", round(ratio, 1), "times as many steps/s", "> 1", ratio > 1),
    ]


def package_training(steps: int, test: Examples) -> dict[str, Any]:
    """Return the package's errors on the test tasks after so many steps, whose rate falls as ours does."""
    maml = METHODS["maml"]
    examples = training_tasks(0, maml.training.tasks)
    learner = learner_of(maml.policy(), examples, maml.iterations, 0, maml.training)
    step = their_step(learner.policy)
    for learner.iteration in range(-(-steps // maml.training.updates)):
        share = learner.iteration * maml.training.updates / steps
        for batch in learner.batches():
            step(maml.training.learning_rate * 0.5 * (1 + np.cos(np.pi * share)), *batch)
    return {"errors": errors_of(learner.policy, test).tolist(), "steps": steps}


def training_tasks(seed: int, tasks: int = TRAINING.tasks) -> Examples:
    """Return what a training of this seed learns from."""
    return collect_examples(DOMAIN, tasks, TRAINING.support + TRAINING.query, training_episode_seed(seed))


def timed(step: Callable[[tuple[Tensor, ...]], Any], batches: list[tuple[Tensor, ...]]) -> float:
    """Return steps a second of processor time."""
    started = time.process_time()
    for batch in batches:
        step(batch)
    return len(batches) / (time.process_time() - started)


def batching_rows(bank: Examples) -> list[dict[str, Any]]:
    """Return how a step over all tasks at once compares with a loop over them, and how far their gradients differ."""
    settings = {"compiled": TRAINING, "eager": TRAINING.model_copy(update={"update": "eager"})}
    learners = {name: learner_of(GradientPolicy(), bank, 1000, 0) for name in (*settings, "loop")}
    policy = learners["loop"].policy
    assert isinstance(policy, GradientPolicy)
    loop, rate = loop_step(policy, torch.optim.Adam(policy.network.parameters(), 1e-4)), torch.tensor(1e-4)
    steps = {name: learners[name].prepare() if name == "compiled" else learners[name].update for name in settings}
    for step in steps.values():
        step(rate, *learners["loop"].batches()[0])
    rounds: dict[str, list[float]] = {name: [] for name in steps}
    for i in range(STRETCHES):
        learners["loop"].iteration = i
        batches = learners["loop"].batches()
        slow = timed(lambda batch: loop(*batch), batches[:10])
        for name, step in steps.items():
            rounds[name].append(timed(lambda batch, step=step: step(rate, *batch), batches) / slow)
    ratios = {name: float(np.median(found)) for name, found in rounds.items()}
    worst = gradient_difference(learners["loop"].batches()[0])
    what = f"times as fast as a loop over {TRAINING.meta_batch} tasks"
    return [
        row("vmap, compiled", round(ratios["compiled"], 1), what, ">= 25", ratios["compiled"] >= 25),
        row("vmap, eager", round(ratios["eager"], 1), what),
        row("gradients of vmap and loop", worst, "largest relative difference, float64", "<= 1e-5", worst <= 1e-5),
    ]


def gradient_difference(batch: tuple[Tensor, ...]) -> float:
    """Return the largest difference of the two ways' gradients, of the largest number in a tensor's gradient."""
    policy = GradientPolicy()
    policy.make(0, inputs=1, outputs=1)
    policy.double()
    rows = [part.double() for part in batch]
    own = {name: value.detach() for name, value in policy.named_parameters()}

    def loss(given: dict[str, Tensor]) -> Tensor:
        return policy.query_loss(given, (rows[0], rows[1]), (rows[2], rows[3]))[0].mean()

    found = torch.func.grad(loss)(own)
    loop_step(policy, torch.optim.SGD(policy.network.parameters(), 0.0))(*rows)
    differences = [
        float((value.grad - found[f"network.{name}"]).abs().max() / value.grad.abs().max())
        for name, value in policy.network.named_parameters()
        if value.grad is not None
    ]
    return max(differences)


def method_rows(name: str) -> list[dict[str, Any]]:
    """Return a method's error, before adaptation too, and its seconds."""
    method, found = METHODS[name], [training(name, seed) for seed in SEEDS]
    before, seconds, compiling = ([one[key] for one in found] for key in ("before", "seconds", "compiling"))
    longest = max(seconds)
    asked, met = ("<= 30", longest <= 30) if method.most else ("", None)
    what = f"{method.iterations * method.training.updates} steps, {TASKS} tasks"
    return [
        error_row(name, [np.array(one["errors"]) for one in found], what, method.most),
        error_row(f"{name}: outside the range", [np.array(one["outside"]) for one in found], what),
        row(f"{name}: before adaptation", round(float(np.mean(before)), 3), "MSE; at least 3.00", seeds=before),
        row(f"{name}: training", round(longest, 1), "s of one core, the longest", asked, met, seconds),
        row(f"{name}: compiling", round(min(compiling), 1), "s, the shortest", seeds=compiling),
    ]


def rows() -> list[dict[str, Any]]:
    """Return all figures."""
    results = [found for name in METHODS for found in method_rows(name)]
    bank = training_tasks(0, 2000)  # enough to time steps on
    results += batching_rows(bank)
    if find_spec("metalearn") is None:
        print("parallel-metalearn is not installed: its rows are left out.", file=sys.stderr)
        return results
    return results + package_rows(bank, test_tasks(), training("maml", 0)["seconds"])


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:]:
        training(sys.argv[1], int(sys.argv[2]))
    else:
        finish(rows())
