"""What ``transfer-studio adapters`` does: list, prune, blend, merge and delete adapters, and count targets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio import paths
from studio.errors import ExperimentError
from studio.files import json_text

if TYPE_CHECKING:
    from studio.cli.progress import ShareLine
    from studio.nn.updates import Spectrum
    from studio.store.adapters import Adapted

Result = tuple[dict[str, Any], str]  # as plain data, and as text


def add_parser(commands: Any) -> None:
    """Add the command and its own commands to the parser."""
    text = "adapters of runs: their updates' spectra, pruning, blending, merging; what targets would train"
    parser = commands.add_parser("adapters", help=text, description=text.capitalize() + ".")
    actions = parser.add_subparsers(dest="adapters_action", metavar="ACTION", required=True)

    def action(name: str, help: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(name, help=help, description=help.capitalize() + ".")
        made.add_argument("--json", action="store_true", help="print one JSON object last")
        return made

    def adapter(of: argparse.ArgumentParser) -> None:
        of.add_argument("folder", type=Path, metavar="DIR", help="a run, an export, an adapter or policy folder")
        of.add_argument("--base", type=Path, metavar="DIR", help="its base policy (default: base beside it)")

    listing = action("list", "show the adapters of all runs, and those that were made of them")
    listing.add_argument("--out", type=Path, metavar="DIR", help="the runs folder (default: runs)")

    spectrum = action(
        "spectrum", "show the singular values of every layer's update, and the rank that holds 99%% of it"
    )
    adapter(spectrum)
    spectrum.add_argument("--energy", type=float, default=0.99, metavar="SHARE", help="another share than 0.99")

    prune = action("prune", "cut every layer's update to a rank, measure what that costs, and write the adapter")
    adapter(prune)
    to = prune.add_mutually_exclusive_group(required=True)
    to.add_argument("--rank", type=int, metavar="R", help="to this rank at most")
    to.add_argument("--energy", type=float, metavar="SHARE", help="to the rank that holds this share, layer by layer")
    _measured(prune)

    blend = action("blend", "add adapters of one base, each by its weight")
    blend.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    blend.add_argument(
        "--weights", type=float, nargs="+", metavar="W", help="one for each: 1 as trained, 0 left out (equal shares)"
    )
    _measured(blend)

    merge = action("merge", "write the policy with its adapter folded in")
    adapter(merge)
    merge.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new or empty folder")

    delete = action("delete", "move an adapter to the trash; a run keeps its policy")
    delete.add_argument("folder", type=Path, metavar="DIR")

    targets = action("targets", "show the policy's modules, where the adapter is placed, and how much it trains")
    targets.add_argument("experiment_file", type=Path, metavar="EXPERIMENT.yaml")
    targets.add_argument("--set", action="append", default=[], metavar="a.b=c", help="change a setting")


def _measured(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, metavar="DIR", help="write the adapter here (new or empty folder)")
    parser.add_argument("--actions", action="store_true", help="compare the actions on the target's recorded states")
    parser.add_argument("--evaluate", type=int, metavar="N", help="score it on the target, and what it is made of")


def adapters(options: argparse.Namespace) -> int:
    """Carry out one of the actions, and print its result."""
    about, text = ACTIONS[options.adapters_action](options)
    print(json_text(about) if options.json else text)
    return 0


def _list(options: argparse.Namespace) -> Result:
    from studio.store.adapters import list_adapters

    found = list_adapters(options.out or paths.runs())
    rows = [
        {
            "folder": str(info.folder),
            "method": info.method,
            "rank": info.rank,
            "targets": [*info.targets],
            "base_sha256": info.base_sha256,
            "numbers": info.numbers,
            "bytes": info.bytes,
            "run": info.run,
            "success": info.success,
        }
        for info in found
    ]
    lines = [
        f"{i.method:<7} rank {i.rank:<4} {i.bytes / 1e3:7.0f} kB  base {i.base_sha256[:8]}  {i.folder}" for i in found
    ]
    return {"adapters": rows}, "\n".join(lines) or "No run here has an adapter yet."


def _spectrum(options: argparse.Namespace) -> Result:
    if not 0 < options.energy <= 1:
        raise ExperimentError("The share of the energy is not in (0, 1].", "--energy", "Choose 0.99, say.")
    spectra = _open(options).spectra()
    share = options.energy
    rows = [
        {
            "layer": one.layer,
            "shape": [*one.shape],
            "rank": len(one.values),
            "rank_of_energy": one.rank_of(share),
            "norm": one.norm,
            "singular_values": one.values.tolist(),
        }
        for one in spectra
    ]
    width = max((len(one.layer) for one in spectra), default=0)
    lines = [
        f"{one.layer:<{width}}  rank {one.rank_of(share):>3} of {len(one.values):>3} holds {share:.4g} of the energy, "
        f"‖ΔW‖ {one.norm:.3g}"
        for one in spectra
    ]
    return {"energy": share, "layers": rows}, "\n".join(lines) or "No linear layer was changed."


def _prune(options: argparse.Namespace) -> Result:
    from studio.store.adapter_files import pruned, ranks_for, write_adapter

    adapted = _open(options)
    spectra = adapted.spectra()
    ranks = ranks_for(spectra, options.rank, options.energy)
    policy, _ = pruned(adapted, ranks)
    about: dict[str, Any] = {"layers": _pruning(spectra, ranks)}
    lines = [
        f"{row['layer']}: rank {row['rank']}, {row['energy']:.2%} of the energy, ‖ΔW − ΔW_r‖ {row['error']:.3g}"
        for row in about["layers"]
    ]
    lines += _measure(options, about, adapted.folder, [("before", adapted.policy), ("pruned", policy)])
    if options.to is not None:
        limit = f"rank {options.rank} at most" if options.rank else f"{options.energy:.2%} of the energy"
        write_adapter(adapted, ranks, options.to, f"The updates of {adapted.folder.name}, cut to {limit}.")
        about["written"] = str(options.to)
        lines.append(f"Written to {options.to}")
    return about, "\n".join(lines)


def _blend(options: argparse.Namespace) -> Result:
    from studio.store.adapter_files import blended, ranks_for, write_adapter
    from studio.store.adapters import open_adapter

    count = len(options.folders)
    weights = options.weights or [1 / count] * count
    if len(weights) != count:
        message = f"There are {count} adapters and {len(weights)} weights."
        raise ExperimentError(message, "--weights", "Give one for each.")
    opened = [open_adapter(folder) for folder in options.folders]
    blend = blended(opened, weights)
    about: dict[str, Any] = {"weights": weights, "base_sha256": blend.base_sha256}
    parts = ", ".join(f"{weight:g} × {folder.name}" for weight, folder in zip(weights, options.folders, strict=True))
    policies = [(folder.name, one.policy) for folder, one in zip(options.folders, opened, strict=True)]
    lines = [parts, *_measure(options, about, options.folders[0], [*policies, ("blend", blend.policy)])]
    if options.to is not None:
        write_adapter(blend, ranks_for(blend.spectra()), options.to, f"A blend of {parts}.")
        about["written"] = str(options.to)
        lines.append(f"Written to {options.to}")
    return about, "\n".join(lines)


def _merge(options: argparse.Namespace) -> Result:
    from studio.store.adapter_files import write_merged

    to = write_merged(_open(options), options.to)
    return {"written": str(to)}, f"Written to {to}"


def _delete(options: argparse.Namespace) -> Result:
    from studio.store.adapters import trash_adapter

    trash_adapter(options.folder)
    return {"trashed": str(options.folder)}, f"The adapter of {options.folder} is in the trash."


def _targets(options: argparse.Namespace) -> Result:
    from studio.cli.experiments import load_experiment
    from studio.registry import shared_registry
    from studio.run.adapter_targets import adapter_strategy, hollow_policy, matched, module_tree, trainable_numbers

    experiment, registry = load_experiment(options.experiment_file, options.set), shared_registry()
    policy = hollow_policy(experiment, registry)
    parts, strategy = module_tree(policy), adapter_strategy(experiment, registry)
    targets = [*strategy.params.target_modules] if strategy is not None else []
    chosen = set(matched(targets, parts))
    total = sum(parameter.numel() for parameter in policy.parameters())
    about: dict[str, Any] = {
        "policy": experiment.policy.id,
        "strategy": experiment.strategy.id,
        "parameters": total,
        "targets": targets,
        "trainable": None,
        "modules": [
            {
                "name": part.name,
                "kind": part.kind,
                "parameters": part.numbers,
                "adaptable": part.adaptable,
                "whole": part.whole,
                "target": part.name in chosen,
            }
            for part in parts
        ],
    }
    width = max(len(part.name) for part in parts)
    lines = []
    for part in parts:
        mark = "adapter" if part.name in chosen else "whole" if part.whole else "can have one" if part.adaptable else ""
        lines.append(f"{part.name:<{width}}  {part.numbers:>10,}  {mark}".rstrip())
    if strategy is not None:
        about["trainable"] = count = trainable_numbers(strategy, policy, experiment.budget.iterations)
        lines.append(f"{count:,} of {total:,} parameters would be trained ({count / total:.1%}).")
    else:
        lines.append(f"The strategy {experiment.strategy.id} places no adapter of PEFT.")
    return about, "\n".join(lines)


def _open(options: argparse.Namespace) -> Adapted:
    from studio.store.adapters import open_adapter

    return open_adapter(options.folder, options.base)


def _pruning(spectra: Sequence[Spectrum], ranks: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "layer": one.layer,
            "rank": ranks[one.layer],
            "energy": one.energy(ranks[one.layer]),
            "error": one.error(ranks[one.layer]),
        }
        for one in spectra
    ]


def _measure(
    options: argparse.Namespace, about: dict[str, Any], folder: Path, policies: Sequence[tuple[str, Any]]
) -> list[str]:
    """Measure what was asked for, add it to the result, and return it in lines. The last policy is the one made."""
    if not (options.actions or options.evaluate):
        return []
    from studio.cli.progress import ShareLine
    from studio.registry import shared_registry
    from studio.run.adapter_loss import action_loss, adapter_experiment, recorded_states, success_of

    experiment, registry, lines = adapter_experiment(folder), shared_registry(), []
    if options.actions:
        found = action_loss(policies[0][1], policies[-1][1], recorded_states(experiment, registry))
        about["actions"] = found.to_dict()
        lines.append(
            f"Actions on {found.states} recorded states: differ by {found.difference:.3g} (RMS); from the recorded "
            f"ones by {found.before:.3g} before and {found.after:.3g} after"
        )
    if options.evaluate:
        about["success"] = {}
        for name, policy in policies:
            line = ShareLine(name)
            score = success_of(policy, experiment, registry, options.evaluate, partial(_tick, line))
            line.clear()
            about["success"][name] = score.to_dict()
            lines.append(f"{name}: {score.measure} {score.score:.3f} [{score.low:.3f}, {score.high:.3f}]")
    return lines


def _tick(line: ShareLine, done: int, total: int) -> None:
    line(done / total)


ACTIONS = {
    "list": _list,
    "spectrum": _spectrum,
    "prune": _prune,
    "blend": _blend,
    "merge": _merge,
    "delete": _delete,
    "targets": _targets,
}
