"""Adapters: spectra, pruning, blending and merging, against PEFT and against the singular values themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import PeftModel
from torch import Tensor

from plugins.policies.token_transformer import TokenTransformer
from plugins.strategies.lora import LoRA
from plugins.strategies.peft_adapter import PeftAdapter
from studio.errors import DataError
from studio.il.peft_adapters import PeftStrategy, merged
from studio.nn.blended_policy import BlendedPolicy
from studio.nn.fingerprint import weights_hash
from studio.store.adapter_files import blended, pruned, ranks_for, write_adapter, write_merged
from studio.store.adapters import Adapted, open_adapter
from studio.store.policies import load_policy_folder, save_policy
from tests import tiny

RANK = 5


def base_policy(seed: int = 0) -> TokenTransformer:
    torch.manual_seed(seed)
    policy = TokenTransformer(TokenTransformer.Params(**tiny.POLICY), "goal")
    policy.spaces.action_mask[:, :7] = True
    policy.spaces.joint_mask[:, :7] = True
    policy.fingerprint.mark(weights_hash(policy.state_dict()))
    return policy.eval()


def write(folder: Path, seed: int, strategy: PeftStrategy, base: int = 0) -> Path:
    """Write an adapter that looks trained, with its base, as an export does."""
    policy = base_policy(base)
    save_policy(policy, folder / "base")
    model: Any = strategy.place(policy, 10)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and ".spaces." not in name:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    model.save_pretrained(folder / "adapter")
    save_policy(merged(model), folder / "policy")
    return folder


def lora(**params: Any) -> PeftStrategy:
    return LoRA(LoRA.Params(rank=RANK, alpha=8, **params))


@pytest.fixture
def adapter(tmp_path: Path) -> Adapted:
    return open_adapter(write(tmp_path / "one", 1, lora()))


def observation(rows: int = 8) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=(rows, n)).astype(np.float32)
        for name, n in (("goal", 3), ("joint_pos", 7), ("eef_pos", 3))
    }


def output(policy: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = policy(policy.tensors(observation()))
    return found


def test_spectrum_has_the_adapters_rank_and_norm(adapter: Adapted) -> None:
    spectra = adapter.spectra()
    assert [one.layer.rpartition(".")[2] for one in spectra] == ["q_proj", "k_proj", "v_proj", "o_proj"]
    model: Any = PeftModel.from_pretrained(base_policy(), adapter.folder / "adapter")
    for one in spectra:
        assert len(one.values) == RANK
        delta = model.base_model.model.get_submodule(one.layer).get_delta_weight("default")
        assert one.norm == pytest.approx(float(delta.norm()), rel=1e-4)
        assert one.rank_of(1.0) == RANK and one.energy(one.rank_of(0.9)) >= 0.9 > one.energy(one.rank_of(0.9) - 1)


def test_pruning_errs_by_the_left_singular_values(adapter: Adapted) -> None:
    spectra = adapter.spectra()
    policy, factors = pruned(adapter, ranks_for(spectra, rank=2))
    for one in spectra:
        trained = adapter.policy.get_submodule(one.layer).weight
        left = float((trained - policy.get_submodule(one.layer).weight).detach().norm())
        assert left == pytest.approx(one.error(2), rel=1e-4) and left > 0
        assert factors[one.layer][0].shape[1] == 2


@pytest.mark.parametrize("variant", ["lora", "dora", "rslora", "pissa"])
def test_pruned_adapter_reloads_in_peft_alone(variant: str, tmp_path: Path) -> None:
    whole = open_adapter(write(tmp_path / "one", 1, lora(variant=variant)))
    ranks = ranks_for(whole.spectra(), energy=0.8)
    to = write_adapter(whole, ranks, tmp_path / "pruned", "Cut.")
    assert len(set(ranks.values())) > 1 or max(ranks.values()) < RANK
    again: Any = PeftModel.from_pretrained(load_policy_folder(to / "base"), to / "adapter").eval()
    expected = output(pruned(whole, ranks)[0])
    torch.testing.assert_close(output(again.base_model.model), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(output(open_adapter(to).policy), expected, atol=1e-5, rtol=0)
    assert json.loads((to / "adapter" / "adapter_config.json").read_text())["rank_pattern"] == ranks


def test_blend_is_the_sum_of_pefts_updates_and_follows_weights(adapter: Adapted, tmp_path: Path) -> None:
    other = open_adapter(write(tmp_path / "two", 2, lora()))
    both, weights = [adapter, other], (0.3, 0.7)
    blend = blended(both, weights)
    model: Any = PeftModel.from_pretrained(base_policy(), adapter.folder / "adapter", adapter_name="a")
    model.load_adapter(other.folder / "adapter", "b")
    for layer in blend.layers:
        there = model.base_model.model.get_submodule(layer)
        delta = sum(weight * there.get_delta_weight(name) for weight, name in zip(weights, "ab", strict=True))
        mine = blend.policy.get_submodule(layer).weight - blend.base.get_submodule(layer).weight
        torch.testing.assert_close(mine, delta, atol=1e-6, rtol=0)
    acting = BlendedPolicy(adapter.base, [adapter.policy, other.policy], (1, 0))
    for present, policy in (
        ((1, 0), adapter.policy),
        (weights, blend.policy),
        ((0, 1), other.policy),
        ((0, 0), adapter.base),
    ):
        acting.set_weights(present)
        np.testing.assert_allclose(acting.act(observation())[0], policy.act(observation())[0], atol=1e-5)
    to = write_adapter(blend, ranks_for(blend.spectra()), tmp_path / "blend", "Blended.")
    torch.testing.assert_close(output(open_adapter(to).policy), output(blend.policy), atol=1e-5, rtol=0)


def test_exported_adapter_without_its_merged_policy(adapter: Adapted, tmp_path: Path) -> None:
    write_merged(adapter, tmp_path / "merged")
    expected = output(adapter.policy)
    torch.testing.assert_close(output(load_policy_folder(tmp_path / "merged" / "policy")), expected, atol=0, rtol=0)
    for file in (adapter.folder / "policy").iterdir():
        file.unlink()
    torch.testing.assert_close(output(open_adapter(adapter.folder / "adapter").policy), expected, atol=1e-6, rtol=0)


def test_adapter_of_another_base_is_refused_with_both_hashes(adapter: Adapted, tmp_path: Path) -> None:
    other = open_adapter(write(tmp_path / "two", 2, lora(), base=1))
    for refused in (
        lambda: blended([adapter, other], (0.5, 0.5)),
        lambda: open_adapter(adapter.folder, other.base_folder),
    ):
        with pytest.raises(DataError) as caught:
            refused()
        assert adapter.base_sha256 in caught.value.message and other.base_sha256 in caught.value.message


def test_adapter_that_changes_a_bias_cannot_be_pruned(tmp_path: Path) -> None:
    scaled = open_adapter(write(tmp_path / "ia3", 1, PeftAdapter(PeftAdapter.Params(method="ia3"))))
    with pytest.raises(DataError, match=r"_proj\.bias"):
        pruned(scaled, ranks_for(scaled.spectra(), rank=1))
