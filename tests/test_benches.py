"""Measurements are seldom run, and no type checker reads them: what they import of ours is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

OURS = {"studio", "plugins", "widgets"}
BENCHES = sorted((Path(__file__).parent / "bench").glob("*.py"))


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_a_measurement_imports_what_there_is(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in OURS:
            exec(compile(ast.Module([node], []), path, "exec"), {})
