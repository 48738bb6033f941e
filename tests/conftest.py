"""What every test gets: a cache, a runs folder and a drop-in folder of its own, and a tiny experiment."""

from __future__ import annotations

import getpass
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.sim.render.gl import choose_gl_backend

# before anything loads torch, Qt or MuJoCo, which read these once
os.environ.setdefault("OMP_NUM_THREADS", "1")  # there is a worker for each core already
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # the same picture with a display and without
# what torch compiles is kept between test runs, not compiled again into each worker's own cache
os.environ.setdefault(
    "TORCHINDUCTOR_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"transfer-studio-compiled-{getpass.getuser()}")
)
# films are read back from processes with many threads, where Python between fork and exec hangs now and then
os.environ.setdefault("IMAGEIO_FFMPEG_NO_PREVENT_SIGINT", "1")
# tests compare with mujoco.Renderer, whose backend is that of MuJoCo's first import
os.environ.setdefault("MUJOCO_GL", choose_gl_backend())

from studio.experiment import Experiment
from tests import tiny


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the user's cache, runs and plugins out of the tests. One cache for all: the tiny source is trained once."""
    home = tmp_path_factory.mktemp("studio")
    wanted = {
        "TRANSFER_STUDIO_CACHE": home / "cache",
        "TRANSFER_STUDIO_RUNS": home / "runs",
        "TRANSFER_STUDIO_PLUGINS": home / "plugins",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: str(path) for name, path in wanted.items()})
    (home / "plugins").mkdir()
    yield home
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def experiment() -> Experiment:
    """A whole experiment that takes about a second, once the source policy is cached."""
    return tiny.experiment()


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled updates are traced as one graph, but no C++ is generated for it, which takes half a minute."""
    import torch

    def traced_method(method: Any, cpp: bool) -> Any:
        return torch.compile(method, fullgraph=True, dynamic=False, backend="aot_eager")

    monkeypatch.setattr("studio.rl.compiling.compiled", traced_method)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """An empty folder for runs."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def finished(own_folders: Path) -> dict[str, Path]:
    """One finished run of each built-in strategy, uninterrupted."""
    return {
        strategy: tiny.run(tiny.experiment(strategy), own_folders / "finished").folder for strategy in tiny.STRATEGIES
    }
