"""The editor that fits a field: what a form puts beside a label.

All editors have ``value()``, ``set_value()`` and the signal ``edited``.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from widgets.forms.choices import Choice, Switch
from widgets.forms.numbers import Real, Whole, is_above, limits
from widgets.forms.path_field import PathField
from widgets.forms.texts import Anything, Listing, Text


def editor_for(field: FieldInfo) -> Any:
    """Return the editor that fits a pydantic field's type and range."""
    annotation = field.annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return Choice(list(arguments))
    if (origin in (Union, types.UnionType) and set(arguments) == {Path, type(None)}) or annotation is Path:
        return PathField()
    if annotation is bool:
        return Switch()
    low, high = limits(field)
    if annotation is int:
        return Whole(low, high)
    if annotation is float:
        return Real(low, high, is_above(field))
    if annotation is str:
        return Text()
    if origin is list and arguments and arguments[0] in (int, float, str):
        return Listing(arguments[0])
    return Anything({} if origin is dict else None)
