"""The command line's grammar, with errors as one sentence and a remedy in place of argparse's usage."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from studio.errors import ExperimentError

_ARGUMENT = re.compile(r"argument (.+?): (.*)", re.S)
_KNOWN = (  # argparse's messages, and what is said instead of them
    (re.compile(r"the following arguments are required: (.*)"), "This is missing"),
    (re.compile(r"unrecognized arguments: (.*)"), "There is no such argument"),
)
_LIST = re.compile(r"-([\d.,;]|inf|nan|[^-].*[,;])")  # how "-0.1,0.3" begins, which argparse takes for an option
_BETWEEN = re.compile(r"\s*,\s*|\s+")


class CommandParser(argparse.ArgumentParser):
    """Raises ExperimentError where argparse would print its usage and exit."""

    def error(self, message: str) -> NoReturn:
        named = _ARGUMENT.fullmatch(message)
        field, words = named.groups() if named else (self.prog, message)
        for pattern, instead in _KNOWN:
            if found := pattern.fullmatch(message):
                field, words = found[1], instead
        words, _, remedy = words.partition("; ")
        raise ExperimentError(f"{words[:1].upper()}{words[1:]}.", field, remedy or f"See: {self.prog} --help")


class NumberList(argparse.Action):
    """Takes numbers with spaces or commas between them. Raises ExperimentError where there is anything else.

    Args:
        kind: ``int`` for whole numbers.
    """

    def __init__(
        self, option_strings: Sequence[str], dest: str, kind: type[int] | type[float] = float, **given: Any
    ) -> None:
        super().__init__(option_strings, dest, nargs="+", **given)
        self._kind = kind

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _option: str | None = None
    ) -> None:
        text = " ".join(values).strip()
        try:
            setattr(namespace, self.dest, [self._kind(part) for part in _BETWEEN.split(text)])
        except ValueError:
            named, such = ("whole numbers", "0 1 5") if self._kind is int else ("numbers", "0.4 -0.2")
            remedy = f"Give {named} with spaces or commas between them, such as {such}."
            raise ExperimentError(f"'{text}' is no list of {named}.", self.option_strings[0], remedy) from None


def readable(arguments: Sequence[str]) -> list[str]:
    """Return arguments with a space before lists that begin with a minus: they are values, no options."""
    return [f" {word}" if _LIST.match(word) else word for word in arguments]
