"""The base of learners that update between the steps of a world, from one replay buffer.

:mod:`studio.rl.algorithms.sac` and :mod:`studio.rl.algorithms.dqn` add how actions are chosen and what an update is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from studio.contracts import AuxiliaryLoss, Stateful
from studio.rl.algorithms.off_policy import Batch, OffPolicyLearner, OffPolicyParams
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.collectors.env_runner import EnvRunner, Transition
from studio.rl.hindsight import GoalRunner, Hindsight, HindsightParams
from studio.rl.networks.policy import ReinforcementPolicy
from studio.rl.replay import Replay
from studio.seeds import training_episode_seed
from studio.sim.world import World


class StepwiseLearner(OffPolicyLearner):
    """Train a policy in a world from a replay buffer: after each step of all simulations come the updates that are due.

    Args:
        iterations: number of iterations, of ``settings.samples`` environment steps each.
        log: receives sentences for the run's log.
        hindsight: learn to reach goals, by relabeling; None: learn from the world's rewards.
        auxiliary: losses on the features of the actor, or the Q-network, beside the learner's own. With them the update
            is always eager.
    """

    action_width: int  # of a stored action
    relabels_jointly: ClassVar[bool] = False  # whether the batches of consecutive updates are relabeled in one call

    def __init__(
        self,
        policy: ReinforcementPolicy,
        world: World,
        settings: OffPolicyParams,
        *,
        iterations: int,
        seed: int,
        log: Callable[[str], None] = lambda text: None,
        hindsight: HindsightParams | None = None,
        auxiliary: Sequence[AuxiliaryLoss] = (),
    ) -> None:
        super().__init__(policy, settings, iterations, seed, log)
        inputs = policy.params.inputs
        widths = {"observations": inputs, "actions": self.action_width, "rewards": 1}
        widths |= {"next_observations": inputs, "discounts": 1}
        steps = iterations * settings.samples + world.num_envs  # the last step may exceed the budget
        self.replay = Replay(min(settings.capacity, steps), world.num_envs, widths, self.device)
        first, ignored = training_episode_seed(seed), policy.params.ignored
        self.hindsight: Hindsight | None = None
        if hindsight is None:
            self.env_runner = EnvRunner(world, first, self.device, ignored)
        else:
            own = hindsight.goals == "self_generated"
            runner = GoalRunner(world, first, self.device, ignored, self.replay, self.generator, self_generated=own)
            self.env_runner = runner
            self.hindsight = Hindsight(runner.goals, self.replay, hindsight, settings.gamma, self.generator)
        self.auxiliary: AuxiliaryLosses | None = None
        if auxiliary:
            self.auxiliary = AuxiliaryLosses(auxiliary, self.featured_network(), settings.learning_rate)

    def featured_network(self) -> nn.Module:
        """Return the network whose features the auxiliary losses train."""
        return self.policy

    @abstractmethod
    def choose(self, observations: Tensor) -> Tensor:
        """Return exploring actions (env, action_width) in the units that the replay buffer holds."""

    @abstractmethod
    def native(self, actions: Tensor) -> Tensor:
        """Return chosen actions as the world takes them."""

    def update_arguments(self, count: int) -> list[tuple[Tensor, ...]]:
        """Return what each of ``count`` updates takes beside its batch."""
        return [()] * count

    def relabel(self, batch: Batch, times: Tensor, envs: Tensor) -> Batch:
        """Return the batch that is learned from; times and simulations (n,) are its transitions' places in the replay
        buffer."""
        return batch if self.hindsight is None else self.hindsight(batch, times, envs)

    @property
    def samples(self) -> int:
        return self.replay.time * self.replay.envs

    @property
    def can_compile(self) -> bool:
        return self.auxiliary is None

    def progress_values(self) -> dict[str, float]:
        return {} if self.auxiliary is None else self.auxiliary.metrics()

    def play_and_update(self) -> list[Tensor]:
        if self.auxiliary is not None:
            self.auxiliary.progress = self.iteration / self.iterations
        diagnostics: list[Tensor] = []
        while self.samples < (self.iteration + 1) * self.settings.samples:
            self.act()
            if self.samples > self.settings.learning_starts:
                count = self.due_updates(self.replay.envs)
                diagnostics += self.learn(count) if count else []
        return diagnostics

    def act(self) -> Transition:
        """Make one step of every simulation and store it."""
        return self.experience(self.env_runner, self.replay)

    @torch.no_grad()
    def experience(self, env_runner: EnvRunner, replay: Replay) -> Transition:
        """Make one step of every simulation of a world, which may be another one, and store it in its own buffer."""
        actions = self.choose(env_runner.observations)
        step = env_runner.step(self.native(actions).cpu().numpy())
        columns = {"observations": step.observations, "actions": actions, "rewards": step.rewards}
        columns |= {"next_observations": step.next_observations}
        columns |= {"discounts": self.settings.gamma * (1 - step.terminated)}
        replay.add(columns, step.ended)
        return step

    def learn(self, count: int) -> list[Tensor]:
        """Make ``count`` updates on transitions drawn from the replay buffer; return the diagnostics of each."""
        size = self.settings.batch_size
        places = self.replay.places(count * size, self.generator)
        arguments = self.update_arguments(count)
        span = count * size if self.relabels_jointly else size
        diagnostics: list[Tensor] = []
        for start in range(0, count * size, span):
            times, envs = (part[start : start + span] for part in places)
            rows = self.relabel(self.replay.columns(self.replay.gather(times, envs)), times, envs)
            for at in range(0, span, size):
                batch = {name: part[at : at + size].contiguous() for name, part in rows.items()}
                diagnostics.append(self.make_update(batch, *arguments[len(diagnostics)]))
        return diagnostics

    def stateful(self) -> Mapping[str, Stateful]:
        """Return, by name, the parts whose state training continues from, beside the policy and the counters."""
        parts: dict[str, Stateful] = {**super().stateful(), "replay": self.replay}
        return parts if self.auxiliary is None else {**parts, "auxiliary": self.auxiliary}
