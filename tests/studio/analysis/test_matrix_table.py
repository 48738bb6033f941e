"""The matrix of a comparison: states of its cells, marks beyond chance, and its copies."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest

from studio.analysis import matrix_table as module
from studio.analysis.matrix_table import as_csv, as_markdown, cell_text, holm, matrix_table
from studio.store.runs import RunInfo


def run(strategy: str, episodes: int, seed: int, success: float = math.nan, state: str = "finished") -> RunInfo:
    low, high = success - 0.05, success + 0.05
    return RunInfo(
        Path(f"{strategy}-{episodes}-{seed}"), "tiny", strategy, "a", "b", episodes, seed, state, 0.0, 2.0, success,
        low, high, math.nan, 100, 1.0, False, "", evaluation_episodes=200,
    )  # fmt: skip


def cells(strategy: str, episodes: int, *scores: float) -> dict[int, RunInfo | None]:
    return {seed: run(strategy, episodes, seed, score) for seed, score in enumerate(scores)}


def test_matrix_marks_what_differs_beyond_chance() -> None:
    table = matrix_table(
        {
            ("from_scratch", 5): cells("from_scratch", 5, 0.3, 0.32, 0.28),
            ("lora", 5): cells("lora", 5, 0.7, 0.72, 0.71),
            ("full_finetuning", 5): cells("full_finetuning", 5, 0.33, 0.29, 0.31),
            ("lora", 20): cells("lora", 20, 0.8, 0.8, 0.8),
        }
    )
    verdicts = {key: cell.verdict for key, cell in table.cells.items()}
    assert verdicts == {
        ("from_scratch", 5): "", ("lora", 5): "better", ("full_finetuning", 5): "", ("lora", 20): "",
    }  # fmt: skip
    assert (table.reference, table.tests, table.range) == ("from_scratch", 2, (0.0, 1.0))
    text = as_markdown(table, str.upper)
    assert "0.71 [" in text and "▲" in text and "Holm's correction over 2 cells" in text and "| LORA" in text
    rows = list(csv.DictReader(io.StringIO(as_csv(table))))
    assert [row["verdict"] for row in rows] == ["", "better", "", ""] and rows[3]["p"] == ""


@pytest.mark.parametrize(
    ("states", "state", "words"),
    [
        ([None, None], "empty", "–"),
        (["running", None], "running", "running"),
        (["failed", "finished"], "failed", "0.50"),
        (["stopped", None], "partial", "stopped"),
        (["finished", None], "partial", "(1 of 2 seeds)"),
        (["finished", "finished"], "finished", "0.50 ["),
    ],
)
def test_cell_states_are_told_apart(states: list[str | None], state: str, words: str) -> None:
    runs = {
        seed: None if each is None else run("lora", 5, seed, 0.5 if each == "finished" else math.nan, each)
        for seed, each in enumerate(states)
    }
    (cell,) = matrix_table({("lora", 5): runs}).cells.values()
    assert cell.state == state and words in cell_text(cell)


def test_holm_keeps_the_familywise_error() -> None:
    assert holm({("a", 1): 0.001, ("b", 1): 0.02, ("c", 1): 0.04}) == {("a", 1), ("b", 1), ("c", 1)}
    assert holm({("a", 1): 0.001, ("b", 1): 0.03, ("c", 1): 0.04}) == {("a", 1)}
    assert holm({("a", 1): 0.03, ("b", 1): 0.04}) == set()
    rng = np.random.default_rng(0)
    wrong = [bool(holm({("a", i): p for i, p in enumerate(rng.random(5))})) for _ in range(2_000)]
    assert np.mean(wrong) < module.ALPHA + 0.012
