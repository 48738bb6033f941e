"""Run folders: their names, the contents of ``run.json``, and the list of them."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from studio.errors import DataError, ExperimentError
from studio.experiment import Experiment
from studio.files import json_text, write_text

ALIVE_SECONDS = 30  # a session with an older heartbeat is dead, even if its pid exists


@dataclass(frozen=True)
class RunInfo:
    """One row of the run table. Unknown numbers are NaN."""

    folder: Path
    name: str
    strategy: str
    source: str  # embodiments, of all sources
    target: str
    episodes: int
    seed: int
    state: str  # preparing, running, paused, stopped, finished, failed, interrupted
    created: float
    seconds: float
    success: float
    low: float
    high: float
    source_success: float
    trainable_parameters: int
    peak_memory_mb: float
    has_adapter: bool
    experiment_hash: str
    measure: str = "success"  # what success, low and high are of; "return" where the task has no success
    inputs: tuple[tuple[str, str], ...] = ()  # see studio.store.input_hashes
    configuration: str = ""  # equal for runs that differ in nothing but their seeds
    samples: float = math.nan  # steps of experience that reinforcement took; of the source policy's training none
    evaluation_episodes: int = 0  # behind its score on the target
    conditions: tuple[tuple[str, float], ...] = ()  # scores on the target under each of the evaluation's conditions


def new_folder(parent: Path, experiment: Experiment) -> Path:
    """Make ``<time>-<name>`` under ``parent``, never an existing folder. Raises ExperimentError where it cannot."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{i}" for i in range(2, 1000))):
        folder = parent / f"{stamp}-{experiment.name}{suffix}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not parent.is_dir():
                break
            continue
        except OSError as error:
            raise ExperimentError(
                f"The output folder cannot be written ({error.strerror}).", str(parent), "Choose another with --out."
            ) from None
        return folder
    raise ExperimentError("The output folder is a file.", str(parent), "Choose another with --out.")


def write_status(folder: Path, status: dict[str, Any]) -> None:
    """Write ``run.json`` with this process's pid and a fresh heartbeat."""
    text = json_text({**status, "pid": os.getpid(), "heartbeat": time.time()}, indent=2)
    write_text(folder / "run.json", text)


class Status:
    """What a session writes into ``run.json``. The devices' thread saves it too, as a heartbeat."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {"created": time.time(), "summary": {}}
        self._lock = threading.Lock()

    def put(self, **values: Any) -> None:
        """Set entries."""
        with self._lock:
            self._values |= values

    def note(self, **summary: Any) -> None:
        """Set entries of the summary, which the run table shows."""
        with self._lock:
            self._values["summary"] |= summary

    def save(self, folder: Path, state: str, stage: str) -> None:
        """Write the file."""
        with self._lock:
            write_status(folder, {**self._values, "state": state, "stage": stage})


def read_status(folder: Path) -> dict[str, Any]:
    """Read ``run.json``; a session that should be active and is not is ``interrupted``."""
    try:
        status: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except OSError:
        raise DataError("The folder is not a run (it has no run.json).", str(folder), "Choose a run folder.") from None
    except ValueError:
        status = {}
    if not (isinstance(status, dict) and isinstance(status.get("state"), str)):
        raise DataError("The run's run.json is damaged.", str(folder), "Start a new run from its experiment.yaml.")
    if status.get("state") in ("preparing", "running", "paused") and not _alive(status):
        status["state"] = "interrupted"
    return status


def _alive(status: dict[str, Any]) -> bool:
    try:
        process = psutil.Process(int(status.get("pid", 0)))
        dead = process.status() == psutil.STATUS_ZOMBIE  # killed, and nobody has asked for its exit status yet
    except psutil.Error:
        return False
    return not dead and time.time() - status.get("heartbeat", 0) < ALIVE_SECONDS


def read_run(folder: Path) -> RunInfo:
    """Return one run's row. Raises DataError where the folder is no run."""
    status = read_status(folder)
    experiment, fingerprint, configuration = _experiment(folder / "experiment.yaml")
    inputs = tuple(sorted(status.get("inputs", {}).items()))
    summary = status.get("summary", {})

    def number(name: str) -> float:
        value = summary.get(name)
        return math.nan if value is None else float(value)

    return RunInfo(
        folder=folder,
        name=experiment.name,
        strategy=experiment.strategy.id,
        source=", ".join(dict.fromkeys(domain.embodiment for domain in experiment.sources)),
        target=experiment.target.embodiment,
        episodes=experiment.target.episodes,
        seed=experiment.seed,
        state=status["state"],
        created=float(status.get("created", 0)),
        seconds=number("seconds"),
        success=number("success"),
        low=number("low"),
        high=number("high"),
        source_success=number("source_success"),
        trainable_parameters=int(summary.get("trainable_parameters", 0)),
        peak_memory_mb=number("peak_memory_mb"),
        has_adapter=(folder / "adapter" / "adapter_config.json").exists(),
        experiment_hash=fingerprint,
        measure=str(summary.get("measure", "success")),
        inputs=inputs,
        configuration=f"{configuration} {inputs}",
        samples=number("samples"),
        evaluation_episodes=int(summary.get("evaluation_episodes", experiment.evaluation.episodes)),
        conditions=tuple((name, float(score)) for name, score in summary.get("conditions", {}).items()),
    )


