"""What may be opened or dropped, what it becomes, and how an experiment is written to a file or a command line."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Literal

import yaml

from studio.errors import DataError
from studio.experiment import Experiment

Opened = Literal["experiment", "dataset", "embodiment", "run"]

SUFFIXES: dict[str, Opened] = {
    ".yaml": "experiment",
    ".yml": "experiment",
    ".hdf5": "dataset",
    ".h5": "dataset",
    ".xml": "embodiment",
    ".mjcf": "embodiment",
    ".urdf": "embodiment",
}
FILTER = "*.yaml *.yml *.hdf5 *.h5 *.xml *.mjcf *.urdf"


def kind_of(path: Path) -> Opened | None:
    """Return what a path would be opened as, by its name alone; None where the studio cannot read it."""
    return SUFFIXES.get(path.suffix.lower()) if path.suffix else "run"


def short_name(name: str) -> str:
    """Return an id or a file's path in a few words: ``ur5 6dof``, ``my_robot.xml``."""
    return Path(name).name if "/" in name or "\\" in name else name.replace("_", " ")


def read(path: Path) -> tuple[Opened, Any]:
    """Read what must be read (off the UI thread): an experiment, or a run folder's; other files keep their path.

    Raises:
        StudioError: what is wrong with the path, and what to do.
    """
    path = path.expanduser().resolve()
    if path.is_dir():
        if not (path / "experiment.yaml").is_file():
            raise DataError(
                "The folder is not a run: it has no experiment.yaml.",
                str(path),
                "Choose a run folder inside the runs folder.",
            )
        return "run", Experiment.load(path / "experiment.yaml")
    if not path.exists():
        raise DataError("The file does not exist.", str(path), "Check the path.")
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise DataError(
            f"The studio does not read '{path.suffix or path.name}' files.",
            str(path),
            "Open a YAML experiment, an HDF5 dataset, an MJCF or URDF model, or a run folder.",
        )
    if kind == "experiment":
        return kind, Experiment.load(path)
    return kind, path


def write(experiment: Experiment, path: Path) -> Path:
    """Write the experiment as YAML: to a temporary name, then renamed, so that nothing is half-written.

    Raises:
        DataError: the file cannot be written.
    """
    path = path if path.suffix else path.with_suffix(".yaml")
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_text(experiment.to_yaml(), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DataError(
            f"The file cannot be written ({error.strerror}).", str(path), "Choose another folder or free some space."
        ) from None
    return path


def command_line(experiment: Experiment, base: Experiment, path: Path | None) -> str:
    """Return the shell command that runs an experiment: the file of ``base`` with ``--set`` for what differs from it,
    or, where there is no file, the whole experiment as a here-document."""
    if path is None:
        return f"transfer-studio run /dev/stdin <<'EXPERIMENT'\n{experiment.to_yaml()}EXPERIMENT"
    words = ["transfer-studio", "run", str(path)]
    for dotted, value in _differences(base.plain(), experiment.plain()):
        text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
        words += ["--set", f"{dotted}={text.removesuffix('...' + chr(10)).strip()}"]
    return shlex.join(words)


def _differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in new.items():
        before = old.get(key)
        if value == before and key in old:
            continue
        # parameters of a strategy are replaced as a whole: another strategy knows other names
        if isinstance(value, dict) and isinstance(before, dict) and key != "params":
            found += _differences(before, value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found
