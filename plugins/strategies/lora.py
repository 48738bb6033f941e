"""Low-rank adapters on the attention projections, through PEFT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from studio.contracts import TrainablePolicy
from studio.experiment import PresetSettings, setting
from studio.il.peft_adapters import ALL_LINEAR, PeftParams, PeftStrategy

if TYPE_CHECKING:
    from peft import LoraConfig


ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
OPENVLA = {"rank": 32, "alpha": 16.0, "dropout": 0.0, "target_modules": [ALL_LINEAR], "initialization": "gaussian"}
# as published: OpenVLA and OpenVLA-OFT (arXiv:2406.09246, arXiv:2502.19645), openpi, SmolVLA (arXiv:2506.01844)
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "document": {"rank": 16, "alpha": 32.0, "dropout": 0.05, "target_modules": ATTENTION},
    "openvla": OPENVLA,
    "openvla_oft": OPENVLA,
    "openpi": {"rank": 16, "alpha": 16.0, "dropout": 0.0, "target_modules": [*ATTENTION, "up_proj", "down_proj"]},
    "smolvla": {"rank": 64, "alpha": 64.0, "dropout": 0.0, "target_modules": ["q_proj", "v_proj"]},
}


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

    class Params(PresetSettings, PeftParams):
        """Optimization and adapter."""

        presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

        preset: Literal["none", "document", "openvla", "openvla_oft", "openpi", "smolvla"] = setting(
            "none",
            "Preset",
            "Rank, alpha, dropout, target modules and initialization as their authors set them; a value of your own "
            "goes before the preset's. none: those below.",
            since=2,
        )
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
        initialization: Literal["kaiming", "gaussian"] = setting(
            "kaiming",
            "Initialization",
            "What A is drawn from; B is zero, so the update is zero at first. pissa has an initialization of its own.",
            since=2,
        )

    def config(self, policy: TrainablePolicy, iterations: int) -> LoraConfig:
        from peft import LoraConfig  # slow to import; only a run needs it

        variant, drawn = self.params.variant, True if self.params.initialization == "kaiming" else "gaussian"
        hollow = any(parameter.is_meta for parameter in policy.parameters())  # it has no principal components
        return LoraConfig(
            r=self.params.rank,
            lora_alpha=self.params.alpha,
            lora_dropout=self.params.dropout,
            use_dora=variant == "dora",
            use_rslora=variant == "rslora",
            init_lora_weights="pissa" if variant == "pissa" and not hollow else drawn,
            target_modules=self.targets(policy),
            modules_to_save=[*policy.modules_to_save],
        )
