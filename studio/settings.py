"""The base of everything a form can show: pydantic models whose fields carry title, help line, unit and range."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import ExperimentError


def setting(default: Any, title: str, help: str, unit: str = "", **limits: Any) -> Any:
    """A pydantic field that a form can show: title, help line, unit, range (``ge``, ``le``, ``gt``, ``lt``)."""
    return Field(default, title=title, description=help, json_schema_extra={"unit": unit}, **limits)


class Settings(BaseModel):
    """Base of everything a form can show: unknown keys are refused, assignments are checked."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)

    def changed(self, **changes: Any) -> Self:
        """A copy with dotted fields replaced (``changed(**{"target.episodes": 20})``), checked anew."""
        raw = self.model_dump(mode="json")
        for dotted, value in changes.items():
            if isinstance(value, list):
                value = [v.model_dump(mode="json") if isinstance(v, BaseModel) else v for v in value]
            assign(raw, dotted, value)
        return type(self).model_validate(raw)


def assign(raw: dict[str, Any], dotted: str, value: Any) -> None:
    """Puts a value at a dotted place of plain data. Raises ExperimentError where the place cannot be."""
    *parents, last = dotted.split(".")
    node = raw
    for parent in parents:
        node = node.setdefault(parent, {})
        if not isinstance(node, dict):
            raise ExperimentError(f"{parent} has no field {last}.", dotted, "Check the name.")
    node[last] = value
