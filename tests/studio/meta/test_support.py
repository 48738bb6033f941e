"""Policies that are adapted to examples, and the outer loop that trains them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from studio.meta.examples import Examples
from studio.meta.gradient_policy import GradientPolicy
from studio.meta.support_learner import SupportLearner, SupportParams


def policy_of(**inner_loop: object) -> GradientPolicy:
    torch.manual_seed(0)
    sizes = {"width": 6, "layers": 2, "inputs": 1, "outputs": 1}
    return GradientPolicy(GradientPolicy.Params.model_validate({**sizes, "inner_rate": 0.3, **inner_loop}))


def examples(tasks: int, episodes: int) -> Examples:
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (tasks, episodes, 1, 1)).astype(np.float32)
    return Examples({"state": x}, np.sin(x) * rng.uniform(0.5, 2, (tasks, 1, 1, 1)).astype(np.float32))


def learner_of(policy: GradientPolicy, **settings: object) -> SupportLearner:
    given = {"support": 3, "query": 2, "tasks": 6, "meta_batch": 4, "updates": 2, "update": "eager", **settings}
    return SupportLearner(policy, examples(6, 5), SupportParams.model_validate(given), 4, 0)


@pytest.mark.parametrize("steps", [1, 3])
def test_outer_gradient_agrees_with_finite_differences(steps: int) -> None:
    """Of weights and of rates, through every inner step."""
    policy = policy_of(inner_steps=steps, learn_rates=True, elementwise_rates=True).double()
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randn(3, n, 1, dtype=torch.float64, generator=generator) for n in (4, 4, 5, 5)]
    own = {name: value.detach() for name, value in policy.named_parameters()}

    def loss(parameters: dict[str, Tensor]) -> Tensor:
        return policy.query_loss(parameters, (rows[0], rows[1]), (rows[2], rows[3]))[0].mean()

    gradients = torch.func.grad(loss)(own)
    direction = {name: torch.randn(v.shape, dtype=torch.float64, generator=generator) for name, v in own.items()}
    slope = sum((gradients[name] * direction[name]).sum() for name in own)
    step = 1e-6
    ahead, behind = (loss({n: own[n] + sign * step * direction[n] for n in own}) for sign in (1, -1))
    assert float((ahead - behind) / (2 * step)) == pytest.approx(float(slope), rel=1e-6)
    first = policy_of(inner_steps=steps, learn_rates=True, elementwise_rates=True, first_order=True).double()
    cheaper = torch.func.grad(lambda p: first.query_loss(p, (rows[0], rows[1]), (rows[2], rows[3]))[0].mean())(own)
    assert not torch.allclose(cheaper["network.0.weight"], gradients["network.0.weight"], rtol=1e-3)


@pytest.mark.parametrize("choices", [0, 2])
@pytest.mark.parametrize("first_order", [False, True])
def test_one_inner_step_predicts_as_weights_of_every_task(first_order: bool, choices: int) -> None:
    """The shorter way of the one step has the loss, and the gradient of weights and rates, of the general one."""
    policy = policy_of(first_order=first_order, learn_rates=True, outputs=2, choices=choices).double()
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randn(3, n, w, dtype=torch.float64, generator=generator) for n in (4, 5) for w in (1, 2)]
    own = {name: value.detach() for name, value in policy.named_parameters()}

    def short(parameters: dict[str, Tensor]) -> Tensor:
        return policy.losses(policy.predict_adapted(parameters, (rows[0], rows[1]), rows[2]), rows[3]).mean()

    def general(parameters: dict[str, Tensor]) -> Tensor:
        return policy.losses(policy.predict(policy.adapt(parameters, rows[0], rows[1]), rows[2]), rows[3]).mean()

    (found, loss), (wanted, known) = (torch.func.grad_and_value(f)(own) for f in (short, general))
    assert float(loss) == pytest.approx(float(known), rel=1e-10)
    for name, gradient in wanted.items():
        assert found[name].numpy() == pytest.approx(gradient.numpy(), rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("scale", [1.0, 5.0])
def test_adapted_memory_acts_as_the_weights_after_gradient_descent(scale: float) -> None:
    """Each row by the weights of its own task, found here by autograd and a loop."""
    policy, given = policy_of(inner_steps=2, input_scale=scale), examples(3, 4)
    policy.fit_scales(given)
    memory = policy.adapted(*given.flat())
    asked = np.linspace(-1, 1, 3, dtype=np.float32)[:, None]
    found, kept = policy.act({"state": asked}, memory)
    assert kept is memory
    for task in range(3):
        own = policy_of(inner_steps=2, input_scale=scale)
        own.load_state_dict(policy.state_dict())
        x, y = (torch.from_numpy(rows[task]) for rows in (given.flat()[0]["state"], given.flat()[1]))
        inputs = scale * (x - own.observation_mean) / own.observation_std
        scaled = inputs, (y - own.action_mean) / own.action_std
        for _ in range(2):
            loss = (own.network(scaled[0]) - scaled[1]).square().mean()
            for weight, slope in zip(own.network.parameters(), torch.autograd.grad(loss, [*own.network.parameters()])):
                weight.data -= 0.3 * slope
        np.testing.assert_allclose(own.act({"state": asked[[task]]})[0], found[[task]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("limit", "decay"), [(0.0, 0.999), (0.05, 0.9)])
def test_update_is_a_step_of_torch_adam_on_the_mean_over_tasks(limit: float, decay: float) -> None:
    learner = learner_of(policy_of(inner_steps=1), max_gradient_norm=limit, adam_beta2=decay)
    batch = learner.batches()[0]
    copy = policy_of(inner_steps=1)
    copy.load_state_dict(learner.policy.state_dict())
    optimizer = torch.optim.Adam(copy.network.parameters(), 0.01, betas=(0.9, decay))
    for _ in range(2):
        optimizer.zero_grad()
        copy.query_loss(dict(copy.named_parameters()), batch[:2], batch[2:])[0].mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(copy.network.parameters(), limit or torch.inf)
        assert norm > 0.05
        optimizer.step()
        learner.update(torch.tensor(0.01), *batch)
    for ours, theirs in zip(learner.policy.network.parameters(), copy.network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_support_and_query_of_a_batch_are_disjoint() -> None:
    learner = learner_of(policy_of(inner_steps=1))
    for support, _, query, _ in learner.batches():
        assert support.shape == (4, 3, 1) and query.shape == (4, 2, 1)
        for one, other in zip(support, query, strict=True):
            assert not torch.isin(one, other).any()
