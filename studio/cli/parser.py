"""The command line's grammar, with errors as one sentence and a remedy in place of argparse's usage."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import NoReturn

from studio.errors import ExperimentError

_ARGUMENT = re.compile(r"argument (.+?): (.*)", re.S)
_KNOWN = (  # argparse's messages, and what is said instead of them
    (re.compile(r"the following arguments are required: (.*)"), "This is missing"),
    (re.compile(r"unrecognized arguments: (.*)"), "There is no such argument"),
)
_NEGATIVE_LIST = re.compile(r"-[\d.][\d.,eE+-]*,[\d.,eE+-]*")  # "-0.1,0.3", which argparse takes for an option


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


def numbers(text: str) -> list[float]:
    """Return the numbers of an argument, between which there may be commas. Raises ArgumentTypeError."""
    found = []
    for part in filter(None, text.strip().split(",")):
        try:
            found.append(float(part))
        except ValueError:
            words = f"'{part}' is no number; Give numbers with spaces or commas between them, such as 0.4 -0.2."
            raise argparse.ArgumentTypeError(words) from None
    return found


def readable(arguments: Sequence[str]) -> list[str]:
    """Return arguments with a space before lists of numbers that begin with a minus: they are values, no options."""
    return [f" {word}" if _NEGATIVE_LIST.fullmatch(word) else word for word in arguments]
