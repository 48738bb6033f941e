"""AdaLoRA: a low-rank update as P·Λ·Q whose least important singular values are removed while it trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from studio.contracts import Batch, Context, Metrics, Outputs, Problem, Stateful, TrainablePolicy
from studio.experiment import Experiment, setting
from studio.il.cloning import UNITS
from studio.il.peft_adapters import PeftParams, PeftStrategy

if TYPE_CHECKING:
    from peft import AdaLoraConfig, AdaLoraModel, PeftModel


class AdaLoRA(PeftStrategy):
    """Starts with more singular values than it keeps, and spends them on the layers that need them most."""

    id = "adalora"
    title = "AdaLoRA"
    summary = "Low-rank updates whose rank is shared out among the layers by importance; exported as a PEFT adapter."
    reference = "Zhang et al. 2023, arXiv:2303.10512"
    tags = ("imitation", "adapter", "peft")
    units = UNITS | {"orthogonality": ""}

    class Params(PeftParams):
        """Optimization and adapter."""

        rank: int = setting(8, "Rank", "Mean rank of the updates at the end.", ge=1, le=1024)
        initial_rank: int = setting(12, "Initial rank", "Rank of every update at the beginning.", ge=2, le=2048)
        alpha: float = setting(32.0, "Alpha", "The update is scaled by alpha / initial rank.", gt=0, le=4096)
        warmup: float = setting(0.1, "Warm-up", "Share of the training before ranks are reduced.", ge=0, le=0.5)
        settled: float = setting(0.3, "Settled", "Share of the training after the ranks are final.", ge=0, le=0.49)
        orthogonality_weight: float = setting(
            0.1, "Orthogonality weight", "Weight of the loss that keeps P and Q orthogonal.", ge=0, le=100
        )

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        if self.params.initial_rank <= self.params.rank:
            message = f"The initial rank {self.params.initial_rank} is not above the final rank {self.params.rank}."
            problems.append(Problem("strategy.params.initial_rank", message, "Choose a higher one."))
        return problems

    def config(self, policy: TrainablePolicy, iterations: int) -> AdaLoraConfig:
        from peft import AdaLoraConfig  # slow to import; only a run needs it

        return AdaLoraConfig(
            target_r=self.params.rank,
            init_r=self.params.initial_rank,
            lora_alpha=self.params.alpha,
            tinit=round(self.params.warmup * iterations),
            tfinal=round(self.params.settled * iterations),
            total_step=iterations,
            target_modules=self.targets(policy),
            modules_to_save=[*policy.modules_to_save],
        )

    def place(self, policy: TrainablePolicy, iterations: int) -> PeftModel:
        placed = super().place(policy, iterations)
        for name, parameter in placed.named_parameters():
            if "ranknum" in name:  # a counter, which PEFT turns into a trainable one where it moves it to a device
                parameter.requires_grad_(False)
        return placed

    def setup(self, context: Context[Any]) -> None:
        super().setup(context)
        self._learner.auxiliary = [Orthogonality(self._policy, self.params.orthogonality_weight)]
        self._ranks = RankAllocation(self._peft.base_model)

    def iterate(self) -> Iterator[Metrics]:
        for metrics in super().iterate():
            self._ranks.update(metrics.step)  # reads the gradients of the step that was just taken
            yield metrics

    def stateful(self) -> Mapping[str, Stateful]:
        return {**super().stateful(), "ranks": self._ranks}


class Orthogonality:
    """An auxiliary loss, the mean of ‖Pᵀ P − I‖ and ‖Q Qᵀ − I‖ over the layers (equation 4 of the paper)."""

    def __init__(self, policy: nn.Module, weight: float) -> None:
        named = [(name, p) for name, p in policy.named_parameters() if "lora_A" in name or "lora_B" in name]
        self._factors = [(p, "lora_A" in name) for name, p in named]
        self.weight = weight

    def __call__(self, outputs: Outputs, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the weighted loss, with its own value."""
        found = [_deviation(p if wide else p.T) for p, wide in self._factors]
        loss = torch.stack(found).mean()
        return self.weight * loss, {"orthogonality": loss.detach()}


def _deviation(rows: Tensor) -> Tensor:
    gram = rows @ rows.T
    return torch.linalg.matrix_norm(gram - torch.eye(len(gram), device=gram.device))


class RankAllocation:
    """PEFT's allocation of ranks, with a state to be resumed from."""

    def __init__(self, model: AdaLoraModel) -> None:
        self._model, self._config = model, model.peft_config[model.trainable_adapter_name]

    def update(self, step: int) -> None:
        """Take the importance of each singular value from the gradients after a step, and remove the least."""
        self._model.update_and_allocate(step)

    def state_dict(self) -> dict[str, Any]:
        """Return the importances, the smoothed ones and their spread, and which singular values are left."""
        allocator = self._model.rankallocator
        return {
            "importance": dict(allocator.ipt),
            "mean": dict(allocator.exp_avg_ipt),
            "spread": dict(allocator.exp_avg_unc),
            "pattern": self._config.rank_pattern or {},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        allocator = self._model.rankallocator
        allocator.ipt, allocator.exp_avg_ipt, allocator.exp_avg_unc = (
            state["importance"],
            state["mean"],
            state["spread"],
        )
        self._config.rank_pattern = state["pattern"] or None
