"""The matrix of a comparison: a cell for each strategy and number of episodes, over its seeds, and what differs.

A cell differs from training without transfer beyond chance where the p-value of the difference, from the two-level
bootstrap over seeds and episodes, passes Holm's correction (1979) over all cells that are compared: the probability
that any mark of the whole matrix is wrong is at most ``ALPHA``, as far as the bootstrap holds for so few seeds.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from studio.analysis.baselines import is_no_transfer
from studio.analysis.sequential import Decision
from studio.analysis.statistics import known_mean, resampled_means
from studio.store.runs import RunInfo

ALPHA = 0.05
ALIVE = ("preparing", "running", "paused")
Key = tuple[str, int]  # row and number of episodes
State = Literal["empty", "running", "failed", "partial", "finished"]
Verdict = Literal["", "better", "worse"]
COLUMNS = (
    "strategy", "episodes", "seeds", "planned", "state", "measure", "score", "low", "high", "verdict", "p",
    "trainable_parameters", "seconds", "seed_scores",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """Runs of one strategy and number of episodes, by seed, None where there is none. Unknown numbers are NaN.

    ``p`` is of the difference to training without transfer, before the correction; ``verdict`` is after it.
    ``decision``: of the comparison with ``rival`` that stops when it is decided; None: there is none.
    """

    runs: Mapping[int, RunInfo | None]
    score: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    verdict: Verdict = ""
    rival: str = ""
    decision: Decision | None = None

    @property
    def finished(self) -> list[RunInfo]:
        """The runs that count, in the order of seeds."""
        return [run for run in self.runs.values() if run is not None and run.state == "finished"]

    @property
    def state(self) -> State:
        """What there is of it: a run at work first, then a failed one; partial: seeds are missing."""
        states = [run.state for run in self.runs.values() if run is not None]
        if any(state in ALIVE for state in states):
            return "running"
        if "failed" in states:
            return "failed"
        if not states:
            return "empty"
        return "finished" if len(self.finished) == len(self.runs) else "partial"

    @property
    def measure(self) -> str:
        """What the score is: success, or return."""
        return self.finished[0].measure if self.finished else "success"

    @property
    def trainable_parameters(self) -> int:
        """Trained numbers; 0 where none is known."""
        return max((run.trainable_parameters for run in self.runs.values() if run is not None), default=0)

    @property
    def seconds(self) -> float:
        """Mean training time of the finished runs."""
        found = known_mean(run.seconds for run in self.finished)
        return math.nan if found is None else found


@dataclass(frozen=True)
class MatrixTable:
    """Cells by row and number of episodes. ``reference``: the row without transfer; empty: there is none.

    ``tests``: how many cells are compared with it, over which the marks are corrected.
    """

    rows: Sequence[str]
    episodes: Sequence[int]
    cells: Mapping[Key, Cell]
    reference: str = ""
    tests: int = 0

    @property
    def range(self) -> tuple[float, float]:
        """Ends of the scores' scale: 0 and 1 for successes, else the least and the greatest mean."""
        scores = [cell.score for cell in self.cells.values() if math.isfinite(cell.score)]
        if not scores or all(cell.measure == "success" for cell in self.cells.values()):
            return 0.0, 1.0
        return min(scores), max(scores)


def matrix_table(
    runs: Mapping[Key, Mapping[int, RunInfo | None]], decisions: Mapping[Key, tuple[str, Decision]] | None = None
) -> MatrixTable:
    """Return the matrix of runs, which are given by row and number of episodes, and by seed.

    Args:
        decisions: of cells whose comparison stops when it is decided, with the row that each is compared with.
    """
    samples: dict[Key, np.ndarray] = {}
    cells: dict[Key, Cell] = {}
    for key, seeds in runs.items():
        cell = Cell(seeds)
        if cell.finished:
            samples[key] = resampled_means(cell.finished)
            low, high = np.quantile(samples[key], [0.025, 0.975])
            if len(cell.finished) == 1:
                low, high = cell.finished[0].low, cell.finished[0].high
            mean = float(np.mean([run.success for run in cell.finished]))
            cell = replace(cell, score=mean, low=float(low), high=float(high))
        cells[key] = cell
    rows = list(dict.fromkeys(row for row, _ in runs))
    alone = {row for (row, _), cell in cells.items() if any(map(is_no_transfer, cell.finished))}
    reference = next((row for row in rows if row in alone), "")
    against = {(row, n): (reference, n) for row, n in samples if row != reference and (reference, n) in samples}
    p = {key: _p_value(samples[key], samples[base]) for key, base in against.items()}
    differs = holm(p)
    for key, value in p.items():
        ahead: Verdict = "better" if cells[key].score > cells[against[key]].score else "worse"
        cells[key] = replace(cells[key], p=value, verdict=ahead if key in differs else "")
    for key, (rival, decision) in (decisions or {}).items():
        if key in cells:
            cells[key] = replace(cells[key], rival=rival, decision=decision)
    return MatrixTable(rows, sorted({n for _, n in runs}), cells, reference, len(p))


