"""Demonstrations for a domain: a file's, or the scripted expert's, made once and cached by content hash."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from studio import paths
from studio.contracts import WHOLE, Episodes, Format, Problem, Reading, ResolvedDomain, SplitError, Survey
from studio.data.collect import DATASET_FIELDS, collect
from studio.data.recording_checks import gripper_columns
from studio.data.resample import downsampled
from studio.data.suitability import Suitability, entries_of, further_images, suitability
from studio.errors import DataError, ExperimentError
from studio.experiment import Domain, content_hash
from studio.files import disk_full, file_hash
from studio.registry import shared_registry
from studio.sim.hidden_dynamics import hidden_dynamics_file

READER_VERSION = 2  # raise it when the same file is read otherwise, so that policies cached for it are trained again
CONTROLS = get_args(Domain.model_fields["control"].annotation)
WAIT_S = 0.2  # between two looks whether another thread has recorded what is asked for
COLLECTOR_VERSION = 2  # raise it when collection or simulation changes, so that cached datasets are collected again

_recording: dict[Path, threading.Lock] = {}  # held by the thread that reads or records these episodes


def demonstrations(
    resolved: ResolvedDomain,
    seed: int,
    tick: Callable[[int, int], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Episodes:
    """Return a domain's episodes: from its dataset file where it names one, else from the scripted expert.

    Args:
        tick: called with (episodes made, episodes asked for); it may raise to stop.
        say: called with a sentence on each thing in the file that is converted, left out or assumed.

    Raises:
        DataError: the file is missing, broken, empty, or does not suit the domain.
    """
    domain, embodiment, task = resolved.domain, resolved.embodiment, resolved.task
    if domain.dataset is None:
        episodes, where = _expert_episodes(resolved, seed, tick), "expert"
    else:
        where, suits = str(domain.dataset), examine(resolved)
        for problem in suits.problems:
            raise DataError(problem.message, where, problem.remedy)
        if say is not None:
            for note in suits.notes:
                say(f"{domain.dataset.name}: {note}")
        found = format_of(domain.dataset).read(domain.dataset, suits.reading)
        episodes = _open_at_plus_one(downsampled(found, suits.frames), resolved)
    episodes.check(where, len(task.slots(embodiment, domain.control)), sorted(entries_of(domain, task, embodiment)))
    return episodes


def _open_at_plus_one(episodes: Episodes, resolved: ResolvedDomain) -> Episodes:
    """Return episodes whose gripper actions open at +1, whatever the file's convention is."""
    if resolved.domain.dataset_gripper == "open":
        return episodes
    actions = episodes.actions.copy()
    actions[:, gripper_columns(resolved)] *= -1
    return dataclasses.replace(episodes, actions=actions)


def examine(resolved: ResolvedDomain) -> Suitability:
    """Return how the domain's dataset suits it: what a run would refuse, and what it would convert.

    Raises:
        DataError: the file cannot be opened, or holds no episodes.
    """
    domain, task, registry = resolved.domain, resolved.task, shared_registry()
    assert domain.dataset is not None
    entries = entries_of(domain, task, resolved.embodiment)
    asked = domain.dataset_camera if len(domain.images) < 2 else ""  # of several cameras all images are examined
    reading = Reading(domain.episodes, domain.dataset_split, entries, asked)
    known = frozenset([*registry.all("tasks"), *registry.all("embodiments"), *CONTROLS])
    try:
        found = survey(domain.dataset, reading)
    except SplitError as error:
        return Suitability(reading, problems=(Problem("dataset_split", error.message, error.remedy),))
    return suitability(domain, task, resolved.embodiment, found, reading, known)


def survey(path: Path, reading: Reading = WHOLE) -> Survey:
    """Return what a dataset file holds; kept while the file's time and size stay, because a domain is checked at every
    edit.

    Raises:
        DataError: the file cannot be opened or holds no episodes.
    """
    kind: Callable[[], Format] = type(format_of(path))
    seen = path.stat()
    return _survey(kind, path.resolve(), seen.st_mtime_ns, seen.st_size, reading)


