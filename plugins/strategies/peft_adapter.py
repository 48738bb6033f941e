"""PEFT's adapters beside the LoRA family: multiplicative, orthogonal and Kronecker updates."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

from studio.contracts import Context, TrainablePolicy
from studio.experiment import setting
from studio.il.peft_adapters import PeftParams, PeftStrategy

if TYPE_CHECKING:
    from peft import PeftConfig


class PeftAdapter(PeftStrategy):
    """The chosen method on the target modules; head and body embeddings are trained whole (modules_to_save)."""

    id = "peft_adapter"
    title = "PEFT adapters (IA3, VeRA, OFT …)"
    summary = "Adapters of other forms than LoRA's on the attention projections; exported as a PEFT adapter."
    reference = (
        "IA3: arXiv:2205.05638; VeRA: arXiv:2310.11454; OFT: arXiv:2306.07280; BOFT: arXiv:2311.06243; "
        "LoHa: arXiv:2108.06098; LoKr: arXiv:2309.14859"
    )
    tags = ("imitation", "adapter", "peft")

    class Params(PeftParams):
        """Optimization and adapter."""

        method: Literal["ia3", "vera", "oft", "boft", "loha", "lokr"] = setting(
            "ia3",
            "Method",
            "ia3: scales each output. vera: scales between fixed random matrices. oft, boft: rotate the weight. "
            "loha, lokr: Hadamard and Kronecker products of small matrices.",
        )
        rank: int = setting(16, "Rank", "Rank of VeRA's, LoHa's and LoKr's matrices.", ge=1, le=1024)
        alpha: float = setting(32.0, "Alpha", "LoHa's and LoKr's updates are scaled by alpha / rank.", gt=0, le=4096)
        block_size: int = setting(
            4, "Block size", "Size of OFT's and BOFT's rotations; must divide the layers' width.", ge=2, le=1024
        )

    def config(self, policy: TrainablePolicy, iterations: int) -> PeftConfig:
        import peft  # slow to import; only a run needs it

        p = self.params
        where = {"target_modules": self.targets(policy), "modules_to_save": [*policy.modules_to_save]}
        match p.method:
            case "ia3":
                return peft.IA3Config(feedforward_modules=[], **where)
            case "vera":
                return peft.VeraConfig(r=p.rank, **where)
            case "oft":
                return peft.OFTConfig(oft_block_size=p.block_size, **where)
            case "boft":
                return peft.BOFTConfig(boft_block_size=p.block_size, **where)
            case "loha":
                return peft.LoHaConfig(r=p.rank, alpha=p.alpha, **where)
            case _:
                return peft.LoKrConfig(r=p.rank, alpha=p.alpha, **where)

    def setup(self, context: Context[Any]) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"peft\.tuners\.boft")  # it works without its CUDA extension
            super().setup(context)
