"""A fake disk under the Runs panel, and ways to ask the panel for its rows."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from plugins.panels.runs import RunsPanel
from studio.experiment import Experiment
from widgets.runs.table import INFO
from widgets.shell.engine import Engine


@dataclass(frozen=True)
class Info:
    """The fields of studio.store.runs.RunInfo that the panel may rely on."""

    folder: Path
    strategy: str = "lora"
    seed: int = 0
    success: float = 0.34
    state: str = "finished"
    episodes: int = 50
    name: str = "demo"
    source: str = "franka_7dof"
    target: str = "ur5_6dof"
    created: float = 0.0
    seconds: float = 125.0
    low: float = 0.28
    high: float = 0.41
    source_success: float = 0.9
    trainable_parameters: int = 12_000
    has_adapter: bool = True
    measure: str = "success"
    configuration: str = ""
    evaluation_episodes: int = 200


def functions(disk: dict[str, Any]) -> Engine:
    """The engine's functions over a fake disk."""

    def list_runs(asked: Path) -> list[Info]:
        disk["threads"].append(threading.current_thread())
        if disk["error"]:
            raise disk["error"]
        return list(disk["runs"])

    def export_runs(folders: list[Path], to: Path) -> list[Path]:
        disk["exported"].append(([folder.name for folder in folders], to))
        return [to / folder.name for folder in folders]

    def trash(folders: list[Path]) -> None:
        disk["trash"] += [folder.name for folder in folders]

    def score_run(folder: Path, experiment: Experiment, registry: Any, keep_on: Any) -> Any:
        disk["scored"] = (folder.name, experiment.target.task, keep_on())
        return SimpleNamespace(score=0.5, low=0.4, high=0.6, measure="success", episodes=200)

    return Engine(list_runs=list_runs, export_runs=export_runs, trash=trash, score_run=score_run)


def names(panel: RunsPanel) -> list[str]:
    return [panel.proxy.index(row, 0).data(INFO).folder.name for row in range(panel.proxy.rowCount())]


def choose(panel: RunsPanel, *wanted: str) -> None:
    panel.view.select([panel.table.rows[0].folder.parent / name for name in wanted])
    assert {run.folder.name for run in panel.view.selected()} == set(wanted)
