"""What a session gives a strategy: policies, demonstrations, device, seed, budget."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.contracts import Embodiment
from studio.data.episodes import Episodes
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.policies import load_policy_folder, new_policy


@dataclass
class Context:
    """Everything prepared for a strategy's ``setup``."""

    experiment: Experiment
    registry: Registry
    device: str
    embodiment: Embodiment  # the target's
    episodes: Episodes  # the target's demonstrations
    base: Path | None  # folder of the source policy; None where the strategy needs none

    def source_policy(self) -> Any:
        """A fresh copy of the pretrained source policy, fitted to the target's slots; its weights' hash marked as base.

        End-effector statistics stay the source's, joint statistics become the target's (see ``TokenTransformer.bind``).
        """
        assert self.base is not None, "the strategy says that it needs no source"
        policy = load_policy_folder(self.base, self.registry)
        self._bind(policy, keep=True)
        return policy.to(self.device)

    def fresh_policy(self) -> Any:
        """A newly initialized policy, fitted to the target's slots and statistics."""
        policy = new_policy(
            self.experiment.policy, self.experiment.target.observation, self.registry, self.experiment.seed
        )
        self._bind(policy, keep=False)
        return policy.to(self.device)

    def _bind(self, policy: Any, keep: bool) -> None:
        policy.bind(self.embodiment, self.experiment.target, self.episodes.statistics(), keep=keep)
