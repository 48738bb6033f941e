"""Networks: attention, feature points, normalization, action slots."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from plugins.embodiments.bimanual_14dof import EMBODIMENT as BIMANUAL
from plugins.embodiments.franka_7dof import EMBODIMENT as FRANKA
from plugins.embodiments.mobile_3dof import EMBODIMENT as MOBILE
from plugins.embodiments.ur5_6dof import EMBODIMENT as UR5
from studio.nn.action_space import masked_mse, pad, slot_mask, unpad
from studio.nn.encoders import FeaturePoints
from studio.nn.fingerprint import weights_hash
from studio.nn.spaces import NormalizerTable
from studio.nn.transformer import Attention, Block

FIRST = torch.zeros(5, dtype=torch.long)  # of the embodiments, for each of five rows


def test_attention_is_the_librarys() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.q_proj.weight, ours.k_proj.weight, ours.v_proj.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.q_proj.bias, ours.k_proj.bias, ours.v_proj.bias]))
        theirs.out_proj.load_state_dict(ours.o_proj.state_dict())
    x = torch.randn(3, 5, 16)
    torch.testing.assert_close(ours(x), theirs(x, x, x, need_weights=False)[0])


def test_block_is_pre_norm_with_residuals() -> None:
    torch.manual_seed(0)
    block, x = Block(16, 2), torch.randn(2, 3, 16)
    with torch.no_grad():
        for layer in (block.attention.o_proj, block.down_proj):
            layer.weight.zero_()
            layer.bias.zero_()
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize(("row", "column"), [(16, 16), (4, 26), (27, 6), (0, 31)])
def test_feature_points_find_a_blob_within_a_pixel(row: int, column: int) -> None:
    size = 32
    points = FeaturePoints(points=4, channels=8)
    points.layers = nn.Conv2d(3, 4, 1)  # a color detector of one's own: what is tested is the soft-argmax
    with torch.no_grad():
        points.layers.weight.zero_()
        points.layers.weight[:, 0] = 1.0
        points.layers.bias.zero_()
    image = torch.zeros(1, 3, size, size)
    image[0, 0, row, column] = 1.0
    x, y, peak = points(image)[0, 0]
    assert abs((x + 1) / 2 * (size - 1) - column) < 1
    assert abs((y + 1) / 2 * (size - 1) - row) < 1
    assert peak > 0.9


def test_feature_points_of_an_even_map_lie_in_the_middle() -> None:
    points = FeaturePoints(points=4, channels=8)
    points.layers = nn.Conv2d(3, 4, 1)
    position = points(torch.zeros(1, 3, 8, 8))[0, :, :2]
    torch.testing.assert_close(position, torch.zeros_like(position), atol=1e-6, rtol=0)


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3), st.lists(st.floats(1e-2, 1e2), min_size=3, max_size=3))
@settings(max_examples=25, deadline=None)
def test_normalizer_goes_back(mean: list[float], std: list[float]) -> None:
    normalizer = NormalizerTable(3)
    normalizer.fit(0, torch.tensor(mean), torch.tensor(std), torch.ones(3, dtype=torch.bool))
    x = torch.randn(5, 3) * normalizer.std + normalizer.mean
    torch.testing.assert_close(normalizer.inverse(normalizer(x, FIRST), FIRST), x, rtol=1e-4, atol=1e-3)


def test_normalizer_whitens_and_leaves_the_other_components() -> None:
    torch.manual_seed(0)
    data = torch.randn(1000, 3) * torch.tensor([1.0, 5.0, 0.1]) + torch.tensor([3.0, -2.0, 0.0])
    normalizer = NormalizerTable(3)
    normalizer.fit(0, data.mean(0), data.std(0), torch.tensor([True, True, False]))
    white = normalizer(data, torch.zeros(len(data), dtype=torch.long))
    torch.testing.assert_close(white[:, :2].mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(white[:, :2].std(0), torch.ones(2))
    assert torch.equal(white[:, 2], data[:, 2])


def test_normalizer_does_not_blow_up_on_a_constant() -> None:
    normalizer = NormalizerTable(1)
    normalizer.fit(0, torch.ones(1), torch.zeros(1), torch.ones(1, dtype=torch.bool))
    assert normalizer(torch.tensor([[1.001]]), FIRST[:1]).abs().item() < 1


@pytest.mark.parametrize("layout", ["semantic", "front"])
@pytest.mark.parametrize("control", ["joint", "end_effector"])
@pytest.mark.parametrize("embodiment", [FRANKA, UR5, BIMANUAL, MOBILE], ids=lambda e: e.id)
def test_actions_round_trip_through_the_unified_space(embodiment, control: str, layout) -> None:
    slots = embodiment.slots(control)
    mask = slot_mask(slots, layout)
    native = torch.randn(4, len(slots))
    unified = pad(native, mask)
    assert unified.shape == (4, 32)
    assert torch.equal(unpad(unified, mask), native)
    assert torch.count_nonzero(unified[:, ~mask]) == 0
    used = sorted(slots) if layout == "semantic" else list(range(len(slots)))
    assert mask.nonzero().flatten().tolist() == used


def test_semantic_slots_mean_the_same_on_every_arm() -> None:
    assert FRANKA.slots("end_effector") == UR5.slots("end_effector") == BIMANUAL.slots("end_effector")[:3]
    assert not set(BIMANUAL.limbs[1].joint_slots) & set(FRANKA.slots("joint"))
    assert not set(MOBILE.slots("joint")) & set(BIMANUAL.slots("joint"))
    assert (FRANKA.dof, UR5.dof, BIMANUAL.dof, MOBILE.dof) == (7, 6, 14, 3)


def test_slots_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="order"):
        slot_mask((2, 1, 0), "semantic")


def test_loss_is_the_mean_over_used_slots() -> None:
    mask = slot_mask((3, 5), "semantic")
    prediction, target = torch.zeros(2, 32), torch.full((2, 32), 99.0)
    target[:, 3], target[:, 5] = 1.0, 3.0
    assert masked_mse(prediction, target, mask.expand(2, -1)).item() == pytest.approx((1 + 9) / 2)


def test_weights_hash_sees_values_names_and_shapes() -> None:
    state = {"a": torch.arange(4.0), "b": torch.zeros(2)}
    same = {"b": torch.zeros(2), "a": torch.arange(4.0)}
    assert weights_hash(state) == weights_hash(same)
    others = [
        state | {"a": torch.arange(4.0) + 1e-7},
        state | {"a": torch.arange(4.0).reshape(2, 2)},
        {"a": state["a"], "c": state["b"]},
    ]
    assert len({weights_hash(s) for s in [state, *others]}) == 4
    assert weights_hash(state | {"fingerprint.base": torch.ones(32)}) == weights_hash(state)
