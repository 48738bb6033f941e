"""Recurrent PPO: it remembers what one observation does not show, learns through time, and resumes bit for bit."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plugins.tasks.point_navigation import PointNavigation
from studio.experiment import Experiment
from studio.meta.trials import Trials
from studio.registry import Registry
from studio.rl.algorithms.ppo import ppo_loss
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.rl.networks.distributions import Normal
from studio.rl.networks.recurrent import RecurrentActorCritic
from studio.run.check import check
from studio.sim.domains import resolve
from studio.sim.gymnasium_ids import default_domain, make_vector
from studio.sim.rollout import policy_actions, run_episodes
from studio.sim.world import World
from studio.store.policies import load_policy_folder
from studio.viewer.player import Player
from tests import tiny


def policy_for(world: Any, **params: Any) -> RecurrentActorCritic:
    policy = RecurrentActorCritic(RecurrentActorCritic.Params(**{"width": 32, "hidden": 32} | params))
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, 0)
    return policy


def learner(iterations: int, sims: int = 8, trial: int = 1, **settings: Any) -> RecurrentPPO:
    torch.set_num_threads(1)
    world = make_vector(sims, "hopper", "hopper", threads=1)
    if trial > 1:
        Trials(world, trial, observed=False)
    given = {"update": "eager", "steps": 16, "minibatch": 32, "epochs": 2} | settings
    return RecurrentPPO(policy_for(world), world, PPOParams(**given), iterations=iterations, seed=0)


def found(ppo: RecurrentPPO) -> list[dict[str, float]]:
    return [{k: v for k, v in m.values.items() if k != "steps_per_second"} for m in ppo.iterate()]


def test_a_single_sample_that_is_left_over_is_left_out() -> None:
    for metrics in learner(3, sims=3, steps=1, minibatch=2).iterate():
        assert np.isfinite([metrics.values[name] for name in ("loss", "kl", "gradient_norm")]).all()


def test_a_stretch_replayed_is_what_was_collected() -> None:
    """Means and values by the unrolled network are those that acted, across the ends of episodes."""
    ppo = learner(3, sims=6, steps=64)
    ppo.collect()
    rollout = ppo.rollouts.collect()
    assert rollout.fresh.any() and rollout.memory.abs().sum() > 0
    with torch.no_grad():
        observations = rollout.observations.view(64, 6, -1)
        distribution, values = ppo.policy(observations, rollout.memory, rollout.fresh)
    assert torch.allclose(values.flatten(), rollout.values, atol=1e-5)
    assert torch.allclose(distribution.flattened().log_prob(rollout.actions), rollout.log_probs, atol=1e-4)


def test_the_gradient_is_that_of_the_network_unrolled_step_by_step() -> None:
    """Each simulation by itself, a cell a step, reset where its episode starts."""
    ppo = learner(1, sims=5, steps=24, entropy_weight=0.01)
    ppo.collect()
    rollout, policy, time = ppo.rollouts.collect(), ppo.policy, 24
    assert rollout.fresh.any()
    names = ("observations", "actions", "log_probs", "advantages", "returns")
    batch = {name: getattr(rollout, name).unflatten(0, (time, 5)) for name in names}
    gradient, diagnostics = ppo.gradient(batch, rollout.memory, rollout.fresh)
    means, values = torch.zeros(time, 5, 3), torch.zeros(time, 5)
    for sim in range(5):
        memory = rollout.memory[sim : sim + 1]
        for t in range(time):
            if rollout.fresh[t, sim]:
                memory = torch.zeros_like(memory)
            memory = policy.core(batch["observations"][t, sim][None], memory)
            means[t, sim], values[t, sim] = policy.actor(memory)[0], policy.critic(memory)[0, 0]
    rows = {name: column.flatten(0, 1) for name, column in batch.items()}
    loss, _ = ppo_loss(Normal(means.flatten(0, 1), policy.log_std), values.flatten(), rows, ppo.settings)
    parameters = [p for _, p in policy.named_parameters()]
    wanted = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)])
    assert diagnostics[0].item() == pytest.approx(loss.item(), abs=1e-5)
    torch.testing.assert_close(gradient, wanted, rtol=1e-3, atol=1e-5)
    assert wanted.norm() > 1e-2


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
def test_on_a_gpu_the_gradient_is_the_cpus() -> None:
    ppo = learner(1, sims=5, steps=24)
    rollout = ppo.rollouts.collect()
    names = ("observations", "actions", "log_probs", "advantages", "returns")
    batch = {name: getattr(rollout, name).unflatten(0, (24, 5)) for name in names}
    wanted, _ = ppo.gradient(batch, rollout.memory, rollout.fresh)
    there = RecurrentPPO(copy.deepcopy(ppo.policy).cuda(), ppo.rollouts.world, ppo.settings, iterations=1, seed=0)
    got, _ = there.gradient({n: c.cuda() for n, c in batch.items()}, rollout.memory.cuda(), rollout.fresh)
    torch.testing.assert_close(got.cpu(), wanted, rtol=1e-2, atol=1e-4)
    assert all(bool(torch.isfinite(p).all()) for _ in there.iterate() for p in there.policy.parameters())


def test_an_lstm_unrolled_is_torchs_cell_step_by_step() -> None:
    """Its memory is the hidden state and the cell's, both cleared where an episode starts."""
    policy = RecurrentActorCritic(RecurrentActorCritic.Params(hidden=8, width=8, cell="lstm"))
    policy.fit(3, -np.ones(2, np.float32), np.ones(2, np.float32), 0)
    seen, memory, fresh = torch.randn(6, 2, 3), torch.randn(2, 16), torch.zeros(6, 2).bool()
    fresh[2, 1] = fresh[5, 0] = True
    hidden, cell, expected, stepped = memory[:, :8], memory[:, 8:], [], memory
    reference = torch.nn.LSTMCell(3, 8)
    reference.load_state_dict(policy.core.state_dict())
    for now, new in zip(seen, ~fresh[..., None], strict=True):
        hidden, cell = reference(now, (hidden * new, cell * new))
        features, stepped = policy.remember(now, stepped * new)
        torch.testing.assert_close(stepped, torch.cat([hidden, cell], -1))
        expected.append(features)
    torch.testing.assert_close(policy.unrolled(seen, memory, fresh), torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_the_weight_of_the_entropy_decays_over_the_iterations() -> None:
    ppo = learner(4, entropy_weight=0.5)
    ppo.anneal_entropy = True
    for i, metrics in enumerate(ppo.iterate()):
        v = metrics.values
        bonus = v["policy_loss"] + 0.5 * v["value_loss"] - v["loss"]
        assert bonus == pytest.approx(0.5 * (1 - i / 4) * v["entropy"], abs=1e-4)


def test_gradients_flow_through_time_and_stop_at_an_episodes_beginning() -> None:
    policy = RecurrentActorCritic(RecurrentActorCritic.Params(hidden=8, width=8))
    policy.fit(3, -np.ones(2, np.float32), np.ones(2, np.float32), 0)
    seen = torch.randn(5, 1, 3, requires_grad=True)
    fresh = torch.tensor([[False], [False], [True], [False], [False]])
    *_, values = policy(seen, torch.randn(1, 8), fresh)
    (gradient,) = torch.autograd.grad(values[4, 0], seen)
    assert (gradient[:2] == 0).all() and (gradient[2:].abs().sum(-1) > 0).all()


def owners(ppo: RecurrentPPO) -> list[Any]:
    """Return all that keep state: the learner, and the world's trials."""
    trials = ppo.rollouts.world.trials
    return [ppo] if trials is None else [ppo, trials]


@pytest.mark.parametrize("trial", [1, 3])
def test_it_resumes_to_the_bit(trial: int) -> None:
    whole = learner(6, trial=trial)
    every, kept = [], list[Any]()
    for metrics in whole.iterate():
        every.append({k: v for k, v in metrics.values.items() if k != "steps_per_second"})
        if metrics.step == 3:
            kept = [owner.state_dict() for owner in owners(whole)]
    again = learner(6, trial=trial)
    for owner, state in zip(owners(again), kept, strict=True):
        owner.load_state_dict(state)
    assert found(again) == every[3:] and torch.equal(again.flat.vector, whole.flat.vector)


def test_values_of_what_followed_go_on_from_what_was_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time limits are bootstrapped from the last observation and the memory up to it; falls have value 0."""
    from studio.rl.collectors import rollouts as module

    seen: dict[str, torch.Tensor] = {}

    def spy(rewards: Any, values: Any, next_values: Any, ended: Any, *rest: Any) -> Any:
        seen.update(values=values, next_values=next_values)
        return torch.zeros_like(rewards)

    monkeypatch.setattr(module, "gae", spy)
    ppo = learner(1, sims=6, steps=40)
    world, policy = ppo.rollouts.world, ppo.policy
    world.steps[:] = [0, 0, 0, 985, 990, 995]  # three run out of time before they fall
    steps: list[tuple[Any, ...]] = []
    real = world.step
    monkeypatch.setattr(world, "step", lambda a: steps.append(real(a)) or steps[-1])
    moments = {name: value.clone() for name, value in policy.moments.state_dict().items()}
    rollout = ppo.rollouts.collect()
    policy.moments.load_state_dict(moments)
    late = fallen = 0
    with torch.no_grad():
        for i in range(6):
            memory = torch.zeros(1, 32)
            for t, (observation, _, terminated, truncated, info) in enumerate(steps):
                memory = policy.core(rollout.observations.view(40, 6, -1)[t, i][None], memory)
                ended = terminated[i] | truncated[i]
                after = torch.tensor((info["final_obs"] if ended else observation)[i], dtype=torch.float32)[None]
                wanted = policy.critic(policy.core(policy.moments(after), memory)).item()
                late, fallen = late + int(truncated[i] and not terminated[i]), fallen + int(terminated[i])
                assert seen["next_values"][t, i].item() == pytest.approx(0 if terminated[i] else wanted, abs=1e-5)
                memory = torch.zeros_like(memory) if ended else memory
    assert late >= 2 and fallen >= 2


def test_a_trial_is_remembered_across_its_episodes_and_returns_go_on() -> None:
    ppo = learner(1, sims=6, trial=3, steps=64)
    ends: list[np.ndarray] = []
    rewards: list[np.ndarray] = []
    world = ppo.rollouts.world
    real = world.step

    def step(actions: Any) -> Any:
        answer = real(actions)
        ends.append(answer[2] | answer[3])
        rewards.append(answer[1])
        return answer

    world.step = step
    rollout = ppo.rollouts.collect()
    ended = np.array(ends)
    third = ended & (ended.cumsum(0) % 3 == 0)
    assert ended.sum() > third.sum() > 0
    assert np.array_equal(rollout.fresh.numpy()[1:], third[:-1])
    inside = torch.from_numpy((ended & ~third)[:-1])
    advantages, values = rollout.advantages.view(64, 6), rollout.values.view(64, 6)
    scale = ppo.settings.gamma * ppo.settings.gae_lambda
    carried = advantages[:-1] + values[:-1] - ppo.settings.gamma * values[1:] - scale * advantages[1:]
    wanted = torch.from_numpy(np.array(rewards)).float() * ppo.policy.rewards.scale()
    assert inside.any() and torch.allclose(carried[inside], wanted[:-1][inside], atol=1e-5)  # nothing was cut off there
    cut = torch.from_numpy(third[:-1])
    assert not torch.allclose(carried[cut], wanted[:-1][cut], atol=1e-2)


def test_a_world_that_diverges_is_counted_and_training_goes_on() -> None:
    ppo = learner(3, sims=4)
    logged: list[str] = []
    ppo.log = logged.append
    steps = ppo.iterate()
    next(steps)
    ppo.rollouts.world.bind("qvel")[2] = 1e12
    values = [m.values for m in steps]
    assert [v["diverged"] for v in values] == [1.0, 1.0]
    assert logged == ["1 simulation diverged and was reset."]
    assert all(bool(torch.isfinite(p).all()) for p in ppo.policy.parameters())


def moving(world: Any) -> RecurrentActorCritic:
    """A new actor hardly moves, whatever it remembers; this one does."""
    policy = policy_for(world)
    policy.moments.update(torch.randn(64, 11, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        policy.actor[-1].weight.mul_(100)
    return policy


def test_a_played_policy_remembers_each_simulation_by_itself() -> None:
    def world(sims: int) -> Any:
        return make_vector(sims, "hopper", "hopper", threads=1)

    policy = moving(world(1))
    alone = [run_episodes(world(1), policy_actions(policy), [seed]) for seed in (5, 6, 7)]
    returns, lengths = ([getattr(o, name)[0] for o in alone] for name in ("returns", "lengths"))
    act, three = policy_actions(policy), world(3)
    together, again = (run_episodes(three, act, [5, 6, 7]) for _ in range(2))  # nothing is left of those before
    assert len(set(lengths)) > 1 and together.lengths.tolist() == lengths == again.lengths.tolist()
    assert together.returns == pytest.approx(returns, rel=1e-4) and again.returns == pytest.approx(together.returns)

    class Forgetful:
        def act(self, observation: Any, memory: Any = None) -> Any:
            return policy.act(observation)

    forgetful: Any = Forgetful()
    assert run_episodes(three, policy_actions(forgetful), [5, 6, 7]).returns != pytest.approx(returns, rel=1e-2)


def test_the_player_remembers_and_says_what_is_expected() -> None:
    registry = Registry()
    kind, body = registry.get("tasks", "hopper"), registry.get("embodiments", "hopper")
    domain = default_domain(kind, body)
    world = make_vector(1, "hopper", "hopper", threads=1)
    policy = moving(world)
    player = Player(resolve(domain, registry), policy, seed=5)
    world.reset_envs(np.zeros(1, int), [5])
    memory, ids = None, np.zeros(1, int)
    for step in range(8):
        player.step()
        if step == 4:
            player.set_policy(copy.deepcopy(policy))  # as a training hands over its latest
        action, memory = policy.act(world.observe(ids), memory)
        world.advance(action, ids)
    np.testing.assert_allclose(player.world.observe(ids)["state"], world.observe(ids)["state"], atol=1e-5)
    traces = player.traces()
    assert traces is not None
    assert traces["value"][-1, 0] == pytest.approx(policy.value(world.observe(ids), memory)[0], abs=1e-4)


def plan(strategy: str = "rl_from_scratch", **changes: Any) -> Experiment:
    domain = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}
    params = {"simulations": 4, "steps": 16, "minibatch": 16, "epochs": 2, "update": "eager", "physics_threads": 1}
    made = Experiment.from_dict(
        {
            "name": "tiny", "source": domain, "target": domain,
            "policy": {"id": "gaussian_gru", "params": {"width": 16, "hidden": 16}},
            "strategy": {"id": strategy, "params": params},
            "budget": {"iterations": 8, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 3, "source_episodes": 0, "every": 4, "short_episodes": 2},
            "device": "cpu",
        }
    )  # fmt: skip
    return made.changed(**changes) if changes else made


def test_a_run_leaves_a_policy_that_is_recurrent(runs: Path) -> None:
    folder = tiny.run(plan(**{"budget.iterations": 2}), runs).folder
    policy = load_policy_folder(folder / "policy")
    world = make_vector(2, "hopper", "hopper", threads=1)
    world.reset(seed=0)
    action, memory = policy.act(world.observe([0, 1]))
    assert action.shape == (2, 3) and memory.shape == (2, 16) and abs(memory).max() > 0


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"strategy.params.algorithm": "sac"}, "SAC does not train 'gaussian_gru'"),
        ({"strategy.id": "epopt", "source.randomization": "epopt_hopper"}, "cannot train"),
    ],
)
def test_what_cannot_train_it_is_said_before_the_start(changes: dict[str, Any], text: str) -> None:
    assert check(plan(), Registry()) == []
    (problem,) = check(plan(**changes), Registry())
    assert problem.field == "policy.id" and text in problem.message and problem.remedy


def test_it_needs_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its update is eager whatever the setting says, on the target and on the source."""
    monkeypatch.setenv("PATH", "/nowhere")
    changes = {"strategy.params.update": "compiled", "pretraining.params": {"update": "compiled"}}
    for strategy in ("rl_from_scratch", "rl_fine_tuning"):
        assert check(plan(strategy, **changes), Registry()) == []


class Recall(PointNavigation):
    """Every action is to be the same, which the episode's first observation shows and no other."""

    horizon = 15

    def wanted(self, ids: Any) -> np.ndarray:
        return 2 * self._goals[ids][:, 0, :2]  # uniform in [−1, 1]²

    def state(self, ids: Any) -> np.ndarray:
        return (self.world.steps[ids] == 0)[:, None] * self.wanted(ids)

    def reward(self, world: Any, ids: Any) -> np.ndarray:
        return -np.linalg.norm(world.actions[ids] / world.control.high - self.wanted(ids), axis=1)


@pytest.mark.slow
def test_it_recalls_what_was_shown_once() -> None:
    """Without a memory all but the first action are one constant, at best zero: −14 · 0.7652 on average, exactly."""
    torch.set_num_threads(1)
    point = Registry().get("embodiments", "point")
    domain = default_domain(PointNavigation, point)
    world = World(domain, Recall(), point, 64, 1)
    policy = policy_for(world, log_std=-1)
    settings = PPOParams(update="eager", steps=15, minibatch=240, epochs=4, learning_rate=2e-3, gamma=0.9)
    for _ in RecurrentPPO(policy, world, settings, iterations=80, seed=0).iterate():
        pass
    world = World(domain, Recall(), point, 64, 1)
    outcome = run_episodes(world, policy_actions(policy), range(10_000, 10_064))
    assert outcome.returns.mean() > -14 * 0.7652 / 4
    blank = policy_for(world)
    assert run_episodes(world, policy_actions(blank), range(10_000, 10_064)).returns.mean() < -14 * 0.7
