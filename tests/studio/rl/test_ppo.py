"""PPO as a whole: it learns, its experience is what the world gave, and it resumes bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from studio.registry import Registry
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.collectors.rollouts import RolloutCollector
from studio.rl.compiling import compiler
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.gymnasium_ids import default_domain, make_vector
from studio.sim.rollout import policy_actions, run_episodes
from studio.sim.world import World

VARIED = [
    {"field": "mass", "low": 0.5, "high": 1.5, "parts": "torso"},
    {"field": "friction", "low": 0.5, "high": 1.5, "resample": "interval", "interval": 0.1},
]
REGISTRY = Registry()
needs_compiler = pytest.mark.skipif(not compiler(), reason="there is no C++ compiler")


def learner(task: str, iterations: int, seed: int = 0, sims: int = 8, settings: Any = None, **domain: Any) -> PPO:
    world = make_vector(sims, task, task, threads=1, **domain)
    policy = GaussianActorCritic()
    policy.fit(world.single_observation_space.shape[0], world.control.low, world.control.high, seed)
    given = {"update": "eager", "steps": 16, "minibatch": 32, "epochs": 2} | (settings or {})
    return PPO(policy, world, PPOParams(**given), iterations=iterations, seed=seed)


def found(ppo: PPO) -> list[dict[str, float]]:
    return [{k: v for k, v in m.values.items() if k != "steps_per_second"} for m in ppo.iterate()]


def test_it_learns_to_balance_a_pendulum() -> None:
    torch.set_num_threads(1)
    settings = {"steps": 32, "minibatch": 256, "epochs": 6, "learning_rate": 1e-3, "gae_lambda": 0.9}
    ppo = learner("inverted_pendulum", 29, settings=settings, sims=64)
    found(ppo)
    assert ppo.rollouts.samples < 60_000
    outcome = run_episodes(
        make_vector(10, "inverted_pendulum", "inverted_pendulum"), policy_actions(ppo.policy), range(10_000, 10_010)
    )
    assert outcome.returns.mean() > 900


@pytest.mark.parametrize("update", ["eager", "compiled"])
def test_a_resumed_training_is_the_same_to_the_bit(update: str, traced: None) -> None:
    settings, domain = {"update": update, "anneal": True}, {"randomization": VARIED}
    whole = learner("hopper", 8, settings=settings, **domain)
    whole_found, kept = [], {}
    for metrics in whole.iterate():
        whole_found.append({k: v for k, v in metrics.values.items() if k != "steps_per_second"})
        if metrics.step == 4:
            kept = whole.state_dict()
    resumed = learner("hopper", 8, seed=5, settings=settings, **domain)  # another start, to be overwritten
    resumed.load_state_dict(kept)
    assert found(resumed) == whole_found[4:]
    for name, value in whole.policy.state_dict().items():
        torch.testing.assert_close(value, resumed.policy.state_dict()[name], rtol=0, atol=0, msg=name)


def test_a_state_survives_a_checkpoint_on_disk(tmp_path: Any) -> None:
    from studio.store.checkpoint import load_state, save_state

    whole = learner("ant", 4, sims=4, settings={"minibatch": 16})
    steps = whole.iterate()
    next(steps), next(steps)
    save_state(tmp_path, whole.state_dict())
    rest = [m.values["loss"] for m in steps]
    resumed = learner("ant", 4, seed=1, sims=4, settings={"minibatch": 16})
    resumed.load_state_dict(load_state(tmp_path))
    assert [m.values["loss"] for m in resumed.iterate()] == rest


@needs_compiler
@pytest.mark.slow
def test_the_compiled_update_is_the_eager_one() -> None:
    eager, fast = (learner("hopper", 5, settings={"update": u}) for u in ("eager", "compiled"))
    found(eager), found(fast)
    torch.testing.assert_close(eager.flat.vector, fast.flat.vector, rtol=1e-3, atol=1e-4)


@needs_compiler
@pytest.mark.slow
def test_many_learners_in_one_process_all_compile() -> None:
    """torch gives up on a function that is recompiled too often."""
    for seed in range(10):
        ppo = learner("inverted_pendulum", 2, seed=seed, sims=2, settings={"minibatch": 32, "epochs": 1})
        assert len(found(ppo)) == 2


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
def test_on_a_gpu_the_update_is_one_graph_and_nothing_leaves_the_device() -> None:
    def made(update: str) -> PPO:
        world, policy = make_vector(8, "hopper", "hopper", threads=1), GaussianActorCritic()
        policy.fit(11, world.control.low, world.control.high, 0)
        settings = PPOParams(update=update, steps=16, minibatch=32, epochs=2)
        return PPO(policy.cuda(), world, settings, iterations=4, seed=0)

    eager, graph = made("eager"), made("compiled")
    found(eager), found(graph)
    torch.testing.assert_close(eager.flat.vector, graph.flat.vector, rtol=1e-3, atol=1e-4)
    rollout, step = graph.collect(), graph._step_function()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")  # whatever waits for the device raises
    try:
        diagnostics = graph.learn(rollout, step)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert diagnostics.is_cuda and bool(torch.isfinite(diagnostics).all())


def test_the_same_seed_gives_the_same_training_and_another_seed_another() -> None:
    one, same, other = (found(learner("hopper", 2, seed=seed)) for seed in (3, 3, 4))
    assert one == same != other


def rollouts(task: str, sims: int, length: int, **domain: Any) -> RolloutCollector:
    return learner(task, 1, sims=sims, settings={"steps": length}, **domain).rollouts


def test_simulations_begin_at_different_times_and_cut_episodes_are_not_counted() -> None:
    made = rollouts("half_cheetah", 4, 300)
    assert made.world.steps.tolist() == [0, 250, 500, 750]
    found = made.statistics
    made.collect()
    assert found.episodes == 0 and made.world.steps.tolist() == [300, 550, 800, 50]
    for _ in range(3):
        made.collect()
    assert {length for _, length, _ in found.finished} == {1000} and found.episodes == len(found.finished) == 1


def test_an_episode_that_fell_is_counted_whenever_it_began() -> None:
    made = rollouts("hopper", 4, 200)
    made.collect()
    found = made.statistics
    assert found.episodes >= 4 and all(length < 200 for _, length, _ in found.finished)


def test_time_limits_are_bootstrapped_and_falls_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a plain account of the same steps, simulation by simulation."""
    from studio.rl.collectors import rollouts as module

    seen: dict[str, torch.Tensor] = {}

    def spy(rewards: Any, values: Any, next_values: Any, ended: Any, *rest: Any) -> Any:
        seen.update(values=values, next_values=next_values, ended=ended)
        return torch.zeros_like(rewards)

    monkeypatch.setattr(module, "gae", spy)
    made = rollouts("hopper", 6, 40)
    made.world.steps[:] = [0, 0, 0, 985, 990, 995]  # three run out of time before they fall
    steps: list[tuple[Any, ...]] = []
    real = made.world.step
    monkeypatch.setattr(made.world, "step", lambda a: steps.append(real(a)) or steps[-1])
    with torch.no_grad():
        made.collect()
        late = fallen = 0
        fresh = GaussianActorCritic()  # the same networks with the statistics of then
        fresh.fit(11, -np.ones(3), np.ones(3), 0)
        for t, (observation, _, terminated, truncated, info) in enumerate(steps):
            for i in range(6):
                wanted = 0.0
                if not terminated[i]:
                    after = info["final_obs"][i] if truncated[i] else observation[i]
                    wanted = fresh.critic(fresh.moments(torch.tensor(after, dtype=torch.float32)[None])).item()
                late += int(truncated[i])
                fallen += int(terminated[i])
                assert seen["next_values"][t, i].item() == pytest.approx(wanted, abs=1e-5)
                assert bool(seen["ended"][t, i]) == bool(terminated[i] | truncated[i])
    assert late >= 2 and fallen >= 2


