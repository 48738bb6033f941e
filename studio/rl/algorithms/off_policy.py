"""The loop of all learners with a replay buffer: act, store, update, report.

:mod:`studio.rl.algorithms.sac` and :mod:`studio.rl.algorithms.dqn` add how actions are chosen and what an update is.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol

import torch
from torch import Tensor, nn

from studio.contracts import AuxiliaryLoss, Metrics, Stateful
from studio.experiment import Settings, setting
from studio.rl.auxiliary import AuxiliaryLosses
from studio.rl.collectors.env_runner import EnvRunner, Transition
from studio.rl.collectors.episode_statistics import diverged_sentence
from studio.rl.compiling import compile_update
from studio.rl.hindsight import GoalRunner, Hindsight, HindsightParams
from studio.rl.networks.policy import ReinforcementPolicy
from studio.rl.replay import Replay
from studio.seeds import training_episode_seed
from studio.sim.world import World

EAGER_UPDATES = 200  # before compiling, so that the first metrics appear at once; a fixed number, for reproducibility
Batch = dict[str, Tensor]


class OffPolicyParams(Settings):
    """Optimization and collection with a replay buffer; the defaults are SAC's."""

    learning_rate: float = setting(3e-4, "Learning rate", "Adam learning rate of all that is trained.", gt=0, le=1)
    simulations: int = setting(8, "Simulations", "Number of parallel simulations.", "simulations", ge=1, le=65_536)
    samples: int = setting(
        1000, "Samples", "Environment steps per iteration, over all simulations.", "steps", ge=1, le=1_000_000
    )
    update_ratio: float = setting(1.0, "Update ratio", "Gradient updates per environment step.", gt=0, le=100)
    batch_size: int = setting(256, "Batch size", "Transitions per update.", "transitions", ge=2, le=1_000_000)
    capacity: int = setting(
        1_000_000, "Capacity", "Capacity of the replay buffer.", "transitions", ge=100, le=100_000_000
    )
    learning_starts: int = setting(
        1000, "Learning starts", "Steps with random actions before the first update.", "steps", ge=0, le=10_000_000
    )
    gamma: float = setting(0.99, "γ", "Discount factor per step.", ge=0, le=1)
    tau: float = setting(0.005, "τ", "Polyak coefficient of the target critics' update.", gt=0, le=1)
    physics_threads: int = setting(
        0, "Physics threads", "Threads for the simulation; 0 uses every core.", "threads", ge=0, le=1024
    )
    update: Literal["compiled", "eager"] = setting(
        "compiled", "Update", "compiled runs faster after a few seconds of compilation, and needs a C++ compiler."
    )


class Update(Stateful, Protocol):
    """One gradient update of a learner, and all tensors that it changes."""

    @property
    def changing(self) -> list[Tensor]:
        """Return every tensor that a step changes."""

    @property
    def step(self) -> Callable[..., Tensor]:
        """Return the function (batch, …) → diagnostics that makes an update."""


class OffPolicyLearner(ABC):
    """Train a policy in a world from a replay buffer. The policy's parameters change in place.

    Args:
        iterations: number of iterations, of ``settings.samples`` environment steps each.
        log: receives sentences for the run's log.
        hindsight: learn to reach goals, by relabeling; None: learn from the world's rewards.
        auxiliary: losses on the features of the actor, or the Q-network, beside the learner's own. With them the update
            is always eager.
    """

    units: ClassVar[Mapping[str, str]]
    diagnostics: ClassVar[tuple[str, ...]]  # names of what an update returns
    action_width: int  # of a stored action
    relabels_jointly: ClassVar[bool] = False  # whether the batches of consecutive updates are relabeled in one call
    # subclasses declare their own kinds of these
    policy: ReinforcementPolicy
    settings: OffPolicyParams
    update: Update

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
        self.policy, self.settings, self.iterations, self.log = policy, settings, iterations, log
        self.iteration, self.updates = 0, 0
        self.device = policy.device
        self.generator = torch.Generator(self.device).manual_seed(seed)
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
        self._due = 0.0  # updates that ``update_ratio`` requires and that were not made yet
        self._compiled: Callable[..., Tensor] | None = None
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

    def progress_values(self) -> dict[str, float]:
        """Return what an iteration's metrics hold beside the shared ones."""
        return {}

    @property
    def samples(self) -> int:
        """Return the environment steps so far, over all simulations."""
        return self.replay.time * self.replay.envs

    def iterate(self) -> Iterator[Metrics]:
        """Act, learn, and yield the metrics of each iteration until the budget is spent."""
        while self.iteration < self.iterations:
            started, before = time.perf_counter(), self.samples
            if self.auxiliary is not None:
                self.auxiliary.progress = self.iteration / self.iterations
            diverged = self.env_runner.world.diverged
            diagnostics: list[Tensor] = []
            while self.samples < (self.iteration + 1) * self.settings.samples:
                self.act()
                if self.samples > self.settings.learning_starts:
                    self._due += self.settings.update_ratio * self.replay.envs
                    count, self._due = int(self._due), self._due % 1
                    diagnostics += self.learn(count) if count else []
            self.iteration += 1
            if self.env_runner.world.diverged > diverged:
                self.log(diverged_sentence(self.env_runner.world.diverged - diverged))
            values = self.env_runner.metrics() | {"samples": float(self.samples), "updates": float(self.updates)}
            values |= self.progress_values()
            if diagnostics:
                values |= dict(zip(self.diagnostics, torch.stack(diagnostics).mean(0).tolist(), strict=True))
            values |= {} if self.auxiliary is None else self.auxiliary.metrics()
            values["steps_per_second"] = (self.samples - before) / (time.perf_counter() - started)
            yield Metrics(self.iteration, self.iterations, values)

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
                diagnostics.append(self._step_function()(batch, *arguments[len(diagnostics)]))
                self.updates += 1
        return diagnostics

    def stateful(self) -> Mapping[str, Stateful]:
        """Return, by name, the parts whose state training continues from, beside the policy and the counters."""
        parts: dict[str, Stateful] = {"update": self.update, "interaction": self.env_runner, "replay": self.replay}
        return parts if self.auxiliary is None else {**parts, "auxiliary": self.auxiliary}

    def state_dict(self) -> dict[str, Any]:
        """Return everything that training continues from, the policy included."""
        return {
            "iteration": self.iteration,
            "updates": self.updates,
            "owed": self._due,
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            "generator": self.generator.get_state(),
            **{name: part.state_dict() for name, part in self.stateful().items()},
        }

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        """Restore what :meth:`state_dict` returned; an earlier version's DQN kept no policy beside its update."""
        self.iteration, self.updates = int(state["iteration"]), int(state["updates"])
        self._due = float(state["owed"])
        if "policy" in state:
            self.policy.load_state_dict(state["policy"])
        self.generator.set_state(state["generator"].cpu())
        for name, part in self.stateful().items():
            part.load_state_dict(state[name])

    def _step_function(self) -> Callable[..., Tensor]:
        """Return the update: eager at first, then compiled if the settings ask for it."""
        if self.settings.update == "eager" or self.auxiliary is not None or self.updates < EAGER_UPDATES:
            return self.update.step
        if self._compiled is None:
            size = self.settings.batch_size
            batch = {name: torch.zeros(size, width, device=self.device) for name, width in self.replay.widths.items()}
            more = tuple(torch.zeros_like(part) for part in self.example_arguments())
            self._compiled = compile_update(self.update.step, (batch, *more), self.update.changing, self.log)
        return self._compiled

    def example_arguments(self) -> tuple[Tensor, ...]:
        """Return tensors shaped as an update's arguments beside its batch."""
        return ()
