"""Soft actor-critic, readable from top to bottom (Haarnoja et al. 2018, arXiv:1812.05905).

Hyper-parameters and the order of the updates are the usual ones (temperature, critics, actor, targets), so returns
compare with other implementations'. What is unusual is how little there is between two updates: all four are one
function of a few flat vectors, compiled whole, with both critics in one product.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value

from studio.contracts import Metrics
from studio.experiment import Settings, setting
from studio.rl.collectors.env_runner import EnvRunner, Transition
from studio.rl.compiling import made_fast
from studio.rl.flat import FlatParameters, adam
from studio.rl.networks.squashed import SquashedActorCritic, squash
from studio.rl.replay import Replay
from studio.seeds import training_episode_seed
from studio.sim.world import World

EAGER_UPDATES = 200  # before compiling: something to see at once, at the same update in every run
UNITS = {
    "return": "", "episode_length": "steps", "samples": "steps", "steps_per_second": "steps/s", "entropy": "nats",
    "diverged": "simulations", "updates": "steps", "alpha": "",
}  # fmt: skip
DIAGNOSTICS = ("critic_loss", "actor_loss", "alpha", "entropy", "q")
Batch = dict[str, Tensor]


class SACParams(Settings):
    """Optimization and collection."""

    learning_rate: float = setting(
        3e-4, "Learning rate", "Adam learning rate of actor, critics and temperature.", gt=0, le=1
    )
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
    alpha: float = setting(1.0, "α", "Initial temperature: the weight of entropy against reward.", gt=0, le=100)
    fixed_alpha: bool = setting(False, "Fixed α", "Keeps the temperature fixed instead of learning it.")
    target_entropy: float | None = setting(
        None,
        "Target entropy",
        "Entropy that the learned temperature aims at; if empty, −1 per action dimension.",
        "nats",
    )
    physics_threads: int = setting(
        0, "Physics threads", "Threads for the simulation; 0 uses every core.", "threads", ge=0, le=1024
    )
    precision: Literal["fp32", "bf16"] = setting(
        "fp32",
        "Precision",
        "Precision of matrix products; bf16 is faster on processors that support it and much slower elsewhere.",
    )
    update: Literal["compiled", "eager"] = setting(
        "compiled", "Update", "compiled runs faster after a few seconds of compilation, and needs a C++ compiler."
    )
    begins_at_random: ClassVar[bool] = True  # until learning starts the actions are uniform, and not the policy's


def has_bf16(device: torch.device) -> bool:
    """Whether products of bf16 matrices are the processor's own work."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return any(has for name, has in torch.cpu.get_capabilities().items() if name.endswith("bf16"))


