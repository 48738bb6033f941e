"""Experiments of earlier versions of the program: how they are read, and the names that their hashes use."""

from __future__ import annotations

from typing import Any

from studio.errors import ExperimentError

# (parameter, its value in earlier versions of the program) → present value
PRESENT_VALUES = {("goals", "dreamt"): "self_generated", ("normalization", "anew"): "reset"}
EARLIER_VALUES = {(name, new): old for (name, old), new in PRESENT_VALUES.items()}


def migrated(raw: dict[str, Any], version: int) -> dict[str, Any]:
    """Return plain data of an experiment in the present format; what is given stays as it is.

    Args:
        version: the newest format. Raises ExperimentError where the experiment's is newer.
    """
    found = raw.get("version", 1)
    if isinstance(found, int) and found > version:
        raise ExperimentError(
            f"The experiment has format version {found}; this program reads up to {version}.",
            "version",
            "Update Transfer Studio.",
        )
    raw = {**raw, "version": version} if found == 1 else dict(raw)
    strategy, comparison = raw.get("strategy"), raw.get("comparison")
    if isinstance(strategy, dict) and isinstance(strategy.get("params"), dict):
        raw["strategy"] = {**strategy, "params": _translated(strategy["params"], PRESENT_VALUES)}
    if isinstance(comparison, dict) and isinstance(comparison.get("params"), dict):
        params = {
            id: _translated(own, PRESENT_VALUES) if isinstance(own, dict) else own
            for id, own in comparison["params"].items()
        }
        raw["comparison"] = {**comparison, "params": params}
    return raw


def earlier_words(decisive: dict[str, Any]) -> dict[str, Any]:
    """Return what decides an experiment with the names of format 1, which hashes use."""
    strategy = decisive["strategy"]
    params = _translated(strategy["params"], EARLIER_VALUES)
    return {**decisive, "version": 1, "strategy": {**strategy, "params": params}}


def _translated(params: dict[str, Any], values: dict[tuple[str, str], str]) -> dict[str, Any]:
    return {
        name: values.get((name, value), value) if isinstance(value, str) else value for name, value in params.items()
    }
