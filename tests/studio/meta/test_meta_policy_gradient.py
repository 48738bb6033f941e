"""Many tasks in one world, each with parameters of its own, and the outer loop's curvature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch

from studio.meta.latent_task_actor import LATENT, LatentTaskActor
from studio.meta.meta_actor import divergence
from studio.meta.meta_gradient_params import MetaGradientParams
from studio.meta.meta_policy_gradient import MetaPolicyGradient
from studio.meta.task_actor import TaskActor, action_means
from studio.meta.task_groups import TaskGroups
from studio.seeds import shot_seed
from studio.sim.gymnasium_ids import make_vector
from studio.sim.observers import Observer

SIZES: dict[str, Any] = {"meta_batch": 3, "episodes": 2, "inner_steps": 2, "curvature_tasks": 3, "physics_threads": 1}


def learner(task: str = "point_navigation", latent: bool = False, **settings: Any) -> MetaPolicyGradient:
    chosen = MetaGradientParams(**{**SIZES, **settings})
    world = make_vector(chosen.simulations, task, "point", threads=1)
    kind = LatentTaskActor if latent else TaskActor
    policy = kind(kind.Params(width=4, layers=1))
    policy.fit_to(world, 0)
    more: Any = {"names": list(LATENT), "training_tasks": 5, "prior_weight": 0.1} if latent else {}
    return MetaPolicyGradient(policy, world, chosen, iterations=2, seed=0, **more)


class _Seeds(Observer):
    """Keeps the seeds and contexts of all episodes, reset by reset."""

    def __init__(self) -> None:
        self.seeds, self.contexts = list[list[int]](), list[np.ndarray]()

    def on_reset(self, world: Any, ids: np.ndarray) -> None:
        self.seeds.append(world.seeds[ids].tolist())
        self.contexts.append(world.contexts[ids].copy())


def test_support_and_query_are_different_episodes_of_the_same_task() -> None:
    found = learner()
    seen = _Seeds()
    found.rollouts.world.observers.append(seen)
    list(found.iterate())
    assert len(seen.seeds) == 6  # two iterations of three rollouts
    every = [seed for seeds in seen.seeds for seed in seeds]
    assert len(set(every)) == len(every) == 36
    for iteration in (0, 3):
        first, *later = seen.contexts[iteration : iteration + 3]
        assert all(np.array_equal(first, other) for other in later)
        assert np.array_equal(first[::2], first[1::2]) and len({*map(tuple, first.tolist())}) == 3
    assert not np.array_equal(seen.contexts[0], seen.contexts[3])


def test_an_adaptation_to_a_new_task_has_fresh_episodes_at_every_step() -> None:
    found = learner()
    world = make_vector(2, "point_navigation", "point", threads=1)
    seen = _Seeds()
    world.observers.append(seen)
    made = found.adapted(world, 3, 1000)
    every = [seed for seeds in seen.seeds for seed in seeds]
    assert len(set(every)) == len(every) == 6 and min(every) >= 1000
    before = found.actor.policy
    assert not torch.equal(made.actor[0].weight, before.actor[0].weight) and torch.equal(made.log_std, before.log_std)


def test_groups_hold_their_tasks_until_others_are_chosen() -> None:
    world = make_vector(6, "point_navigation", "point", threads=1)
    groups = TaskGroups(world, 3)
    groups.choose([5, 6, 7])
    alone = make_vector(3, "point_navigation", "point", threads=1)
    alone.reset(seed=5)
    for seed in (100, 200):
        world.reset(seed=seed)
        assert np.array_equal(world.contexts, np.repeat(alone.contexts, 2, 0))
    groups.choose([8, 8, 8])
    world.reset(seed=300)
    assert len({*map(tuple, world.contexts.tolist())}) == 1


def test_stacked_parameters_act_as_a_loop_over_the_tasks() -> None:
    policies = [TaskActor(TaskActor.Params(inputs=3, outputs=2, width=5)) for _ in range(4)]
    rows = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))
    stacked = {n: torch.stack([p.get_parameter(n) for p in policies]) for n, _ in policies[0].named_parameters()}
    one_by_one = torch.stack([policy.actor(own) for policy, own in zip(policies, rows, strict=True)])
    assert torch.allclose(action_means(stacked, rows), one_by_one, atol=1e-6)


@pytest.mark.parametrize("latent", [False, True])
def test_the_curvature_is_the_hessian_of_the_divergence_through_the_inner_loop(latent: bool) -> None:
    found = learner(latent=latent, inner_rate=0.5, learn_rates=True, every_step=True)
    members = found._choose_tasks()
    trajectories, _ = found._collect(members)
    old = [
        (mean.detach(), log_std.detach())
        for mean, log_std in found.outer.distributions(found.outer.flat.vector, trajectories, members)
    ]

    def kl(vector: torch.Tensor) -> torch.Tensor:
        new = found.outer.distributions(vector, trajectories, members)
        pairs = zip(old, new, trajectories[1:], strict=True)
        return torch.stack([divergence(one, other, each["playing"]) for one, other, each in pairs]).mean()

    direction = torch.randn(len(found.outer.flat.vector), generator=torch.Generator().manual_seed(0))
    _, expected = torch.autograd.functional.hvp(kl, found.outer.flat.vector.clone(), direction)
    variable = found.outer.flat.vector.clone().requires_grad_()
    product = found.outer.fisher(variable, found.outer.distributions(variable, trajectories, members), trajectories)(
        direction
    )
    assert product.norm() > 1e-3
    assert (product - expected).norm() < 1e-3 * expected.norm()


def test_a_latent_is_adapted_by_the_returns_of_its_episodes() -> None:
    found = learner(latent=True, inner_rate=0.5)
    members = torch.tensor([0, 1, 2])
    parameters = {name: value.detach() for name, value in found.actor.named_parameters()}
    parameters["task_latent_mean"][1], parameters["task_latent_log_std"][1] = 0.4, -0.7
    own, shared = found.actor.start(parameters, 3, members)
    trajectories, _ = found.rollouts.collect({**shared, **own})
    generator = torch.Generator().manual_seed(0)
    trajectories["episode_advantages"] = torch.randn(3, 2, generator=generator)
    after = found.actor.adapted(parameters, own, shared, trajectories, 0)
    noise, advantages = trajectories["noise"], trajectories["episode_advantages"][..., None]
    # ∇ log N(z; m, s²) is ε / s for the mean and ε² − 1 for log s, its Fisher information 1 / s² and 2
    deviation = own["latent_log_std"].exp()
    mean = own["latent_mean"] + 0.5 * deviation * (noise * advantages).mean(1)
    log_std = own["latent_log_std"] + 0.5 * ((noise**2 - 1) * advantages).mean(1) / 2
    assert torch.allclose(after["latent_mean"], mean, atol=1e-6)
    assert torch.allclose(after["latent_log_std"], log_std, atol=1e-6)
    assert after.keys() == {*LATENT}


def test_an_inner_loop_sees_the_observed_rewards_once_the_dense_share_is_over() -> None:
    found = learner("half_circle_dense", dense_share=0.5, inner_steps=1)
    found._choose_tasks()
    dense = found._collect(None)[0][0]
    assert torch.equal(dense["advantages"], dense["true_advantages"])
    found.iteration = 1  # of two
    sparse = found._collect(None)[0][0]
    assert not sparse["advantages"].any() and sparse["true_advantages"].any()  # who starts at random finds no goal


def test_episodes_of_an_inner_step_explore_by_a_deviation_of_their_own() -> None:
    """The last ones, which are scored alone, have the policy's."""
    found = learner(exploration_std=0.5)
    found.rollouts.new_tasks()
    trajectories, _ = found._collect(None)
    for each, deviation in zip(trajectories, (0.5, 0.5, 1.0), strict=True):
        # the means are nearly 0 at first
        assert float(each["actions"].std()) == pytest.approx(deviation, rel=0.1)
        shape = each["actions"].shape
        wanted = scipy.stats.norm.logpdf(each["actions"], 0, deviation).sum(-1).reshape(shape[:-1])
        np.testing.assert_allclose(each["log_probs"], wanted, atol=0.3)


