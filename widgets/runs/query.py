"""The search over the runs: words that occur in any column, and conditions on fields.

``strategy:lora seed:1 episodes:>20 state:finished "franka arm"``: every part must hold, one with a minus before it must
not. A text may be a part of the id or the title; a number may have a sign before it (``>``, ``>=``, ``<``, ``<=``), or
two ends, ``5..20``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_PART = re.compile(r'(?P<no>-?)(?:(?P<field>[a-z_]+):)?(?P<value>"[^"]*"?|\S*)')
_NUMBER = re.compile(r"(?P<sign>>=|<=|>|<|=?)(?P<low>-?\d+(?:\.\d+)?)(?:\.\.(?P<high>-?\d+(?:\.\d+)?))?$")
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "": operator.eq,
}


@dataclass(frozen=True)
class Searched:
    """What is known of a run: ``texts`` and ``numbers`` by field, and ``everything`` that its row says."""

    texts: Mapping[str, str]
    numbers: Mapping[str, float]
    everything: str


Condition = Callable[[Searched], bool]


def parse(text: str) -> list[Condition]:
    """Return the conditions of a search; what is no field is looked for as it is written."""
    return [_condition(part) for part in _PART.finditer(text.casefold()) if part[0].strip("-")]


def _condition(part: re.Match[str]) -> Condition:
    field, value = part["field"] or "", part["value"].strip('"')
    written = f"{field}:{value}" if field else value

    def holds(run: Searched) -> bool:
        if field in run.numbers:
            return _within(run.numbers[field], value)
        if field in run.texts:
            return value in run.texts[field].casefold()
        return written in run.everything.casefold()

    return (lambda run: not holds(run)) if part["no"] else holds


def _within(number: float, wanted: str) -> bool:
    found = _NUMBER.match(wanted)
    if found is None:
        return not wanted  # "seed:", while it is being written
    if found["high"] is not None:
        return float(found["low"]) <= number <= float(found["high"])
    return _SIGNS[found["sign"]](number, float(found["low"]))