def holm(p: Mapping[Key, float], alpha: float = ALPHA) -> set[Key]:
    """Return whose p-values are significant together: the k-th smallest of m at most alpha / (m − k + 1), and all
    smaller ones."""
    found: set[Key] = set()
    for place, key in enumerate(sorted(p, key=lambda key: p[key])):
        if p[key] > alpha / (len(p) - place):
            break
        found.add(key)
    return found


def as_csv(table: MatrixTable) -> str:
    """Return a line for each cell, with every digit."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (row, episodes), cell in table.cells.items():
        seeds = " ".join(f"{run.seed}:{run.success:.6g}" for run in cell.finished)
        about = (row, episodes, len(cell.finished), len(cell.runs), cell.state, cell.measure)
        numbers = (cell.score, cell.low, cell.high, cell.verdict, cell.p, cell.trainable_parameters, cell.seconds)
        writer.writerow(["" if value != value else value for value in (*about, *numbers, seeds)])
    return out.getvalue()


def as_markdown(table: MatrixTable, title: Callable[[str], str] = str) -> str:
    """Return the matrix as a Markdown table: mean and interval, seeds where some are missing, and marks.

    Args:
        title: gives the words for a row.
    """
    lines = [["Strategy", *(f"{n} episodes" for n in table.episodes)]]
    for row in table.rows:
        found = (table.cells.get((row, n)) for n in table.episodes)
        lines.append([title(row), *("" if cell is None else cell_text(cell) for cell in found)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [f"| {' | '.join(cell.ljust(w) for cell, w in zip(line, widths, strict=True))} |" for line in lines]
    text.insert(1, "| " + " | ".join("-" * w for w in widths) + " |")
    return "\n".join([*text, "", note(table, title)]) if note(table, title) else "\n".join(text)


def cell_text(cell: Cell) -> str:
    """Return a cell in words: ``0.72 [0.66, 0.78] ▲``."""
    if not cell.finished:
        return {"empty": "–", "partial": "stopped"}.get(cell.state, cell.state)
    form = ".2f" if cell.measure == "success" else ",.4g"
    mark = {"better": " ▲", "worse": " ▼", "": ""}[cell.verdict]
    seeds = "" if len(cell.finished) == len(cell.runs) else f" ({len(cell.finished)} of {len(cell.runs)} seeds)"
    return f"{cell.score:{form}} [{cell.low:{form}}, {cell.high:{form}}]{mark}{seeds}"


def note(table: MatrixTable, title: Callable[[str], str] = str) -> str:
    """Return what the marks mean; empty where nothing is compared."""
    if not table.tests:
        return ""
    cells = "1 cell" if table.tests == 1 else f"{table.tests} cells"
    single = any(len(cell.finished) == 1 for cell in table.cells.values())
    alone = " With one seed it is over episodes alone and says nothing about other seeds." if single else ""
    return (
        f"▲ ▼ better or worse than {title(table.reference)} beyond chance: bootstrap over seeds and episodes, Holm's "
        f"correction over {cells}, {ALPHA:.0%} for all of them together.{alone}"
    )


def _p_value(sample: np.ndarray, base: np.ndarray) -> float:
    """Return the two-sided bootstrap p-value of a difference of means; never below what so many resamples can show."""
    gap = sample - np.random.default_rng(1).permutation(base)
    count = len(gap)
    return float(min(1.0, 2 * (min((gap <= 0).sum(), (gap >= 0).sum()) + 1) / (count + 1)))
