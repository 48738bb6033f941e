"""Low-rank adapters on the attention projections, through PEFT."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

from studio.contracts import Context, Problem
from studio.errors import ExperimentError
from studio.experiment import Experiment, setting
from studio.files import share_weights
from studio.il.strategy import CloningParams, CloningStrategy


class LoRA(CloningStrategy):
    """Trains W′ = W₀ + (alpha / r)·B·A on the target modules, and the action head and the robot's embeddings as a whole
    (``modules_to_save``)."""

    id = "lora"
    title = "LoRA"
    summary = "Low-rank updates of the attention projections and a new action head; exported as a PEFT adapter."
    reference = "Hu et al. 2021 (arXiv:2106.09685), eq. 3"
    tags = ("imitation", "adapter", "peft")

    class Params(CloningParams):
        """Optimization and adapter."""

        learning_rate: float = setting(
            2e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
        )
        rank: int = setting(16, "Rank", "Rank r of the update.", ge=1, le=1024)
        alpha: float = setting(32.0, "Alpha", "The update is scaled by alpha / r.", gt=0, le=4096)
        dropout: float = setting(
            0.05, "Dropout", "Dropout probability on the adapter's input during training.", ge=0, lt=1
        )
        target_modules: list[str] = setting(
            ["q_proj", "k_proj", "v_proj", "o_proj"],
            "Target modules",
            "Names of the linear layers that get an adapter.",
        )

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        if not self.params.target_modules:
            problems.append(
                Problem(
                    "strategy.params.target_modules", "No layer gets an adapter.", "Name at least one target module."
                )
            )
        return problems

    def setup(self, context: Context[Any]) -> None:
        from peft import LoraConfig, get_peft_model  # slow to import; only a run needs it

        policy = context.policy(pretrained=True)
        config = LoraConfig(
            r=self.params.rank,
            lora_alpha=self.params.alpha,
            lora_dropout=self.params.dropout,
            target_modules=list(self.params.target_modules),
            modules_to_save=[*policy.modules_to_save],
        )
        try:
            self._peft = get_peft_model(policy, config)
        except ValueError as error:
            raise ExperimentError(
                f"The adapter cannot be placed ({error}).",
                "strategy.params.target_modules",
                "Name layers of the policy.",
            ) from None
        adapted = self._peft.base_model.model.train()
        self.clone(context, adapted, [p for p in adapted.parameters() if p.requires_grad])

    def merged_policy(self) -> Any:
        return copy.deepcopy(self._peft).merge_and_unload()

    def artifacts(self, folder: Path) -> None:
        from studio.store.export import adapter_readme

        temporary = folder / ".adapter.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        self._peft.save_pretrained(temporary)
        (temporary / "README.md").write_text(adapter_readme(self, self._policy), encoding="utf-8")
        share_weights(temporary)
        shutil.rmtree(folder / "adapter", ignore_errors=True)
        temporary.rename(folder / "adapter")
