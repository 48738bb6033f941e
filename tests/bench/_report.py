"""One row of a bench's result."""

from __future__ import annotations

import json
from typing import Any


def row(id: str, value: float, unit: str, target: str = "", met: bool | None = None) -> dict[str, Any]:
    """A measured figure, what was asked, and whether it was met (None: nothing was asked)."""
    return {"id": id, "value": value, "unit": unit, "target": target, "met": met}


def finish(rows: list[dict[str, Any]]) -> None:
    """Prints the rows as the last line, in JSON, as ``transfer-studio bench`` reads it."""
    print(json.dumps({"rows": rows}))
