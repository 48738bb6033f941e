"""LoRA inside a vision-language model; the adapter loads with transformers and peft alone."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plugins.strategies.lora import LoRA
from studio.contracts import Context, Problem, TrainablePolicy
from studio.experiment import Experiment
from studio.files import share_weights
from studio.il.strategy import TINY

if TYPE_CHECKING:
    from peft import PeftModel

POLICY = "huggingface_vlm"
ASKED = {"instruction": "touch the red ball"}
ROBOT = ("spaces.", "bins.")  # names of the robot's slots, statistics and ranges begin with
INSIDE = "model."  # where the vision-language model is in its policy


class VLALoRA(LoRA):
    """Trains W′ = W₀ + (alpha / r)·B·A in the vision-language model, and an L1 head as a whole.

    The source policy is the model after its training on source demonstrations; with ``pretraining.iterations`` 0 it is
    the model as it was opened. Unlike the adapter of ``lora``, which holds the policy's own modules too, this one is
    the model's alone.
    """

    id = "vla_lora"
    title = "LoRA of a vision-language-action model"
    summary = (
        "Low-rank updates inside a Hugging Face vision-language model, trained on the target; exported as an adapter "
        "that transformers and PEFT load by themselves."
    )
    reference = "OpenVLA (arXiv:2406.09246), section 5.3; Hu et al. 2021 (arXiv:2106.09685)"
    tags = ("imitation", "adapter", "peft")
    example = {
        **TINY,
        "policy": {
            "id": POLICY,
            "params": {"width": 32, "layers": 1, "vision_width": 32, "vision_layers": 1, "image_size": 32} | ASKED,
        },
    }

    class Params(LoRA.Params):
        """Optimization and adapter."""

    def check(self, experiment: Experiment) -> list[Problem]:
        problems = super().check(experiment)
        if experiment.policy.id != POLICY:
            words = f"'{self.title}' adapts a vision-language model, and the policy is '{experiment.policy.id}'."
            problems.append(Problem("policy.id", words, f"Choose {POLICY}, or the strategy lora."))
        return problems

    def setup(self, context: Context[Any]) -> None:
        policy: Any = context.policy(pretrained=True)
        policy.requires_grad_(False)
        self._peft = self.place(policy, context.experiment.budget.iterations)
        if policy.params.head == "l1":
            policy.action_head.requires_grad_(True)
        self.clone(context, policy.train(), [p for p in policy.parameters() if p.requires_grad])

    def place(self, policy: TrainablePolicy, iterations: int) -> PeftModel:
        """Put the adapter into the policy's model, and return that as PEFT's. Raises ValueError where no layer has one
        of the names."""
        from peft import get_peft_model  # slow to import; only a run needs it

        config = self.config(policy, iterations)
        config.modules_to_save = None
        config.target_modules = {name.removeprefix(INSIDE) for name in self.targets(policy)}
        return get_peft_model(policy.get_submodule(INSIDE[:-1]), config)

    def merged_policy(self) -> Any:
        """Return a copy of the policy with the update folded into its model's weights."""
        policy: Any
        policy, adapted = copy.deepcopy((self._policy, self._peft))
        policy.model = adapted.merge_and_unload()
        return policy

    def artifacts(self, folder: Path) -> None:
        """Write ``adapter/``: PEFT's files, the base model as transformers reads it, the robot's ranges, and an L1
        head."""
        from safetensors.torch import save_file

        temporary, policy = folder / ".adapter.tmp", self.policy()
        shutil.rmtree(temporary, ignore_errors=True)
        self._peft.save_pretrained(temporary, save_embedding_layers=False)
        copy.deepcopy(self._peft).unload().save_pretrained(temporary / "base_model")
        policy.prompts.processor.save_pretrained(temporary / "base_model")
        robot = {
            name: t.cpu().contiguous().clone() for name, t in policy.state_dict().items() if name.startswith(ROBOT)
        }
        save_file(robot, temporary / "robot.safetensors")
        if policy.params.head == "l1":
            save_file(policy.action_head.state_dict(), temporary / "action_head.safetensors")
        (temporary / "README.md").write_text(README.format(title=self.title), encoding="utf-8")
        share_weights(temporary)
        shutil.rmtree(folder / "adapter", ignore_errors=True)
        temporary.rename(folder / "adapter")


README = """# {title}

Made by Transfer Studio. Both load without it:

```python
from peft import PeftModel
from transformers import AutoModelForImageTextToText, AutoProcessor

base = AutoModelForImageTextToText.from_pretrained("adapter/base_model")
processor = AutoProcessor.from_pretrained("adapter/base_model")
model = PeftModel.from_pretrained(base, "adapter").eval()
```

The last 256 tokens of the vocabulary are bins of an action's dimensions; `robot.safetensors` has their ranges as
`bins.low` and `bins.high`, and the statistics of the state tokens as `spaces.end_effector`. With an L1 head,
`action_head.safetensors` reads the last hidden state.
"""
