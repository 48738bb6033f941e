"""A policy that adapts to examples of a task by gradient steps from weights that were trained to be adapted."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call, grad

from studio.experiment import Settings, setting
from studio.meta.inner_loop import adapt, rate_of, scaled_log_rates
from studio.meta.one_inner_step import Layer, predict_after_one_step
from studio.meta.support_perceptron import SupportPerceptron, Weights

NETWORK = "network."  # before a weight's name among the policy's parameters


class InnerLoopParams(Settings):
    """The inner loop of gradient-based meta-learning: a mixin whose fields come first."""

    inner_steps: int = setting(1, "Inner steps", "Gradient steps of an adaptation.", "steps", ge=1, le=100)
    inner_rate: float = setting(0.05, "Inner rate", "Learning rate of the inner loop, at first.", gt=0, le=10)
    learn_rates: bool = setting(
        False, "Learn rates", "Also learn the inner loop's rates, one for each tensor and step."
    )
    elementwise_rates: bool = setting(
        False, "Elementwise rates", "Rates are of every single weight instead of every tensor (Meta-SGD)."
    )
    first_order: bool = setting(
        False, "First order", "Treat inner gradients as constants: cheaper, without second derivatives."
    )


class GradientPolicy(SupportPerceptron):
    """Takes gradient steps on the mean loss of a task's examples, with rates that may be trained too.

    Sources: Finn et al. 2017 (MAML), arXiv:1703.03400, algorithm 2; a rate for each weight: Li et al. 2017 (Meta-SGD),
    arXiv:1707.09835.
    """

    id = "gradient_mlp"
    title = "Gradient-adapted MLP"
    summary = "Perceptron on the state that adapts to examples of a task by gradient steps; for MAML."
    reference = "Finn, Abbeel and Levine 2017, arXiv:1703.03400"

    class Params(SupportPerceptron.Params):
        """Size of the perceptron; the inner loop is the strategy's :class:`InnerLoopParams`."""

        inner_steps: int = setting(1, "Inner steps", "Gradient steps of an adaptation.", ge=1, le=100, derived=True)
        inner_rate: float = setting(0.05, "Inner rate", "Their learning rate, at first.", gt=0, le=10, derived=True)
        learn_rates: bool = setting(False, "Learn rates", "Whether training changes the rates.", derived=True)
        elementwise_rates: bool = setting(False, "Elementwise rates", "A rate for every weight.", derived=True)
        first_order: bool = setting(False, "First order", "Whether inner gradients are constants.", derived=True)

    def adapt(self, parameters: Weights, observations: Tensor, actions: Tensor) -> dict[str, Tensor]:
        weights, rates = self._weights_and_rates(parameters)

        def loss(given: Weights, support: tuple[Tensor, Tensor]) -> Tensor:
            found: Tensor = functional_call(self.network, dict(given), (support[0],))
            return self.losses(found, support[1]).mean()

        def adapted(*support: Tensor) -> dict[str, Tensor]:
            return adapt(weights, loss, support, self.params.inner_steps, rates, self.params.first_order)

        found: dict[str, Tensor] = torch.vmap(adapted)(observations, actions)
        return found

    def predict_adapted(self, parameters: Weights, support: tuple[Tensor, Tensor], observations: Tensor) -> Tensor:
        if self.params.inner_steps > 1 or self.params.elementwise_rates:
            return super().predict_adapted(parameters, support, observations)
        weights, rates = self._weights_and_rates(parameters)
        layers = pairs(list(weights.values()))
        first_rates = pairs([rate[0] for rate in rates.values()])

        def slopes(predicted: Tensor) -> Tensor:
            def total(given: Tensor) -> Tensor:
                return self.losses(given, support[1]).mean(1).sum()

            return grad(total)(predicted)

        return predict_after_one_step(layers, first_rates, support[0], slopes, observations, self.params.first_order)

    def set_inner_loop(self, settings: InnerLoopParams) -> None:
        """Take the inner loop, before the sizes are known."""
        own = settings.model_dump(include=set(InnerLoopParams.model_fields))
        self.params = self.params.model_copy(update=own)

    def _weights_and_rates(self, parameters: Weights) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the perceptron's weights, and the rates of all steps for each of them, (steps, …), by name."""
        weights = {name: parameters[NETWORK + name] for name in self.shapes}
        rates = {name: rate_of(parameters[f"scaled_log_rates.{place}"]) for place, name in enumerate(self.shapes)}
        return weights, rates

    def _build(self) -> None:
        super()._build()
        p = self.params
        shapes = [shape if p.elementwise_rates else torch.Size() for shape in self.shapes.values()]
        self.scaled_log_rates = scaled_log_rates(shapes, p.inner_steps, p.inner_rate, p.learn_rates)


def pairs(values: list[Tensor]) -> list[Layer]:
    """Return weights and biases, which follow each other, by layer."""
    return list(zip(values[::2], values[1::2], strict=True))
