"""Few-shot adaptation: support and query, scores by the number of support episodes, problems before the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from plugins.policies.token_transformer import TokenTransformer
from plugins.strategies.few_shot import FewShot
from studio.contracts import EmbodimentSpec, Episodes
from studio.data.datasets import demonstrations
from studio.errors import ExperimentError
from studio.experiment import Experiment
from studio.il.mixture import bind_sources, source_datasets
from studio.meta.adaptable import Adaptable
from studio.meta.task_batches import TaskBatches
from studio.registry import shared_registry
from studio.run.check import check
from studio.run.evaluate import evaluate
from studio.seeds import LAST_SEED
from studio.sim.domains import resolve
from studio.sim.world import World
from tests import tiny

SAME = ("source", "sources.1")
LENGTHS = (4, 6, 5, 3)


def plan(**changes: Any) -> Experiment:
    return FewShot.examples()["example"].changed(**changes)


def recorded(task: int) -> Episodes:
    """Return episodes whose actions say which task and which episode a frame is of."""
    episode = np.repeat(np.arange(len(LENGTHS)), LENGTHS)
    rng = np.random.default_rng(task)
    joints, end, goal = (rng.normal(size=(len(episode), width)).astype(np.float32) for width in (7, 3, 3))
    actions = np.zeros((len(episode), 3), np.float32)
    actions[:, 0], actions[:, 1] = task + rng.uniform(-0.3, 0.3, len(episode)), episode / 10
    actions[:, 2] = rng.normal(size=len(episode))
    return Episodes({"joint_pos": joints, "eef_pos": end, "goal": goal}, actions, np.array(LENGTHS))


@pytest.fixture
def policy() -> TokenTransformer:
    torch.manual_seed(0)
    found = TokenTransformer(TokenTransformer.Params(**tiny.POLICY), "goal").double()
    domains = [resolve(source, shared_registry()) for source in plan().sources]
    bind_sources(found, [EmbodimentSpec.of(domain, recorded(i)) for i, domain in enumerate(domains)])
    return found


def batches(policy: TokenTransformer, support: int = 2, per_batch: int = 2) -> TaskBatches:
    return TaskBatches(policy, source_datasets([recorded(0), recorded(1)]), per_batch, support, frames=16, seed=3)


def test_support_and_query_have_no_episode_in_common(policy: TokenTransformer) -> None:
    made, counts = batches(policy), set()
    for iteration in range(20):
        batch = made.batch(iteration)
        assert batch.actions.shape == (2, 32, 3) and set(batch.embodiment[:, 0].tolist()) == {0, 1}
        for rows in batch.actions:
            assert len(rows[:, 0].round().unique()) == 1
            support, query = ({round(10 * x) for x in part.tolist()} for part in (rows[:16, 1], rows[16:, 1]))
            assert not support & query
            counts.add(len(support))
    assert counts == {1, 2}
    torch.testing.assert_close(made.batch(5).actions, made.batch(5).actions)


def test_a_support_of_all_episodes_is_refused(policy: TokenTransformer) -> None:
    with pytest.raises(ValueError, match="4 of 4 episodes are the support"):
        batches(policy, support=len(LENGTHS))


@pytest.mark.parametrize("first_order", [False, True])
def test_meta_loss_of_two_tasks_is_the_mean_of_each_alone(policy: TokenTransformer, first_order: bool) -> None:
    adaptable = Adaptable(policy, steps=2, rate=0.1, learn_rates=True, first_order=first_order).double()
    batch = batches(policy).batch(0)
    batch = batch.replace(
        observations={name: value.double() for name, value in batch.observations.items()},
        actions=batch.actions.double(),
    )
    alone = [
        batch.replace(
            observations={name: value[row : row + 1] for name, value in batch.observations.items()},
            **{name: getattr(batch, name)[row : row + 1] for name in ("actions", "domain", "embodiment")},
        )
        for row in range(2)
    ]
    leaves = list(adaptable.parameters())
    together, _ = adaptable.loss(batch)
    mean = sum(adaptable.loss(part)[0] for part in alone) / 2
    torch.testing.assert_close(together, mean, rtol=1e-5, atol=0)
    gradients = [torch.autograd.grad(loss, leaves, allow_unused=True) for loss in (together, mean)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-9)
    assert gradients[0][0] is not None and float(gradients[0][0].abs().max()) > 0, "the inner rates learn"


def test_adapted_policy_fits_its_support_better_than_the_start(policy: TokenTransformer) -> None:
    policy.float()
    adaptable = Adaptable(policy, steps=5, rate=0.01)
    rows = batches(policy, per_batch=1).batch(0)
    support = rows.replace(
        observations={name: value[0] for name, value in rows.observations.items()},
        **{name: getattr(rows, name)[0] for name in ("actions", "domain", "embodiment")},
    )
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    adapted = adaptable.adapted(policy, support)
    assert adapted.loss(support)[0] < 0.5 * policy.loss(support)[0]
    torch.testing.assert_close(policy.state_dict(), before)


def test_inner_loop_changes_the_adapted_module_alone_by_elementwise_rates(policy: TokenTransformer) -> None:
    policy.float()
    rows = batches(policy, per_batch=1).batch(0)
    support = rows.replace(
        observations={name: value[0] for name, value in rows.observations.items()},
        **{name: getattr(rows, name)[0] for name in ("actions", "domain", "embodiment")},
    )
    adaptable = Adaptable(policy, 2, 0.05, learn_rates=True, modules=["action_head.2"], elementwise=True)
    with torch.no_grad():
        for place, name in enumerate(adaptable.names):
            if name.endswith("weight"):
                adaptable.scaled_log_rates[place][:, :, :8] = -100  # rates of 0 for what reads the first features
    before, after = policy.state_dict(), adaptable.adapted(policy, support).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"action_head.2.weight", "action_head.2.bias"}
    same = (before["action_head.2.weight"] == after["action_head.2.weight"]).all(0)
    assert same[:8].all() and not same[8:].all()


def test_scores_are_named_by_their_support_episodes(runs: Path) -> None:
    rows = [row for row in tiny.run(plan(), runs).evaluations if row["final"]]
    assert [(row["domain"], row["shots"]) for row in rows] == [("target", 1), ("target", 2)]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"sources": [{"task": "reach_uncalibrated", "observation": "goal", "episodes": 9}]}, "source", "needs 2"),
        ({"evaluation.shots": [0, 1]}, "evaluation.shots", "nothing to adapt to"),
        ({"evaluation.shots": [3]}, "evaluation.shots", "to 3 episodes, and the target has 2"),
        ({"evaluation.held_out": "inside"}, "evaluation.held_out", "one task"),
        ({"evaluation.keep_best": True, "evaluation.every": 2}, "evaluation.keep_best", "adapted already"),
        ({"strategy.params": {"support_episodes": 3}}, "source.episodes", "3 episodes leave none for the query"),
        ({"strategy.params": {"adapted_modules": ["input"]}}, "strategy.params.adapted_modules", "point_embedding"),
        ({"strategy.params": {"inner_steps": 0}}, "strategy.params.inner_steps", "at least 1"),
        ({"budget.batch_size": 8}, "budget.batch_size", "too small for support and query"),
    ],
)
def test_few_shot_problems_before_the_start(changes: dict[str, Any], field: str, words: str) -> None:
    asked = plan(**changes)
    found = [p for p in check(asked, shared_registry()) if p.field == field]
    assert found and words in found[0].message + found[0].remedy and found[0].remedy


def test_sources_of_one_robot_and_task_have_scenes_of_their_own() -> None:
    other = {"task": "reach_uncalibrated", "observation": "goal", "embodiment": "ur5_6dof"}
    asked = plan(**{"sources": [*(s.model_dump() for s in plan().sources), other], "pretraining.seed": 7, "seed": 3})
    seeds = asked.demonstration_seeds
    assert (seeds["target"], seeds["source"], seeds["sources.2"]) == (3, 7, 7)
    assert seeds["sources.1"] > LAST_SEED
    balls = [demonstrations(resolve(asked.domains[name], shared_registry()), seeds[name]).states for name in SAME]
    assert not np.isclose(balls[0][0], balls[1][0]).all()


def test_an_episode_of_no_demonstration_is_refused() -> None:
    with pytest.raises(ExperimentError, match=r"target\.episodes"):
        plan(**{"target.episodes": 0})


def test_uncalibrated_camera_turns_and_shifts_the_ball_and_the_expert_still_reaches_it() -> None:
    yaw, x, y = 0.5, 0.03, -0.07
    domain = resolve(plan(**{"target.contexts": [[yaw, x, y]]}).target, shared_registry())
    world = World(domain.domain, domain.new_task(), domain.embodiment, 4)
    try:
        observation, _ = world.reset(seed=1)
        ball, middle = world.mocap()[:, 0], np.array([0.47, 0.0])
        turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
        measured = middle + (ball[:, :2] - middle) @ turn.T + [x, y]
        np.testing.assert_allclose(observation["goal"], np.column_stack([measured, ball[:, 2]]), atol=1e-6)
    finally:
        world.close()
    assert evaluate("expert", domain, 4, 1).score == 1
