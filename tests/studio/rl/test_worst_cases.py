"""EPOpt: which episodes are learned from, what of them, and that it resumes bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from studio.contracts import Ids
from studio.experiment.randomization import expand
from studio.rl.algorithms.worst_cases import Episodes, WorstCaseParams, WorstCasePPO
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.sim.gymnasium_ids import make_vector
from studio.sim.observers import Observer
from studio.sim.simulation import BatchSimulation


def learner(
    sims: int = 20, iterations: int = 6, epsilon: float = 0.1, warm_up: float = 0.5, update: Any = "eager"
) -> WorstCasePPO:
    torch.set_num_threads(1)
    world = make_vector(sims, "hopper", "hopper", threads=1, randomization=expand("epopt_hopper"))
    policy = GaussianActorCritic()
    policy.fit(11, world.control.low, world.control.high, 0)
    settings = WorstCaseParams(epsilon=epsilon, warm_up=warm_up, update=update, steps=8, minibatch=32, epochs=1)
    return WorstCasePPO(policy, world, settings, iterations=iterations, seed=0)


def found(ppo: WorstCasePPO) -> list[dict[str, float]]:
    return [{k: v for k, v in m.values.items() if k != "steps_per_second"} for m in ppo.iterate()]


def test_the_worst_are_learned_from_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    ppo = learner(epsilon=0.1, warm_up=0)
    played: list[Episodes] = []
    whole = Episodes.rollout

    def rollout(self: Episodes, chosen: np.ndarray) -> Any:
        played.append(self)
        assert sorted(chosen) == sorted(np.argsort(self.returns)[:2])
        return whole(self, chosen)

    monkeypatch.setattr(Episodes, "rollout", rollout)
    values = next(ppo.iterate()).values
    (episodes,) = played
    lengths = np.bincount(np.concatenate(episodes._ids), minlength=20)
    worst = np.argsort(episodes.returns)[:2]
    assert values["learned_from"] == lengths[worst].sum() < values["samples"] == lengths.sum()
    assert values["worst_return"] == np.sort(episodes.returns)[1]
    assert values["return_10"] == pytest.approx(np.percentile(episodes.returns, 10))
    assert values["return"] == pytest.approx(episodes.returns.mean())


def test_a_tenth_of_thirty_is_three() -> None:
    ppo = learner(sims=30, warm_up=0)
    taken: list[int] = []
    whole = Episodes.rollout
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Episodes, "rollout", lambda self, chosen: taken.append(len(chosen)) or whole(self, chosen))
        ppo.collect()
    assert taken == [3]


def test_one_that_diverged_is_no_bad_model(monkeypatch: pytest.MonkeyPatch) -> None:
    ppo = learner(warm_up=0)
    world = ppo.rollouts.world
    physics = world.physics_step

    def diverging(ids: Any, *given: Any) -> None:
        physics(ids, *given)
        world.mark_diverged(np.intersect1d(world.env_indices(ids), [5]))

    monkeypatch.setattr(world, "physics_step", diverging)
    episodes = Episodes(ppo)
    assert episodes.lengths[5] == 1 and episodes.returns.argmin() == 5
    whole = np.delete(np.arange(20), 5)
    assert episodes.worst(1 / 20).tolist() == [whole[episodes.returns[whole].argmin()]]
    assert episodes.worst(1.0)[-1] == 5


def test_two_samples_at_least_are_learned_from() -> None:
    episodes = Episodes(learner(warm_up=0))
    order = np.argsort(episodes.returns)
    episodes.lengths[order[:2]] = 1
    assert episodes.worst(0.05).tolist() == order[:2].tolist()
    episodes.lengths[order[0]] = 2
    assert episodes.worst(0.05).tolist() == order[:1].tolist()


def test_advantages_are_those_of_each_episode_by_itself() -> None:
    ppo = learner(warm_up=0)
    rollouts, policy = ppo.rollouts, ppo.policy
    policy.moments.update(torch.randn(50, 11))
    policy.rewards.update(torch.randn(50, 1) * 3)
    scale = policy.rewards.scale().item()
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    episodes = Episodes(ppo)
    chosen = np.array([3, 7])
    got = episodes.rollout(chosen)
    policy.load_state_dict(before)
    sums, at = [], 0
    with torch.no_grad():
        for t, (ids, (seen, moved, reward)) in enumerate(zip(episodes._ids, episodes._steps, strict=True)):
            for sim in chosen:  # (time, episode) order: what the rollout's rows are
                (row,) = np.flatnonzero(ids == sim) if sim in ids else (None,)
                if row is None:
                    continue
                normalized = policy.moments(seen[row : row + 1])
                assert torch.equal(got.observations[at], normalized[0]) and torch.equal(got.actions[at], moved[row])
                density = policy.distribution(policy.actor(normalized)).log_prob(moved[row : row + 1])
                assert got.log_probs[at].item() == pytest.approx(density.item(), abs=1e-5)
                sums.append((sim, t, at, reward[row], policy.critic(normalized).item()))
                at += 1
    assert at == len(got.actions)
    for sim in chosen:  # the recursion of GAE, written out from the end
        steps = [(at, reward, value) for s, _, at, reward, value in sums if s == sim]
        bootstrap = episodes._bootstrap[sim].item()
        with torch.no_grad():
            following = policy.critic(policy.moments(episodes._last[sim : sim + 1])).item() if bootstrap > 0 else 0.0
        carried = 0.0
        for at, reward, value in reversed(steps):
            delta = float(np.clip(reward * scale, -10, 10)) + rollouts.gamma * following - value
            carried = delta + rollouts.gamma * rollouts.gae_lambda * carried
            assert got.advantages[at].item() == pytest.approx(carried, abs=2e-4)
            following = value


def test_the_actor_learns_from_the_worst_and_the_critic_from_all() -> None:
    ppo = learner(warm_up=0)
    ppo.policy.moments.update(torch.randn(50, 11))
    step = ppo._step_function()
    episodes = Episodes(ppo)
    before = {name: value.clone() for name, value in ppo.policy.state_dict().items()}
    got = episodes.rollout(np.argsort(episodes.returns)[:2])
    count = len(got.actions)
    assert got.critic_obs.shape == got.observations.shape and got.critic_return.shape == (count,)
    every = torch.cat([seen for seen, _, _ in episodes._steps])
    ppo.policy.load_state_dict(before)
    rows = {tuple(row) for row in ppo.policy.moments(every).tolist()}
    pairs = {tuple(row) for row in got.critic_obs.tolist()}
    assert len(pairs) == count < len(rows) and pairs <= rows
    assert pairs != {tuple(row) for row in got.observations.tolist()}
    batch = {name: getattr(got, name) for name in ("observations", "actions", "log_probs", "advantages", "returns")}

    def changed(**columns: torch.Tensor) -> dict[str, bool]:
        """Which networks' gradients are others with other columns."""
        found = []
        for given in (batch | {"critic_obs": got.critic_obs, "critic_return": got.critic_return}, batch | columns):
            loss, _ = ppo.loss(dict(ppo.policy.named_parameters()), given)
            found.append(torch.autograd.grad(loss, [ppo.policy.actor[0].weight, ppo.policy.critic[0].weight]))
        return {name: not torch.allclose(a, b) for name, a, b in zip(("actor", "critic"), *found, strict=True)}

    other = torch.randn_like(got.critic_obs)
    assert changed(critic_obs=other, critic_return=got.critic_return) == {"actor": False, "critic": True}
    assert changed(critic_obs=got.critic_obs, critic_return=got.critic_return, observations=other) == {
        "actor": True,
        "critic": False,
    }
    assert len(step(torch.zeros(32, 11 + 3 + 3 + 11 + 1))) == 7