def experiment_of(run: RunInfo) -> Experiment:
    """Return the experiment of a run."""
    return _experiment(run.folder / "experiment.yaml")[0]


def _experiment(path: Path) -> tuple[Experiment, str, str]:
    """Return a run's experiment, its hash, and that of everything but its seed.

    Only ``run.json`` changes during a run: the YAML is parsed once.
    """
    try:
        seen = path.stat()
    except OSError:
        return _parsed(path, 0, 0)
    return _parsed(path, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=2000)
def _parsed(path: Path, _changed: int, _size: int) -> tuple[Experiment, str, str]:
    experiment = Experiment.load(path)
    of_any_seed = experiment.model_copy(update={"seed": 0, "device": "auto"})
    return experiment, experiment.content_hash(), of_any_seed.content_hash()


def list_runs(parent: Path) -> list[RunInfo]:
    """Return all readable runs under a folder, newest first."""
    found = []
    for folder in parent.iterdir() if parent.is_dir() else []:
        if (folder / "run.json").exists():
            try:
                found.append(read_run(folder))
            except (DataError, ExperimentError):
                continue  # a run of a newer version, or half deleted, is left out
    return sorted(found, key=lambda run: run.created, reverse=True)


def trash(folder: Path) -> None:
    """Move a run to the desktop's trash. Raises DataError where that cannot be done; nothing is deleted outright."""
    from send2trash import send2trash

    if read_status(folder)["state"] in ("preparing", "running", "paused"):
        raise DataError("The run is still active.", str(folder), "Stop it first.")
    try:
        send2trash(str(folder))
    except OSError as error:
        words = f"The run cannot be moved to the trash ({error})."
        raise DataError(words, str(folder), "Delete the folder by hand.") from None


def interim_evaluations(folder: Path, step: int, measure: str) -> list[dict[str, Any]]:
    """Return a run's interim scores up to a step as ``run.json`` has them, from its log; the later of two of a step.

    Args:
        measure: what they are of, which the log does not say: ``success`` or ``return``, by the target's task.
    """
    from studio.store.log_reader import read_log  # it loads h5py, which the window's first frame does not wait for

    found = {}
    for row in read_log(folder).evaluations:
        if row["step"] <= step and not row["final"]:
            kept = {name: row[name] for name in ("domain", "step", "final", "episodes", "success", "low", "high")}
            found[row["domain"], row["step"]] = kept | {"mean_return": row["mean_return"], "measure": measure}
    return sorted(found.values(), key=lambda score: score["step"])
