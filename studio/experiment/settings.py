"""The base of everything a form can show: pydantic models whose fields carry title, help line, unit and range."""

from __future__ import annotations

import json
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from studio.errors import ExperimentError
from studio.experiment.short_form import all_shortened, lengthened, long_names, long_path, short_dotted, shortened

_NUMBERS: dict[object, Literal["int_type", "float_type", "list_type"]] = {
    int: "int_type", int | None: "int_type", float: "float_type", float | None: "float_type",
    list[int]: "list_type", list[float]: "list_type", list[list[float]]: "list_type",
}  # fmt: skip


def setting(
    default: Any,
    title: str,
    help: str,
    unit: str = "",
    *,
    derived: bool = False,
    since: int = 0,
    decides: bool = True,
    switch: str = "",
    earlier: str = "",
    short: str = "",
    **limits: Any,
) -> Any:
    """Return a pydantic field that a form can show: title, help line, unit, range (``ge``, ``le``, ``gt``, ``lt``).

    Args:
        derived: it follows from other things and is no person's to choose: forms leave it out.
        since: the format version that it came with: content hashes of earlier ones leave it out at its default (see
            :mod:`studio.experiment.hashing`). A new parameter of a strategy or a policy says ``since=2``.
        decides: whether it can change a result at all; content hashes leave out what cannot.
        switch: of settings that are switched on and off, the field that does it; off, they decide nothing.
        earlier: what it was called at first: files that say so are read, and content hashes still call it that.
        short: of a list, the name that one entry may stand by itself under; see :mod:`studio.experiment.short_form`.
    """
    marks = {
        "derived": (derived, False),
        "since": (since, 0),
        "decides": (decides, True),
        "switch": (switch, ""),
        "earlier": (earlier, ""),
        "short": (short, ""),
    }
    extra: dict[str, Any] = {"unit": unit, **{name: value for name, (value, usual) in marks.items() if value != usual}}
    return Field(default, title=title, description=help, json_schema_extra=extra, **limits)


def mark(field: FieldInfo, name: str, default: Any) -> Any:
    """Return what :func:`setting` was given for a field, without its limits."""
    extra = field.json_schema_extra
    return extra.get(name, default) if isinstance(extra, dict) else default


class Settings(BaseModel):
    """Base of everything a form can show: unknown keys are refused, assignments are checked."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where numbers are wanted: pydantic takes them for 1 and 0."""
        kind = _NUMBERS.get(cls.model_fields[info.field_name or ""].annotation) if _holds_truth(value) else None
        if kind is not None:
            raise PydanticCustomError(kind, "a number is wanted")
        return value

    @model_validator(mode="before")
    @classmethod
    def _present_names(cls, raw: Any) -> Any:
        """Return the data with names of earlier versions replaced by the present ones."""
        if isinstance(raw, dict):
            for name, field in cls.model_fields.items():
                if (earlier := mark(field, "earlier", "")) in raw and earlier and name not in raw:
                    raw = {name if key == earlier else key: value for key, value in raw.items()}
        return raw

    def changed(self, **changes: Any) -> Self:
        """Return a checked copy with dotted fields replaced: ``changed(**{"target.episodes": 20})``.

        Names may be short ones (``source.camera``).
        """
        raw = self.model_dump(mode="json")
        for dotted, value in changes.items():
            if isinstance(value, list):
                value = [v.model_dump(mode="json") if isinstance(v, BaseModel) else v for v in value]
            assign(type(self), raw, *long_path(type(self), dotted, value))
        return type(self).model_validate(raw)

    def plain(self) -> dict[str, Any]:
        """Return plain data with defaults, as a file has it: lists of one entry in their short form."""
        return all_shortened(type(self), self.model_dump(mode="json"))

    def short(self, name: str) -> Any:
        """Return a field's value by its short name: its only entry, None where it has none, or the list."""
        long = long_names(type(self)).get(name)
        return getattr(self, name) if long is None else shortened(getattr(self, long))

    @model_validator(mode="before")
    @classmethod
    def _lengthened(cls, raw: Any) -> Any:
        return lengthened(cls, raw) if isinstance(raw, dict) else raw


def _holds_truth(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, list | tuple) and any(map(_holds_truth, value)))


def assign(model: type[BaseModel], raw: dict[str, Any], dotted: str, value: Any) -> None:
    """Put a value at a dotted place of a model's plain data, items of lists by their index.

    Raises:
        ExperimentError: there is no such place; it is named as people know it, with short names.
    """
    names = dotted.split(".")
    whole = short_dotted(model, names)
    node: Any = raw
    for depth, name in enumerate(names):
        where, last = short_dotted(model, names[:depth]), depth == len(names) - 1
        if isinstance(node, list):
            if not name.isdecimal() or int(name) >= len(node):
                has = f"it has {len(node)}, counted from 0" if node else "it has none"
                raise ExperimentError(f"{where} has no item {name} ({has}).", whole, "Check the number.")
            key: Any = int(name)
        elif isinstance(node, dict):
            key = name
            if not last:
                node.setdefault(name, [] if names[depth + 1].isdecimal() else {})
        else:
            raise ExperimentError(f"{where} is {json.dumps(node)} and has no {name}.", whole, f"Set {where} whole.")
        if last:
            node[key] = value
        else:
            node = node[key]