def test_a_world_that_diverges_is_counted_and_training_goes_on() -> None:
    ppo = learner("half_cheetah", 3, sims=4)
    logged: list[str] = []
    ppo.log = logged.append
    steps = ppo.iterate()
    next(steps)
    ppo.rollouts.world.bind("qvel")[2] = 1e12
    values = [m.values for m in steps]
    assert [v["diverged"] for v in values] == [1.0, 1.0]
    assert logged == ["1 simulation diverged and was reset."]
    assert all(np.isfinite(v["loss"]) for v in values)
    assert all(bool(torch.isfinite(p).all()) for p in ppo.policy.parameters())


def test_a_curriculum_widens_in_training_and_is_resumed() -> None:
    kind, body = REGISTRY.get("tasks", "hopper"), REGISTRY.get("embodiments", "hopper")
    opening = {"enabled": True, "widen_return": 0.0, "episodes": 2, "probability": 1.0}
    domain = default_domain(kind, body, randomization=VARIED, curriculum=opening)

    def made(seed: int) -> PPO:
        policy = GaussianActorCritic()
        policy.fit(11, -np.ones(3), np.ones(3), seed)
        settings = PPOParams(update="eager", steps=40, minibatch=64, epochs=1)
        return PPO(policy, World(domain, kind(), body, 8, 1, curriculum=True), settings, iterations=6, seed=seed)

    whole = made(0)
    steps = whole.iterate()
    for _ in range(3):
        metrics = next(steps)
    assert 0 < metrics.values["range/open"] <= 1
    kept = whole.state_dict()
    rest = [m.values["loss"] for m in steps]
    resumed = made(1)
    resumed.load_state_dict(kept)
    assert [m.values["loss"] for m in resumed.iterate()] == rest


def test_the_reward_is_divided_by_the_spread_of_the_discounted_return() -> None:
    """Against Gymnasium's own account, one simulation and one long stretch."""
    from gymnasium.wrappers.utils import RunningMeanStd

    made = rollouts("half_cheetah", 1, 400)
    with torch.no_grad():
        rewards = torch.randn(400, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3 + 1
        ended = torch.zeros(400, 1, dtype=torch.bool)
        ended[150] = True
        scaled = made.reward_scale(rewards, ended)
    theirs, running = RunningMeanStd(shape=()), 0.0
    for reward, over in zip(rewards[:, 0].tolist(), ended[:, 0].tolist(), strict=True):
        running = running * 0.99 + reward
        theirs.update(np.array([running]))
        running *= not over
    np.testing.assert_allclose(
        scaled[:, 0].numpy(), np.clip(rewards[:, 0].numpy() / np.sqrt(theirs.var), -10, 10), rtol=1e-3
    )
