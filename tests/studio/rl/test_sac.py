"""SAC: its update against autograd, torch's own distributions and Adam; what it keeps; that it learns and resumes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import distributions, nn

from studio.errors import CompilingError, StudioError
from studio.rl.algorithms.sac import SAC, SACParams, SACUpdate
from studio.rl.compiling import compile_update, compiler
from studio.rl.networks.squashed import MLPEnsemble, SquashedActorCritic
from studio.rl.replay import Replay
from studio.sim.gymnasium_ids import make_vector

needs_compiler = pytest.mark.skipif(not compiler(), reason="there is no C++ compiler")


def policy_of(inputs: int = 5, outputs: int = 3, width: int = 32, seed: int = 0) -> SquashedActorCritic:
    policy = SquashedActorCritic(SquashedActorCritic.Params(width=width))
    policy.fit(inputs, -torch.ones(outputs).numpy(), torch.ones(outputs).numpy(), seed)
    return policy


def batch_of(n: int = 64, inputs: int = 5, outputs: int = 3) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    batch = {
        "observations": torch.randn(n, inputs, generator=g), "actions": torch.rand(n, outputs, generator=g) * 2 - 1,
        "rewards": torch.randn(n, 1, generator=g), "next_observations": torch.randn(n, inputs, generator=g),
        "discounts": 0.99 * (torch.rand(n, 1, generator=g) > 0.2),
    }  # fmt: skip
    return batch, torch.randn(2, n, outputs, generator=g)


def learner(task: str, iterations: int, sims: int = 4, **settings: Any) -> SAC:
    torch.set_num_threads(1)
    world = make_vector(sims, task, task, threads=1)
    policy = policy_of(world.single_observation_space.shape[0], len(world.control.low), 32)
    policy.low.copy_(torch.as_tensor(world.control.low))
    policy.high.copy_(torch.as_tensor(world.control.high))
    given = {"samples": 100, "learning_starts": 100, "batch_size": 32, "update": "eager", "capacity": 1000} | settings
    return SAC(policy, world, SACParams(**given), iterations=iterations, seed=0)


class Reference:
    """The paper's update in the plainest way: one network after the other, autograd, torch.optim.Adam."""

    def __init__(self, policy: SquashedActorCritic) -> None:
        self.actor = self._networks(policy.actor)[0]
        self.critics = self._networks(policy.critics)
        self.targets = copy.deepcopy(self.critics)
        self.log_alpha = nn.Parameter(torch.zeros(()))
        critics = [p for critic in self.critics for p in critic.parameters()]
        self.optimizers = [torch.optim.Adam(p, 3e-4) for p in (self.actor.parameters(), critics, [self.log_alpha])]

    @staticmethod
    def _networks(layers: MLPEnsemble) -> list[nn.Sequential]:
        made = []
        for which in range(layers.weights[0].shape[0]):
            parts: list[nn.Module] = []
            for weight, bias in zip(layers.weights, layers.biases, strict=True):
                linear = nn.Linear(weight.shape[1], weight.shape[2])
                linear.weight.data, linear.bias.data = weight[which].detach().T.clone(), bias[which, 0].detach().clone()
                parts += [linear, nn.ReLU()]
            made.append(nn.Sequential(*parts[:-1]))
        return made

    def draw(self, seen: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_std = self.actor(seen).chunk(2, -1)
        std = log_std.clamp(-20, 2).exp()
        squashed = distributions.TransformedDistribution(
            distributions.Normal(mean, std), [distributions.TanhTransform(cache_size=1)]
        )
        raw = mean + std * noise
        action = squashed.transforms[0](raw)
        return action, squashed.log_prob(action).sum(-1)

    def step(self, batch: dict[str, torch.Tensor], noise: torch.Tensor) -> list[float]:
        seen, alpha = batch["observations"], self.log_alpha.detach().exp()
        with torch.no_grad():
            action, density = self.draw(batch["next_observations"], noise[0])
            ahead = torch.cat([batch["next_observations"], action], 1)
            best = torch.minimum(*(target(ahead).squeeze(1) for target in self.targets))
            wanted = batch["rewards"].squeeze(1) + batch["discounts"].squeeze(1) * (best - alpha * density)
        found = [critic(torch.cat([seen, batch["actions"]], 1)).squeeze(1) for critic in self.critics]
        critic_loss = sum(0.5 * nn.functional.mse_loss(q, wanted) for q in found)
        self._descend(1, critic_loss)
        action, density = self.draw(seen, noise[1])
        q = torch.minimum(*(critic(torch.cat([seen, action], 1)).squeeze(1) for critic in self.critics))
        actor_loss = (alpha * density - q).mean()
        temperature_loss = -(self.log_alpha * (density.detach() - 3).mean())
        self._descend(0, actor_loss)
        self._descend(2, temperature_loss)
        with torch.no_grad():
            for critic, target in zip(self.critics, self.targets, strict=True):
                for p, t in zip(critic.parameters(), target.parameters(), strict=True):
                    t.mul_(1 - 0.005).add_(0.005 * p)
        return [critic_loss.item(), actor_loss.item(), alpha.item()]

    def _descend(self, which: int, loss: Any) -> None:
        self.optimizers[which].zero_grad()
        loss.backward()
        self.optimizers[which].step()


@pytest.mark.parametrize("mode", ["eager", pytest.param("compiled", marks=[needs_compiler, pytest.mark.slow])])
def test_ten_updates_are_those_of_a_plain_implementation(mode: str) -> None:
    policy = policy_of()
    reference, update = Reference(policy), SACUpdate(policy, SACParams())
    step = torch.compile(update.step, fullgraph=True) if mode == "compiled" else update.step
    for _ in range(10):
        batch, noise = batch_of()
        wanted, got = reference.step(batch, noise), step(batch, noise)
        assert got[:3].tolist() == pytest.approx(wanted, abs=2e-4)
    assert update.log_alpha.item() == pytest.approx(reference.log_alpha.item(), abs=1e-6)
    pairs = [(policy.actor, [reference.actor]), (policy.critics, reference.critics)]
    for layers, networks in pairs:
        for which, network in enumerate(networks):
            for i, linear in enumerate(part for part in network if isinstance(part, nn.Linear)):
                assert torch.allclose(layers.weights[i][which].T, linear.weight, atol=2e-5)
    targets = update.critics.unflatten(update.target)
    assert torch.allclose(targets["weights.0"][1].T, reference.targets[1][0].weight, atol=2e-5)


def test_a_state_with_one_count_for_all_moments_goes_on_alike() -> None:
    whole, second = SACUpdate(policy_of(), SACParams()), SACUpdate(policy_of(), SACParams())
    first, then = batch_of(), batch_of()
    whole.step(*first)
    state = whole.state_dict()
    second.load_state_dict({name: state[name] for name in sorted(state)[:11]})  # what earlier versions saved
    whole.step(*then), second.step(*then)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(whole.changing, second.changing, strict=True))


