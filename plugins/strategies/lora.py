"""Low-rank adapters on the attention projections, through PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from studio.contracts import TrainablePolicy
from studio.experiment import setting
from studio.il.peft_adapters import PeftParams, PeftStrategy

if TYPE_CHECKING:
    from peft import LoraConfig


class LoRA(PeftStrategy):
    """Trains W′ = W₀ + (alpha / r)·B·A on the target modules, and the action head and the robot's embeddings as a whole
    (``modules_to_save``)."""

    id = "lora"
    title = "LoRA"
    summary = "Low-rank updates of the attention projections and a new action head; exported as a PEFT adapter."
    reference = (
        "Hu et al. 2021 (arXiv:2106.09685), eq. 3; DoRA: arXiv:2402.09353; rsLoRA: arXiv:2312.03732; "
        "PiSSA: arXiv:2404.02948"
    )
    tags = ("imitation", "adapter", "peft")

    class Params(PeftParams):
        """Optimization and adapter."""

        rank: int = setting(16, "Rank", "Rank r of the update.", ge=1, le=1024)
        alpha: float = setting(32.0, "Alpha", "The update is scaled by alpha / r.", gt=0, le=4096)
        dropout: float = setting(
            0.05, "Dropout", "Dropout probability on the adapter's input during training.", ge=0, lt=1
        )
        variant: Literal["lora", "dora", "rslora", "pissa"] = setting(
            "lora",
            "Variant",
            "lora: as published. dora: a magnitude for each output beside the update. rslora: scaled by alpha / √r. "
            "pissa: starts from the weight's principal components.",
            since=2,
        )

    def config(self, policy: TrainablePolicy, iterations: int) -> LoraConfig:
        from peft import LoraConfig  # slow to import; only a run needs it

        variant = self.params.variant
        hollow = any(parameter.is_meta for parameter in policy.parameters())  # it has no principal components
        return LoraConfig(
            r=self.params.rank,
            lora_alpha=self.params.alpha,
            lora_dropout=self.params.dropout,
            use_dora=variant == "dora",
            use_rslora=variant == "rslora",
            init_lora_weights="pissa" if variant == "pissa" and not hollow else True,
            target_modules=list(self.params.target_modules),
            modules_to_save=[*policy.modules_to_save],
        )
