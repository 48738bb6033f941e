"""Contributions: found through entry points, and as single files in the drop-in folder.

A contribution that cannot be imported is reported with its name, file and line; it never takes the others down.
"""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from studio import paths
from studio.catalog import Description, read_description
from studio.contracts import Embodiment, Format, PanelInfo, Strategy, Task
from studio.errors import ExperimentError

KINDS = ("strategies", "policies", "tasks", "embodiments", "formats", "panels")
DROP_IN = "transfer_studio_drop_in_"  # prefix of the module names of drop-in files
BUILT_IN = "transfer-studio"  # the distribution whose contributions are described without importing them
_TYPES: dict[str, type] = {
    "strategies": Strategy,
    "tasks": Task,
    "embodiments": Embodiment,
    "formats": Format,
    "panels": PanelInfo,
}


@dataclass(frozen=True)
class Broken:
    """A contribution that could not be loaded."""

    kind: str
    name: str
    file: str
    line: int
    message: str
    traceback: str

    def __str__(self) -> str:
        return f"Plugin '{self.name}' ({self.kind}) failed at {self.file}, line {self.line}: {self.message}"


def place_of(error: BaseException) -> tuple[str, int]:
    """Return file and line of a failure: the innermost frame in a plugin's own file, else the innermost of all.

    A plugin that did not come with the program is named before those that did, which it may have called wrongly.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    points = [point for kind in KINDS for point in entry_points(group=f"transfer_studio.{kind}")]
    built_in = {point.module for point in points if _is_built_in(point)}
    others = {point.module for point in points} - built_in
    frames = [
        (str(frame.f_globals.get("__name__", "")), frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    third_party = [frame for frame in frames if frame[0] in others or frame[0].startswith(DROP_IN)]
    own = [frame for frame in frames if frame[0] in built_in]
    _, file, line = (third_party or own or frames or [("", "?", 0)])[-1]
    return file, line


def describe_failure(kind: str, name: str, error: BaseException) -> Broken:
    """Return what the registry reports about a plugin that failed."""
    text = "".join(traceback.format_exception(error))
    return Broken(kind, name, *place_of(error), f"{type(error).__name__}: {error}", text)


class Registry:
    """The contributions of each kind, imported when first asked for. Safe to share between threads."""

    def __init__(self, drop_in: Path | None = None) -> None:
        self._drop_in = drop_in
        self._loaded: dict[str, dict[str, Any]] = {}
        self._broken: dict[str, list[Broken]] = {}
        self._modules: list[tuple[str, ModuleType]] | None = None
        self._lock = threading.RLock()

    def all(self, kind: str) -> dict[str, Any]:
        """Return the contributions of a kind, by id, in the order of their titles."""
        with self._lock:
            if kind not in self._loaded:
                self._loaded[kind] = self._by_title(kind, self._load)
            return self._loaded[kind]

    def descriptions(self, kind: str) -> list[Description]:
        """Describe the contributions of a kind, in the order of their titles; the built-in ones are not imported.

        Those of other packages and of the drop-in folder are, so that :meth:`broken` names all that cannot be loaded
        of them. A fault of a built-in one that only its import shows is found by :meth:`all`.
        """
        with self._lock:
            found = self._loaded.get(kind) or self._by_title(kind, self._describe)
            return [Description(*_texts(c)) for c in found.values()]

    def get(self, kind: str, id: str, field: str = "") -> Any:
        """Return one contribution. Raises ExperimentError, naming the choices, where it is unknown or broken."""
        known = self.all(kind)
        if id in known:
            return known[id]
        for broken in [*self.broken(kind), *self.broken("plugins")]:
            if broken.name == id:
                raise ExperimentError(str(broken), field, "Fix the plugin, or choose another.")
        close = difflib.get_close_matches(id, known, 1)
        if close:  # of dozens of names the one that was meant is enough
            remedy = f"Did you mean '{close[0]}'? `transfer-studio list {kind}` names all."
        else:
            remedy = f"Choose one of: {', '.join(known) or 'none found'}."
        raise ExperimentError(f"'{id}' is not among the {kind}.", field, remedy)

    def broken(self, kind: str | None = None) -> list[Broken]:
        """Return what could not be loaded so far."""
        with self._lock:
            kinds = [kind] if kind else list(self._broken)
            return [b for k in kinds for b in self._broken.get(k, [])]

    def _by_title(self, kind: str, load: Callable[[str, EntryPoint], Iterator[Any]]) -> dict[str, Any]:
        self._broken[kind] = []
        found = {c.id: c for point in entry_points(group=f"transfer_studio.{kind}") for c in load(kind, point)}
        for name, module in self._drop_ins():
            for contribution in self._contributions(kind, name, module):
                known = found.setdefault(contribution.id, contribution)
                if _texts(known) != _texts(contribution):  # the same: an instance that the file has imported
                    message = f"the id '{contribution.id}' is taken; choose another one"
                    self._broken[kind].append(Broken(kind, name, *_written_at(contribution), message, ""))
        return dict(sorted(found.items(), key=lambda item: str(item[1].title)))

    def _describe(self, kind: str, point: EntryPoint) -> Iterator[Any]:
        """Yield a built-in contribution's description where its source has it; else the contribution."""
        read = read_description(point) if _is_built_in(point) else None
        yield from self._load(kind, point) if read is None else [read]

    def _load(self, kind: str, point: EntryPoint) -> Iterator[Any]:
        """Yield the contribution behind an entry point, where it can be imported."""
        try:
            contribution = point.load()
        except Exception as error:
            self._broken[kind].append(describe_failure(kind, point.name, error))
        else:
            yield from self._checked(kind, point.name, contribution)

    def _checked(self, kind: str, name: str, contribution: Any) -> Iterator[Any]:
        """Yield the contribution, where it has what every contribution must have."""
        missing = [
            a for a in ("id", "title", "summary", "reference") if not isinstance(getattr(contribution, a, None), str)
        ]
        if not missing:
            yield contribution
            return
        message = f"{getattr(contribution, '__name__', repr(contribution))} has no text '{missing[0]}'"
        self._broken[kind].append(Broken(kind, name, *_written_at(contribution), message, ""))

    def _contributions(self, kind: str, name: str, module: ModuleType) -> Iterator[Any]:
        wanted = _TYPES.get(kind)
        for value in list(vars(module).values()):
            if wanted is None:
                fits = isinstance(value, type) and getattr(value, "contributes", None) == kind
            elif isinstance(value, type):
                fits = issubclass(value, wanted) and value is not wanted
            else:
                fits = isinstance(value, wanted)
            # a class only imported there is another's; an instance's __module__ is its class's and says nothing
            if fits and (not isinstance(value, type) or value.__module__ == module.__name__):
                yield from self._checked(kind, name, value)

    def _drop_ins(self) -> list[tuple[str, ModuleType]]:
        if self._modules is None:
            self._modules = []
            folder = self._drop_in if self._drop_in is not None else paths.plugins()
            for file in sorted(folder.glob("*.py")) if folder.is_dir() else []:
                name = f"{DROP_IN}{file.stem}"
                try:
                    spec = importlib.util.spec_from_file_location(name, file)
                    assert spec is not None and spec.loader is not None
                    module = importlib.util.module_from_spec(spec)
                    sys.modules[name] = module
                    spec.loader.exec_module(module)
                    self._modules.append((file.stem, module))
                except Exception as error:
                    sys.modules.pop(name, None)
                    self._broken.setdefault("plugins", []).append(describe_failure("plugins", file.stem, error))
        return self._modules


_shared: dict[Path, Registry] = {}
_sharing = threading.Lock()


def shared_registry() -> Registry:
    """Return the one registry of this process (one for each drop-in folder, should ``TRANSFER_STUDIO_PLUGINS`` change).

    A second :class:`Registry` would run each drop-in file again, and its classes would be others of the same names.
    Commands and the window hand it to the session; below :mod:`studio.run`, worlds, datasets and players are given
    resolved domains instead. What has no session looks names up here: a strategy's check, a file's format, Gymnasium.
    """
    folder = paths.plugins()
    with _sharing:
        return _shared.setdefault(folder, Registry(folder))


def _texts(contribution: Any) -> tuple[str, str, str, str]:
    return contribution.id, contribution.title, contribution.summary, contribution.reference


def _is_built_in(point: EntryPoint) -> bool:
    return point.dist is not None and point.dist.name == BUILT_IN


def _written_at(contribution: Any) -> tuple[str, int]:
    """Return file and line of a contribution's class."""
    kind = contribution if isinstance(contribution, type) else type(contribution)
    try:
        return inspect.getfile(kind), inspect.getsourcelines(kind)[1]
    except (OSError, TypeError):
        return "?", 0
