"""The inner loop's policy gradient against closed forms, and the outer loop's step against its bound."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.meta.inner_loop import adapt
from studio.meta.linear_baseline import linear_baseline
from studio.meta.policy_gradient import Estimator, surrogate_loss
from studio.meta.trust_region import conjugate_gradients, trust_region_step

GOAL, RATE = 1.3, 0.05
LOG_STD = -0.3


def _quadrature(steps: int) -> tuple[Tensor, Tensor]:
    """Return standard normal actions of every episode, (steps, episodes), and the episodes' weights: with them sums are
    expectations of polynomials up to the tenth degree, exactly."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(6)
    grids = np.meshgrid(*[nodes] * steps, indexing="ij"), np.meshgrid(*[weights] * steps, indexing="ij")
    actions, parts = (np.stack([grid.ravel() for grid in each]) for each in grids)
    return torch.from_numpy(actions), torch.from_numpy(parts.prod(0) / parts.prod(0).sum())


def _surrogate(parameters: Any, start: Any, steps: int, estimator: Estimator) -> Tensor:
    """The surrogate of episodes with actions N(mean, std²) and a reward at the end, −(sum of the actions − GOAL)²."""
    noise, weights = _quadrature(steps)
    actions = start["mean"] + start["log_std"].exp() * noise

    def log_probs(given: Any) -> Tensor:
        z = (actions - given["mean"]) / given["log_std"].exp()
        return -0.5 * z.square() - given["log_std"]

    rewards = -(actions.sum(0) - GOAL).square()
    advantages = (rewards * weights * len(weights)).expand(steps, -1)
    acted, playing = log_probs(start), torch.ones_like(actions)
    return steps * surrogate_loss(log_probs(parameters), acted, advantages, playing, estimator)


def _objective(mean: float, log_std: float, steps: int) -> float:
    """The expected return of these episodes, in closed form."""
    return -((steps * mean - GOAL) ** 2) - steps * math.exp(2 * log_std)


def _after_step(mean: float, log_std: float, steps: int) -> float:
    """The expected return after one step of gradient ascent on it, whose gradient is known."""
    slope = -2 * steps * (steps * mean - GOAL), -2 * steps * math.exp(2 * log_std)
    return _objective(mean + RATE * slope[0], log_std + RATE * slope[1], steps)


def _meta_gradient(steps: int, estimator: Estimator) -> list[float]:
    """The gradient of the return after an inner step, through that step."""
    values = {"mean": 0.2, "log_std": LOG_STD}
    start = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    theta = {name: value.clone().requires_grad_() for name, value in start.items()}
    after = adapt(theta, lambda given, _: _surrogate(given, start, steps, estimator), None, 1, RATE)
    reached = -((steps * after["mean"] - GOAL) ** 2) - steps * (2 * after["log_std"]).exp()
    return [float(part) for part in torch.autograd.grad(reached, [theta["mean"], theta["log_std"]])]


def _differences(steps: int, h: float = 1e-5) -> list[float]:
    """The same by central differences of the closed form."""
    ends = [(h, 0.0), (0.0, h)]
    return [
        (_after_step(0.2 + a, LOG_STD + b, steps) - _after_step(0.2 - a, LOG_STD - b, steps)) / (2 * h) for a, b in ends
    ]


@pytest.mark.parametrize("estimator", ["low_variance", "dice"])
def test_surrogate_loss_gives_the_second_order_of_a_one_step_task(estimator: Estimator) -> None:
    assert _meta_gradient(1, estimator) == pytest.approx(_differences(1), rel=1e-7)


def test_dice_gives_the_second_order_of_two_steps_and_low_variance_nearly() -> None:
    exact = _differences(2)
    assert _meta_gradient(2, "dice") == pytest.approx(exact, rel=1e-7)
    biased = _meta_gradient(2, "low_variance")
    assert biased != pytest.approx(exact, rel=1e-3)  # it leaves out products of different steps' gradients
    assert biased == pytest.approx(exact, rel=0.6)


def test_linear_baseline_finds_returns_that_are_linear_in_its_features() -> None:
    generator = torch.Generator().manual_seed(0)
    seen = torch.randn(2, 7, 9, 3, generator=generator)
    playing = (torch.rand(2, 7, 9, generator=generator) < 0.8).float()
    clock = torch.arange(7)[None, :, None] / 100
    slopes = torch.tensor([1.0, -2.0])[:, None, None]  # of the two tasks
    returns = slopes * (seen[..., 0] - 3 * seen[..., 2].square()) + 5 * clock**2 + 2
    found = linear_baseline(seen, returns, playing)
    assert (found - returns)[playing.bool()].abs().max() < 0.01


def test_conjugate_gradients_solve_as_numpy_does() -> None:
    generator = torch.Generator().manual_seed(0)
    half = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    matrix, target = half @ half.T + torch.eye(6), torch.randn(6, generator=generator, dtype=torch.float64)
    found, _ = conjugate_gradients(lambda v: matrix @ v, target, 6)
    assert found.numpy() == pytest.approx(np.linalg.solve(matrix.numpy(), target.numpy()), rel=1e-6)
    early, image = conjugate_gradients(lambda v: matrix @ v, target, 3)
    assert image.numpy() == pytest.approx((matrix @ early).numpy(), rel=1e-6)


def test_trust_region_step_keeps_within_its_bound() -> None:
    """A softmax over four choices: loss and KL are known exactly, and the quadratic model of the KL is far off."""
    logits, costs = torch.tensor([2.0, 0.0, -1.0, 0.5]), torch.tensor([1.0, 0.0, 2.0, -3.0])
    start = logits.softmax(0)
    variable = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((variable.softmax(0) * costs).sum(), variable)

    def evaluate() -> tuple[float, float]:
        new = logits.softmax(0)
        return float((new * costs).sum()), float((start * (start / new).log()).sum())

    before, _ = evaluate()
    fisher = torch.diag(start) - torch.outer(start, start)
    step = trust_region_step(logits, before, gradient, lambda v: fisher @ v, evaluate, 0.5, 10, 1e-3)
    loss, kl = evaluate()
    assert 0 < kl <= 0.5 and kl == pytest.approx(step.kl)
    assert before - loss == pytest.approx(step.improvement) and step.improvement > 0
    stuck = logits.clone()
    assert (
        trust_region_step(logits, loss, gradient, lambda v: fisher @ v, lambda: (-9.0, 9.0), 0.5, 10, 1e-3).share == 0
    )
    assert torch.equal(logits, stuck)