class SACUpdate:
    """The update alone: all that changes in it, and :meth:`step`. The policy's parameters change in place."""

    def __init__(self, policy: SquashedActorCritic, settings: SACParams) -> None:
        self.policy, self.settings = policy, settings
        self.precision = torch.bfloat16 if settings.precision == "bf16" else torch.float32
        device = policy.low.device
        self.actor, self.critics = FlatParameters(policy.actor), FlatParameters(policy.critics)
        self.target = self.critics.vector.clone()
        self.log_alpha = torch.tensor(settings.alpha, device=device).log()
        wanted = settings.target_entropy
        self.target_entropy = float(-policy.params.outputs if wanted is None else wanted)
        self.count = torch.zeros((), device=device)
        vectors = (self.actor.vector, self.critics.vector, self.log_alpha)
        self.moments = [(torch.zeros_like(v), torch.zeros_like(v)) for v in vectors]  # Adam's first and second

    @property
    def changing(self) -> list[Tensor]:
        """Every tensor that a step changes."""
        moments = [tensor for pair in self.moments for tensor in pair]
        return [self.actor.vector, self.critics.vector, self.target, self.log_alpha, self.count, *moments]

    def step(self, batch: Batch, noise: Tensor) -> Tensor:
        """One update; diagnostics in the order of ``DIAGNOSTICS``.

        Args:
            batch: ``observations``, ``actions`` in [−1, 1], ``next_observations`` (n, width each); ``rewards`` and
                ``discounts`` (n, 1), γ or 0 where the episode terminated.
            noise: standard normal, (2, n, width of an action): of the next state's action, and of the present one's.
        """
        seen, rewards, discounts = batch["observations"], batch["rewards"].squeeze(-1), batch["discounts"].squeeze(-1)
        alpha = self.log_alpha.exp()
        self.count.add_(1)

        ahead, ahead_density = self._draw(self.actor.vector, batch["next_observations"], noise[0])
        best = self._q(self.target, batch["next_observations"], ahead).amin(0)
        wanted = rewards + discounts * (best - alpha * ahead_density)  # equation 3

        def critic_loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            found = self._q(vector, seen, batch["actions"])
            return 0.5 * (found - wanted).square().mean(1).sum(), found.mean()  # equation 5, of both

        gradient, (critic, q) = grad_and_value(critic_loss, has_aux=True)(self.critics.vector)

        def actor_loss(vector: Tensor) -> tuple[Tensor, Tensor]:
            actions, density = self._draw(vector, seen, noise[1])
            return (alpha * density - self._q(self.critics.vector, seen, actions).amin(0)).mean(), density.mean()

        self._descend(1, self.critics.vector, gradient)
        gradient, (actor, density) = grad_and_value(actor_loss, has_aux=True)(self.actor.vector)  # equation 7
        self._descend(0, self.actor.vector, gradient)
        if not self.settings.fixed_alpha:  # equation 18, by the logarithm
            self._descend(2, self.log_alpha, -(density + self.target_entropy))
        self.target.lerp_(self.critics.vector, self.settings.tau)
        return torch.stack([critic, actor, alpha, -density, q])

    def state_dict(self) -> dict[str, Any]:
        """All that changes."""
        return {f"{i:02d}": tensor.clone() for i, tensor in enumerate(self.changing)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        for i, tensor in enumerate(self.changing):
            tensor.copy_(state[f"{i:02d}"])

    def _draw(self, vector: Tensor, observations: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        parameters = functional_call(self.policy.actor, self.actor.unflatten(vector), (observations, self.precision))
        return squash(parameters[0], noise)

    def _q(self, vector: Tensor, observations: Tensor, actions: Tensor) -> Tensor:
        rows = torch.cat([observations, actions], -1)
        found = functional_call(self.policy.critics, self.critics.unflatten(vector), (rows, self.precision))
        return found.squeeze(-1)

    def _descend(self, which: int, vector: Tensor, gradient: Tensor) -> None:
        adam(vector, gradient, *self.moments[which], self.count, self.settings.learning_rate)


class SAC:
    """Trains a policy in a world. The policy's parameters change in place.

    Args:
        iterations: of ``settings.samples`` steps of experience each.
        say: told in a sentence what a person would otherwise wonder about.
        transform: (batch, times, envs) → the batch that is learned from, to relabel goals or mend rewards; times and
            simulations (n,) say where in the replay each transition lies.
    """

    units = UNITS

    def __init__(
        self,
        policy: SquashedActorCritic,
        world: World,
        settings: SACParams,
        *,
        iterations: int,
        seed: int,
        say: Callable[[str], None] = lambda text: None,
        transform: Callable[[Batch, Tensor, Tensor], Batch] | None = None,
    ) -> None:
        self.policy, self.settings, self.iterations, self.say = policy, settings, iterations, say
        self.transform, self.iteration, self.updates = transform, 0, 0
        device = policy.low.device
        if settings.precision == "bf16" and not has_bf16(device):
            say("This processor emulates bf16, which is many times slower than fp32. Choose fp32.")
        self.generator = torch.Generator(device).manual_seed(seed)
        self.interaction = EnvRunner(world, training_episode_seed(seed), device, policy.params.ignored)
        self.update = SACUpdate(policy, settings)
        widths = {"observations": policy.params.inputs, "actions": policy.params.outputs, "rewards": 1}
        widths |= {"next_observations": policy.params.inputs, "discounts": 1}
        steps = iterations * settings.samples + world.num_envs  # the last of them may go over the budget
        self.replay = Replay(min(settings.capacity, steps), world.num_envs, widths, device)
        self._owed = 0.0  # updates that the experience so far has earned
        self._compiled: Callable[[Batch, Tensor], Tensor] | None = None

    @property
    def samples(self) -> int:
        """Steps of experience so far."""
        return self.replay.time * self.replay.envs

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
                    found += self.learn(count)
            self.iteration += 1
            if self.interaction.world.diverged > diverged:
                count = self.interaction.world.diverged - diverged
                self.say(f"Simulations that diverged and were reset: {count}.")
            values = self.interaction.metrics() | {"samples": float(self.samples), "updates": float(self.updates)}
            if found:
                values |= dict(zip(DIAGNOSTICS, torch.stack(found).mean(0).tolist(), strict=True))
            values["steps_per_second"] = (self.samples - before) / (time.perf_counter() - began)
            yield Metrics(self.iteration, self.iterations, values)

    def act(self) -> Transition:
        """One step of every simulation, kept in the replay: at random until learning starts, but for a policy that has
        learned already."""
        return self.experience(self.interaction, self.replay)

    @torch.no_grad()
    def experience(self, interaction: EnvRunner, replay: Replay) -> Transition:
        """One step of every simulation of a world that may be another one, kept in its own replay."""
        policy, seen = self.policy, interaction.observations
        shape, device = (len(seen), policy.params.outputs), seen.device
        if self.settings.begins_at_random and self.samples < self.settings.learning_starts:
            actions = torch.rand(shape, generator=self.generator, device=device) * 2 - 1
        else:
            actions = policy.draw(seen, torch.randn(shape, generator=self.generator, device=device))[0]
        step = interaction.step(policy.native(actions).cpu().numpy())
        columns = {"observations": step.observations, "actions": actions, "rewards": step.rewards}
        columns |= {"next_observations": step.next_observations}
        columns |= {"discounts": self.settings.gamma * (1 - step.terminated)}
        replay.add(columns, step.ended)
        return step

    def learn(self, count: int) -> list[Tensor]:
        """``count`` updates on transitions drawn from the replay; the diagnostics of each."""
        settings, device = self.settings, self.policy.low.device
        size, width = settings.batch_size, self.policy.params.outputs
        places = self.replay.places(count * size, self.generator)
        noise = torch.randn((count, 2, size, width), generator=self.generator, device=device)
        found = []
        for i in range(count):
            times, envs = (part[i * size : (i + 1) * size] for part in places)
            batch = self.replay.columns(self.replay.gather(times, envs))
            if self.transform is not None:
                batch = self.transform(batch, times, envs)
            found.append(self._step_function()({name: part.contiguous() for name, part in batch.items()}, noise[i]))
            self.updates += 1
        return found

    def state_dict(self) -> dict[str, Any]:
        """Everything that training goes on from."""
        return {
            "iteration": self.iteration,
            "updates": self.updates,
            "owed": self._owed,
            "policy": {name: value.clone() for name, value in self.policy.state_dict().items()},
            "update": self.update.state_dict(),
            "generator": self.generator.get_state(),
            "interaction": self.interaction.state_dict(),
            "replay": self.replay.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave."""
        self.iteration, self.updates = int(state["iteration"]), int(state["updates"])
        self._owed = float(state["owed"])
        self.policy.load_state_dict(state["policy"])
        self.update.load_state_dict(state["update"])
        self.generator.set_state(state["generator"].cpu())
        self.interaction.load_state_dict(state["interaction"])
        self.replay.load_state_dict(state["replay"])

    def _step_function(self) -> Callable[[Batch, Tensor], Tensor]:
        """Eager at first, then compiled where that is asked for."""
        if self.settings.update == "eager" or self.updates < EAGER_UPDATES:
            return self.update.step
        if self._compiled is None:
            size, device = self.settings.batch_size, self.policy.low.device
            batch = {name: torch.zeros(size, width, device=device) for name, width in self.replay.widths.items()}
            noise = torch.zeros(2, size, self.policy.params.outputs, device=device)
            self._compiled = made_fast(self.update.step, (batch, noise), self.update.changing, self.say)
        return self._compiled
