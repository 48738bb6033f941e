"""An image that is read for what a sentence asks."""

from __future__ import annotations

import pytest
import torch

from plugins.policies.token_transformer import TokenTransformer
from studio.nn.instructed_image import TOKENS, InstructedImage


@pytest.mark.parametrize("size", [32, 64, 100])
def test_tokens_depend_on_image_and_sentence(size: int) -> None:
    torch.manual_seed(0)
    network, image, said = InstructedImage(4, 16), torch.rand(2, 3, size, size), torch.randn(2, 16)
    found = network(image, said)
    assert found.shape == (2, TOKENS, 16)
    assert not torch.allclose(network(image, said.flip(0)), found)
    assert not torch.allclose(network(image.flip(0), said), found)
    torch.testing.assert_close(network(image[1:], said[1:]), found[1:])


def test_only_a_policy_that_sees_and_reads_has_it() -> None:
    params = TokenTransformer.Params(width=16, layers=1, points=4, channels=8)
    assert TokenTransformer(params, "image+instruction").instructed is not None
    assert TokenTransformer(params, "image").instructed is None
    without = params.model_copy(update={"instructed_channels": 0})
    assert TokenTransformer(without, "image+instruction").instructed is None
