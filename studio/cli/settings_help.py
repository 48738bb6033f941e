"""What ``transfer-studio help lora`` prints: all settings of a strategy or a policy, from their own declarations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.help_pages import Page
from studio.registry import Registry

Schema = Mapping[str, Any]  # of JSON
WHERE = {"strategies": "strategy.params", "policies": "policy.params"}  # in an experiment's file
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


def settings_page(id: str, registry: Registry) -> Page | None:
    """Return a page about a strategy or a policy and its settings; None: there is none of this id."""
    for kind, where in WHERE.items():
        if id in {known.id for known in registry.descriptions(kind)}:
            item = registry.get(kind, id)
            schema = item.Params.model_json_schema()
            paragraphs = [
                f"# {item.title} (`{id}`)",
                item.summary,
                item.reference,
                f"Settings, under `{where}` in an experiment's file; in brackets the default and what is allowed:",
                "\n".join(_entries(schema, schema.get("$defs", {}))),
            ]
            return Page(id, item.title, item.summary, "\n\n".join(paragraphs))
    return None


def _entries(schema: Schema, groups: Schema, indent: str = "") -> list[str]:
    """Return a line for each setting that a person may choose, those of a group indented under it."""
    found = []
    for name, about in schema["properties"].items():
        if about.get("derived"):
            continue
        group = groups.get(str(about.get("$ref", "")).rpartition("/")[2])
        brackets = f" ({_allowed(about)})" if group is None else ""
        found.append(f"{indent}- `{name}`{brackets}: {about.get('description', about['title'])}")
        if group is not None:
            found += _entries(group, groups, f"{indent}  ")
    return found or [f"{indent}There are none."]


def _allowed(about: Schema) -> str:
    """Return the default, and the choices or the range with its unit."""
    kinds = [about, *about.get("anyOf", ())]
    parts = [_plain(about.get("default"))]
    parts += ["one of " + ", ".join(map(_plain, kind["enum"])) for kind in kinds if "enum" in kind]
    limits = [f"{word} {_plain(kind[key])}" for kind in kinds for key, word in BOUNDS.items() if key in kind]
    if words := " ".join(filter(None, [*limits, about.get("unit", "")])):
        parts.append(words)
    return "; ".join(parts)


def _plain(value: object) -> str:
    """Return a value as it is written in an experiment's file."""
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, int | float):
        return f"{value:_}" if value == int(value) and abs(value) >= 1000 else f"{value:g}"
    return str(value)
