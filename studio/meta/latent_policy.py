"""A policy that acts by a latent variable of the task, which it infers from the transitions of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Act, Observation, Policy
from studio.experiment import setting
from studio.meta.task_encoder import FactorEncoder, RecurrentEncoder
from studio.meta.trials import PREVIOUS
from studio.nn.policy import BasePolicy
from studio.rl.networks.observations import flatten
from studio.rl.networks.squashed import MLPEnsemble, SquashedActorCritic, split

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray


class LatentActorCritic(SquashedActorCritic):
    """As :class:`SquashedActorCritic`, but actor and critics also read a latent variable z of the task, of which an
    encoder has a normal posterior given the transitions (s, a, r) of a trial so far.

    In a trial z is the posterior's mean, or sampled while it explores; where there is no trial, as in the viewer, it
    stays as it is. Its memory, (n, width), holds the support's summary, z, its noise, the last state and whether there
    was one.
    """

    id = "latent_mlp"
    title = "Latent MLP"
    summary = "Squashed Gaussian actor-critic that infers a latent variable of its task; for PEARL."
    reference = "Rakelly et al. 2019 (arXiv:1903.08254)"
    algorithm = ""  # a meta-learner alone trains it
    is_recurrent = True
    plays_trials = True
    explores_apart = True
    infers_task = True

    class Params(SquashedActorCritic.Params):
        """Size of the networks, and how the latent variable is inferred."""

        latent: int = setting(5, "Latent", "Width of the latent variable.", ge=1, le=256)
        encoder: Literal["factors", "recurrent"] = setting(
            "factors",
            "Encoder",
            "factors: a normal factor for each transition, whose order does not matter. recurrent: a GRU.",
        )
        encoder_width: int = setting(200, "Encoder's width", "Width of the encoder's hidden layers.", ge=4, le=4096)
        encoder_layers: int = setting(3, "Encoder's layers", "Number of the encoder's hidden layers.", ge=1, le=8)
        next_state: bool = setting(
            False, "Next state", "The encoder also reads the next state: needed where tasks differ in their dynamics."
        )
        inference: Literal["episode", "step"] = setting(
            "episode",
            "Inference",
            "When a trial's z is inferred: before each episode, as in the paper, or before each step, with the same "
            "noise for a whole episode.",
        )

    params: Params

    def _build(self) -> None:
        p = self.params
        hidden = [p.width] * p.layers
        self.actor = MLPEnsemble([p.inputs + p.latent, *hidden, 2 * p.outputs])
        self.critics = MLPEnsemble([p.inputs + p.latent + p.outputs, *hidden, 1], networks=2)
        kind = FactorEncoder if p.encoder == "factors" else RecurrentEncoder
        self.encoder = kind(self.transition_width, p.latent, p.encoder_width, p.encoder_layers)
        self._add_ranges()

    @property
    def transition_width(self) -> int:
        """Return the width of a transition as the encoder reads it: s, a, r and perhaps s'."""
        p = self.params
        return p.inputs * (2 if p.next_state else 1) + p.outputs + 1

    def transition(self, states: Tensor, actions: Tensor, rewards: Tensor, next_states: Tensor) -> Tensor:
        """Return transitions (n, transition_width): states (n, inputs), actions (n, outputs) in [−1, 1], rewards
        (n, 1)."""
        parts = [states, actions, rewards, next_states]
        return torch.cat(parts if self.params.next_state else parts[:3], -1)

    def scaled(self, native: Tensor) -> Tensor:
        """Return native actions scaled to [−1, 1]."""
        return 2 * (native - self.low) / (self.high - self.low) - 1

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return the squashed means as native actions (n, outputs), by the posterior's mean, and the new memory."""
        with torch.inference_mode():
            return self._acted(observation, memory, None)

    def exploring(self, seed: int) -> Act:
        """Return a function that acts as in training: by a z that is sampled from the posterior for each episode
        (posterior sampling), and by sampled actions, whose transitions the encoder knows."""
        generator = torch.Generator().manual_seed(seed)

        def act(observation: Any, memory: Any) -> tuple[Array, Any]:
            with torch.inference_mode():
                return self._acted(observation, memory, generator)

        return act

    def posterior(self, memory: Array) -> tuple[Array, Array]:
        """Return the posterior's mean and standard deviation, (n, latent), given a memory (n, width)."""
        with torch.inference_mode():
            mean, variance = self.encoder.read(self._parts(memory)[0])
            return mean.cpu().numpy(), variance.sqrt().cpu().numpy()

    def memory_of(self, latent: Array) -> Array:
        """Return the memory, (n, width), that holds values of the latent variable (n, latent) and no support."""
        memory = np.zeros((len(latent), sum(self._widths)), np.float32)
        memory[:, self._widths[0] : self._widths[0] + self.params.latent] = latent
        return memory

    def settled(self, memory: Array) -> Array:
        """Return the memory, (n, width), that keeps the support of another and starts an episode by its posterior's
        mean."""
        kept = self.memory_of(self.posterior(memory)[0])
        kept[:, : self._widths[0]] = memory[:, : self._widths[0]]
        return kept

    @property
    def _widths(self) -> list[int]:
        """Return the widths of a memory's parts: summary, z, its noise, last state, whether there was one."""
        p = self.params
        return [self.encoder.summary_width, p.latent, p.latent, p.inputs, 1]

    def _parts(self, memory: Any) -> tuple[Tensor, ...]:
        rows = torch.as_tensor(memory, dtype=torch.float32, device=self.device)
        return rows.split(self._widths, -1)

    def state(self, observation: Any) -> Array:
        """Return the state alone, (n, inputs): what a trial adds to an observation is the encoder's."""
        return flatten(observation, [*self.params.ignored, *PREVIOUS])

    def _width(self, world: World) -> int:
        return self.state(world.observe(slice(1))).shape[1]

    def _inputs(self, observation: Any) -> Tensor:
        return torch.as_tensor(self.state(observation), dtype=torch.float32, device=self.device)

    def _rows(self, observation: Any, memory: Any) -> Tensor:
        states = self._inputs(observation)
        latent = states.new_zeros(len(states), self.params.latent) if memory is None else self._parts(memory)[1]
        return torch.cat([states, latent], -1)

    def _acted(self, observation: Any, memory: Any, generator: torch.Generator | None) -> tuple[Array, Any]:
        """Return native actions, and the memory after the observation.

        Args:
            generator: of the noise of z and of the actions; None: both are means.
        """
        states = self._inputs(observation)
        if memory is None:
            memory = self.memory_of(np.zeros((len(states), self.params.latent)))
            noise = self._noise(states, generator)
            summary, latent = self._parts(memory)[0], noise
        else:
            summary, latent, noise, last, has_last = self._parts(memory)
            if isinstance(observation, Mapping) and PREVIOUS[0] in observation:
                summary, latent, noise = self._inferred(
                    observation, (summary, latent, noise, last, has_last), states, generator
                )
        mean, log_std = split(self.actor(torch.cat([states, latent], -1))[0])
        raw = mean if generator is None else mean + log_std.exp() * _normal(mean, generator)
        actions = self.native(torch.tanh(raw)).cpu().numpy()
        after = torch.cat([summary, latent, noise, states, torch.ones_like(states[:, :1])], -1)
        return actions, after.cpu().numpy()

    def _inferred(
        self,
        observation: Mapping[str, Any],
        parts: tuple[Tensor, ...],
        states: Tensor,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return summary, z and noise after the transition to an observation of a trial."""
        summary, latent, noise, last, has_last = parts
        action, end, reward = (
            torch.as_tensor(observation[name], dtype=torch.float32, device=states.device) for name in PREVIOUS
        )
        # where an episode has ended the state is the next one's first
        known = has_last * (1 - end) if self.params.next_state else has_last
        transition = self.transition(last, self.scaled(action), reward, states)
        summary = self.encoder.absorb(summary, transition, known[:, 0])
        noise = torch.where(end > 0, self._noise(states, generator), noise)
        mean, variance = self.encoder.read(summary)
        infers = (end > 0) | torch.tensor(self.params.inference == "step", device=states.device)
        return summary, torch.where(infers, mean + variance.sqrt() * noise, latent), noise

    def _noise(self, states: Tensor, generator: torch.Generator | None) -> Tensor:
        zeros = states.new_zeros(len(states), self.params.latent)
        return zeros if generator is None else _normal(zeros, generator)


def _normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Return standard normal noise of a tensor's shape, the same on every device."""
    return torch.randn(like.shape, generator=generator).to(like)


class AdaptedLatentPolicy(BasePolicy):
    """A latent policy after some episodes of a task; it implements :class:`studio.contracts.LatentPolicy`.

    Every episode is played by the posterior's mean.

    Args:
        memory: at the end of those episodes, (1, width); None: there were none.
    """

    is_recurrent = True

    def __init__(self, policy: LatentActorCritic, memory: Array | None) -> None:
        super().__init__()
        self.inner, self.params = policy, policy.params
        self._memory = policy.memory_of(np.zeros((1, policy.params.latent))) if memory is None else memory
        self._start = policy.settled(self._memory)

    def posterior(self) -> tuple[Array, Array]:
        """Return mean and standard deviation of z, (latent,) each."""
        mean, deviation = self.inner.posterior(self._memory)
        return mean[0], deviation[0]

    def with_latent(self, latent: Array) -> Policy:
        """Return the policy that acts by this z, (latent,)."""
        held = AdaptedLatentPolicy(self.inner, None)
        held._start = self.inner.memory_of(latent[None])
        return held

    def act(self, observation: Observation, memory: Any = None) -> tuple[Array, Any]:
        """Return native actions (n, outputs) and the memory (n, width), which stays as it is."""
        memory = self._held(observation) if memory is None else memory
        return self.inner.act(observation, memory)[0], memory

    def value(self, observation: Observation, memory: Any = None) -> Array:
        """Return the lower critic's Q of its own action, (n,)."""
        return self.inner.value(observation, self._held(observation))

    def entropy(self, observation: Observation, memory: Any = None) -> Array:
        """Return the entropy of the exploring action distribution, (n,), nats."""
        return self.inner.entropy(observation, self._held(observation))

    def _held(self, observation: Observation) -> Array:
        return np.repeat(self._start, len(next(iter(observation.values()))), 0)