def test_densities_integrate_to_one_and_entropy_is_theirs() -> None:
    policy = policy_of(inputs=2, outputs=1)
    seen = {"state": torch.tensor([[0.3, -0.7]]).numpy()}
    grid = torch.linspace(-6, 6, 20_001)
    mean, log_std = policy._distribution(seen, None)
    noise = ((grid - mean) / log_std.exp()).reshape(-1, 1)
    actions, density = policy.draw(torch.tensor([[0.3, -0.7]]).expand(len(noise), 2), noise)
    p = density.exp().detach()
    assert torch.trapezoid(p, actions[:, 0].detach()).item() == pytest.approx(1, abs=1e-3)
    exact = -torch.trapezoid(p * density.detach(), actions[:, 0].detach()).item()
    assert policy.entropy(seen)[0] == pytest.approx(exact, abs=0.35)  # of 16 draws
    assert policy.value(seen).shape == (1,)


def test_bf16_rounds_the_products_and_keeps_float32_weights() -> None:
    policy = policy_of()
    half = SACUpdate(copy.deepcopy(policy), SACParams(precision="bf16"))
    full = SACUpdate(policy, SACParams())
    batch, noise = batch_of()
    got, wanted = half.step(batch, noise), full.step(batch, noise)
    assert not torch.equal(got, wanted) and torch.allclose(got, wanted, rtol=0.05, atol=0.05)
    assert half.actor.vector.dtype == torch.float32


