"""Pydantic's errors as plain sentences."""

from __future__ import annotations

import difflib
import json
from typing import get_args

from pydantic import BaseModel, ValidationError

from studio.errors import ExperimentError
from studio.experiment.short_form import item_model, long_names, short_path

LISTS: dict[object, str] = {
    list[int]: "Give a list of whole numbers, such as [0, 1]", list[float]: "Give a list of numbers, such as [0.5, 1]",
    list[str]: "Give a list of names, such as [one, two]",
    list[list[float]]: "Give a list of lists of numbers, such as [[0.5, 1], [0, 2]]",
}  # fmt: skip
WANTED = {
    "int": "Give a whole number", "float": "Give a number", "bool": "Give true or false", "string": "Give a text",
    "list": "Give a list", "dict": "Give names with values", "model": "Give names with values",
    "finite": "Give a finite number", "path": "Give a path",
}  # fmt: skip


def plain_validation(error: ValidationError, model: type[BaseModel], prefix: str = "") -> list[ExperimentError]:
    """Return pydantic's errors as plain sentences, each with its dotted field and a remedy."""
    found = []
    for item in error.errors():
        field = prefix + ".".join(str(part) for part in short_path(model, item["loc"]))
        context, kind = item.get("ctx", {}), item["type"]
        value = json.dumps(item.get("input"), default=str)
        value = value if len(value) <= 60 else value[:57] + "…"
        if kind == "extra_forbidden":
            name, known = str(item["loc"][-1]), _keys(model, item["loc"][:-1])
            close = difflib.get_close_matches(name, known, 1)
            if not close and "params" in known:  # of a strategy or a policy: its own settings are one level below
                close = [f"params.{name}"]
            remedy = f"Did you mean '{close[0]}'?" if close else "Remove it."
            found.append(ExperimentError("There is no such setting.", field, remedy))
        elif kind in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
            bound = next(iter(context.values()))
            word = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below"}.get(
                kind, "at most"
            )
            limit = f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
            found.append(ExperimentError(f"{value} is out of range.", field, f"It must be {word} {limit}."))
        elif kind == "literal_error":
            found.append(ExperimentError(f"{value} is not a choice.", field, f"Choose {context['expected']}."))
        elif kind == "value_error":
            message, _, remedy = (f"{part[:1].upper()}{part[1:]}." for part in str(context["error"]).partition("; "))
            found.append(ExperimentError(message, field, remedy if len(remedy) > 1 else ""))
        elif kind == "too_short":
            least = context["min_length"]
            entries = "one entry" if least == 1 else f"{least} entries"
            found.append(ExperimentError(f"{value} is too short a list.", field, f"Give at least {entries}."))
        elif kind == "string_too_short":
            found.append(ExperimentError("The text is empty.", field, "Give a text."))
        elif kind == "string_too_long":
            remedy = f"Use at most {context['max_length']} characters."
            found.append(ExperimentError(f"{value} is too long a text.", field, remedy))
        elif kind == "missing":
            found.append(ExperimentError("The setting is missing.", field, "Give it a value."))
        else:
            # int_parsing, int_type, int_from_float and the like: what is wanted comes first
            remedy = (
                item["msg"] if kind.endswith(("_short", "_long")) else WANTED.get(kind.partition("_")[0], item["msg"])
            )
            *parents, last = item["loc"]
            if kind == "list_type":
                remedy = LISTS.get(_annotation(model, item["loc"]), remedy)
            elif last == 0 and not field.endswith(".0"):  # one value in place of a list
                if not isinstance(item["input"], list):
                    remedy = LISTS.get(_annotation(model, tuple(parents)), remedy)
                elif field.endswith(f".{parents[-1]}"):  # a list in a list
                    field += ".0"
                else:  # a list under the name of one
                    remedy += f", or a list as '{parents[-1]}'"
            if kind == "string_pattern_mismatch":  # of names alone
                remedy = "Use letters, digits, '.', '-' and '_'"
            found.append(ExperimentError(f"{value} does not fit.", field, f"{remedy}."))
    return found


def first_of(error: ValidationError, model: type[BaseModel]) -> ExperimentError:
    """Return the first error; its remedy mentions the others."""
    found = plain_validation(error, model)
    first = found[0]
    if len(found) > 1:
        rest = "; ".join(f"{e.field}: {e.message}" for e in found[1:])
        return ExperimentError(first.message, first.field, f"{first.remedy} Also wrong: {rest}".strip())
    return first


def _annotation(model: type[BaseModel], loc: tuple[int | str, ...]) -> object:
    """Return the type of the field at a place, or of an entry of it; None where it is none of a model."""
    *parents, name = loc
    if isinstance(name, int):
        return next(iter(get_args(_annotation(model, tuple(parents)))), None)
    for part in parents:
        inner = (
            None if isinstance(part, int) or part not in model.model_fields else item_model(model.model_fields[part])
        )
        model = inner or model
    field = model.model_fields.get(str(name))
    return None if field is None else field.annotation


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    for part in loc:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = None if field is None else item_model(field)
        if inner is None:
            return []
        model = inner
    return [*model.model_fields, *long_names(model)]
