"""Films of a run's policy: length and content, from the command line; and why a run cannot be filmed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from studio.cli.main import main
from studio.errors import StudioError
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.evaluate import evaluate
from studio.sim.domains import resolve
from studio.sim.render.video import FPS
from studio.store.checkpoint import load_policy
from studio.viewer import film


def read(path: Path) -> np.ndarray:
    """The pictures, (n, height, width, 3)."""
    frames = imageio_ffmpeg.read_frames(str(path))
    width, height = next(frames)["size"]
    return np.array([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames])


def refused(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, str]:
    """The one sentence that an export is refused with."""
    capfd.readouterr()
    assert main(["export", *map(str, arguments), "--json"]) == 2
    error: dict[str, str] = json.loads(capfd.readouterr().out)
    assert error["error"].count(".") <= 2 and error["remedy"]
    return error


def test_a_run_is_filmed_on_its_evaluation_seeds(
    finished: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WIDTH": 160, "HEIGHT": 120, "SHADOW": 256, "SAMPLES": 0}.items():  # drawn without a GPU
        monkeypatch.setattr(film, name, value)
    run, path = finished["full_finetuning"], tmp_path / "new" / "film.mp4"
    assert main(["export", str(run), "--film", str(path), "--episodes", "2", "--json"]) == 0
    out, err = capfd.readouterr()
    report = json.loads(out)
    assert "Episode 2 of 2" in err and (report["film"], report["episodes"]) == (str(path), 2)
    plan = Experiment.load(run / "experiment.yaml")
    scored = evaluate(load_policy(run), resolve(plan.target, Registry()), 2, plan.seed)
    assert report["successes"] == int(scored.outcome.successes.sum())
    from studio.sim.domains import task_of
    from studio.viewer.player import HOLD_SECONDS

    hz = task_of(plan.target, Registry()).control_hz
    expected = float(sum(scored.outcome.lengths)) / hz + 2 * HOLD_SECONDS  # each end stays for a moment
    assert report["seconds"] == pytest.approx(expected, abs=0.3)
    pictures = read(path)
    assert len(pictures) == round(report["seconds"] * FPS) and pictures.shape[1:] == (film.HEIGHT, film.WIDTH, 3)
    assert pictures[0].std() > 20, "there is a scene to see"
    assert np.abs(pictures[0].astype(int) - pictures[len(pictures) // 2]).max() > 60, "and it moves"
    sky, table = pictures[0][:15].mean(), pictures[0][-15:].mean()
    assert abs(sky - table) > 5
    assert [p.name for p in path.parent.iterdir()] == ["film.mp4"]


def test_what_cannot_be_filmed_is_said(
    finished: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, path = finished["full_finetuning"], tmp_path / "film.mp4"
    assert "no run" in refused(capfd, tmp_path / "nowhere", "--film", path)["error"]
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy2(run / "experiment.yaml", bare)
    assert refused(capfd, bare, "--film", path)["field"] == str(bare)
    assert "MP4" in refused(capfd, run, "--film", tmp_path / "film.gif")["error"]
    assert refused(capfd, run, "--film", path, "--episodes", "0")["field"] == "episodes"
    (tmp_path / "file").write_text("mine")
    assert refused(capfd, run, "--film", tmp_path / "file" / "film.mp4")["field"].endswith("film.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert "folder" in refused(capfd, run, "--film", tmp_path / "folder.mp4")["error"]
    (tmp_path / "mine.mp4").write_text("mine")
    assert "A file of this name exists" in refused(capfd, run, "--film", tmp_path / "mine.mp4")["error"]
    assert (tmp_path / "mine.mp4").read_text() == "mine"
    assert not path.exists() and not [p for p in tmp_path.iterdir() if "part" in p.name]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere MuJoCo chooses")
def test_without_a_display_it_draws_all_the_same() -> None:
    bare = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MUJOCO_GL")}
    asked = "from studio.viewer.film import thread_context; print(type(thread_context()).__module__)"
    done = subprocess.run([sys.executable, "-c", asked], env=bare, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] in ("mujoco.egl", "mujoco.osmesa")


def test_without_gl_nothing_is_written(
    finished: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise StudioError("No OpenGL context can be created.", "", "Install Mesa's drivers.")

    monkeypatch.setattr(film, "thread_context", none)
    with pytest.raises(StudioError, match="No OpenGL"):
        film.film_run(finished["full_finetuning"], tmp_path / "film.mp4")
    assert not any(tmp_path.iterdir())
