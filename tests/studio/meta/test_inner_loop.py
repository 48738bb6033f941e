"""The inner loop: its second-order gradient, its first-order one, and many tasks at once."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from studio.meta.inner_loop import adapt

STEPS, RATE = 3, 0.2
Task = tuple[Tensor, Tensor]


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 1)).double()


def tasks(count: int = 4) -> tuple[Task, Task]:
    """Return support and query sets of linear functions, inputs (count, 6, 2) and values (count, 6, 1)."""
    generator = torch.Generator().manual_seed(1)
    slopes = torch.randn(count, 2, 1, generator=generator, dtype=torch.float64)
    support, query = torch.randn(2, count, 6, 2, generator=generator, dtype=torch.float64)
    return (support, support @ slopes), (query, query @ slopes)


def squared_error(network: nn.Module, parameters: Mapping[str, Tensor], rows: Task) -> Tensor:
    return (functional_call(network, dict(parameters), rows[0]) - rows[1]).square().mean()


def query_loss(
    network: nn.Module, parameters: Mapping[str, Tensor], first_order: bool = False, task: int = 0
) -> Tensor:
    support, query = tasks()

    def loss(given: Mapping[str, Tensor], rows: Task) -> Tensor:
        return squared_error(network, given, rows)

    adapted = adapt(parameters, loss, (support[0][task], support[1][task]), STEPS, RATE, first_order)
    return loss(adapted, (query[0][task], query[1][task]))


def test_second_order_gradient_is_that_of_finite_differences(network: nn.Module) -> None:
    parameters = dict(network.named_parameters())
    query_loss(network, parameters).backward()
    step = 1e-6
    for name, parameter in parameters.items():
        assert parameter.grad is not None
        for place in range(parameter.numel()):
            ends = []
            for sign in (1, -1):
                moved = {key: value.detach().clone() for key, value in parameters.items()}
                moved[name].view(-1)[place] += sign * step
                ends.append(float(query_loss(network, moved)))
            assert float(parameter.grad.view(-1)[place]) == pytest.approx(
                (ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-9
            )


def test_first_order_gradient_is_the_query_gradient_at_the_adapted_point(network: nn.Module) -> None:
    parameters = dict(network.named_parameters())
    first = torch.autograd.grad(query_loss(network, parameters, first_order=True), list(parameters.values()))
    support, query = ((x[0], y[0]) for x, y in tasks())
    adapted = adapt(parameters, lambda given, rows: squared_error(network, given, rows), support, STEPS, RATE)
    leaves = {name: value.detach().requires_grad_() for name, value in adapted.items()}
    expected = torch.autograd.grad(squared_error(network, leaves, query), list(leaves.values()))
    second = torch.autograd.grad(query_loss(network, parameters), list(parameters.values()))
    torch.testing.assert_close(first, expected)
    assert not torch.allclose(first[0], second[0], rtol=1e-2)


@pytest.mark.parametrize("first_order", [False, True])
def test_vmap_over_tasks_equals_a_loop(network: nn.Module, first_order: bool) -> None:
    parameters = dict(network.named_parameters())
    support, query = tasks()

    def one(own_support: Task, own_query: Task) -> Tensor:
        adapted = adapt(
            parameters, lambda given, rows: squared_error(network, given, rows), own_support, STEPS, RATE, first_order
        )
        return squared_error(network, adapted, own_query)

    together = torch.vmap(one)(support, query)
    alone = torch.stack([query_loss(network, parameters, first_order, task) for task in range(len(together))])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=0)
    leaves = list(parameters.values())
    gradients = [torch.autograd.grad(losses.mean(), leaves) for losses in (together, alone)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-12)


def test_rates_of_each_parameter_and_step_are_used_and_learned(network: nn.Module) -> None:
    parameters = dict(network.named_parameters())
    support, _ = ((x[0], y[0]) for x, y in tasks())
    rates = {name: torch.zeros(STEPS, dtype=torch.float64, requires_grad=True) for name in parameters}
    adapted = adapt(parameters, lambda given, rows: squared_error(network, given, rows), support, STEPS, rates)
    torch.testing.assert_close(adapted, parameters)
    squared_error(network, adapted, support).backward()
    gradients = [rates[name].grad for name in parameters]
    assert all(gradient is not None and (gradient < 0).any() for gradient in gradients), "larger rates lower the loss"


def test_inner_loop_without_a_step_is_refused(network: nn.Module) -> None:
    with pytest.raises(ValueError, match="0 steps adapts nothing"):
        adapt(dict(network.named_parameters()), lambda given, rows: rows.sum(), torch.ones(1), 0, RATE)