def test_steps_of_a_family_keep_the_size_of_a_tasks_advantages() -> None:
    """Tasks that differ in nothing but the deviation of their advantages take steps as long as these."""
    found = learner(advantage_scale="family", meta_batch=2)
    found.rollouts.new_tasks()
    first = found._collect(None)[0][0]
    same = {name: part[:1].expand_as(part) for name, part in first.items()}
    trajectories = {**same, "deviations": torch.tensor([1.0, 3.0])}
    actor = found.actor
    scale = actor.advantage_scales[0].clone()
    actor.update_scale(0, trajectories["deviations"])
    assert float(actor.advantage_scales[0]) == pytest.approx((float(scale) + 2) / 2)
    parameters = {name: value.detach() for name, value in actor.named_parameters()}
    own, shared = actor.start(parameters, 2)
    adapted = actor.adapted(parameters, own, shared, trajectories, 0)
    steps = adapted["actor.0.weight"] - own["actor.0.weight"]
    np.testing.assert_allclose(steps[1], 3 * steps[0], rtol=1e-3, atol=1e-7)
    assert float(steps[0].abs().max()) > 0


def test_adaptations_with_other_seeds_differ() -> None:
    """Also where the seeds have the same lower 32 bits, and episodes that start alike."""
    found = learner()

    def first_weight(seed: int) -> torch.Tensor:
        world = make_vector(2, "point_navigation", "point", threads=1)
        weight: torch.Tensor = found.adapted(world, 1, shot_seed(seed, [[0.1, 0.1]])).actor[0].weight
        return weight

    assert not torch.equal(first_weight(0), first_weight(1))
