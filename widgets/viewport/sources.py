"""What the viewport can play beside the experiment's domain: checkpoints, recorded episodes, files. Off the UI thread.

Nothing here draws or owns a widget; it makes what is handed to the render thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from studio.contracts import PlayerProtocol, Policy, Reading
from studio.contracts.decorations import Color
from studio.experiment import Domain, Experiment
from studio.registry import Registry

if TYPE_CHECKING:
    from studio.viewer.episode_playback import Scored

RUNS_SHOWN = 15
EPISODES_READ = 200  # of a file: more would fill the memory with images


@dataclass(frozen=True)
class Recorded:
    """Episodes or a model to look at: what it is called, and what makes its player on the render thread."""

    name: str
    make: Callable[[], PlayerProtocol]


class Recordings(NamedTuple):
    """What can be played again."""

    demonstrations: list[tuple[str, Path]]  # role (source, target), file
    evaluations: list[tuple[str, Path, list[Scored]]]  # run's name, its folder, its evaluations by step


def checkpoints(folder: Path) -> list[tuple[str, Path, list[int]]]:
    """Return (name, folder, steps) of the newest runs that have checkpoints."""
    from studio.store.checkpoint import list_checkpoints
    from studio.store.runs import list_runs

    runs = list_runs(folder)[:RUNS_SHOWN]
    found = [(run.name, run.folder, sorted({step for _, step, _ in list_checkpoints(run.folder)})) for run in runs]
    return [entry for entry in found if entry[2]]


def recordings(experiment: Experiment, registry: Registry, folder: Path) -> Recordings:
    """Return the experiment's demonstrations on the disk, and evaluations of the newest runs in ``folder``."""
    return Recordings(_demonstrations(experiment, registry), _evaluations(folder))


def dataset(path: Path, registry: Registry, shown: Domain, name: str = "") -> Recorded:
    """Return a dataset's episodes, on the domain that it names, or else on the one shown. Raises DataError.

    Args:
        name: what to call it; empty: as the file is called.
    """
    from studio.data.datasets import read_dataset
    from studio.sim.domains import resolve
    from studio.viewer.playback import Playback, recorded_domain

    episodes = read_dataset(path, Reading(EPISODES_READ))
    domain = recorded_domain(episodes, shown)
    title = name or path.name
    if len(episodes) == EPISODES_READ:
        title = f"{title} (first {EPISODES_READ} episodes)"
    return Recorded(title, lambda: Playback(episodes, resolve(domain, registry), str(path)))


def evaluation(folder: Path, step: int) -> Recorded:
    """Return a run's evaluation, played again from its seeds. Raises DataError."""
    from studio.viewer.episode_playback import replay
    from studio.viewer.playback import Playback

    episodes, domain, names = replay(folder, step)
    return Recorded(f"{folder.name} · {step}", lambda: Playback(episodes, domain, str(folder), names))


def compared(domain: Domain, registry: Registry, beside: Policy, label: str, color: Color) -> PlayerProtocol:
    """Return a player of a domain with a second policy beside the one that drives. On the render thread only."""
    from studio.sim.domains import resolve
    from studio.viewer.comparing_player import ComparingPlayer

    return ComparingPlayer(resolve(domain, registry), beside, label, color)


def model(path: Path) -> Recorded:
    """Return a model file to look at."""

    def make() -> PlayerProtocol:
        from studio.viewer.model_player import ModelPlayer

        return ModelPlayer(path)

    return Recorded(path.name, make)


def _demonstrations(experiment: Experiment, registry: Registry) -> list[tuple[str, Path]]:
    from studio.data.datasets import cache_path
    from studio.errors import StudioError
    from studio.sim.domains import resolve

    found = []
    for role, domain in (("source", experiment.source), ("target", experiment.target)):
        try:
            path = domain.dataset or cache_path(resolve(domain, registry), experiment.seed)
        except StudioError:
            continue  # what cannot be built has no demonstrations
        if path.is_file():
            found.append((role, path))
    return found


def _evaluations(folder: Path) -> list[tuple[str, Path, list[Scored]]]:
    from studio.errors import StudioError
    from studio.store.runs import list_runs
    from studio.viewer.episode_playback import scored

    found = []
    for run in list_runs(folder)[:RUNS_SHOWN]:
        try:
            known = scored(run.folder)
        except StudioError:
            continue  # a run without a readable log has none
        if known:
            found.append((run.name, run.folder, known))
    return found
