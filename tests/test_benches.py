"""Measurements are seldom run, and no type checker reads them: what they import of ours is there.

``transfer-studio bench`` starts them as scripts, so they find the modules of their own folder, and ``tests`` only once
``_tree`` is imported.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "bench"
BENCHES = sorted(FOLDER.glob("*.py"))
OURS = {"studio", "plugins", "widgets", "tests", *(path.stem for path in BENCHES)}


@pytest.mark.parametrize("path", BENCHES, ids=lambda path: path.stem)
def test_a_measurement_imports_what_there_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(FOLDER)
    found = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    imports = [node for node in found if isinstance(node, (ast.Import, ast.ImportFrom))]
    finds_tests = False
    for node in sorted(imports, key=lambda node: node.lineno):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        first = {name.partition(".")[0] for name in names}
        finds_tests |= "_tree" in first
        assert finds_tests or "tests" not in first, f"line {node.lineno}: a script does not find the folder tests"
        if first & OURS:
            exec(compile(ast.Module([node], []), path, "exec"), {})
