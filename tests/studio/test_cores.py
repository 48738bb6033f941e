"""Processors that may be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.cores import cores


@pytest.mark.parametrize(
    ("quota", "wanted"), [("max 100000", 8), ("250000 100000", 3), ("20000 100000", 1), ("6400000 100000", 8), ("", 8)]
)
def test_a_containers_share_of_time_counts(
    quota: str, wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    file = tmp_path / "cpu.max"
    file.write_text(f"{quota}\n")
    assert cores(file) == wanted


def test_where_no_file_says_a_quota_the_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3}, raising=False)
    assert cores(tmp_path / "none") == 2
