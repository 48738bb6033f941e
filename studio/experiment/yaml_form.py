"""Experiments as YAML text: reading with duplicate keys refused, dotted overrides, writing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel

from studio.errors import ExperimentError
from studio.experiment.settings import assign
from studio.experiment.short_form import all_lengthened, long_path


class _DuplicateKey(yaml.YAMLError):
    """A mapping has a key twice."""


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:  # libyaml's is four times as fast, where it is built in
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):
    """As safe as its base, which lets the last of several equal keys win without a word."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise _DuplicateKey(f"'{key.value}' appears twice, the second time on line {key.start_mark.line + 1}")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_text(path: Path) -> str:
    """Return a file's text. Raises ExperimentError where it is missing, unreadable or not text."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise ExperimentError(f"The experiment file {reason}.", str(path), "Check the path.") from None
    except UnicodeDecodeError:
        raise ExperimentError("The experiment file is not text.", str(path), "Choose a YAML file.") from None


def parse(text: str, where: str) -> dict[str, Any]:
    """Return the mapping in a YAML text, unchecked.

    Raises:
        ExperimentError: at ``where``: it is not valid YAML, has a key twice, or is no mapping.
    """
    try:
        raw = yaml.load(text, _Loader)  # noqa: S506
    except _DuplicateKey as error:
        raise ExperimentError(f"{error}.", where, "Keep one of them.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {min(mark.line + 1, len(text.splitlines()))}" if mark else ""  # not after the last one
        raise ExperimentError(f"The file is not valid YAML{line}.", where, "Fix that line.") from None
    if not isinstance(raw, dict):
        raise ExperimentError("The file holds no experiment.", where, "Start from assets/experiments/demo.yaml.")
    return raw


def override(model: type[BaseModel], raw: dict[str, Any], text: str) -> dict[str, Any]:
    """Return plain data of a model with ``a.b=value`` set in it, the value in YAML syntax.

    Raises:
        ExperimentError: it cannot be set, or both forms of a setting are given.
    """
    dotted, equals, value = text.partition("=")
    if not equals:
        raise ExperimentError(f"'{text}' is not of the form a.b=value.", "--set", "Write --set target.episodes=20.")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        raise ExperimentError(f"'{value}' is not a YAML value.", dotted, "Quote it.") from None
    try:
        raw = all_lengthened(model, raw)
    except ValueError as error:
        message, _, remedy = str(error).partition("; ")
        raise ExperimentError(f"{message}.", dotted, f"{remedy.capitalize()}.") from None
    place, parsed = long_path(model, dotted.strip(), parsed)
    first, _, rest = place.partition(".")
    if rest.startswith("0.") and not dotted.startswith(first):  # a short name
        raw.setdefault(first, [{}])
    assign(model, raw, place, parsed)
    return raw


def written(raw: dict[str, Any]) -> str:
    """Return plain data as YAML text, keys in their order."""
    return yaml.safe_dump(raw, sort_keys=False, allow_unicode=True)