@functools.lru_cache(maxsize=64)
def _survey(kind: Callable[[], Format], path: Path, _changed: int, _size: int, reading: Reading) -> Survey:
    return kind().survey(path, reading)


def read_dataset(path: Path, reading: Reading = WHOLE) -> Episodes:
    """Return a dataset file's episodes, read through the first format that recognizes it."""
    return format_of(path).read(path, reading)


def format_of(path: Path) -> Format:
    """Return the format of a dataset file. Raise DataError where none recognizes it."""
    if not path.exists():
        raise DataError("The dataset does not exist.", str(path), "Check the path.")
    formats: list[Format] = [contribution() for contribution in shared_registry().all("formats").values()]
    for known in formats:
        if known.sniff(path):
            return known
    named = ", ".join(f.title for f in formats)
    raise DataError("The file is in no dataset format the studio reads.", str(path), f"It reads: {named}.")


def cache_path(resolved: ResolvedDomain, seed: int) -> Path:
    """Return where the expert's episodes of a domain are kept once they are made."""
    domain = resolved.domain
    cache_key = {name: value for name, value in domain.cache_key().items() if name not in DATASET_FIELDS} | {
        **({"stand_in": file_hash(hidden_dynamics_file(domain.hidden_dynamics))} if domain.hidden_dynamics else {}),
        "seed": seed,
        "model": model_hash(resolved.embodiment.model),
        "collector": COLLECTOR_VERSION,
        "task_version": resolved.task.version,
    }
    return paths.cache() / "datasets" / f"{content_hash(cache_key)[:32]}.hdf5"


def model_hash(model: Path) -> str:
    """Return the hash of a model file and of every file that it names, in turn too (includes, models, meshes)."""
    seen: dict[Path, str] = {}
    waiting = [model.resolve()]
    while waiting:
        file = waiting.pop()
        if file in seen or not file.is_file():
            continue
        seen[file] = file_hash(file)
        if file.suffix.lower() in (".xml", ".mjcf", ".urdf"):
            text = file.read_text(encoding="utf-8", errors="replace")
            named = re.findall(r'file(?:name|right|left|up|down|front|back)?="([^"]+)"', text)
            waiting += [(folder / name).resolve() for folder in (model.parent, file.parent) for name in named]
    return content_hash(sorted(seen.values()))


def _expert_episodes(resolved: ResolvedDomain, seed: int, tick: Callable[[int, int], None] | None) -> Episodes:
    """Return the expert's episodes, recorded once: a run and a panel may ask for them at the same time."""
    path = cache_path(resolved, seed)
    lock = _recording.setdefault(path, threading.Lock())
    while not lock.acquire(timeout=WAIT_S):
        if tick is not None:
            tick(0, resolved.domain.episodes)  # may raise to stop
    try:
        return _read_or_record(resolved, seed, path, tick)
    finally:
        lock.release()


def _read_or_record(
    resolved: ResolvedDomain, seed: int, path: Path, tick: Callable[[int, int], None] | None
) -> Episodes:
    store: Format = shared_registry().get("formats", "robomimic")()
    wanted = resolved.domain.episodes
    if path.exists():
        with contextlib.suppress(DataError):  # a damaged one is recorded again
            episodes = store.read(path, _of_expert(resolved.domain, store, path))
            if len(episodes) >= wanted:
                return episodes.take(wanted)
    episodes = collect(resolved.domain, resolved.new_task(), resolved.embodiment, wanted, seed, tick)
    paths.cache_folder("datasets")
    try:
        store.write(episodes, path)
    except OSError as error:
        reason = "the disk is full" if disk_full(error) else error.strerror or str(error)
        raise ExperimentError(
            f"The cache cannot be written ({reason}).", str(path.parent), "Free space, or set TRANSFER_STUDIO_CACHE."
        ) from None
    return episodes


def _of_expert(domain: Domain, store: Format, path: Path) -> Reading:
    """Return how to read episodes that were recorded in a domain: all that there is, with the images of its cameras."""
    if len(domain.images) < 2:
        return WHOLE
    cameras = store.survey(path, Reading(1)).cameras
    first = next((key for key, camera in cameras.items() if camera == domain.camera), "")
    return Reading(camera=first, further=further_images(domain, cameras))
