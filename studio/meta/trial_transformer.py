"""A transformer that reads the transitions of a trial as a set, and gives each choice its probability of being best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.contracts import Act, Observation, Problem, ResolvedDomain
from studio.experiment import setting
from studio.meta.trials import PREVIOUS
from studio.nn.running_mean_std import RunningMeanStd
from studio.nn.transformer import Block
from studio.rl.networks.distributions import Categorical, gumbel
from studio.rl.networks.observations import entry_names
from studio.rl.networks.policy import FlatPolicy

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray


class TrialTransformer(FlatPolicy):
    """Gives logits of the best action in a state, given transitions (s, a, end, r, s′) of the trial, in any order.

    A token is a transition, or the state that is asked about, padded with zeros, as in Lee et al. 2023
    (arXiv:2306.14892, section 3.2). There are no positions: what happened in a Markov decision process tells of it
    whenever it happened. So tokens of transitions see one another, a state sees them and itself, and the output is a
    function of the set. The memory holds the latest ``length`` transitions, the last state, and how many there were.
    """

    id = "trial_transformer"
    title = "Trial transformer"
    summary = "Transformer over the transitions of a trial; for the decision-pretrained transformer."
    reference = "Lee et al. 2023 (arXiv:2306.14892), section 3"
    is_recurrent = True
    plays_trials = True
    explores_apart = False
    infers_task = True
    needs_observation = False
    controls = ("discrete",)

    class Params(FlatPolicy.Params):
        """Size of the network."""

        width: int = setting(32, "Width", "Width of the tokens; a multiple of the heads.", ge=4, le=4096)
        heads: int = setting(4, "Heads", "Heads of each block's attention.", ge=1, le=64)
        outputs: int = setting(0, "Outputs", "Number of choices; 0: the task's.", ge=0, le=10_000, derived=True)
        length: int = setting(
            0, "Trial length", "Transitions that it holds; 0: a trial's.", "steps", ge=0, le=10_000, derived=True
        )

    params: Params
    sizes = ("outputs", "length")  # without a state, as of a bandit, there are no inputs

    @classmethod
    def check(cls, params: Any, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        if params.width % params.heads == 0:
            return []
        words = f"The width of {params.width} cannot be divided among {params.heads} heads."
        return [Problem("policy.params.heads", words, "Choose a number that divides the width.")]

    def fit_to(self, world: World, seed: int) -> None:
        """Build the network for the observations, choices and trials of a world; the same seed gives the same
        weights."""
        episodes = 1 if world.trials is None else world.trials.k
        width = self.state(world.observe(slice(1))).shape[1]
        self.make(seed, inputs=width, outputs=world.choices, length=episodes * world.task.horizon)

    def _build(self) -> None:
        p = self.params
        self.embedding = nn.Linear(self.token_width + 1, p.width)  # and whether it is asked about
        self.blocks = nn.ModuleList(Block(p.width, p.heads) for _ in range(p.layers))
        self.norm, self.head = nn.LayerNorm(p.width), nn.Linear(p.width, p.outputs)
        self.moments = RunningMeanStd(self.token_width)
        self.register_buffer("low", torch.zeros(1))

    @property
    def token_width(self) -> int:
        """Return the width of a transition: two states, the choice one-hot, the episode's end and the reward."""
        return 2 * self.params.inputs + self.params.outputs + 2

    def forward(self, transitions: Tensor, present: Tensor, states: Tensor) -> Tensor:
        """Return the logits of the choices in each state, (n, states, choices).

        Args:
            transitions: (n, transitions, token_width).
            present: (n, transitions) bool: which of them happened.
            states: that are asked about, (n, states, inputs).
        """
        count, asked = transitions.shape[1], states.shape[1]
        padded = functional.pad(states, (0, self.token_width - states.shape[2]))
        known = functional.pad(self.moments(transitions), (0, 1))
        unknown = self.moments(padded) * (torch.arange(self.token_width, device=states.device) < states.shape[2])
        x = self.embedding(torch.cat([known, functional.pad(unknown, (0, 1), value=1.0)], 1))
        seen = functional.pad(present, (0, asked))[:, None, None]
        mask = seen | torch.eye(count + asked, dtype=torch.bool, device=x.device)
        for block in self.blocks:
            x = block(x, mask)
        logits: Tensor = self.head(self.norm(x[:, count:]))
        return logits

    def state(self, observation: Any) -> Array:
        """Return what a transition holds of an observation, (n, inputs) float32: all but what a trial adds and what is
        ignored."""
        seen = observation if isinstance(observation, Mapping) else {"state": observation}
        names = entry_names(seen, [*self.params.ignored, *PREVIOUS])
        nothing = np.zeros((len(next(iter(seen.values()))), 0), np.float32)
        return np.concatenate([nothing, *(np.asarray(seen[name], np.float32) for name in names)], -1)

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return the likeliest choices, (n, 1), and the memory, (n, …) float32."""
        with torch.inference_mode():
            logits, after = self._logits(observation, memory)
            return logits.argmax(-1, keepdim=True).float().cpu().numpy(), after.cpu().numpy()

    def exploring(self, seed: int) -> Act:
        """Return what acts in a trial: it samples its choices, which is posterior sampling (section 3.3)."""
        generator = torch.Generator().manual_seed(seed)

        def act(observation: Observation, memory: Any) -> tuple[Array, Any]:
            with torch.inference_mode():
                logits, after = self._logits(observation, memory)
                noise = gumbel(tuple(logits.shape), generator).to(logits)
                return (logits + noise).argmax(-1, keepdim=True).float().cpu().numpy(), after.cpu().numpy()

        return act

    def entropy(self, observation: Any, memory: Any = None) -> Array:
        """Return the entropy of the choice, (n,), nats."""
        with torch.inference_mode():
            return Categorical(self._logits(observation, memory)[0]).entropies().cpu().numpy()

    def _logits(self, observation: Any, memory: Any) -> tuple[Tensor, Tensor]:
        """Return the logits, (n, choices), and the memory after the observation."""
        device, length = self.device, self.params.length
        state = torch.from_numpy(self.state(observation)).to(device)
        n = len(state)
        if memory is None:
            memory = torch.zeros(n, length * self.token_width + self.params.inputs + 1)
        memory = torch.as_tensor(memory, dtype=torch.float32, device=device)
        flat, last, count = memory.split([length * self.token_width, self.params.inputs, 1], 1)
        transitions, seen = flat.unflatten(1, (length, self.token_width)), count[:, 0].long()
        in_trial = isinstance(observation, Mapping) and PREVIOUS[0] in observation
        if in_trial:
            latest = self._latest(observation, last, state)
            rows, place = torch.arange(n, device=device), (seen - 1).clamp(min=0) % length
            latest = torch.where(count > 0, latest, transitions[rows, place])
            transitions = transitions.index_put((rows, place), latest)
        most = min(int(seen.max()), length)
        present = torch.arange(most, device=device) < seen[:, None]
        logits = self(transitions[:, :most], present, state[:, None])[:, 0]
        after = torch.cat([transitions.flatten(1), state, count + 1 if in_trial else count], 1)
        return logits, after

    def _latest(self, observation: Mapping[str, Any], last: Tensor, state: Tensor) -> Tensor:
        """Return the transition that led to an observation, (n, token_width)."""
        action, end, reward = (torch.as_tensor(observation[name]).to(state) for name in PREVIOUS)
        return transition(last, action, end, reward, state)


def transition(state: Tensor, choice: Tensor, end: Tensor, reward: Tensor, following: Tensor) -> Tensor:
    """Return transitions, (…, token_width); where an episode ended the state that followed is not known: zeros."""
    return torch.cat([state, choice, end, reward, following * (1 - end)], -1)
