"""Double deep Q-learning, readable from top to bottom (Mnih et al. 2015; van Hasselt et al. 2016, arXiv:1509.06461).

The whole update, target and all, is one function of a few flat vectors, compiled whole where that is asked for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value
from torch.nn import functional

from studio.contracts import Metrics
from studio.experiment import Settings, setting
from studio.rl.collectors.env_runner import EnvRunner, Transition
from studio.rl.compiling import made_fast
from studio.rl.flat import FlatParameters, adam
from studio.rl.networks.q_policy import QPolicy
from studio.rl.replay import Replay
from studio.seeds import training_episode_seed
from studio.sim.world import World

EAGER_UPDATES = 200  # before compiling: something to see at once, at the same update in every run
UNITS = {
    "return": "", "episode_length": "steps", "samples": "steps", "steps_per_second": "steps/s", "epsilon": "",
    "diverged": "simulations", "updates": "steps", "q": "",
}  # fmt: skip
DIAGNOSTICS = ("loss", "q")
Batch = dict[str, Tensor]


class DQNParams(Settings):
    """Optimization and collection."""

    learning_rate: float = setting(1e-3, "Learning rate", "Adam learning rate.", gt=0, le=1)
    simulations: int = setting(16, "Simulations", "Number of parallel simulations.", "simulations", ge=1, le=65_536)
    samples: int = setting(
        1000, "Samples", "Environment steps per iteration, over all simulations.", "steps", ge=1, le=1_000_000
    )
    update_ratio: float = setting(0.25, "Update ratio", "Gradient updates per environment step.", gt=0, le=100)
    batch_size: int = setting(128, "Batch size", "Transitions per update.", "transitions", ge=2, le=1_000_000)
    capacity: int = setting(
        1_000_000, "Capacity", "Capacity of the replay buffer.", "transitions", ge=100, le=100_000_000
    )
    learning_starts: int = setting(
        1000, "Learning starts", "Steps with random actions before the first update.", "steps", ge=0, le=10_000_000
    )
    gamma: float = setting(0.98, "γ", "Discount factor per step.", ge=0, le=1)
    tau: float = setting(
        0.01, "τ", "Polyak coefficient of the target network's update; 1 copies the network.", gt=0, le=1
    )
    target_every: int = setting(
        1, "Target update every", "Gradient updates between updates of the target network.", "updates", ge=1, le=10**6
    )
    double: bool = setting(
        True, "Double", "Double DQN: the network selects the next action, the target network evaluates it."
    )
    epsilon_start: float = setting(1.0, "Initial ε", "Probability of a random action at the start.", ge=0, le=1)
    epsilon_end: float = setting(0.1, "Final ε", "Probability of a random action at the end.", ge=0, le=1)
    epsilon_steps: int = setting(
        10_000, "ε decay", "Environment steps over which ε falls to its final value.", "steps", ge=1, le=100_000_000
    )
    physics_threads: int = setting(
        0, "Physics threads", "Threads for the simulation; 0 uses every core.", "threads", ge=0, le=1024
    )
    update: Literal["compiled", "eager"] = setting(
        "compiled", "Update", "compiled runs faster after a few seconds of compilation, and needs a C++ compiler."
    )


class DQNUpdate:
    """The update alone: all that changes in it, and :meth:`step`. The policy's parameters change in place.

    Args:
        bounds: that no return can leave: targets are clipped to them (Andrychowicz et al. 2017, appendix A).
    """

    def __init__(
        self, policy: QPolicy, settings: DQNParams, bounds: tuple[float, float] = (-math.inf, math.inf)
    ) -> None:
        self.policy, self.settings, self.bounds = policy, settings, bounds
        self.flat = FlatParameters(policy)
        self.target = self.flat.vector.clone()
        self.first, self.second = torch.zeros_like(self.target), torch.zeros_like(self.target)  # Adam's
        self.count = torch.zeros((), device=self.target.device)

    @property
    def changing(self) -> list[Tensor]:
        """Every tensor that a step changes."""
        return [self.flat.vector, self.target, self.first, self.second, self.count]

    def step(self, batch: Batch) -> Tensor:
        """One update; diagnostics in the order of ``DIAGNOSTICS``.

        Args:
            batch: ``observations``, ``next_observations`` (n, width); ``actions`` (n, 1), the places of the choices;
                ``rewards`` and ``discounts`` (n, 1), γ or 0 where the episode terminated.
        """
        settings = self.settings
        wanted = self.targets(batch)

        def loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            found = self._q(vector, batch["observations"]).gather(1, batch["actions"].long())
            # Huber's: the error is clipped in its gradient, as Mnih et al. do
            return functional.smooth_l1_loss(found, wanted), found.mean()

        gradient, (value, q) = grad_and_value(loss, has_aux=True)(self.flat.vector)
        self.count.add_(1)
        adam(self.flat.vector, gradient, self.first, self.second, self.count, settings.learning_rate)
        share = torch.where(self.count % settings.target_every == 0, settings.tau, 0.0)
        self.target.add_(share * (self.flat.vector - self.target))
        return torch.stack([value, q])

    def targets(self, batch: Batch) -> Tensor:
        """r + γ Q⁻(s′, argmax Q(s′, ·)), (n, 1); without ``double`` r + γ max Q⁻(s′, ·)."""
        ahead = self._q(self.target, batch["next_observations"])
        chooser = self._q(self.flat.vector, batch["next_observations"]) if self.settings.double else ahead
        best = ahead.gather(1, chooser.argmax(1, keepdim=True))
        return (batch["rewards"] + batch["discounts"] * best).clamp(*self.bounds)

    def state_dict(self) -> dict[str, Any]:
        """All that changes."""
        return {f"{i:02d}": tensor.clone() for i, tensor in enumerate(self.changing)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        for i, tensor in enumerate(self.changing):
            tensor.copy_(state[f"{i:02d}"])

    def _q(self, vector: Tensor, observations: Tensor) -> Tensor:
        found: Tensor = functional_call(self.policy, self.flat.unflatten(vector), (observations,), strict=False)
        return found


class DQN:
    """Trains a policy in a world of discrete control. The policy's parameters change in place.

    Args:
        iterations: of ``settings.samples`` steps of experience each.
        say: told in a sentence what a person would otherwise wonder about.
        transform: (batch, times, envs) → the batch that is learned from, to relabel goals; times and simulations (n,)
            say where in the replay each transition lies. A batch may be that of several updates.
        bounds: see :class:`DQNUpdate`.
    """

    units = UNITS

    def __init__(
        self,
        policy: QPolicy,
        world: World,
        settings: DQNParams,
        *,
        iterations: int,
        seed: int,
        say: Callable[[str], None] = lambda text: None,
        transform: Callable[[Batch, Tensor, Tensor], Batch] | None = None,
        bounds: tuple[float, float] = (-math.inf, math.inf),
    ) -> None:
        self.policy, self.settings, self.iterations, self.say = policy, settings, iterations, say
        self.transform, self.iteration, self.updates = transform, 0, 0
        device = policy.low.device
        self.generator = torch.Generator(device).manual_seed(seed)
        self.interaction = EnvRunner(world, training_episode_seed(seed), device, policy.params.ignored)
        self.update = DQNUpdate(policy, settings, bounds)
        seen = policy.params.inputs
        widths = {"observations": seen, "actions": 1, "rewards": 1, "next_observations": seen, "discounts": 1}
        steps = iterations * settings.samples + world.num_envs  # the last of them may go over the budget
        self.replay = Replay(min(settings.capacity, steps), world.num_envs, widths, device)
        self._owed = 0.0  # updates that the experience so far has earned
        self._compiled: Callable[[Batch], Tensor] | None = None

    @property
    def samples(self) -> int:
        """Steps of experience so far."""
        return self.replay.time * self.replay.envs

    @property
    def epsilon(self) -> float:
        """Share of random actions now."""
        s, done = self.settings, self.samples - self.settings.learning_starts
        if done < 0:
            return 1.0
        return s.epsilon_start + (s.epsilon_end - s.epsilon_start) * min(1.0, done / s.epsilon_steps)

    def iterate(self) -> Iterator[Metrics]:
        """Acts, learns, and yields what it found, until the budget is spent."""
        while self.iteration < self.iterations:
            began, before = time.perf_counter(), self.samples
            diverged = self.interaction.world.diverged
            found: list[Tensor] = []
            while self.samples < (self.iteration + 1) * self.settings.samples:
                self.act()
                if self.samples > self.settings.learning_starts:
                    self._owed += self.settings.update_ratio * self.replay.envs
                    count, self._owed = int(self._owed), self._owed % 1
                    found += self.learn(count) if count else []
            self.iteration += 1
            if self.interaction.world.diverged > diverged:
                count = self.interaction.world.diverged - diverged
                self.say(f"Simulations that diverged and were reset: {count}.")
            values = self.interaction.metrics() | {"samples": float(self.samples), "updates": float(self.updates)}
            values["epsilon"] = self.epsilon
            if found:
                values |= dict(zip(DIAGNOSTICS, torch.stack(found).mean(0).tolist(), strict=True))
            values["steps_per_second"] = (self.samples - before) / (time.perf_counter() - began)
            yield Metrics(self.iteration, self.iterations, values)

    @torch.no_grad()
    def act(self) -> Transition:
        """One step of every simulation, ε of them at random; kept in the replay."""
        policy, seen = self.policy, self.interaction.observations
        draws = {"generator": self.generator, "device": seen.device}
        actions = policy(seen).argmax(1, keepdim=True)
        others = torch.randint(policy.params.outputs, actions.shape, **draws)
        actions = torch.where(torch.rand(actions.shape, **draws) < self.epsilon, others, actions).float()
        step = self.interaction.step(actions.cpu().numpy())
        columns = {"observations": step.observations, "actions": actions, "rewards": step.rewards}
        columns |= {"next_observations": step.next_observations}
        columns |= {"discounts": self.settings.gamma * (1 - step.terminated)}
        self.replay.add(columns, step.ended)
        return step

    def learn(self, count: int) -> list[Tensor]:
        """``count`` updates on transitions drawn from the replay; the diagnostics of each."""
        size = self.settings.batch_size
        times, envs = self.replay.places(count * size, self.generator)
        drawn = self.replay.columns(self.replay.gather(times, envs))
        if self.transform is not None:
            drawn = self.transform(drawn, times, envs)
        found = []
        for i in range(count):
            batch = {name: part[i * size : (i + 1) * size].contiguous() for name, part in drawn.items()}
            found.append(self._step_function()(batch))
            self.updates += 1
        return found

    def state_dict(self) -> dict[str, Any]:
        """Everything that training goes on from."""
        return {
            "iteration": self.iteration,
            "updates": self.updates,
            "owed": self._owed,
            "update": self.update.state_dict(),
            "generator": self.generator.get_state(),
            "interaction": self.interaction.state_dict(),
            "replay": self.replay.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self.iteration, self.updates = int(state["iteration"]), int(state["updates"])
        self._owed = float(state["owed"])
        self.update.load_state_dict(state["update"])
        self.generator.set_state(state["generator"].cpu())
        self.interaction.load_state_dict(state["interaction"])
        self.replay.load_state_dict(state["replay"])

    def _step_function(self) -> Callable[[Batch], Tensor]:
        """Eager at first, then compiled where that is asked for."""
        if self.settings.update == "eager" or self.updates < EAGER_UPDATES:
            return self.update.step
        if self._compiled is None:
            size, device = self.settings.batch_size, self.policy.low.device
            batch = {name: torch.zeros(size, width, device=device) for name, width in self.replay.widths.items()}
            self._compiled = made_fast(self.update.step, (batch,), self.update.changing, self.say)
        return self._compiled
