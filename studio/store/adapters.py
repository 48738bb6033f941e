"""Adapters on disk: those of runs and those that were made of them; read with their base, and checked against it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from studio.errors import DataError
from studio.nn.fingerprint import weights_hash
from studio.nn.updates import Spectrum, changed, spectrum, under
from studio.registry import Registry
from studio.store.policies import load_policy_folder
from studio.store.runs import list_runs, read_status

MADE = "adapters"  # the folder beside the runs, for adapters that were pruned or blended
PREFIX = "base_model.model."  # of PEFT's names
METHODS = {"LORA": "LoRA", "ADALORA": "AdaLoRA", "VERA": "VeRA", "LOHA": "LoHa", "LOKR": "LoKr"}
METHOD_FLAGS = {"use_dora": "DoRA", "use_rslora": "rsLoRA"}


@dataclass(frozen=True)
class AdapterInfo:
    """One adapter of a list. Success is NaN where it was not scored."""

    folder: Path  # a run, or a folder in MADE
    name: str
    method: str  # PEFT's name of it
    rank: int  # 0: the method has none
    targets: tuple[str, ...]
    base_sha256: str
    numbers: int  # how many are stored
    bytes: int
    run: bool  # whether it lies in a run
    success: float = float("nan")


@dataclass(frozen=True)
class Adapted:
    """A policy with its base, and what lies between them.

    Args:
        base: with the slots and statistics of ``policy``, so that it acts on the same robot.
        layers: linear layers whose weight was adapted.
        whole: modules that were trained whole.
        config: PEFT's; None: there is no adapter, and ``layers`` are all linear ones that changed.
    """

    folder: Path
    base: Any
    policy: Any
    layers: tuple[str, ...]
    whole: tuple[str, ...]
    base_folder: Path
    config: dict[str, Any] | None

    @property
    def base_sha256(self) -> str:
        """The hash of the base's own weights."""
        return str(self.policy.fingerprint.hash)

    def spectra(self) -> list[Spectrum]:
        """Return the spectrum of each adapted layer's update, in the order of the modules."""
        base, trained = self.base.state_dict(), self.policy.state_dict()
        return [spectrum(name, base[f"{name}.weight"], trained[f"{name}.weight"]) for name in self.layers]

    def check_low_rank(self) -> None:
        """Raise DataError where an adapter of low-rank updates and whole modules cannot hold the difference."""
        if self.config is None:
            raise DataError("There is no adapter in this folder.", str(self.folder), "Choose a run of an adapter.")
        held = {f"{name}.weight" for name in self.layers}
        names = changed(self.base.state_dict(), self.policy.state_dict())
        left = sorted(set(names) - held - under(names, self.whole))
        if left:
            raise DataError(
                f"The {method_of(self.config)} adapter also changes {left[0]}, which a low-rank adapter cannot hold.",
                str(self.folder),
                "Merge it, or choose an adapter of another kind.",
            )


def open_adapter(folder: Path, base: Path | None = None, registry: Registry | None = None) -> Adapted:
    """Read an adapter of a run or an export, an adapter folder beside its base, or a policy folder with a base.

    Args:
        base: the base's folder; None: ``base`` beside the adapter.

    Raises:
        DataError: a part is missing or damaged, or the base is another one than it was trained on.
    """
    folder = Path(folder)
    adapter: Path | None = folder
    home = folder.parent
    if not (folder / "adapter_config.json").exists():
        home = folder
        adapter = folder / "adapter" if (folder / "adapter" / "adapter_config.json").exists() else None
    base_folder = base if base is not None else home / "base"
    whole_folder = folder if (folder / "config.json").exists() else home / "policy"
    if adapter is None and not (whole_folder / "config.json").exists():
        raise DataError("There is no adapter and no policy in this folder.", str(folder), "Name a finished run.")
    if not (base_folder / "config.json").exists():
        raise DataError("The base policy is missing.", str(base_folder), "Name its folder with --base.")
    config = read_config(adapter) if adapter is not None else None
    source = load_policy_folder(base_folder, registry)
    found = weights_hash(source.state_dict())
    if (whole_folder / "config.json").exists():
        policy = load_policy_folder(whole_folder, registry)
    else:
        assert adapter is not None
        _check_base(_base_hash(adapter), found, folder)
        policy = _merged(base_folder, adapter, registry)
    _check_base(policy.fingerprint.hash, found, folder)
    source.take_spaces(policy)
    return Adapted(
        folder,
        source,
        policy,
        _layers(adapter, config, source) if adapter is not None and config is not None else _changed(source, policy),
        tuple((config or {}).get("modules_to_save") or policy.modules_to_save),
        base_folder,
        config,
    )