@pytest.mark.parametrize("update", ["eager", "compiled"])
def test_it_resumes_to_the_bit_on_either_side_of_the_warm_up(update: str, traced: None) -> None:
    whole = learner(update=update)
    all_found, kept = [], {}
    for metrics in whole.iterate():
        all_found.append({k: v for k, v in metrics.values.items() if k != "steps_per_second"})
        kept[metrics.step] = whole.state_dict()
    for cut in (2, 4):
        again = learner(update=update)
        again.load_state_dict(kept[cut])
        assert found(again) == all_found[cut:]
        assert torch.equal(again.flat.vector, whole.flat.vector)


def test_every_episode_is_told_with_the_body_it_was_of() -> None:
    from studio.sim.episode_recorder import EpisodeRecorder

    ppo = learner(warm_up=0, iterations=1)
    world = ppo.rollouts.world
    recorder = EpisodeRecorder(20, tuple(term.key for term in world.domain.randomization))
    world.observers.append(recorder)
    values = found(ppo)[0]
    outcome = recorder.take()
    assert len(outcome.returns) == 20 and outcome.returns.mean() == pytest.approx(values["return"])
    assert len(set(outcome.randomization["mass:torso"].tolist())) == 20
    assert outcome.lengths.sum() == values["samples"]


def test_observers_see_every_step() -> None:
    ppo = learner(warm_up=0, iterations=1)
    world, logged = ppo.rollouts.world, []

    class Watcher(Observer):
        def on_step(self, world: BatchSimulation, ids: Ids, rewards: np.ndarray) -> None:
            logged.append((world, world.env_indices(ids).copy(), rewards.copy()))

    world.observers.append(Watcher())
    values = found(ppo)[0]
    assert len(logged) > 10 and all(of is world and reward.shape == ids.shape for of, ids, reward in logged)
    assert sum(reward.sum() for _, _, reward in logged) == pytest.approx(20 * values["return"])
    assert len(logged[0][1]) == 20 and sum(len(ids) for _, ids, _ in logged) == values["samples"], (
        "none that stand still"
    )


def test_bodies_that_diverge_are_counted_and_the_training_goes_on() -> None:
    """An episode that diverged ends there, as one that had stood still."""
    ppo = learner(warm_up=0, iterations=2, epsilon=0.999)
    logged: list[str] = []
    ppo.log = logged.append
    world = ppo.rollouts.world
    real, steps = world.advance, []

    def advance(actions: np.ndarray, ids: np.ndarray) -> None:
        steps.append(ids)
        if len(steps) == 5:
            world.bind("qvel")[3] = 1e12
        real(actions, ids)

    world.advance = advance
    values = [m.values for m in ppo.iterate()]
    assert [v["diverged"] for v in values] == [1.0, 1.0]
    assert logged == ["1 simulation diverged and was reset."]
    assert 3 in steps[4] and 3 not in steps[5]
    assert all(np.isfinite(v["loss"]) and np.isfinite(v["worst_return"]) for v in values)
    assert all(bool(torch.isfinite(p).all()) for p in ppo.policy.parameters())


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.5])
def test_a_share_outside_its_range_is_refused(epsilon: float) -> None:
    with pytest.raises(ValidationError, match="epsilon"):
        WorstCaseParams(epsilon=epsilon)
