"""The base of the strategies that adapt a source policy by an adapter of the PEFT library."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from studio.contracts import Context, Problem, TrainablePolicy
from studio.errors import ExperimentError
from studio.experiment import Experiment, setting
from studio.files import share_weights
from studio.il.strategy import CloningStrategy, SmallPartParams

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel


ALL_LINEAR = "all_linear"


def is_named(layer: str, targets: Sequence[str]) -> bool:
    """Whether a layer is one of the targets, which are whole names or their ends."""
    return any(layer == target or layer.endswith(f".{target}") for target in targets)


class PeftParams(SmallPartParams):
    """Optimization, and where the adapter is placed."""

    target_modules: list[str] = setting(
        ["q_proj", "k_proj", "v_proj", "o_proj"],
        "Target modules",
        "Names of the linear layers that get an adapter; all_linear alone: every one that is not trained whole.",
    )


class PeftStrategy(CloningStrategy):
    """The base is frozen; the adapter is trained, and in full the robot's own modules (``modules_to_save``).

    A subclass chooses the adapter in :meth:`config`.
    """

    class Params(PeftParams):
        """Optimization, and where the adapter is placed."""

    def targets(self, policy: TrainablePolicy) -> list[str]:
        """Return the names of the layers that get an adapter, as PEFT matches them: never one of a frozen encoder."""
        module: Any = policy
        linear = {name: part for name, part in module.named_modules() if isinstance(part, nn.Linear)}
        frozen = [name for name, part in linear.items() if not any(True for _ in part.parameters())]
        named, whole = [*self.params.target_modules], tuple(f"{name}." for name in policy.modules_to_save)
        if named == [ALL_LINEAR]:
            return [name for name in linear if name not in frozen and not f"{name}.".startswith(whole)]
        if not any(is_named(name, named) for name in frozen):
            return named
        return [name for name in linear if name not in frozen and is_named(name, named)]

    def config(self, policy: TrainablePolicy, iterations: int) -> PeftConfig:
        """Return the configuration of the adapter for a policy that is trained for so many gradient steps."""
        raise NotImplementedError

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
        policy = context.policy(pretrained=True)
        try:
            self._peft = self.place(policy, context.experiment.budget.iterations)
        except ValueError as error:
            raise ExperimentError(
                f"The adapter cannot be placed ({error}).",
                "strategy.params.target_modules",
                "Name layers of the policy.",
            ) from None
        adapted: Any = self._peft.base_model.model.train()
        self.clone(context, adapted, [p for p in adapted.parameters() if p.requires_grad])

    def place(self, policy: TrainablePolicy, iterations: int) -> PeftModel:
        """Return the policy with its adapter, as PEFT's model. Raises ValueError where a target module is unknown."""
        from peft import get_peft_model  # slow to import; only a run needs it

        module: Any = policy
        return get_peft_model(module, self.config(policy, iterations))

    def merged_policy(self) -> Any:
        return merged(self._peft)

    def artifacts(self, folder: Path) -> None:
        temporary = folder / ".adapter.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        self._peft.save_pretrained(temporary)
        params = "\n".join(f"- {name}: {value}" for name, value in self.params.model_dump().items())
        policy: Any = self._policy
        text = adapter_readme(self.title, policy.fingerprint.hash, params)
        (temporary / "README.md").write_text(text, encoding="utf-8")
        share_weights(temporary)
        shutil.rmtree(folder / "adapter", ignore_errors=True)
        temporary.rename(folder / "adapter")


def merged(adapted: PeftModel) -> Any:
    """Return a copy of the policy with its adapter folded into the weights."""
    from peft.utils import ModulesToSaveWrapper

    folded: Any = copy.deepcopy(adapted)
    policy = folded.base_model.model
    for name, module in list(policy.named_modules()):
        # PEFT unwraps modules of several layers for LoRA alone
        if isinstance(module, ModulesToSaveWrapper):
            policy.set_submodule(name, module.modules_to_save[module.active_adapters[0]])
    return folded.merge_and_unload()


LOADING = """```python
from pathlib import Path
from peft import PeftModel
from studio.store.policies import load_policy_folder

base = load_policy_folder(Path("base"))            # the folder beside this one
policy = PeftModel.from_pretrained(base, "adapter").eval()
actions, _ = policy.base_model.model.act(observation)
```
"""


def adapter_readme(title: str, base: str, about: str) -> str:
    """Return the README.md of an adapter: what it is, on which base (a hash), how it is loaded."""
    return f"""# {title} adapter

Made by Transfer Studio. Base policy weights (SHA-256): `{base}`.
Another base is refused when the adapter is loaded.

{about}

{LOADING}"""
