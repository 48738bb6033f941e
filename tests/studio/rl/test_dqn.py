"""Q-learning: its targets by hand, its fixed point against value iteration, and all of its state."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from studio.errors import ExperimentError
from studio.rl.algorithms.dqn import DQN, DQNParams, DQNUpdate
from studio.rl.hindsight import HindsightParams
from studio.rl.learners import ALGORITHMS, algorithm_of
from studio.rl.networks.observations import flatten
from studio.rl.networks.q_policy import QPolicy
from studio.sim.gymnasium_ids import make_vector

GAMMA = 0.9


def blank(inputs: int, choices: int, width: int = 32, seed: int = 0) -> QPolicy:
    policy = QPolicy(QPolicy.Params(width=width))
    policy.fit(inputs, np.zeros(1), np.array([choices - 1e-3]), seed)
    return policy


def batch(n: int, inputs: int, choices: int, seed: int = 0) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    made = {name: torch.randn(n, inputs, generator=draw) for name in ("observations", "next_observations")}
    made["actions"] = torch.randint(choices, (n, 1), generator=draw).float()
    made["rewards"] = torch.randn(n, 1, generator=draw)
    made["discounts"] = GAMMA * (torch.rand(n, 1, generator=draw) < 0.7).float()
    return made


@pytest.mark.parametrize("double", [True, False])
def test_the_targets_are_those_of_a_loop_by_hand(double: bool) -> None:
    policy, rows = blank(6, 4), batch(50, 6, 4)
    update = DQNUpdate(policy, DQNParams(double=double))
    update.target.add_(0.3 * torch.randn(len(update.target), generator=torch.Generator().manual_seed(5)))
    other = blank(6, 4)
    torch.nn.utils.vector_to_parameters(update.target, other.parameters())
    wanted = []
    for i in range(50):
        following = rows["next_observations"][i : i + 1]
        judged = other(following)[0].tolist()
        chooser = policy(following)[0].tolist() if double else judged
        best = judged[chooser.index(max(chooser))]
        wanted.append(rows["rewards"][i].item() + rows["discounts"][i].item() * best)
    np.testing.assert_allclose(update.targets(rows)[:, 0].detach(), wanted, rtol=1e-5, atol=1e-6)
    bounded = DQNUpdate(blank(6, 4), DQNParams(double=double), bounds=(-0.5, 0.25)).targets(rows)
    assert bounded.min() == -0.5 and bounded.max() == 0.25


def test_a_step_is_that_of_torch_and_of_huber() -> None:
    policy, other, rows = blank(6, 4), blank(6, 4), batch(32, 6, 4)
    update = DQNUpdate(policy, DQNParams(learning_rate=0.01, tau=1.0, target_every=3))
    optimizer = torch.optim.Adam(other.parameters(), lr=0.01)
    target = blank(6, 4)
    for count in range(1, 8):
        with torch.no_grad():
            following = rows["next_observations"]
            best = target(following).gather(1, other(following).argmax(1, keepdim=True))
            wanted = rows["rewards"] + rows["discounts"] * best
        error = other(rows["observations"]).gather(1, rows["actions"].long()) - wanted
        loss = torch.where(error.abs() < 1, 0.5 * error**2, error.abs() - 0.5).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if count % 3 == 0:
            target.load_state_dict(other.state_dict())
        assert update.step(rows)[0].item() == pytest.approx(loss.item(), rel=1e-4)
    for mine, theirs in zip(policy.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        update.target, torch.nn.utils.parameters_to_vector(target.parameters()), rtol=1e-3, atol=1e-4
    )


def test_of_three_bits_it_finds_the_values_that_value_iteration_finds() -> None:
    """All 64 pairs of bits and goal: exact values by value iteration over the table, and by the learner's updates."""
    pairs = np.array(list(itertools.product((0, 1), repeat=6)), np.float32)
    number = {tuple(pair): i for i, pair in enumerate(pairs.tolist())}
    flipped = np.array([[number[tuple(np.abs(pair - np.eye(6)[a]))] for a in range(3)] for pair in pairs.astype(float)])
    solved = (pairs[:, :3] == pairs[:, 3:]).all(1)
    exact = np.zeros((64, 3))
    for _ in range(200):
        exact = np.where(solved[flipped], 0.0, -1 + GAMMA * exact.max(1)[flipped])
    rows = {
        "observations": torch.from_numpy(pairs).repeat_interleave(3, 0),
        "next_observations": torch.from_numpy(pairs[flipped.reshape(-1)]),
        "actions": torch.arange(3.0).repeat(64)[:, None],
        "rewards": torch.from_numpy(np.where(solved[flipped], 0.0, -1.0).reshape(-1, 1)).float(),
        "discounts": torch.from_numpy(np.where(solved[flipped], 0.0, GAMMA).reshape(-1, 1)).float(),
    }
    policy = blank(6, 3, width=64)
    update = DQNUpdate(policy, DQNParams(learning_rate=3e-3, tau=0.05))
    for _ in range(1500):
        update.step(rows)
    with torch.no_grad():
        found = policy(torch.from_numpy(pairs)).numpy()
    assert np.abs(found - exact).max() < 0.1, np.abs(found - exact).max()
    best = np.isclose(exact, exact.max(1, keepdims=True))
    assert best[np.arange(64), found.argmax(1)][~solved].all()


