"""The short form of settings that are lists: where there is one entry, it may stand by itself.

A field states its short name (``cameras: list[str] = setting(..., short="camera")``): ``camera: front`` means
``cameras: [front]``, ``dataset: null`` means ``datasets: []``. The names may be the same (``observation: image``).
Files use either form and are written in the short one where it suffices; dotted names of a first entry are short.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def short_name(field: FieldInfo) -> str:
    """Return a list field's short name; empty where it has none."""
    extra = field.json_schema_extra
    return str(extra.get("short", "")) if isinstance(extra, dict) else ""


def long_names(model: type[BaseModel]) -> dict[str, str]:
    """Return short name → field name of the lists among a model's fields."""
    return {short: name for name, field in model.model_fields.items() if (short := short_name(field))}


def fields_by_short_name(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by the names that forms know them by: the short one, where there is one."""
    return {short_name(field) or name: field for name, field in model.model_fields.items()}


def shortened(value: Any) -> Any:
    """Return a list in its short form: its only entry, None for an empty list; a longer list as it is."""
    return value if len(value) > 1 else (value[0] if value else None)


def lengthened(model: type[BaseModel], raw: dict[str, Any]) -> dict[str, Any]:
    """Return plain data of a model with its lists as lists, at this level alone.

    Raises:
        ValueError: both forms of a setting are given.
    """
    raw = dict(raw)
    for short, name in long_names(model).items():
        if short not in raw:
            continue
        if name != short and name in raw:
            raise ValueError(f"'{short}' and '{name}' are the same setting; keep one of them")
        value = raw.pop(short)
        if name == short and isinstance(value, list | tuple):
            raw[name] = value
        else:
            raw[name] = [] if value is None else [value]
    return raw


def all_lengthened(model: type[BaseModel], raw: Any) -> Any:
    """As :func:`lengthened`, at every level; what does not fit the model is left as it is."""
    if not isinstance(raw, dict):
        return raw
    found = lengthened(model, raw)
    for name, field in model.model_fields.items():
        inner = item_model(field)
        if inner is not None and name in found:
            value = found[name]
            found[name] = (
                [all_lengthened(inner, item) for item in value]
                if isinstance(value, list)
                else all_lengthened(inner, value)
            )
    return found


def all_shortened(model: type[BaseModel], raw: dict[str, Any]) -> dict[str, Any]:
    """Return a model's plain data with every list of one entry or none in its short form."""
    found: dict[str, Any] = {}
    for name, value in raw.items():
        field = model.model_fields[name]
        inner, short = item_model(field), short_name(field)
        if inner is not None and isinstance(value, list):
            value = [all_shortened(inner, item) for item in value]
        elif inner is not None and isinstance(value, dict):
            value = all_shortened(inner, value)
        if short and len(value) < 2:
            name, value = short, shortened(value)
        found[name] = value
    return found


def long_path(model: type[BaseModel] | None, dotted: str, value: Any) -> tuple[str, Any]:
    """Return a dotted name and its value with lists as lists: ``source.camera`` is ``sources.0.cameras``."""
    if model is None:  # an entry of a list, or of a mapping
        return dotted, value
    name, _, rest = dotted.partition(".")
    longer = long_names(model).get(name, name)
    where = longer
    if longer != name and not rest:
        return longer, [] if value is None else [value]
    if longer != name:
        where += ".0"
    elif rest.partition(".")[0].isdecimal():
        index, _, rest = rest.partition(".")
        where += f".{index}"
    if not rest:
        return where, value
    field = model.model_fields.get(longer)
    rest, value = long_path(None if field is None else item_model(field), rest, value)
    return f"{where}.{rest}", value


def short_path(model: type[BaseModel] | None, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return where something is, in short names: of a list's first entry, ``camera`` for ``cameras``, ``0``."""
    if not path or model is None:
        return path
    field = model.model_fields.get(str(path[0]))
    if field is None:
        return path
    short, inner = short_name(field), item_model(field)
    if short and len(path) > 1 and path[1] == 0:
        return (short, *short_path(inner, path[2:]))
    if len(path) > 1 and isinstance(path[1], int):
        return (*path[:2], *short_path(inner, path[2:]))
    return (path[0], *short_path(inner, path[1:]))


def short_dotted(model: type[BaseModel], names: list[str]) -> str:
    """Return a dotted name in short names."""
    path = short_path(model, tuple(int(name) if name.isdecimal() else name for name in names))
    return ".".join(str(part) for part in path)


def item_model(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model that a field holds one or a list of; None where it holds something else."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None
