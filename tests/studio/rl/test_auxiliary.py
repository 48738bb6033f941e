"""Auxiliary losses of the reinforcement learners: they reach the policy, are trained and saved, and cost nothing when
there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from studio.contracts import Batch, Outputs
from studio.experiment import Domain
from studio.registry import shared_registry
from studio.rl.algorithms.dqn import DQN, DQNParams
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.recurrent_ppo import RecurrentPPO
from studio.rl.algorithms.sac import SAC, SACParams
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.learners import Learner
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.q_policy import QPolicy
from studio.rl.networks.recurrent import RecurrentActorCritic
from studio.rl.networks.squashed import SquashedActorCritic
from studio.rl.strategy import ReinforcementStrategy
from studio.sim.domains import resolve
from studio.sim.world import World

POINT = {"embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "goal"}
BITS = {"embodiment": "bits_8", "task": "bit_flip", "control": "discrete", "observation": "goal"}
ON_POLICY = {"steps": 8, "minibatch": 16, "epochs": 1, "update": "eager"}
OFF_POLICY = {"samples": 32, "learning_starts": 16, "batch_size": 8, "capacity": 100, "update": "eager"}
WIDTH = 8

Maker = Callable[[Sequence[Any]], Learner]


class StatePrediction(nn.Module):
    """Predicts the observation from the features, by a layer of its own."""

    def __init__(self, inputs: int, weight: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.weight, self.layer = weight, nn.Linear(WIDTH, inputs)
        self.progress: list[float] = []

    def forward(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        assert len(outputs.features) == len(outputs.prediction) == len(batch)
        self.progress.append(batch.progress)
        loss = (self.layer(outputs.features) - batch.observations["state"]).square().mean()
        return self.weight * loss, {"state_loss": loss}


def made(policy: Any, kind: Any, settings: Any, domain: dict[str, Any], auxiliary: Sequence[Any]) -> Any:
    resolved = resolve(Domain.model_validate(domain), shared_registry())
    world = World(resolved.domain, resolved.new_task(), resolved.embodiment, 4, 1)
    low, high = world.control.low, world.control.high
    policy.fit(sum(part.shape[1] for part in world.observe([0]).values()), low, high, 0)
    return kind(policy, world, settings, iterations=2, seed=0, auxiliary=auxiliary)


KINDS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "ppo": lambda losses: made(
        GaussianActorCritic(GaussianActorCritic.Params(width=WIDTH)), PPO, PPOParams(**ON_POLICY), POINT, losses
    ),
    "recurrent_ppo": lambda losses: made(
        RecurrentActorCritic(RecurrentActorCritic.Params(width=WIDTH, hidden=WIDTH)),
        RecurrentPPO, PPOParams(**ON_POLICY), POINT, losses,
    ),
    "sac": lambda losses: made(
        SquashedActorCritic(SquashedActorCritic.Params(width=WIDTH)), SAC, SACParams(**OFF_POLICY), POINT, losses
    ),
    "dqn": lambda losses: made(QPolicy(QPolicy.Params(width=WIDTH)), DQN, DQNParams(**OFF_POLICY), BITS, losses),
}  # fmt: skip


def weights(learner: Any) -> Tensor:
    return torch.cat([part.detach().reshape(-1) for part in learner.policy.parameters()])


@pytest.mark.parametrize("kind", KINDS)
def test_auxiliary_loss_trains_policy_and_itself_and_resumes(kind: str) -> None:
    without = KINDS[kind](())
    inputs = without.policy.params.inputs
    trained, silent = StatePrediction(inputs, 1.0), StatePrediction(inputs, 0.0)
    learner, unchanged = KINDS[kind]([trained]), KINDS[kind]([silent])
    before = trained.layer.weight.clone()
    steps = learner.iterate()
    first = next(steps).values
    kept = learner.state_dict()
    last = next(steps).values
    for trained_alone in (without, unchanged):
        list(trained_alone.iterate())
    assert torch.equal(weights(without), weights(unchanged)), "a loss of weight 0 changes nothing, to the bit"
    assert not torch.equal(weights(without), weights(learner)) and not torch.equal(before, trained.layer.weight)
    assert first["state_loss"] > 0 and last["state_loss"] > 0
    assert sorted(set(trained.progress)) == [0.0, 0.5]
    again = KINDS[kind]([StatePrediction(inputs, 1.0)])
    again.load_state_dict(kept)
    (resumed,) = (metrics.values for metrics in again.iterate())
    assert resumed["state_loss"] == last["state_loss"] and torch.equal(weights(again), weights(learner))


def test_gradient_is_that_of_autograd_on_the_flat_parameters() -> None:
    policy = GaussianActorCritic(GaussianActorCritic.Params(width=WIDTH))
    policy.fit(3, -torch.ones(2).numpy(), torch.ones(2).numpy(), 0)
    policy.critic.requires_grad_(False)
    loss, rows, actions = StatePrediction(3, 2.0), torch.randn(5, 3), torch.randn(5, 2)
    found = AuxiliaryLosses([loss], policy, 0.0).gradient(policy.outputs(rows), rows, actions)
    hidden = torch.tanh(policy.actor[2](torch.tanh(policy.actor[0](rows))))
    (2.0 * (loss.layer(hidden) - rows).square().mean()).backward()
    parts = [p for p in policy.parameters() if p.requires_grad]
    assert torch.allclose(
        found, torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parts])
    )
    assert torch.equal(policy.outputs(rows).prediction, policy.actor(rows))


def test_strategy_hands_its_losses_to_its_learner(monkeypatch: pytest.MonkeyPatch) -> None:
    class Small(ReinforcementStrategy[GaussianActorCritic]):
        id = "small"

        def auxiliary(self, policy: GaussianActorCritic) -> Sequence[Any]:
            return [StatePrediction(policy.params.inputs, 1.0)]

    strategy, plan = Small(PPOParams(**ON_POLICY)), Small.examples()["example"]
    ready = KINDS["ppo"](())
    learner = strategy.learner(ready.policy, ready.rollouts.world, plan, print)
    assert [type(loss) for loss in learner.auxiliary.losses] == [StatePrediction]
