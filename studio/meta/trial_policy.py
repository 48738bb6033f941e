"""Policies that observe previous action, reward and episode end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Act, Problem, ResolvedDomain
from studio.experiment import setting
from studio.meta.trials import PREVIOUS
from studio.rl.networks.recurrent import RecurrentActorCritic

Array = np.ndarray


class TrialActorCritic(RecurrentActorCritic):
    """As :class:`RecurrentActorCritic`, for the observations of :class:`studio.meta.trials.Trials`.

    In a world without trials, as in the viewer, previous action, reward and end are replaced by their training means.
    """

    id = "trial_gru"
    title = "Trial GRU"
    summary = "Recurrent actor-critic whose memory lasts over the episodes of a trial; for RL²."
    reference = "Duan et al. 2016 (arXiv:1611.02779)"
    plays_trials = True
    explores_apart = False
    infers_task = True
    needs_observation = False

    def exploring(self, seed: int) -> Act:
        """Return a function that acts as :meth:`act`, but samples its actions as in training."""
        generator = torch.Generator().manual_seed(seed)

        def act(observation: Any, memory: Any) -> tuple[Array, Any]:
            with torch.inference_mode():
                features, after = self._remembered(observation, memory)
                outputs = self.actor(features)
                noise = self.noise((len(outputs),), generator).to(outputs)
                return self.native(self.explored(outputs, noise)).cpu().numpy(), after.cpu().numpy()

        return act

    def _normalized(self, observation: Any) -> Tensor:
        entries: Mapping[str, Any] = observation if isinstance(observation, Mapping) else {"state": observation}
        if PREVIOUS[0] in entries:
            return super()._normalized(entries)
        n = len(next(iter(entries.values())))
        widths = dict.fromkeys(PREVIOUS, 1) | {"previous_action": self.params.choices or self.params.outputs}
        missing = {name: np.full((n, width), np.nan, np.float32) for name, width in widths.items()}
        return torch.nan_to_num(super()._normalized({**entries, **missing}), nan=0.0)


class CellFreeActorCritic(TrialActorCritic):
    """Base of the policies for trials whose memory is not a recurrent cell's: a subclass says what it remembers."""

    class Params(TrialActorCritic.Params):
        """Size of the memory and the networks."""

        cell: Literal["gru", "lstm"] = setting("gru", "Cell", "It has none.", since=2, derived=True)

    @classmethod
    def check(cls, params: Any, domains: Mapping[str, ResolvedDomain]) -> list[Problem]:
        problems = super().check(params, domains)
        if params.cell == "gru":
            return problems
        message = f"The memory of '{cls.id}' has no cell, so this setting has no effect."
        remedy = "Leave it out, or choose trial_gru or trial_hypernetwork."
        return [*problems, Problem("policy.params.cell", message, remedy)]

    def _build(self) -> None:
        super()._build()
        del self.core  # only now: what is drawn after it stays what it was
