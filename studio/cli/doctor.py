"""What this machine has, what is missing, and how to install it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from studio import paths
from studio.cli.qt_platform import platforms, startable_platform
from studio.cores import cores
from studio.errors import StudioError

NEEDED = (
    "torch", "mujoco", "gymnasium", "PySide6_Essentials", "pyqtgraph", "superqt", "peft", "h5py", "safetensors",
    "kornia",
)  # fmt: skip


def examine() -> list[dict[str, Any]]:
    """Return the findings: what, found, ok, needed, remedy."""
    checks: list[tuple[str, bool, Callable[[], str]]] = [
        ("Python", True, _python),
        *((name, True, lambda name=name: _package(name)) for name in NEEDED),
        ("OpenGL rendering", True, _rendering),
        ("Qt platform", True, _qt),
        ("CUDA", False, _cuda),
        ("Memory", False, _memory),
        ("Cache folder", True, lambda: _writable(paths.cache())),
        ("Runs folder", True, lambda: _writable(paths.runs())),
        ("Plugins", True, _plugins),
    ]
    findings = []
    for what, needed, check in checks:
        try:
            found, remedy, ok = check(), "", True
        except _Missing as missing:
            found, remedy, ok = missing.found, missing.remedy, False
        findings.append({"what": what, "found": found, "ok": ok, "needed": needed, "remedy": remedy})
    return findings


class _Missing(Exception):
    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.found, self.remedy = found, remedy


def _python() -> str:
    return f"{platform.python_version()}, {cores()} cores"


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        raise _Missing("not installed", "Run: make setup") from None


def _rendering() -> str:
    from studio.sim.render.gl import choose_gl_backend, thread_context

    try:
        thread_context()
    except StudioError as error:
        raise _Missing(error.message, error.remedy) from None
    return f"offscreen through {choose_gl_backend() or 'the default'}"


def _qt() -> str:
    headless = sys.platform == "linux" and not platforms(os.environ)
    try:
        # without a display the commands still draw pictures of the window, which needs Qt's libraries too
        found = startable_platform({"QT_QPA_PLATFORM": "offscreen"} if headless else os.environ)
    except StudioError as error:
        raise _Missing(error.message, error.remedy) from None
    return "no display: the window can only be drawn offscreen" if headless else found


def _cuda() -> str:
    import torch

    if not torch.cuda.is_available():
        raise _Missing("no GPU; training runs on the CPU", "")
    return torch.cuda.get_device_name(0)


def _memory() -> str:
    memory = psutil.virtual_memory()
    text = f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GB free"
    if memory.available < 2 * 2**30:
        raise _Missing(text, "Close other programs; a comparison needs 2 GB.")
    return text


def _writable(folder: Path) -> str:
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK):
        raise _Missing(f"{folder} cannot be written", f"Change its permissions: chmod u+w {existing}")
    free = shutil.disk_usage(existing).free / 2**30
    if free < 1:
        raise _Missing(f"{folder}, {free:.1f} GB free", "Free disk space.")
    return f"{folder}, {free:.0f} GB free"


def _plugins() -> str:
    from studio.registry import KINDS, shared_registry

    registry = shared_registry()
    counts = {kind: len(registry.all(kind)) for kind in KINDS if kind != "panels"}
    broken = registry.broken()
    if broken:
        faults = "; ".join(str(b) for b in broken)
        raise _Missing(
            f"{faults}; drop-in folder {paths.plugins()}",
            "Fix or remove the plugin; where it is one of the program's own, install the program again.",
        )
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) + f"; drop-in folder {paths.plugins()}"
