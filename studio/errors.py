"""Errors a person can cause. The message of each tells what is wrong, where it is, and how to fix it."""

from __future__ import annotations


class StudioError(Exception):
    """A request that cannot be carried out.

    Args:
        message: what is wrong, one plain sentence.
        field: the dotted field of the experiment it belongs to, or a path; empty if neither.
        remedy: what to do about it.
    """

    def __init__(self, message: str, field: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        return f"{where}{self.message}" + (f" {self.remedy}" if self.remedy else "")

    def to_dict(self) -> dict[str, str]:
        """The JSON shape of an error, as the command line prints it."""
        return {"error": self.message, "field": self.field, "remedy": self.remedy}


class ExperimentError(StudioError):
    """An experiment file or one of its values is wrong."""


class DataError(StudioError):
    """A dataset, model, run or adapter on disk is missing, broken or does not fit."""


class CompilingError(StudioError):
    """An update was not compiled: the compiler refuses it, or has ended before it was done."""


class Stopped(Exception):
    """A person asked the session to stop. Not an error: the run is checkpointed and can be resumed."""
