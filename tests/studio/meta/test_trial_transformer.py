"""The decision-pretrained transformer: a set is read, a trial remembered, and labels are of steps not shown."""

from __future__ import annotations

import numpy as np
import torch

from studio.meta.decision_trials import DecisionCollector
from studio.meta.trial_transformer import TrialTransformer
from studio.meta.trials import Trials
from studio.sim.gymnasium_ids import make_vector
from studio.sim.world import World

MDP, PARAMS = "tabular_mdp", TrialTransformer.Params(width=8, heads=2, layers=2)


def trials_of(world: World, k: int) -> tuple[TrialTransformer, Trials]:
    trials, policy = Trials(world, k), TrialTransformer(PARAMS)
    policy.fit_to(world, 0)
    policy.moments.update(torch.randn(100, policy.token_width))
    return policy, trials


def test_trial_transformer_reads_a_set() -> None:
    policy = TrialTransformer(PARAMS.model_copy(update={"inputs": 3, "outputs": 4, "length": 6}))
    support, states = torch.randn(2, 6, policy.token_width), torch.randn(2, 2, 3)
    present = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 0, 1, 0, 1, 1]]).bool()
    found, order = policy(support, present, states), torch.randperm(6)
    torch.testing.assert_close(policy(support[:, order], present[:, order], states), found)
    torch.testing.assert_close(policy(support + 9 * ~present[..., None], present, states), found)
    torch.testing.assert_close(policy(support[:1, :4], present[:1, :4], states[:1, 1:]), found[:1, 1:])
    assert (policy(torch.cat([support, support[:, :1]], 1), torch.ones(2, 7).bool(), states) - found).abs().max() > 1e-4


def test_trial_transformer_remembers_the_transitions_of_a_trial() -> None:
    """Over two episodes of an MDP: (s, a, end, r, s′), without the state that follows an episode's end."""
    world = make_vector(3, MDP, "point", threads=1)
    policy, _ = trials_of(world, 2)
    seen, memory, kept = world.reset(seed=0)[0], None, []
    for step in range(15):
        state, action = seen["state"].copy(), np.full((3, 1), step % 5)
        _, memory = policy.act(seen, memory)
        seen, reward, terminated, truncated, _ = world.step(action)
        over = (terminated | truncated)[:, None]
        kept.append(np.concatenate([state, np.eye(5)[action[:, 0]], over, reward[:, None], ~over * seen["state"]], 1))
    support = torch.from_numpy(np.stack(kept, 1)).float()
    logits = policy(support, torch.ones(3, 15).bool(), torch.from_numpy(seen["state"])[:, None])[:, 0]
    np.testing.assert_array_equal(policy.act(seen, memory)[0][:, 0], logits.argmax(-1).numpy())
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    np.testing.assert_allclose(policy.entropy(seen, memory), entropy.detach().numpy(), rtol=1e-4)
    assert support[:, 9, 15].all() and not support[:, 9, 17:].any()


def test_decision_batches_ask_about_steps_that_are_not_in_the_support() -> None:
    world = make_vector(4, MDP, "point", threads=1)
    policy, trials = trials_of(world, 2)
    collector = DecisionCollector(world, trials, policy, 0.5, 0, torch.Generator().manual_seed(0))
    found = collector.collect()
    assert found.present.all() and found.labels.max() < 5 and len(found.own_returns) == 2
    steps = torch.arange(20.0).expand(4, 20)  # each step's number stands in its reward, and as its label
    found.transitions[..., 16], found.labels = steps, steps.long()
    found.present[0, 7:] = False  # a trial that ended early
    batch = found.split(torch.tensor([0, 3]), 5, 4, collector.generator)
    supports, labels = batch.support[..., 16], batch.labels
    known = [support[there].tolist() for support, there in zip(supports, batch.present, strict=True)]
    assert [len(steps) for steps in known] == [5 * 7 // 20, 5] and batch.asked.all()
    assert [len({*seen, *asked}) for seen, asked in zip(known, labels.tolist(), strict=True)] == [5, 9]
    found.present[:, 1:] = False  # all ended at once: their only step is asked about
    batch = found.split(torch.arange(4), 19, 4, collector.generator)
    assert not batch.present.any() and batch.labels.tolist() == [[0]] * 4 and batch.asked.all()


def test_decision_trials_have_the_experts_labels_and_a_task_for_each() -> None:
    """The context of a bandit is the same in both episodes of its trial, another one in the next trial."""
    world = make_vector(6, "bandit_5", "point", threads=1)
    policy, trials = trials_of(world, 2)
    collector = DecisionCollector(world, trials, policy, 0.0, 0, torch.Generator().manual_seed(0))
    first, second = collector.collect(), collector.collect()
    assert (first.labels == first.labels[:, :1]).all() and (first.labels != second.labels).any()
    assert first.transitions[:, 9, 6].all() and not first.transitions[:, 8, 6].any()  # an episode's end
