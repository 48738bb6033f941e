"""The policy: its padding, its normalization, and adapters on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from plugins.policies.token_transformer import TokenTransformer
from plugins.strategies.lora import SAVED_WHOLE
from studio.contracts import Embodiment
from studio.experiment import Domain
from studio.registry import Registry
from tests import tiny

FRAMES = 12
ROBOTS = ("franka_7dof", "ur5_6dof", "bimanual_14dof", "mobile_3dof")


def observation(embodiment: Embodiment, kind: str = "image", n: int = FRAMES, size: int = 32) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    seen: dict[str, np.ndarray] = {
        "joint_pos": rng.normal(0.3, 0.5, (n, embodiment.dof)).astype(np.float32),
        "eef_pos": rng.normal(0.4, 0.1, (n, 3 * len(embodiment.limbs))).astype(np.float32),
    }
    if kind == "image":
        seen["image"] = rng.integers(0, 255, (n, size, size, 3), dtype=np.uint8)
    else:
        seen["goal"] = rng.normal(0.4, 0.1, (n, 3)).astype(np.float32)
    return seen


def bound(robot: str, control: str = "end_effector", kind: str = "image", layout: str = "semantic") -> Any:
    """(policy, observation, native actions, statistics, embodiment, domain)."""
    embodiment = Registry().get("embodiments", robot)
    domain = Domain(embodiment=robot, control=control, observation=kind, image_size=32)
    seen = observation(embodiment, kind)
    width = len(embodiment.slots(control))
    actions = np.random.default_rng(1).uniform(-1, 1, (FRAMES, width)).astype(np.float32)
    statistics = {
        key: {"mean": value.mean(0), "std": value.std(0)}
        for key, value in (seen | {"actions": actions}).items()
        if key != "image"
    }
    torch.manual_seed(0)
    policy = TokenTransformer(TokenTransformer.Params(**tiny.POLICY, layout=layout), kind)
    policy.bind(embodiment, domain, statistics, keep=False)
    return policy, seen, actions, statistics, embodiment, domain


@pytest.mark.parametrize("layout", ["semantic", "front"])
@pytest.mark.parametrize("robot", ROBOTS)
def test_garbage_in_padded_slots_changes_neither_loss_nor_gradient(robot: str, layout: str) -> None:
    policy, seen, actions, *_ = bound(robot, "joint", "goal", layout)
    inputs, targets = policy.tensors(seen), policy.targets(torch.as_tensor(actions))
    padded = ~policy.spaces.action_mask
    found = []
    for garbage in (0.0, 1e6, float("nan")):
        dirty = targets.clone()
        dirty[:, padded] = garbage
        policy.zero_grad()
        prediction = policy(inputs)
        loss = policy.loss(prediction, dirty)
        loss.backward()
        found.append(
            (loss.item(), {name: p.grad.clone() for name, p in policy.named_parameters() if p.grad is not None})
        )
    (loss, gradients), *others = found
    assert padded.any() and np.isfinite(loss)
    for other, grads in others:
        assert other == loss
        assert grads.keys() == gradients.keys()
        assert all(torch.equal(grads[name], gradient) for name, gradient in gradients.items())
    head = gradients["action_head.2.bias"]
    assert torch.count_nonzero(head[padded]) == 0
    assert torch.count_nonzero(head[~padded]) == len(head[~padded])


@pytest.mark.parametrize("layout", ["semantic", "front"])
@pytest.mark.parametrize("control", ["joint", "end_effector"])
@pytest.mark.parametrize("robot", ROBOTS)
def test_targets_come_back_as_the_actions_they_were(robot: str, control: str, layout: str) -> None:
    policy, _, actions, *_ = bound(robot, control, "goal", layout)
    spaces = policy.spaces
    targets = policy.targets(torch.as_tensor(actions))
    native = spaces.action.inverse(targets)[:, spaces.action_mask]
    np.testing.assert_allclose(native.numpy(), actions, atol=1e-5)
    used = targets[:, spaces.action_mask]
    torch.testing.assert_close(used.std(0, unbiased=False), torch.ones(actions.shape[1]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("robot", ROBOTS)
@pytest.mark.parametrize("kind", ["image", "goal"])
def test_act_gives_native_actions_in_range(robot: str, kind: str) -> None:
    policy, seen, actions, *_ = bound(robot, "end_effector", kind)
    with torch.no_grad():
        policy.action_head[2].bias.fill_(100.0)
    acted, memory = policy.act(seen)
    assert acted.shape == actions.shape and memory is None
    assert np.all(acted == 1.0)


def test_a_state_in_image_observation_cannot_reach_the_goals_coordinates() -> None:
    policy, seen, *_ = bound("ur5_6dof")
    with_goal = seen | {"goal": np.full((FRAMES, 3), 7.0, np.float32)}
    np.testing.assert_array_equal(policy.act(seen)[0], policy.act(with_goal)[0])


def test_rebinding_keeps_metric_statistics_and_takes_new_joint_ones() -> None:
    policy, *_ = bound("franka_7dof")
    before = {name: value.clone() for name, value in policy.spaces.state_dict().items()}
    _, _, _, statistics, embodiment, domain = bound("ur5_6dof")
    shifted = {key: {"mean": s["mean"] + 1, "std": s["std"] * 2} for key, s in statistics.items()}
    policy.bind(embodiment, domain, shifted, keep=True)
    after = policy.spaces.state_dict()
    assert torch.equal(after["action.mean"], before["action.mean"])
    assert torch.equal(after["end_effector.std"], before["end_effector.std"])
    joints = after["joint_mask"]
    assert joints.sum() == 6
    torch.testing.assert_close(after["joint.mean"][joints], torch.as_tensor(shifted["joint_pos"]["mean"]))


def test_an_adapter_changes_the_output_in_eval_mode_after_one_step() -> None:
    policy, seen, actions, *_ = bound("ur5_6dof")
    inputs = policy.tensors(seen)
    targets = policy.targets(torch.as_tensor(actions))
    before = policy.eval()(inputs).detach()
    adapted = get_peft_model(policy, LoraConfig(r=4, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]))
    inner = adapted.base_model.model
    torch.testing.assert_close(inner.eval()(inputs), before)  # an adapter starts as the identity
    trained = [p for name, p in inner.named_parameters() if "lora_" in name]
    optimizer = torch.optim.SGD(trained, 1.0)
    inner.train()
    inner.loss(inner(inputs), targets).backward()
    optimizer.step()
    assert (inner.eval()(inputs) - before).abs().max() > 1e-6
    with adapted.disable_adapter():
        torch.testing.assert_close(inner(inputs), before)


def test_what_lora_saves_whole_exists() -> None:
    policy, *_ = bound("ur5_6dof")
    names = {name for name, _ in policy.named_children()}
    assert set(SAVED_WHOLE) <= names


def test_one_batch_can_be_learned() -> None:
    policy, seen, actions, *_ = bound("ur5_6dof")
    inputs, targets = policy.tensors(seen), policy.targets(torch.as_tensor(actions))
    optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
    losses = []
    for _ in range(80):
        loss = policy.loss(policy(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
