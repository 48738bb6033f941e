"""Fast weights: a table at learned addresses, the same step by step and unrolled; the update compiles as one graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from studio.meta.trial_fast_weights import TrialFastWeights
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.sim.gymnasium_ids import make_vector


def policy(inputs: int, **params: Any) -> TrialFastWeights:
    made = TrialFastWeights(TrialFastWeights.Params(**{"width": 8, "hidden": 3, "keys": 4} | params))
    made.fit(inputs, -np.ones(2, np.float32), np.ones(2, np.float32), 0)
    return made


def test_fast_weights_unrolled_are_the_policy_step_by_step() -> None:
    """Over trials that end at different times, with a memory from before; and nothing passes a trial's end."""
    made, time, envs = policy(5), 9, 3
    seen, fresh = torch.randn(time, envs, 5), torch.zeros(time, envs, dtype=torch.bool)
    fresh[2, 0] = fresh[4, 1] = fresh[6, 0] = fresh[0, 2] = True
    memory = torch.zeros(envs, made.memory_width)
    for _ in range(2):
        memory = made.remember(torch.randn(envs, 5), memory)[1]
    with torch.no_grad():
        found, expected, present = made.unrolled(seen, memory, fresh), [], memory
        for t in range(time):
            features, present = made.remember(seen[t], present.masked_fill(fresh[t][:, None], 0.0))
            expected.append(features)
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_fast_weights_keep_a_table_of_sums_means_and_numbers() -> None:
    """With addresses that are the state now, and before, what is read is what was written where the state was this."""
    states, made = 4, policy(4)
    with torch.no_grad():
        made.query.weight.copy_(100 * torch.eye(states))
        made.key.weight.copy_(100 * torch.cat([torch.zeros(states, states), torch.eye(states)], 1))
        visits = torch.tensor([0, 1, 0, 2, 1, 0, 0, 3, 0])
        seen = torch.eye(states)[visits][:, None]
        fresh, memory = torch.zeros(len(seen), 1, dtype=torch.bool), torch.zeros(1, made.memory_width)
        found = made.unrolled(seen, memory, fresh)[-1, 0]
        pairs = torch.cat([seen[1:, 0], seen[:-1, 0]], 1)
        there = made.written(pairs)[visits[:-1] == visits[-1]]  # written after a step in the present state
    assert len(there) == 4
    # the first step has no state before it and is written everywhere alike
    first = made.written(torch.cat([seen[0, 0], torch.zeros(states)])).detach() / states
    torch.testing.assert_close(found[:3], (there.sum(0) + first).asinh())
    number = len(there) + 1 / states
    torch.testing.assert_close(found[3:6], (there.sum(0) + first) / (number + 1))
    torch.testing.assert_close(found[6], torch.tensor(number).log1p())


def test_the_update_of_fast_weights_compiles_as_one_graph() -> None:
    torch.set_num_threads(1)
    world = make_vector(4, "hopper", "hopper", threads=1)
    made = policy(world.single_observation_space.shape[0])
    made.fit_to(world, 0)
    settings = PPOParams(update="eager", steps=6, minibatch=12)
    ppo = RecurrentPPO(made, world, settings, iterations=2, seed=0)
    rollout = ppo.collect()
    names = ("observations", "actions", "log_probs", "advantages", "returns")
    batch = {name: getattr(rollout, name).unflatten(0, (6, 4)) for name in names}
    wanted, _ = ppo.gradient(batch, rollout.memory, rollout.fresh)
    compiled = torch.compile(ppo.gradient, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(batch, rollout.memory, rollout.fresh)[0], wanted, rtol=1e-4, atol=1e-6)
    assert wanted.norm() > 1e-2