def list_adapters(runs: Path) -> list[AdapterInfo]:
    """Return the adapters of the runs in a folder, newest first, and then those in ``adapters`` beside them."""
    found = []
    for run in list_runs(runs):
        if run.has_adapter and (info := _info(run.folder, run.folder.name, True, run.success)) is not None:
            found.append(info)
    made = runs / MADE
    for folder in sorted(made.iterdir()) if made.is_dir() else []:
        if (info := _info(folder, folder.name, False)) is not None:
            found.append(info)
    return found


def method_of(config: dict[str, Any]) -> str:
    """Return what a person calls the adapter's method."""
    if config.get("init_lora_weights") == "pissa":
        return "PiSSA"
    kind = str(config.get("peft_type"))
    return next((title for flag, title in METHOD_FLAGS.items() if config.get(flag)), METHODS.get(kind, kind))


def read_config(adapter: Path) -> dict[str, Any]:
    """Return PEFT's configuration of an adapter folder. Raises DataError where it cannot be read."""
    try:
        config: dict[str, Any] = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"The adapter cannot be read ({error}).", str(adapter), "Choose another.") from None
    return config


def trash_adapter(folder: Path) -> None:
    """Move an adapter to the trash: a run's ``adapter`` folder, of which the run keeps its merged policy, or the whole
    folder of one that was pruned or blended. Raises DataError where that cannot be done."""
    from send2trash import send2trash

    is_run = (folder / "run.json").exists()
    if is_run and read_status(folder)["state"] in ("preparing", "running", "paused"):
        raise DataError("The run is still active.", str(folder), "Stop it first.")
    gone = folder / "adapter" if is_run else folder
    if not (folder / "adapter" / "adapter_config.json").exists():
        raise DataError("There is no adapter in this folder.", str(folder), "Choose one of the list.")
    try:
        send2trash(str(gone))
    except OSError as error:
        words = f"The adapter cannot be moved to the trash ({error})."
        raise DataError(words, str(gone), "Delete the folder by hand.") from None


def _info(folder: Path, name: str, run: bool, success: float = float("nan")) -> AdapterInfo | None:
    """Return an adapter's row; None where it cannot be read."""
    adapter, file = folder / "adapter", folder / "adapter" / "adapter_model.safetensors"
    try:
        config = read_config(adapter)
        with safe_open(file, framework="np") as tensors:
            names = [*tensors.keys()]
            numbers = sum(_size(tensors.get_slice(key).get_shape()) for key in names)
        base, size = _base_hash(adapter), file.stat().st_size
    except (DataError, OSError, SafetensorError):
        return None
    targets = config.get("target_modules") or ()
    wanted = (targets,) if isinstance(targets, str) else tuple(sorted(targets))
    ranks = [config.get("r") or config.get("target_r") or 0, *(config.get("rank_pattern") or {}).values()]
    rank = max((entry for entry in ranks if isinstance(entry, int)), default=0)
    return AdapterInfo(folder, name, method_of(config), rank, wanted, base, numbers, size, run, success)


def _size(shape: list[int]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


def _base_hash(adapter: Path) -> str:
    """Return the hash of the base that an adapter says it was trained on; empty: it does not say."""
    try:
        with safe_open(adapter / "adapter_model.safetensors", framework="np") as tensors:
            names = [*tensors.keys()]
            key = next((key for key in names if key.endswith("fingerprint.base")), None)
            return bytes(tensors.get_tensor(key).tolist()).hex() if key is not None else ""
    except (OSError, SafetensorError) as error:
        raise DataError(f"The adapter's weights cannot be read ({error}).", str(adapter), "Copy it again.") from None


def _check_base(wanted: str, found: str, folder: Path) -> None:
    if wanted and wanted != found:
        raise DataError(
            f"The adapter was trained on base {wanted}, this base is {found}.",
            str(folder),
            "Load it on the base it was trained on.",
        )


def _merged(base: Path, adapter: Path, registry: Registry | None) -> Any:
    from peft import PeftModel  # slow to import

    from studio.il.peft_adapters import merged

    return merged(PeftModel.from_pretrained(load_policy_folder(base, registry), str(adapter))).eval()


def _layers(adapter: Path, config: dict[str, Any], base: nn.Module) -> tuple[str, ...]:
    """Return the linear layers that an adapter's tensors belong to."""
    with safe_open(adapter / "adapter_model.safetensors", framework="np") as tensors:
        names = [*tensors.keys()]
    keys = [key.removeprefix(PREFIX) for key in names]
    whole = under(keys, config.get("modules_to_save") or ())
    keys = [key for key in keys if key not in whole]
    linear = [name for name, module in base.named_modules() if isinstance(module, nn.Linear)]
    return tuple(name for name in linear if under(keys, [name]))


def _changed(base: nn.Module, policy: nn.Module) -> tuple[str, ...]:
    names = set(changed(base.state_dict(), policy.state_dict()))
    linear = [name for name, module in policy.named_modules() if isinstance(module, nn.Linear)]
    return tuple(name for name in linear if f"{name}.weight" in names)