@pytest.mark.parametrize("able", [False, True])
def test_a_processor_without_bf16_is_said_to_imitate_it(able: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": able})
    said: list[str] = []
    world = make_vector(1, "inverted_pendulum", "inverted_pendulum", threads=1)
    SAC(policy_of(4, 1), world, SACParams(precision="bf16"), iterations=1, seed=0, log=said.append)
    assert len(said) == (not able) and all("Choose fp32" in text for text in said)


def test_the_end_of_an_episode_is_no_promise_and_a_time_limit_is_one() -> None:
    sac = learner("hopper", 3)
    list(sac.iterate())
    rows = sac.replay.columns(sac.replay.rows[: sac.replay.time])
    assert rows["discounts"].unique().tolist() == [0.0, pytest.approx(0.99)]
    following = rows["next_observations"][:-1] - rows["observations"][1:]
    same = (following.abs().amax(-1) == 0) | (rows["discounts"][:-1, :, 0] == 0)
    assert same.float().mean() > 0.99  # but for the time limits of simulations that began late in an episode


def test_it_resumes_to_the_bit() -> None:
    whole = learner("hopper", 6)
    found, kept = [], {}
    for metrics in whole.iterate():
        found.append({k: v for k, v in metrics.values.items() if k != "steps_per_second"})
        if metrics.step == 3:
            kept = whole.state_dict()
    again = learner("hopper", 6)
    again.load_state_dict(kept)
    assert [{k: v for k, v in m.values.items() if k != "steps_per_second"} for m in again.iterate()] == found[3:]
    assert torch.equal(again.update.actor.vector, whole.update.actor.vector)
    assert torch.equal(again.replay.rows, whole.replay.rows)


def test_one_update_for_each_step_of_experience() -> None:
    sac = learner("inverted_pendulum", 4, update_ratio=0.3)
    values = [m.values for m in sac.iterate()][-1]
    assert values["samples"] == 400 and values["updates"] == pytest.approx(0.3 * 300, abs=1)


def test_replay_knows_where_each_episode_ends() -> None:
    replay = Replay(12, 2, {"x": 1})  # six steps of two simulations
    ends = {0: [2, 5], 1: [3]}
    for t in range(6):
        ended = torch.tensor([t in ends[0], t in ends[1]])
        replay.add({"x": torch.tensor([[float(t)], [10.0 + t]])}, ended)
    times = torch.arange(6)
    first, last = replay.span(times, torch.zeros(6, dtype=torch.int64))
    assert first.tolist() == [0, 0, 0, 3, 3, 3] and last.tolist() == [2, 2, 2, 5, 5, 5]
    first, last = replay.span(times, torch.ones(6, dtype=torch.int64))
    assert first.tolist() == [0, 0, 0, 0, 4, 4] and last.tolist() == [3, 3, 3, 3, 5, 5]  # the last goes on
    replay.add({"x": torch.zeros(2, 1)}, torch.tensor([False, False]))  # overwrites time 0
    first, last = replay.span(torch.tensor([1, 2]), torch.zeros(2, dtype=torch.int64))
    assert first.tolist() == [1, 2] and last.tolist() == [1, 2]  # its beginning is lost: each stands alone
    rows = replay.sample(4000, torch.Generator().manual_seed(0))["x"].flatten()
    counts = torch.bincount(rows.long(), minlength=16)
    assert set(rows.tolist()) == {0.0, *range(1, 6), *range(11, 16)} and counts.max() < 800


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
def test_on_a_gpu_the_update_is_a_graph_and_learns_alike() -> None:
    policy = policy_of()
    here, there = SACUpdate(policy, SACParams()), SACUpdate(copy.deepcopy(policy).cuda(), SACParams())
    batch, noise = batch_of()
    step = compile_update(
        there.step, ({name: part.cuda() for name, part in batch.items()}, noise.cuda()), there.changing
    )
    for _ in range(5):
        batch, noise = batch_of()
        wanted = here.step(batch, noise)
        got = step({name: part.cuda() for name, part in batch.items()}, noise.cuda())
        assert torch.allclose(got.cpu(), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("raised", "expected"), [(RuntimeError, StudioError), (torch.OutOfMemoryError, RuntimeError)])
def test_what_cannot_compile_though_it_is_there_is_one_sentence(
    raised: type[Exception], expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(method: Any, cpp: bool) -> Any:
        def fail(*given: Any) -> None:
            raise raised("TritonMissing: there is no Triton.\n\nSet TORCHDYNAMO_VERBOSE=1")

        return fail

    monkeypatch.setattr("studio.rl.compiling.compiled", compiled)
    update = SACUpdate(policy_of(), SACParams())
    with pytest.raises(expected) as caught:
        compile_update(update.step, batch_of(), update.changing)
    if expected is StudioError:
        assert str(caught.value).startswith(
            "update: The update cannot be compiled (TritonMissing: there is no Triton). "
        )
        assert "\n" not in str(caught.value) and "eager" in caught.value.remedy


def test_a_compiler_that_was_ended_is_not_one_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any) -> Any:
        raise BrokenPipeError(32, "Broken pipe")  # as torch's compiling processes leave it, whom Ctrl-C reaches too

    def compiled(method: Any, cpp: bool) -> Any:
        return torch.compile(method, backend=broken)

    monkeypatch.setattr("studio.rl.compiling.compiled", compiled)
    update = SACUpdate(policy_of(), SACParams())
    with pytest.raises(CompilingError, match="ended before") as caught:
        compile_update(update.step, batch_of(), update.changing)
    assert "install" not in str(caught.value) and "Resume" in caught.value.remedy
