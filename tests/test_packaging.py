"""The way from a clean clone to a running program: set-up, pins, and what a tracked file must not say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = {Requirement(line).name: Requirement(line) for line in PROJECT["dependencies"]}

needs_make = pytest.mark.skipif(not shutil.which("make") or os.name != "posix", reason="needs make")


def call(*command: str, venv: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command at the root of the checkout with ``VENV`` set; the outer make's variables are taken away."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=kept | {"VENV": str(venv), "SKIP_SYSTEM": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A virtual environment that says it is set up for running."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    stamp = call("tools/setup.sh", "stamp", "run", venv=venv).stdout.strip()
    Path(stamp).touch()
    return venv


@needs_make
def test_second_set_up_does_nothing_and_takes_no_time(ready: Path) -> None:
    before = sorted(ready.iterdir())
    began = time.perf_counter()
    result = call("make", "setup", venv=ready)
    seconds = time.perf_counter() - began
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert sorted(ready.iterdir()) == before
    assert seconds < 2  # about 0.05 s; the margin is for a busy machine


@needs_make
def test_what_can_be_tested_can_be_run_but_not_the_reverse(ready: Path) -> None:
    assert call("tools/setup.sh", "check", "run", venv=ready).returncode == 0
    assert call("tools/setup.sh", "check", "test", venv=ready).returncode == 1
    Path(call("tools/setup.sh", "stamp", "test", venv=ready).stdout.strip()).touch()
    Path(call("tools/setup.sh", "stamp", "run", venv=ready).stdout.strip()).unlink()
    assert call("tools/setup.sh", "check", "run", venv=ready).returncode == 0


@needs_make
@pytest.mark.parametrize("marker", [".making", ".installing"])
def test_a_set_up_that_was_cut_short_is_not_taken_for_done(ready: Path, marker: str) -> None:
    (ready / marker).touch()
    assert call("tools/setup.sh", "check", "run", venv=ready).returncode == 1


@needs_make
def test_a_folder_that_is_no_virtual_environment_is_never_removed(tmp_path: Path) -> None:
    precious = tmp_path / "home" / "thesis.tex"
    precious.parent.mkdir()
    precious.touch()
    result = call("tools/setup.sh", "run", venv=precious.parent)
    assert result.returncode == 1
    assert "not a virtual environment" in result.stderr
    assert precious.exists()


@needs_make
@pytest.mark.skipif(sys.platform != "linux", reason="asks ldconfig")
def test_without_rights_it_prints_the_exact_line_and_stops(ready: Path, tmp_path: Path) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    for name, answer in {"ldconfig": "exit 0", "id": "echo 1000", "sudo": "exit 1", "apt-get": "exit 99"}.items():
        program = fake / name
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)
    result = call(
        "make",
        "setup",
        venv=ready,
        PATH=f"{fake}:{os.environ['PATH']}",
        SKIP_SYSTEM="",
        DISPLAY=":0",
        WAYLAND_DISPLAY="",
    )
    assert result.returncode != 0
    line = next(line for line in result.stderr.splitlines() if "sudo apt-get install" in line)
    assert {"libegl1", "libgl1", "libxkbcommon0", "libdbus-1-3", "libxcb-cursor0"} <= set(line.split())


@needs_make
def test_help_names_every_target_people_call(tmp_path: Path) -> None:
    text = call("make", venv=tmp_path).stdout
    assert {"run", "test", "clean", "setup"} <= set(re.findall(r"^make (\S+)", text, re.MULTILINE))


def test_ci_calls_make_test_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    lines = [line for line in script.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert lines == ["exec make test"]
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("torch", ["2.13.0", "2.13.1"], ["2.12.0", "2.14.0"]),
        ("mujoco", ["4.0.0"], ["3.9.0", "5.0.0"]),
        # 6.12 aborts under CPython 3.11; 6.11.0 and 6.11.1 cannot drag docks
        ("PySide6_Essentials", ["6.8.0", "6.11.3"], ["6.7.0", "6.11.0", "6.11.1", "6.12.0"]),
        ("pyqtgraph", ["0.14.0"], ["0.13.7"]),
        ("gymnasium", ["1.4.0"], ["1.3.0"]),
        ("peft", ["0.21.2"], ["0.20.0"]),
        ("h5py", ["3.16.0"], ["3.15.0"]),
    ],
)
def test_pins_keep_out_the_releases_known_to_fail(name: str, good: list[str], bad: list[str]) -> None:
    allowed = NEEDED[name].specifier
    assert [version for version in good if version not in allowed] == []
    assert [version for version in bad if version in allowed] == []


def test_packages_that_must_not_come_in() -> None:
    assert "mujoco" in NEEDED["gymnasium"].extras  # imageio, which gymnasium.envs.mujoco imports
    assert not {name.lower() for name in NEEDED} & {"pyside6", "pynvml"}  # the whole of Qt; the one that warns
    assert PROJECT["requires-python"] == ">=3.11"


def test_set_up_installs_first_a_torch_that_the_project_allows() -> None:
    found = re.search(r"^TORCH=(\S+)", (ROOT / "tools" / "setup.sh").read_text(), re.MULTILINE)
    assert found and found[1] in NEEDED["torch"].specifier


def test_assets_are_found_as_a_package() -> None:
    from importlib.resources import files

    assert (ROOT / "assets" / "__init__.py").exists()  # without it an editable install cannot find them
    assert files("assets").is_dir()


def test_no_tracked_file_names_a_package_registry() -> None:
    """Where packages come from is the machine's business (pip's own settings), not the project's."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout, or not ours")
    hosts = [
        "pypi" + ".org",
        "python" + "hosted.org",
        "download." + "pytorch.org",
        "--index" + "-url",
        "--extra-index" + "-url",
    ]
    guilty = []
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if not path.is_file() or path.stat().st_size > 1_000_000:
            continue
        text = path.read_bytes()
        guilty += [f"{name}: {host}" for host in hosts if host.encode() in text]
    assert guilty == []
