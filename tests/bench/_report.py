"""One row of a bench's result."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def row(
    id: str, value: float, unit: str, target: str = "", met: bool | None = None, seeds: Iterable[float] = ()
) -> dict[str, Any]:
    """A figure, what was asked, whether that was met (None: nothing was asked); ``seeds``: what each of them gave."""
    each = [float(value) for value in seeds]
    return {"id": id, "value": value, "unit": unit, "target": target, "met": met} | ({"seeds": each} if each else {})


def finish(rows: list[dict[str, Any]]) -> None:
    """Print the rows as the last line, in JSON, as ``transfer-studio bench`` reads it."""
    print(json.dumps({"rows": rows}))
