"""The first weights of a small vision-language model: layers keep their input's scale, places and bins can be read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from studio.nn.action_bins import BINS
from studio.nn.small_vlm import Sizes, new_model


@pytest.fixture(scope="module")
def model() -> Iterator[nn.Module]:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        yield new_model(Sizes(width=64, layers=1, vision_width=32, vision_layers=1, patch=8, merge=2, image=32))[0]


def test_new_vlm_layers_keep_the_scale(model: nn.Module) -> None:
    gains = [m.weight.std() * m.in_features**0.5 for m in model.modules() if isinstance(m, nn.Linear)]
    assert len(gains) > 10 and min(gains) > 0.8 and max(gains) < 1.2  # the library's: 0.11 to 0.23


def test_new_vlm_places_are_as_large_as_patches(model: nn.Module) -> None:
    seen = model.get_submodule("model.vision_model.embeddings")
    places = seen.get_submodule("position_embedding")(torch.arange(16))
    patches = seen.get_submodule("patch_embedding")(torch.rand(4, 3, 32, 32) * 2 - 1)
    assert 0.5 < places.square().mean().sqrt() / patches.square().mean().sqrt() < 2  # the library's: 0.13
    assert torch.cdist(places, places).fill_diagonal_(9).min() > 0.5  # no two places are alike


def test_new_vlm_neighboring_bins_are_alike(model: nn.Module) -> None:
    for name in ("model.text_model.embed_tokens", "lm_head"):
        bins = nn.functional.normalize(model.get_submodule(name).weight[-BINS:])
        assert (bins[1:] * bins[:-1]).sum(1).mean() > 0.95 and (bins[:128] * bins[128:]).sum(1).mean() < 0.7
