"""Titles, summaries and references of contributions, read from their source without importing them.

Importing a strategy imports torch, which takes seconds; a list of strategies needs four texts of each.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Description:
    """The texts that every contribution has."""

    id: str
    title: str
    summary: str
    reference: str


def read_description(point: EntryPoint) -> Description | None:
    """Return the texts of the contribution behind an entry point, from its source; None: import it to get them.

    That is the case where a text is inherited or computed, and where the source is missing or not valid Python: the
    import then reports what is wrong.
    """
    try:
        spec = find_spec(point.module)
        if spec is None or spec.origin is None:
            return None
        tree = ast.parse(Path(spec.origin).read_bytes())
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
    values = {name: value for node in tree.body for name, value in _attributes(node, point.attr)}
    texts = {name: v.value for name, v in values.items() if isinstance(v, ast.Constant) and isinstance(v.value, str)}
    fields = Description.__dataclass_fields__
    return Description(**{name: texts[name] for name in fields}) if fields.keys() <= texts.keys() else None


def _attributes(node: ast.stmt, name: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield what a statement sets on the object that it calls ``name``: a class's body, or a call's keywords."""
    if isinstance(node, ast.ClassDef) and node.name == name:
        for part in node.body:
            yield from _assigned(part)
    for target, value in _assigned(node):
        if target == name and isinstance(value, ast.Call):
            yield from ((keyword.arg, keyword.value) for keyword in value.keywords if keyword.arg is not None)


def _assigned(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a statement assigns, with their values."""
    if isinstance(node, ast.Assign):
        yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value
