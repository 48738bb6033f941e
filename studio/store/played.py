"""Evaluation episodes that a finished run's policy played beyond its own evaluation, kept in the run's folder."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from studio.files import json_text, write_text
from studio.store.log_reader import read_episodes
from studio.store.runs import RunInfo, read_status

NAME = "played.json"
Array = np.ndarray


def read_played(run: RunInfo, first_seed: int) -> Array:
    """Return the scores (n,) of a run's evaluation episodes on the target, from ``first_seed`` on without a gap.

    Scores are 0 and 1, or returns where the task has no success. Raises DataError where the log is damaged.
    """
    path = run.folder / NAME
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["seed"] == first_seed:
            return np.array(kept["scores"], float)
    table = read_episodes(run.folder)
    mine = table.domain == "target"
    if not mine.any():
        return np.zeros(0)
    mine &= table.step == table.step[mine].max()
    scores = table.returns if run.measure == "return" else table.success
    known = dict(zip(table.seed[mine].tolist(), scores[mine].tolist(), strict=True))
    found: list[float] = []
    while first_seed + len(found) in known:
        found.append(float(known[first_seed + len(found)]))
    return np.array(found)


def write_played(run: RunInfo, first_seed: int, scores: Array, score: dict[str, Any]) -> None:
    """Keep the scores (n,) of all episodes played so far, and make the run's score on the target that over all of them.

    Args:
        score: ``success``, ``low`` and ``high`` over these episodes.
    """
    write_text(run.folder / NAME, json_text({"seed": first_seed, "scores": scores.tolist()}))
    status = read_status(run.folder)
    status["summary"] |= score | {"evaluation_episodes": len(scores)}
    write_text(run.folder / "run.json", json_text(status, indent=2))