def learner(iterations: int, her: str = "future", goals: str = "task", **settings: Any) -> DQN:
    usual = {"simulations": 8, "samples": 64, "learning_starts": 64, "batch_size": 16, "capacity": 400}
    p = DQNParams(**{"update": "eager", "physics_threads": 1, "epsilon_steps": 200, **usual, **settings})
    world = make_vector(p.simulations, "bit_flip", "bits_8", threads=1)
    world.reset(seed=0)
    policy = QPolicy(QPolicy.Params(width=16), "goal")
    policy.fit(flatten(world.observe([0])).shape[1], world.control.low, world.control.high, 1)
    hindsight = HindsightParams(her=her, goals=goals)
    return DQN(policy, world, p, iterations=iterations, seed=3, hindsight=hindsight)


@pytest.mark.parametrize(
    ("her", "goals"), [("future", "task"), ("episode", "self_generated"), ("none", "self_generated")]
)
def test_what_is_resumed_ends_as_the_uninterrupted_one(her: str, goals: str) -> None:
    whole, first, second = (learner(9, her, goals) for _ in range(3))
    logged = [m.values for m in whole.iterate()]
    steps = first.iterate()
    for _ in range(4):
        next(steps)
    second.load_state_dict(first.state_dict())
    again = [m.values for m in second.iterate()]
    timeless = [[{k: v for k, v in m.items() if k != "steps_per_second"} for m in ms] for ms in (logged[4:], again)]
    assert timeless[0] == timeless[1]
    for mine, theirs in zip(whole.update.changing, second.update.changing, strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(whole.replay.rows, second.replay.rows) and whole.updates == second.updates > 50
    assert torch.equal(whole.generator.get_state(), second.generator.get_state())


def test_episodes_that_time_ends_are_not_final_and_those_of_success_are() -> None:
    made = learner(40, learning_starts=10_000)
    list(made.iterate())
    stored = made.replay.columns(made.replay.rows[: made.replay.time].reshape(-1, made.replay.rows.shape[-1]))
    bits, goal = stored["next_observations"].split(8, 1)[::-1]  # entries lie in alphabetic order
    solved = (bits == goal).all(1)
    assert torch.equal(stored["rewards"][:, 0], solved.float() - 1) and 0 < solved.sum() < len(solved) / 2
    # a success is final by its goal, in hindsight; what the world ended for other reasons never is
    assert (stored["discounts"] == torch.tensor(0.98)).all()
    assert made.env_runner.statistics.episodes > 20


def test_the_compiled_update_is_the_eager_one() -> None:
    settings = {"batch_size": 32, "update_ratio": 1.0, "samples": 320}
    runs = [learner(2, update=update, **settings) for update in ("eager", "compiled")]
    for made in runs:
        list(made.iterate())
    assert runs[1].updates > 400 and runs[1]._compiled is not None
    torch.testing.assert_close(runs[0].update.flat.vector, runs[1].update.flat.vector, rtol=1e-2, atol=2e-3)


def test_epsilon_falls_from_random_to_its_last_value() -> None:
    made = learner(1, learning_starts=100, epsilon_steps=200, epsilon_start=0.8, epsilon_end=0.2)
    found = []
    for time in (0, 12, 13, 25, 37, 38, 500):
        made.replay.time = time
        found.append(made.epsilon)
    np.testing.assert_allclose(found, [1.0, 1.0, 0.788, 0.5, 0.212, 0.2, 0.2])


def test_the_policy_acts_greedily_and_refuses_what_it_cannot_do() -> None:
    policy = blank(16, 8)
    seen = {"state": np.random.default_rng(0).random((5, 8)), "goal": np.ones((5, 8))}
    rows = torch.as_tensor(np.concatenate([seen["goal"], seen["state"]], 1), dtype=torch.float32)
    action, memory = policy.act(seen, None)
    assert action.shape == (5, 1) and memory is None
    np.testing.assert_array_equal(action[:, 0], policy(rows).argmax(1))
    np.testing.assert_allclose(policy.value(seen), policy(rows).max(1).values.detach(), rtol=1e-6)
    with pytest.raises(ExperimentError, match="squashed_mlp"):
        QPolicy().fit(4, -np.ones(2), np.ones(2), 0)
    with pytest.raises(ExperimentError, match="discrete"):
        QPolicy().fit(4, -np.ones(1), np.ones(1), 0)
    with pytest.raises(ExperimentError, match="behavior cloning"):
        QPolicy().bind()
    assert algorithm_of(policy) is ALGORITHMS["dqn"]
