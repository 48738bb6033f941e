"""The unrolled GRU against torch's."""

from __future__ import annotations

import torch

from studio.nn.gru import unrolled_gru


def test_unrolled_gru_and_its_gradients_are_torchs() -> None:
    torch.manual_seed(0)
    core, x, hidden = (
        torch.nn.GRUCell(3, 5),
        torch.randn(7, 4, 3, requires_grad=True),
        torch.randn(4, 5).requires_grad_(),
    )
    weights = [core.weight_ih, core.weight_hh, core.bias_ih, core.bias_hh]
    wanted, _ = torch.gru(x, hidden[None], weights, True, 1, 0.0, True, False, False)
    found, toward = unrolled_gru(x, hidden, core), torch.randn(7, 4, 5)
    torch.testing.assert_close(found, wanted)
    for got, expected in zip(
        *(torch.autograd.grad((states * toward).sum(), [x, hidden, *weights]) for states in (found, wanted)),
        strict=True,
    ):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)
