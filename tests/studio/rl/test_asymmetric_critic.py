"""A recurrent policy's critic may read the task's context ω in training; the policy itself never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from studio.experiment import Domain, Experiment
from studio.meta.snail import SnailActorCritic
from studio.meta.trial_fast_weights import TrialFastWeights
from studio.meta.trial_hypernetwork import TrialHyperActorCritic
from studio.meta.trial_policy import TrialActorCritic
from studio.meta.trials import Trials
from studio.registry import shared_registry
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.run.check import check
from studio.sim.domains import resolve
from studio.sim.observers import Observer
from studio.sim.world import World

EXAMPLES = Path(__file__).resolve().parents[3] / "assets" / "experiments"
HOPPER = {"embodiment": "hopper", "task": "hopper", "control": "motor"}
ARMS, SIMULATIONS, STEPS = 5, 6, 25


class Seen(Observer):
    """Writes down the contexts and rewards of each step."""

    def __init__(self) -> None:
        self.contexts: list[np.ndarray] = []
        self.rewards: list[np.ndarray] = []

    def on_step(self, world: Any, ids: Any, rewards: Any) -> None:
        self.contexts.append(world.contexts.copy())
        self.rewards.append(rewards.copy())


def owners(ppo: RecurrentPPO) -> list[Any]:
    return [ppo, ppo.rollouts.world.trials]


class FirstOfContext(nn.Module):
    """A critic whose value is the first component of the point tasks' normalized context."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs[..., -2:-1]


def learner(task: str = "bandit_5", kind: type[TrialActorCritic] = TrialActorCritic, **settings: Any) -> RecurrentPPO:
    torch.set_num_threads(1)
    control = "discrete" if task.startswith("bandit") else "motor"
    domain = Domain(embodiment="point", task=task, control=control, observation=["state"])
    found = resolve(domain, shared_registry())
    world = World(domain, found.new_task(), found.embodiment, SIMULATIONS)
    Trials(world, 2)
    policy = kind(kind.Params(width=16, hidden=16, critic="memory_and_task"))
    policy.fit_to(world, 0)
    given = {"update": "eager", "steps": STEPS, "minibatch": 50, "epochs": 2, "gamma": 1.0} | settings
    return RecurrentPPO(policy, world, PPOParams(**given), iterations=4, seed=0)


@pytest.mark.parametrize("kind", [TrialActorCritic, TrialHyperActorCritic, TrialFastWeights, SnailActorCritic])
def test_the_critic_reads_the_context_of_each_step_normalized(kind: type[TrialActorCritic]) -> None:
    ppo = learner(kind=kind)
    ppo.collect()  # so that there are statistics, and a trial is under way
    seen = Seen()
    ppo.rollouts.world.observers.append(seen)
    mean, deviation = ppo.policy.contexts.mean.clone(), ppo.policy.contexts.variance.sqrt()
    rollout = ppo.rollouts.collect()
    contexts = np.stack(seen.contexts)
    assert (contexts[1:] != contexts[:-1]).any(), "a trial should end within the rollout"
    wanted = (torch.from_numpy(contexts) - mean) / deviation
    torch.testing.assert_close(rollout.contexts.view(STEPS, SIMULATIONS, ARMS), wanted.float(), rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        observations, given = rollout.observations.view(STEPS, SIMULATIONS, -1), rollout.contexts
        _, values = ppo.policy(observations, rollout.memory, rollout.fresh, given.view(STEPS, SIMULATIONS, ARMS))
    torch.testing.assert_close(values.flatten(), rollout.values, rtol=1e-4, atol=1e-5)


def test_values_of_what_followed_are_of_the_same_task() -> None:
    """With V = a component of ω, λ = 0 and γ = 1 an advantage is the reward alone: also where an episode was truncated,
    after which the simulation has the next trial's task."""
    ppo = learner(task="point_navigation", gae_lambda=0.0, steps=120)
    ppo.policy.critic = FirstOfContext()
    ppo.collect()
    seen = Seen()
    ppo.rollouts.world.observers.append(seen)
    rollout = ppo.rollouts.collect()
    assert rollout.fresh.any() and rollout.values.std() > 0.1
    rewards, advantages = np.stack(seen.rewards).ravel(), rollout.advantages.numpy()
    np.testing.assert_allclose(advantages / rewards, np.median(advantages / rewards), rtol=1e-3)


def test_actions_and_the_value_that_is_shown_do_without_the_context() -> None:
    ppo = learner()
    ppo.collect()
    policy, world = ppo.policy, ppo.rollouts.world
    observation = world.observe(slice(None))
    shown = policy.value(observation)
    world.contexts[:] = 0.5
    for entry, value in world.observe(slice(None)).items():
        np.testing.assert_array_equal(value, observation[entry])
    with torch.no_grad():
        features, _ = policy._remembered(observation, None)
        average = torch.cat([features, torch.zeros(SIMULATIONS, ARMS)], -1)
        torch.testing.assert_close(policy.critic(average)[:, 0], torch.from_numpy(shown))


def test_training_goes_on_to_the_bit_after_it_was_saved() -> None:
    whole, every, kept = learner(), [], list[Any]()
    for metrics in whole.iterate():
        every.append(metrics.values["loss"])
        if metrics.step == 2:
            kept = [owner.state_dict() for owner in owners(whole)]
    again = learner()
    for owner, state in zip(owners(again), kept, strict=True):
        owner.load_state_dict(state)
    assert [metrics.values["loss"] for metrics in again.iterate()] == every[2:]
    assert torch.equal(again.flat.vector, whole.flat.vector)
    of_context = [ppo.policy.critic[0].weight[:, -ARMS:] for ppo in (whole, learner())]
    assert not torch.allclose(*of_context), "the updates should have read the contexts"


def test_a_width_of_the_context_that_was_given_by_hand_has_no_effect() -> None:
    for critic, width in (("memory", 0), ("memory_and_task", ARMS)):
        policy = TrialActorCritic(TrialActorCritic.Params(width=16, hidden=16, critic=critic, context=7))
        policy.fit_to(learner().rollouts.world, 0)
        assert policy.params.context == width


@pytest.mark.parametrize(
    ("domains", "words"),
    [
        ({"target.task": "bandit_10"}, "there are 10 in the target and 5 in the source"),
        (
            {f"{domain}.{part}": value for domain in ("source", "target") for part, value in HOPPER.items()},
            "'hopper' is the same task",
        ),
    ],
)
def test_a_context_that_the_critic_cannot_read_is_a_problem(domains: dict[str, str], words: str) -> None:
    bandit = Experiment.load(EXAMPLES / "rl2_bandit.yaml").changed(**{"policy.params.critic": "memory_and_task"})
    assert check(bandit, shared_registry()) == []
    found = [problem for problem in check(bandit.changed(**domains), shared_registry()) if "critic" in problem.field]
    assert len(found) == 1 and words in found[0].message and found[0].remedy == "Choose memory."
