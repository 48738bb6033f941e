"""Adapters made of others: pruned, blended, merged. Each is a folder with the adapter in PEFT's layout, its base, the
merged policy, and the experiment."""

from __future__ import annotations

import copy
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import DataError
from studio.files import disk_full, share_weights
from studio.il.peft_adapters import adapter_readme
from studio.nn.updates import Spectrum, combined, low_rank
from studio.store.adapters import Adapted
from studio.store.policies import save_policy

if TYPE_CHECKING:
    from torch import Tensor


def ranks_for(spectra: Sequence[Spectrum], rank: int | None = None, energy: float | None = None) -> dict[str, int]:
    """Return each layer's rank after pruning to a rank, or to a share of the energy; None twice: all that it has.

    Raises:
        DataError: the rank is below 1, or the share is not in (0, 1].
    """
    if rank is not None and rank < 1:
        raise DataError(f"The rank {rank} is below 1.", "--rank", "Choose a higher one.")
    if energy is not None and not 0 < energy <= 1:
        raise DataError(f"The share {energy} of the energy is not in (0, 1].", "--energy", "Choose 0.99, say.")
    found = {}
    for one in spectra:
        kept = len(one.values) if energy is None else one.rank_of(energy)
        found[one.layer] = max(1, kept if rank is None else min(rank, kept))
    return found


def pruned(adapted: Adapted, ranks: Mapping[str, int]) -> tuple[Any, dict[str, tuple[Tensor, Tensor]]]:
    """Return the policy with each layer's update cut to its rank, and the factors B, A of the updates that are left.

    Raises:
        DataError: the adapter changes more than weights of layers and whole modules.
    """
    adapted.check_low_rank()
    base, policy = adapted.base.state_dict(), copy.deepcopy(adapted.policy)
    state, factors = policy.state_dict(), {}
    for layer, rank in ranks.items():
        name = f"{layer}.weight"
        factors[layer] = up, down = low_rank(base[name], state[name], rank)
        state[name] = base[name] + up @ down
    policy.load_state_dict(state)
    return policy, factors


def check_one_base(adapters: Sequence[Adapted]) -> None:
    """Raise DataError, with both hashes, where adapters are of different bases."""
    first = adapters[0]
    for other in adapters:
        if other.base_sha256 != first.base_sha256:
            raise DataError(
                f"{first.folder.name} was trained on base {first.base_sha256}, {other.folder.name} on base "
                f"{other.base_sha256}.",
                str(other.folder),
                "Blend adapters of one base.",
            )


def blended(adapters: Sequence[Adapted], weights: Sequence[float]) -> Adapted:
    """Return base + Σ weight · update, all low-rank updates and whole modules added as they are; nothing is written.

    Raises:
        DataError: the adapters are of different bases or robots, or cannot be added.
    """
    check_one_base(adapters)
    for one in adapters:
        one.check_low_rank()
    first = adapters[0]
    policy = copy.deepcopy(first.policy)
    states = [one.policy.state_dict() for one in adapters]
    policy.load_state_dict(combined(first.base.state_dict(), states, weights))
    order = [name for name, _ in first.base.named_modules()]
    layers = sorted({layer for one in adapters for layer in one.layers}, key=order.index)
    whole = dict.fromkeys(name for one in adapters for name in one.whole)
    return Adapted(first.folder, first.base, policy, tuple(layers), tuple(whole), first.base_folder, first.config)


def write_adapter(adapted: Adapted, ranks: Mapping[str, int], to: Path, about: str) -> Path:
    """Write an adapter of these ranks into a new folder, in PEFT's layout, with its base and the merged policy.

    Args:
        about: one sentence on how it was made, for the README.

    Raises:
        DataError: it changes more than a low-rank adapter can hold, or ``to`` exists or cannot be written.
    """
    from peft import LoraConfig, get_peft_model  # slow to import

    policy, factors = pruned(adapted, ranks)
    base: Any = copy.deepcopy(adapted.base)
    config = LoraConfig(
        r=max(ranks.values()),
        lora_alpha=max(ranks.values()),  # the factors hold the scale
        rank_pattern=dict(ranks),
        alpha_pattern=dict(ranks),
        target_modules=list(ranks),
        modules_to_save=list(adapted.whole),
    )
    model: Any = get_peft_model(base, config)
    for layer, (up, down) in factors.items():
        module = model.base_model.model.get_submodule(layer)
        module.lora_A["default"].weight.data.copy_(down)
        module.lora_B["default"].weight.data.copy_(up)
    for name in adapted.whole:
        module = model.base_model.model.get_submodule(name)
        module.modules_to_save["default"].load_state_dict(policy.get_submodule(name).state_dict())

    def fill(folder: Path) -> None:
        model.save_pretrained(folder / "adapter")
        text = adapter_readme("Low-rank", adapted.base_sha256, about)
        (folder / "adapter" / "README.md").write_text(text, encoding="utf-8")
        share_weights(folder / "adapter")
        shutil.copytree(adapted.base_folder, folder / "base")
        save_policy(policy, folder / "policy")
        if (experiment := adapted.folder / "experiment.yaml").exists():
            shutil.copy2(experiment, folder)

    return _write(Path(to), fill)


def write_merged(adapted: Adapted, to: Path) -> Path:
    """Write the policy with its adapter folded in as a policy folder. Raises DataError as :func:`write_adapter`."""

    def fill(folder: Path) -> None:
        save_policy(adapted.policy, folder / "policy")
        if (experiment := adapted.folder / "experiment.yaml").exists():
            shutil.copy2(experiment, folder)

    return _write(Path(to), fill)


def _write(to: Path, fill: Callable[[Path], None]) -> Path:
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise DataError("The folder to write to is not empty.", str(to), "Name a new one.")
    whole = to.resolve()
    temporary = whole.with_name(f".{whole.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        fill(temporary)
        temporary.replace(whole)
    except OSError as error:
        reason = "the disk is full" if disk_full(error) else error.strerror or error
        raise DataError(f"The adapter cannot be written ({reason}).", str(to), "Choose another folder.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return to
