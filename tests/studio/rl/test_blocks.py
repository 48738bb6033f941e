"""The pieces of PPO against definitions and against implementations that are not ours."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer

from studio.nn.running_mean_std import RunningMeanStd
from studio.rl.advantages import gae
from studio.rl.algorithms.ppo import ppo_loss
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.flat import FlatParameters
from studio.rl.networks.distributions import Categorical, Normal, gumbel, normal_entropy
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.mlp import unwrapped
from studio.rl.networks.observations import flatten

TIME, ENVS, GAMMA, LAMBDA = 12, 5, 0.97, 0.9


def experience(seed: int) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    made = {name: torch.randn(TIME, ENVS, generator=g) for name in ("rewards", "values", "cut")}
    made["ended"] = torch.rand(TIME, ENVS, generator=g) < 0.2
    made["terminated"] = made["ended"] & (torch.rand(TIME, ENVS, generator=g) < 0.5)
    made["last"] = torch.randn(1, ENVS, generator=g)
    following = torch.cat([made["values"][1:], made["last"]])
    following = torch.where(made["ended"], made["cut"], following)  # a state cut off has a value of its own
    made["next_values"] = following.masked_fill(made["terminated"], 0.0)
    return made


def test_advantages_are_the_definition() -> None:
    """A = Σ (γλ)^k δ_{t+k}, ending with the episode, summed term by term."""
    e = experience(0)
    found = gae(e["rewards"], e["values"], e["next_values"], e["ended"], GAMMA, LAMBDA)
    for t in range(TIME):
        for i in range(ENVS):
            total, weight = 0.0, 1.0
            for k in range(t, TIME):
                delta = e["rewards"][k, i] + GAMMA * e["next_values"][k, i] - e["values"][k, i]
                total += weight * delta.item()
                weight *= GAMMA * LAMBDA
                if e["ended"][k, i]:
                    break
            assert found[t, i].item() == pytest.approx(total, abs=1e-5)


def test_advantages_are_stable_baselines() -> None:
    """Its buffer knows no truncation: PPO of that library adds γ·V(last state) to the reward, as its authors advise."""
    e = experience(1)
    box = spaces.Box(-1, 1, (1,))
    buffer = RolloutBuffer(TIME, box, box, gae_lambda=LAMBDA, gamma=GAMMA, n_envs=ENVS)
    started = np.ones(ENVS)
    truncated = (e["ended"] & ~e["terminated"]).numpy()
    for t in range(TIME):
        reward = e["rewards"][t].numpy() + GAMMA * e["cut"][t].numpy() * truncated[t]
        zeros = np.zeros((ENVS, 1))
        buffer.add(zeros, zeros, reward, started, e["values"][t], torch.zeros(ENVS))
        started = e["ended"][t].numpy().astype(float)
    buffer.compute_returns_and_advantage(e["last"][0], started)
    found = gae(e["rewards"], e["values"], e["next_values"], e["ended"], GAMMA, LAMBDA)
    np.testing.assert_allclose(found.numpy(), buffer.advantages, rtol=1e-5, atol=1e-5)


def test_log_prob_and_entropy_are_torchs() -> None:
    g = torch.Generator().manual_seed(0)
    actions, means = torch.randn(7, 3, generator=g), torch.randn(7, 3, generator=g)
    log_std = torch.tensor([-1.0, 0.2, 0.5])
    normal = torch.distributions.Independent(torch.distributions.Normal(means, log_std.exp()), 1)
    torch.testing.assert_close(Normal(means, log_std).log_prob(actions), normal.log_prob(actions))
    torch.testing.assert_close(Normal(means, log_std).entropy(), normal.entropy()[0])
    choices = torch.tensor([[2], [0], [1], [1], [2], [0], [0]])
    categorical = torch.distributions.Categorical(logits=means)
    torch.testing.assert_close(Categorical(means).log_prob(choices), categorical.log_prob(choices[:, 0]))
    torch.testing.assert_close(Categorical(means).entropies(), categorical.entropy())


def test_gumbel_noise_samples_the_categorical_distribution() -> None:
    logits = torch.tensor([0.0, 1.0, -1.0, 0.5])
    drawn = (logits + gumbel((200_000, 4), torch.Generator().manual_seed(0))).argmax(-1)
    counts = torch.bincount(drawn, minlength=4).numpy()
    assert scipy.stats.chisquare(counts, 200_000 * logits.double().softmax(-1).numpy()).pvalue > 1e-3


def batch(n: int = 16) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(3)
    return {
        "observations": torch.randn(n, 4, generator=g, dtype=torch.float64),
        "actions": torch.randn(n, 2, generator=g, dtype=torch.float64),
        "log_probs": torch.randn(n, generator=g, dtype=torch.float64) * 0.3 - 2.5,
        "advantages": torch.randn(n, generator=g, dtype=torch.float64),
        "returns": torch.randn(n, generator=g, dtype=torch.float64),
    }


def policy(inputs: int = 4, outputs: int = 2) -> GaussianActorCritic:
    made = GaussianActorCritic(GaussianActorCritic.Params(width=8))
    made.fit(inputs, -np.ones(outputs), np.ones(outputs), seed=1)
    return made


def test_the_loss_and_its_gradient_are_stable_baselines() -> None:
    """Against the formulas of that library's PPO.train, on a torch distribution, by torch's own autograd."""
    settings, b, net = PPOParams(entropy_weight=0.01), batch(), policy().double()
    names = [name for name, _ in net.named_parameters()]
    loss, _ = ppo_loss(*net(b["observations"]), b, settings)
    ours = torch.autograd.grad(loss, list(net.parameters()))

    distribution, values = net(b["observations"])
    means = distribution.means
    normal = torch.distributions.Normal(means, distribution.log_std.exp().expand_as(means))
    ratio = torch.exp(normal.log_prob(b["actions"]).sum(1) - b["log_probs"])
    advantages = (b["advantages"] - b["advantages"].mean()) / (b["advantages"].std() + 1e-8)
    policy_loss = -torch.min(advantages * ratio, advantages * torch.clamp(ratio, 0.8, 1.2)).mean()
    value_loss = torch.nn.functional.mse_loss(b["returns"], values)
    theirs_loss = policy_loss + 0.01 * -normal.entropy().sum(1).mean() + 0.5 * value_loss
    theirs = torch.autograd.grad(theirs_loss, list(net.parameters()))
    torch.testing.assert_close(loss, theirs_loss)
    assert 0 < ((ratio - 1).abs() > 0.2).double().mean() < 1  # some are clipped, and some are not
    for name, a, b_ in zip(names, ours, theirs, strict=True):
        torch.testing.assert_close(a, b_, msg=name)


def test_the_gradient_is_that_of_finite_differences() -> None:
    settings, b, net = PPOParams(entropy_weight=0.01), batch(), policy().double()
    flat = FlatParameters(net)

    def loss_at(vector: torch.Tensor) -> torch.Tensor:
        out = torch.func.functional_call(net, flat.unflatten(vector), (b["observations"],), strict=False)
        return ppo_loss(*out, b, settings)[0]

    gradient = torch.func.grad(loss_at)(flat.vector)
    for i in range(0, len(flat.vector), 17):
        shift = torch.zeros_like(flat.vector)
        shift[i] = 1e-6
        slope = (loss_at(flat.vector + shift) - loss_at(flat.vector - shift)) / 2e-6
        assert gradient[i].item() == pytest.approx(slope.item(), rel=1e-4, abs=1e-7)


def test_parameters_are_views_of_the_vector() -> None:
    net = policy()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    flat = FlatParameters(net)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, before[name])
    flat.vector.fill_(0.25)
    assert all(bool((p == 0.25).all()) for p in net.parameters())


def test_moments_are_those_of_all_rows() -> None:
    rows = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 0.1]) + 7
    moments = RunningMeanStd(3)
    for part in rows.split([1, 9, 190, 800]):
        moments.update(part)
    torch.testing.assert_close(moments.mean.float(), rows.mean(0), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(moments.variance.float(), rows.var(0, unbiased=False), rtol=1e-2, atol=1e-3)
    assert moments(rows).std(0).numpy() == pytest.approx(np.ones(3), abs=0.02)


def test_a_policy_acts_on_arrays_and_on_dictionaries_within_the_range() -> None:
    net = GaussianActorCritic()
    low, high = np.array([-3.0, 0.0]), np.array([3.0, 0.4])
    net.fit(5, low, high, seed=0)
    net.moments.update(torch.randn(100, 5) * 4 + 2)
    state = np.random.default_rng(0).normal(2, 40, (9, 5))
    one, memory = net.act(state)
    other, _ = net.act({"state": state})
    parts, _ = net.act({"b": state[:, 2:], "a": state[:, :2]})
    assert memory is None and one.shape == (9, 2)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, parts)
    assert (one >= low).all() and (one <= high).all()
    with torch.no_grad():
        net.actor[-1].bias.fill_(50)
    assert net.act(state)[0] == pytest.approx(np.broadcast_to(high, (9, 2)))
    with pytest.raises(ValueError, match="images"):
        flatten({"image": np.zeros((1, 8, 8, 3))})


def test_a_policy_on_disk_is_the_same_policy(tmp_path: object) -> None:
    from pathlib import Path

    from studio.store.policies import load_policy_folder, save_policy

    net = policy()
    net.moments.update(torch.randn(50, 4) + 3)
    save_policy(net, Path(str(tmp_path)) / "policy")
    again = load_policy_folder(Path(str(tmp_path)) / "policy")
    state = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_array_equal(net.act(state)[0], again.act(state)[0])


def test_entropy_is_what_it_says() -> None:
    assert normal_entropy(torch.zeros(1)).item() == pytest.approx(0.5 * math.log(2 * math.pi * math.e))


def test_settings_are_stable_baselines_usual_ones() -> None:
    import inspect

    from stable_baselines3 import PPO as Theirs

    usual = SimpleNamespace(**{k: v.default for k, v in inspect.signature(Theirs.__init__).parameters.items()})
    ours = PPOParams()
    assert (ours.learning_rate, ours.epochs, ours.gamma) == (usual.learning_rate, usual.n_epochs, usual.gamma)
    assert (ours.gae_lambda, ours.clip, ours.entropy_weight) == (usual.gae_lambda, usual.clip_range, usual.ent_coef)
    assert (ours.value_weight, ours.max_gradient_norm) == (usual.vf_coef, usual.max_grad_norm)
    assert ours.simulations * ours.steps == usual.n_steps


def test_acting_without_modules_is_the_same_to_the_bit() -> None:
    policy = GaussianActorCritic(GaussianActorCritic.Params(width=24, layers=3))
    policy.fit(5, np.array([-0.3, 0.1, -7], np.float32), np.array([0.7, 0.2, 13], np.float32), 0)
    rows = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    acting = unwrapped(policy.actor)
    with torch.no_grad():
        assert torch.equal(acting(rows), policy.actor(rows))
        FlatParameters(policy).vector.add_(0.1)
        assert torch.equal(unwrapped(policy.actor)(rows), policy.actor(rows))
    ends = policy.native(torch.tensor([[-9.0, -1.0, -1.0], [1.0, 1.0, 9.0]]))
    assert torch.equal(ends, torch.stack([policy.low, policy.high])), "an action leaves its range by a rounding"
