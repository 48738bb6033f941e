"""The policy: its padding, its normalization, and adapters on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from plugins.policies.token_transformer import TokenTransformer
from studio.contracts import Batch, Embodiment, EmbodimentSpec
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.rollout import rows_of
from tests import tiny

FRAMES = 12
ROBOTS = ("franka_7dof", "ur5_6dof", "bimanual_14dof", "mobile_3dof")


def observation(embodiment: Embodiment, kind: str = "image", n: int = FRAMES, size: int = 32) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    seen: dict[str, np.ndarray] = {
        "joint_pos": rng.normal(0.3, 0.5, (n, embodiment.dof)).astype(np.float32),
        "eef_pos": rng.normal(0.4, 0.1, (n, 3 * len(embodiment.limbs))).astype(np.float32),
    }
    for entry in kind.split("+"):
        if entry == "goal":
            seen["goal"] = rng.normal(0.4, 0.1, (n, 3)).astype(np.float32)
        else:
            seen[entry] = rng.integers(0, 255, (n, size, size, 3), dtype=np.uint8)
    return seen


def bound(
    robot: str, control: str = "end_effector", kind: str = "image", layout: str = "semantic", **params: Any
) -> Any:
    """(policy, observation, native actions, statistics, embodiment, domain)."""
    embodiment = Registry().get("embodiments", robot)
    names, cameras = kind.split("+"), embodiment.cameras[: max(1, kind.count("image"))]
    entries = [name for name in names if "_" not in name]
    domain = Domain(embodiment=robot, control=control, observation=entries, cameras=list(cameras), image_size=32)
    seen = observation(embodiment, kind)
    width = len(embodiment.slots(control))
    actions = np.random.default_rng(1).uniform(-1, 1, (FRAMES, width)).astype(np.float32)
    statistics = {
        key: {"mean": value.mean(0), "std": value.std(0)}
        for key, value in (seen | {"actions": actions}).items()
        if not key.startswith("image")
    }
    torch.manual_seed(0)
    policy = TokenTransformer(TokenTransformer.Params(**tiny.POLICY, layout=layout, **params), kind)
    policy.bind([EmbodimentSpec(embodiment, control, statistics)])
    return policy, seen, actions, statistics, embodiment, domain


def batch(policy: TokenTransformer, seen: dict[str, np.ndarray], actions: np.ndarray) -> Batch:
    first = torch.zeros(len(actions), dtype=torch.long)
    return Batch(policy.tensors(seen), torch.as_tensor(actions), domain=first, embodiment=first)


def with_garbage(values: torch.Tensor, garbage: float) -> torch.Tensor:
    return torch.cat([values, torch.full((*values.shape[:-1], 3), garbage)], -1)


@pytest.mark.parametrize("layout", ["semantic", "front"])
@pytest.mark.parametrize(
    ("robot", "kind", "chunk"), [*((robot, "goal", 1) for robot in ROBOTS), (ROBOTS[1], "image+image_wrist+goal", 2)]
)
def test_garbage_in_padded_slots_changes_neither_loss_nor_gradient(
    robot: str, kind: str, chunk: int, layout: str
) -> None:
    policy, seen, actions, *_ = bound(robot, "joint", kind, layout, chunk=chunk)
    whole = batch(policy, seen, actions)
    if chunk > 1:
        steps = torch.ones(FRAMES, chunk, dtype=torch.bool)
        whole = whole.replace(actions=whole.actions[:, None].repeat(1, chunk, 1), mask=steps)
    padded = ~policy.spaces.action_mask[0]
    found = []
    for garbage in (0.0, 1e6, float("nan")):
        wider = {name: with_garbage(whole.observations[name], garbage) for name in ("joint_pos", "eef_pos")}
        dirty = whole.replace(
            observations={**whole.observations, **wider}, actions=with_garbage(whole.actions, garbage)
        )
        policy.zero_grad()
        loss, _ = policy.loss(dirty)
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
    head = gradients["action_head.2.bias"].view(chunk, 32)[-1]
    assert torch.count_nonzero(head[padded]) == 0
    assert torch.count_nonzero(head[~padded]) == len(head[~padded])


def test_steps_that_do_not_exist_change_neither_loss_nor_gradient() -> None:
    policy, seen, actions, *_ = bound("ur5_6dof", "joint", "goal", chunk=3)
    exists = torch.arange(3) < torch.arange(FRAMES)[:, None] % 3 + 1
    chunks = torch.as_tensor(actions)[:, None].repeat(1, 3, 1)
    found = []
    for garbage in (0.0, 1e6, float("nan")):
        dirty = torch.where(exists[..., None], chunks, garbage)
        policy.zero_grad()
        loss, outputs = policy.loss(batch(policy, seen, actions).replace(actions=dirty, mask=exists))
        loss.backward()
        found.append((loss.item(), [p.grad.clone() for p in policy.parameters() if p.grad is not None]))
    (loss, gradients), *others = found
    assert outputs.prediction.shape == (FRAMES, 3, 32) and np.isfinite(loss)
    for other, grads in others:
        assert other == loss and all(torch.equal(a, b) for a, b in zip(grads, gradients, strict=True))
    each = (outputs.prediction - policy.spaces.actions(chunks, torch.zeros(FRAMES, dtype=torch.long))).detach().square()
    own = policy.spaces.action_mask[0]
    assert loss == pytest.approx(each[..., own].mean(-1)[exists].mean().item(), rel=1e-5)


@pytest.mark.parametrize("ensemble", [False, True])
def test_a_chunk_is_remembered_within_an_episode_only(ensemble: bool) -> None:
    policy, seen, actions, *_ = bound("ur5_6dof", kind="goal", chunk=3, temporal_ensemble=ensemble)
    policy.eval()
    moved = seen | {"joint_pos": seen["joint_pos"] + 0.5}
    first, memory = policy.act(seen)
    second, _ = policy.act(moved, memory)
    one, _ = policy.act({name: value[4:5] for name, value in moved.items()}, rows_of(memory, np.array([4])))
    np.testing.assert_allclose(one[0], second[4], atol=1e-6)  # each row has its own memory
    again, _ = policy.act(seen)
    np.testing.assert_array_equal(first, again)
    assert first.shape == actions.shape and not np.allclose(second, first)


@pytest.mark.parametrize("layout", ["semantic", "front"])
@pytest.mark.parametrize("control", ["joint", "end_effector"])
@pytest.mark.parametrize("robot", ROBOTS)
def test_targets_come_back_as_the_actions_they_were(robot: str, control: str, layout: str) -> None:
    policy, _, actions, *_ = bound(robot, control, "goal", layout)
    spaces = policy.spaces
    targets = spaces.actions(torch.as_tensor(actions), torch.zeros(len(actions), dtype=torch.long))
    np.testing.assert_allclose(spaces.native(targets).numpy(), actions, atol=1e-5)
    used = targets[:, spaces.action_mask[0]]
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
    policy.bind([EmbodimentSpec(embodiment, domain.control, shifted)], keep=True)
    after = policy.spaces.state_dict()
    assert torch.equal(after["action.mean"], before["action.mean"])
    assert torch.equal(after["end_effector.std"], before["end_effector.std"])
    joints = after["joint_mask"]
    assert joints.sum() == 6
    torch.testing.assert_close(after["joint.mean"][joints], torch.as_tensor(shifted["joint_pos"]["mean"]))


def test_an_adapter_changes_the_output_in_eval_mode_after_one_step() -> None:
    policy, seen, actions, *_ = bound("ur5_6dof")
    inputs = policy.tensors(seen)
    whole = batch(policy, seen, actions)
    before = policy.eval()(inputs).detach()
    adapted = get_peft_model(policy, LoraConfig(r=4, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]))
    inner = adapted.base_model.model
    torch.testing.assert_close(inner.eval()(inputs), before)  # an adapter starts as the identity
    trained = [p for name, p in inner.named_parameters() if "lora_" in name]
    optimizer = torch.optim.SGD(trained, 1.0)
    inner.train()
    inner.loss(whole)[0].backward()
    optimizer.step()
    assert (inner.eval()(inputs) - before).abs().max() > 1e-6
    with adapted.disable_adapter():
        torch.testing.assert_close(inner(inputs), before)


def test_what_lora_saves_whole_exists() -> None:
    policy, *_ = bound("ur5_6dof")
    names = {name for name, _ in policy.named_children()}
    assert set(policy.modules_to_save) <= names


def test_one_batch_can_be_learned() -> None:
    policy, seen, actions, *_ = bound("ur5_6dof")
    whole = batch(policy, seen, actions)
    optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
    losses = []
    for _ in range(80):
        loss, _ = policy.loss(whole)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("control", ["joint", "end_effector"])
@pytest.mark.parametrize("layout", ["semantic", "front"])
def test_a_mixed_batch_is_its_three_separate_batches(control: str, layout: str) -> None:
    robots = ("franka_7dof", "ur5_6dof", "mobile_3dof")
    parts = [bound(robot, control, "goal", layout) for robot in robots]
    policy = TokenTransformer(TokenTransformer.Params(**tiny.POLICY, layout=layout), "goal").double()
    policy.bind([EmbodimentSpec(embodiment, control, statistics) for *_, statistics, embodiment, _ in parts])
    whole = [batch(policy, seen, actions) for _, seen, actions, *_ in parts]
    whole = [
        b.replace(
            observations={name: value.double() for name, value in b.observations.items()},
            actions=b.actions.double(), embodiment=torch.full_like(b.embodiment, row),
        )
        for row, b in enumerate(whole)
    ]  # fmt: skip
    losses, wanted = [], {name: torch.zeros_like(p) for name, p in policy.named_parameters()}
    for one in whole:
        policy.zero_grad()
        loss, _ = policy.loss(one)
        loss.backward()
        losses.append(loss.item())
        for name, parameter in policy.named_parameters():
            wanted[name] += parameter.grad / len(whole)
    widest = {name: max(b.observations[name].shape[1] for b in whole) for name in whole[0].observations}

    def wide(values: torch.Tensor, width: int) -> torch.Tensor:
        return torch.nn.functional.pad(values, (0, width - values.shape[1]), value=float("nan"))

    mixed = Batch(
        {name: torch.cat([wide(b.observations[name], width) for b in whole]) for name, width in widest.items()},
        torch.cat([wide(b.actions, max(part.actions.shape[1] for part in whole)) for b in whole]),
        domain=torch.cat([b.domain for b in whole]), embodiment=torch.cat([b.embodiment for b in whole]),
    )  # fmt: skip
    policy.zero_grad()
    loss, outputs = policy.loss(mixed)
    loss.backward()
    assert outputs.prediction.shape == (3 * FRAMES, 32) and loss.item() == pytest.approx(np.mean(losses), abs=1e-6)
    for name, parameter in policy.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], rtol=0, atol=1e-6)
    acted = [p.act(seen)[0] for p, seen, *_ in parts]
    assert [a.shape[1] for a in acted] == [len(e.slots(control)) for *_, e, _ in parts]


def test_weights_of_samples_count() -> None:
    policy, seen, actions, *_ = bound("ur5_6dof", "joint", "goal")
    whole = batch(policy, seen, actions)
    half = (torch.arange(FRAMES) < FRAMES // 2).float()
    first = {name: value[: FRAMES // 2] for name, value in seen.items()}
    alone, _ = policy.loss(batch(policy, first, actions[: FRAMES // 2]))
    torch.testing.assert_close(policy.loss(whole.replace(weight=half))[0], alone)
