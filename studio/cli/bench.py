"""Measurements, one script each in ``tests/bench``; each prints rows with value, unit and target as JSON."""

from __future__ import annotations

import contextlib
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from studio.cores import cores
from studio.errors import ExperimentError
from studio.files import json_text


def folder() -> Path:
    """Return the folder of the bench scripts, in the source tree."""
    return Path(__file__).resolve().parents[2] / "tests" / "bench"


def available() -> list[str]:
    """Return the names of the benches."""
    return sorted(path.stem for path in folder().glob("*.py") if not path.stem.startswith("_"))


def measure(name: str) -> dict[str, Any]:
    """Run one bench in a process of its own and write its result beside it as JSON.

    Raises:
        ExperimentError: there is no such bench, or it failed.
    """
    if name not in available():
        known = ", ".join(available()) or "none (they come with the source tree)"
        raise ExperimentError(f"There is no bench '{name}'.", "bench", f"Known: {known}.")
    script = folder() / f"{name}.py"
    done = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise ExperimentError(
            f"The bench ended with status {done.returncode}.", str(script), "Read its messages above."
        )
    rows = json.loads(done.stdout.strip().splitlines()[-1])["rows"]
    result = {"bench": name, "machine": machine(), "commit": commit(), "rows": rows}
    text = json_text({**result, "command": f"transfer-studio bench {name} --json"}, indent=2)
    (folder() / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return result


def machine() -> str:
    """Return what the figures are measured on."""
    return f"{cores()} CPU cores, {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    """Return the processor's name where the system gives it: figures of two machines are not comparable."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """Return the sources' commit; "unknown" where they are no checkout."""
    try:
        found = subprocess.run(
            ["git", "-C", str(folder()), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
