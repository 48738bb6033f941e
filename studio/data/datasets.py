"""Demonstrations for a domain: a file's, or the scripted expert's, made once and cached by content hash."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from studio import paths
from studio.contracts import Embodiment, Episodes, Format
from studio.data.collect import collect
from studio.errors import DataError, ExperimentError
from studio.experiment import Domain, content_hash
from studio.files import disk_full, file_hash
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.hidden_dynamics import hidden_dynamics_file

COLLECTOR_VERSION = 2  # raise it when collection or simulation changes, so that cached datasets are collected again


def demonstrations(
    domain: Domain, registry: Registry, seed: int, tick: Callable[[int, int], None] | None = None
) -> Episodes:
    """The domain's episodes: from its dataset file where it names one, else from the scripted expert.

    Args:
        tick: called with (episodes made, episodes asked for); it may raise to stop.

    Raises:
        DataError: the file is missing, broken, empty, or does not fit the embodiment.
    """
    embodiment, task = embodiment_of(domain, registry), task_of(domain, registry)
    width = len(task.slots(embodiment, domain.control))
    if domain.dataset is not None:
        episodes = read_dataset(domain.dataset, registry, domain.episodes)
        if len(episodes) < domain.episodes:
            raise DataError(
                f"The dataset holds {len(episodes)} episodes; {domain.episodes} are asked for.",
                str(domain.dataset),
                "Ask for fewer episodes or choose a larger dataset.",
            )
        where = str(domain.dataset)
    else:
        episodes, where = _expert_episodes(domain, registry, embodiment, seed, tick), "expert"
    keys = ["joint_pos", "eef_pos", "image" if domain.observes("image") else "goal"]
    episodes.check(where, width, [*keys, "gripper_pos"] if task.grips else keys)
    if task.grips:
        _check_grippers(episodes, embodiment, where)
    else:
        episodes.observations.pop("gripper_pos", None)  # others' files tell of hands that this task never moves
    joints = episodes.observations["joint_pos"].shape[1]
    if joints != embodiment.dof:
        raise DataError(
            f"Joint positions are {joints} wide; '{embodiment.id}' has {embodiment.dof} joints.",
            where,
            "Choose the embodiment the data was recorded on.",
        )
    return episodes


def _check_grippers(episodes: Episodes, embodiment: Embodiment, where: str) -> None:
    hands = sum(1 for limb in embodiment.limbs if limb.gripper)
    columns = episodes.observations["gripper_pos"].shape[1]
    if columns != hands:
        raise DataError(
            f"Gripper positions are {columns} wide; '{embodiment.id}' has {hands} grippers, one opening each.",
            where,
            "Choose the embodiment the data was recorded on.",
        )


def read_dataset(path: Path, registry: Registry, limit: int | None = None) -> Episodes:
    """Reads a dataset file through the first format that knows it."""
    return format_of(path, registry).read(path, limit)


def format_of(path: Path, registry: Registry) -> Format:
    """The format a dataset file is in. Raises DataError where none knows it."""
    if not path.exists():
        raise DataError("The dataset does not exist.", str(path), "Check the path.")
    formats: list[Format] = [contribution() for contribution in registry.all("formats").values()]
    for known in formats:
        if known.sniff(path):
            return known
    named = ", ".join(f.title for f in formats)
    raise DataError("The file is in no dataset format the studio reads.", str(path), f"It reads: {named}.")


def cache_path(domain: Domain, registry: Registry, seed: int) -> Path:
    """Where the expert's episodes of a domain lie, or will."""
    embodiment = embodiment_of(domain, registry)
    cache_key = {name: value for name, value in domain.cache_key().items() if name != "episodes"} | {
        **({"stand_in": file_hash(hidden_dynamics_file(domain.hidden_dynamics))} if domain.hidden_dynamics else {}),
        "seed": seed,
        "model": model_hash(embodiment.model),
        "collector": COLLECTOR_VERSION,
        "task_version": task_of(domain, registry).version,
    }
    return paths.cache() / "datasets" / f"{content_hash(cache_key)[:32]}.hdf5"


def model_hash(model: Path) -> str:
    """Hash of a model file and of every file it names, and those name in turn (includes, attached models, meshes)."""
    seen: dict[Path, str] = {}
    waiting = [model.resolve()]
    while waiting:
        file = waiting.pop()
        if file in seen or not file.is_file():
            continue
        seen[file] = file_hash(file)
        if file.suffix.lower() in (".xml", ".mjcf", ".urdf"):
            text = file.read_text(encoding="utf-8", errors="replace")
            waiting += [(model.parent / name).resolve() for name in re.findall(r'file(?:name)?="([^"]+)"', text)]
            waiting += [(file.parent / name).resolve() for name in re.findall(r'file(?:name)?="([^"]+)"', text)]
    return content_hash(sorted(seen.values()))


def _expert_episodes(
    domain: Domain, registry: Registry, embodiment: Embodiment, seed: int, tick: Callable[[int, int], None] | None
) -> Episodes:
    store: Format = registry.get("formats", "robomimic")()
    path = cache_path(domain, registry, seed)
    if path.exists():
        with contextlib.suppress(DataError):  # a damaged one is made anew
            episodes = store.read(path)
            if len(episodes) >= domain.episodes:
                return episodes.take(domain.episodes)
    episodes = collect(domain, task_of(domain, registry), embodiment, domain.episodes, seed, tick)
    paths.cache_folder("datasets")
    try:
        store.write(episodes, path)
    except OSError as error:
        reason = "the disk is full" if disk_full(error) else error.strerror
        raise ExperimentError(
            f"The cache cannot be written ({reason}).", str(path.parent), "Free space, or set TRANSFER_STUDIO_CACHE."
        ) from None
    return episodes
