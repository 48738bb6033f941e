"""Every adapter: no change at first, one after training; saved, read again and merged it acts the same."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor, nn

from plugins.policies.token_transformer import TokenTransformer
from plugins.strategies.adalora import AdaLoRA, Orthogonality, RankAllocation
from plugins.strategies.bottleneck_adapter import BottleneckAdapter
from plugins.strategies.lora import LoRA
from plugins.strategies.peft_adapter import PeftAdapter
from plugins.strategies.prefix_tuning import PrefixTuning
from plugins.strategies.prompt_tuning import PromptTuning
from studio.contracts import Batch, Outputs
from studio.il.frozen_base import FrozenBaseStrategy
from studio.il.peft_adapters import PeftStrategy, merged
from studio.nn.pretrained_points import freeze
from studio.store.policies import load_policy_folder, save_policy
from tests import tiny

ROWS = 6
PEFT: dict[str, PeftStrategy] = {
    **{name: LoRA(LoRA.Params(variant=name, rank=4, alpha=8)) for name in ("lora", "dora", "rslora", "pissa")},
    "all_linear": LoRA(LoRA.Params(preset="openvla", rank=4)),
    **{
        name: PeftAdapter(PeftAdapter.Params(method=name, rank=4, alpha=8))
        for name in ("ia3", "vera", "oft", "boft", "loha", "lokr")
    },
    "adalora": AdaLoRA(AdaLoRA.Params(rank=2, initial_rank=4)),
}
OWN: dict[str, FrozenBaseStrategy] = {
    "prefix": PrefixTuning(PrefixTuning.Params(tokens=3)),
    "bottleneck": BottleneckAdapter(BottleneckAdapter.Params(width=4)),
}


@pytest.fixture
def policy() -> TokenTransformer:
    """A small policy for one robot, which sees two cameras and the goal, and acts in chunks."""
    torch.manual_seed(0)
    found = TokenTransformer(TokenTransformer.Params(**tiny.POLICY, chunk=2), "image+image_wrist+goal")
    found.spaces.action_mask[:, :7] = True
    found.spaces.joint_mask[:, :7] = True
    found.spaces.end_effector_mask[:, :3] = True
    return found.eval()


@pytest.fixture
def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)

    def drawn(width: int) -> Tensor:
        return torch.randn(ROWS, width, generator=generator)

    first = torch.zeros(ROWS, dtype=torch.long)
    images = torch.randint(0, 256, (2, ROWS, 16, 16, 3), dtype=torch.uint8, generator=generator)
    observations = {"goal": drawn(3), "joint_pos": drawn(7), "eef_pos": drawn(3)}
    observations |= {"image": images[0], "image_wrist": images[1]}
    chunks = torch.stack([drawn(7), drawn(7)], 1).clamp(-1, 1)
    exists = torch.tensor([[True, row % 2 == 0] for row in range(ROWS)])
    return Batch(observations, chunks, first, first, mask=exists)


def output(policy: Any, batch: Batch) -> Tensor:
    with torch.no_grad():
        return policy.eval()(batch.observations)


def train(policy: Any, batch: Batch, steps: int = 5) -> None:
    policy.train()
    optimizer = torch.optim.Adam([p for p in policy.parameters() if p.requires_grad], lr=0.02)
    for _ in range(steps):
        optimizer.zero_grad()
        policy.loss(batch)[0].backward()
        optimizer.step()


@pytest.mark.filterwarnings("ignore:Failed to load the CUDA extension", "ignore:Setting boft_n_butterfly_factor")
@pytest.mark.parametrize("name", PEFT)
def test_peft_adapter_starts_as_identity_saves_and_merges(
    name: str, policy: TokenTransformer, batch: Batch, tmp_path: Path
) -> None:
    strategy, base, before = PEFT[name], copy.deepcopy(policy), output(policy, batch)
    model: Any = strategy.place(policy, 10)
    adapted = model.base_model.model
    torch.testing.assert_close(output(adapted, batch), before, atol=1e-5, rtol=0)
    for module in policy.modules_to_save:  # so that what changes below is the adapter's doing
        adapted.get_submodule(module).requires_grad_(False)
    train(adapted, batch)
    after = output(adapted, batch)
    assert (after - before).abs().max() > 1e-3
    torch.testing.assert_close(output(merged(model), batch), after, atol=1e-5, rtol=0)
    model.save_pretrained(tmp_path)
    again: Any = PeftModel.from_pretrained(base, str(tmp_path))
    torch.testing.assert_close(output(again.base_model.model, batch), after, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", OWN)
def test_own_adapter_starts_as_identity_and_is_saved(
    name: str, policy: TokenTransformer, batch: Batch, tmp_path: Path
) -> None:
    before = output(policy, batch)
    policy.requires_grad_(False)
    OWN[name].add_parts(policy, torch.Generator().manual_seed(0))
    torch.testing.assert_close(output(policy, batch), before, atol=0, rtol=0)
    train(policy, batch)
    after = output(policy, batch)
    assert (after - before).abs().max() > 1e-3
    save_policy(policy, tmp_path / "policy")
    torch.testing.assert_close(output(load_policy_folder(tmp_path / "policy"), batch), after, atol=0, rtol=0)


def test_all_linear_leaves_out_what_is_trained_whole(policy: TokenTransformer) -> None:
    strategy = LoRA(LoRA.Params(target_modules=["all_linear"]))
    layers = strategy.targets(policy)
    assert {"point_embedding", "blocks.0.up_proj", "blocks.0.attention.q_proj"} <= set(layers)
    assert not any(layer.startswith(tuple(policy.modules_to_save)) for layer in layers)


def test_layers_of_a_frozen_encoder_get_no_adapter(policy: TokenTransformer) -> None:
    policy.encoder_layers = nn.ModuleDict({"q_proj": nn.Linear(4, 4)})
    assert "encoder_layers.q_proj" in LoRA(LoRA.Params(target_modules=["all_linear"])).targets(policy)
    freeze(policy.encoder_layers)
    for targets in (["q_proj"], ["all_linear"]):
        layers = LoRA(LoRA.Params(target_modules=targets)).targets(policy)
        assert "blocks.0.attention.q_proj" in layers and "encoder_layers.q_proj" not in layers


@pytest.mark.parametrize(
    ("preset", "rank", "alpha", "dropout", "targets", "drawn"),
    [
        ("none", 16, 32, 0.05, ["q_proj", "k_proj", "v_proj", "o_proj"], "kaiming"),
        ("document", 16, 32, 0.05, ["q_proj", "k_proj", "v_proj", "o_proj"], "kaiming"),
        ("openvla", 32, 16, 0, ["all_linear"], "gaussian"),
        ("openvla_oft", 32, 16, 0, ["all_linear"], "gaussian"),
        ("openpi", 16, 16, 0, ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"], "kaiming"),
        ("smolvla", 64, 64, 0, ["q_proj", "v_proj"], "kaiming"),
    ],
)
def test_lora_preset_is_as_published(
    preset: Any, rank: int, alpha: float, dropout: float, targets: list[str], drawn: str
) -> None:
    found = LoRA.Params(preset=preset)
    assert (found.rank, found.alpha, found.dropout) == (rank, alpha, dropout)
    assert (found.target_modules, found.initialization) == (targets, drawn)
    assert LoRA.Params.model_validate(found.model_dump()) == found
    own = LoRA.Params(preset=preset, rank=5)
    assert own.rank == 5 and own.alpha == alpha


def test_prompt_changes_the_output_from_the_start(policy: TokenTransformer, batch: Batch) -> None:
    """Other tokens attend to it: it is no identity, and does not say that it were."""
    before = output(policy, batch)
    PromptTuning().add_parts(policy, torch.Generator().manual_seed(0))
    assert (output(policy, batch) - before).abs().max() > 1e-5


def test_adalora_ends_at_its_mean_rank_and_resumes(policy: TokenTransformer, batch: Batch) -> None:
    strategy, steps = AdaLoRA(AdaLoRA.Params(rank=2, initial_rank=4)), 20
    model: Any = strategy.place(policy, steps)
    adapted, ranks = model.base_model.model, RankAllocation(model.base_model)
    for step in range(1, steps + 1):
        train(adapted, batch, 1)
        ranks.update(step)
        if step == 10:
            kept = copy.deepcopy(ranks.state_dict())
    left = [int((p != 0).sum()) for name, p in adapted.named_parameters() if "lora_E" in name]
    assert sum(left) <= 2 * len(left) and len(set(left)) > 1
    resumed = RankAllocation(model.base_model)
    resumed.load_state_dict(copy.deepcopy(kept))
    assert resumed.state_dict().keys() == kept.keys()
    assert all(torch.equal(resumed.state_dict()["mean"][name], value) for name, value in kept["mean"].items())


def test_orthogonality_is_zero_for_orthonormal_factors(policy: TokenTransformer, batch: Batch) -> None:
    model: Any = AdaLoRA(AdaLoRA.Params(rank=2, initial_rank=4)).place(policy, 10)
    for name, parameter in model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            nn.init.orthogonal_(parameter)
    loss, _ = Orthogonality(model.base_model.model, 1.0)(Outputs(torch.zeros(1), torch.zeros(1)), batch)
    assert loss.item() < 1e-5
