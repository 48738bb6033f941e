"""Content hashes of settings: one rule, read from the fields themselves.

A field says since which format version it exists (``setting(..., since=2)``). A hash counts the fields of its own time,
and a later one only where it was moved from its default: adding a setting changes no hash, so runs, source policies and
episodes of earlier versions are found again. The default of such a field therefore stays for good; a new behavior
takes a new field. Fields that never decide a result say so (``decides=False``). A renamed field is hashed under its
first name (``earlier=``).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from studio.experiment.settings import mark
from studio.experiment.short_form import short_name, shortened

# up to which version's fields are always counted
EPISODES = 0  # in hashes of what is drawn from a domain
RUNS = 1  # in hashes of experiments and of source policies


def content_hash(data: Any) -> str:
    """Return the SHA-256 (hex) of plain data, independent of key order."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def decisive(settings: BaseModel, counted: int) -> dict[str, Any]:
    """Return what of settings decides a result, as plain data to be hashed.

    Args:
        counted: up to which version's fields are part of it at their defaults too.
    """
    found = {}
    for name, field in type(settings).model_fields.items():
        if not mark(field, "decides", True) or _left_out(settings, name, field, counted):
            continue
        value, called, short = getattr(settings, name), mark(field, "earlier", name), short_name(field)
        if short and len(value) < 2:  # the setting was of one entry before it became a list
            called, value = short, shortened(value)
        found[called] = _plain(value, counted)
    return found


def complete(settings: BaseModel) -> dict[str, Any]:
    """Return settings as plain data with their defaults written out, but for those of fields that came later."""
    whole = settings.model_dump(mode="json")
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if _left_out(settings, name, field, RUNS):
            del whole[name]
        elif isinstance(value, BaseModel):
            whole[name] = complete(value)
    return whole


def _left_out(settings: BaseModel, name: str, field: FieldInfo, counted: int) -> bool:
    """Whether a field was added after the hash and has no effect: it has its default, or is switched off."""
    if mark(field, "since", 0) <= counted:
        return False
    value = getattr(settings, name)
    switch = mark(field, "switch", "")
    return value == field.get_default(call_default_factory=True) or bool(switch and not getattr(value, switch))


def _plain(value: Any, counted: int) -> Any:
    if isinstance(value, BaseModel):
        return decisive(value, counted)
    if isinstance(value, list | tuple):
        return [_plain(item, counted) for item in value]
    return value if isinstance(value, dict | str | int | float | None) else str(value)
