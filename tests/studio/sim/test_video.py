"""Films: size, rate, content; what happens when the encoder lags, the disk is full, or nothing was recorded."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
import pytest

from studio.errors import DataError
from studio.sim.render.video import FPS, VideoWriter


def picture(shade: int, width: int = 96, height: int = 64) -> bytes:
    rows = np.zeros((height, width, 4), np.uint8)
    rows[:, :, 2] = shade  # red, as QImage's RGB32 lies in memory
    return rows.tobytes()


def read(path: Path) -> tuple[dict, np.ndarray]:
    frames = imageio_ffmpeg.read_frames(str(path))
    meta = next(frames)
    width, height = meta["size"]
    return meta, np.array([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames])


def test_a_film_keeps_the_clock_of_its_pictures(tmp_path: Path) -> None:
    ended: list[DataError | None] = []
    film = VideoWriter(tmp_path / "new" / "film.mp4", 96, 64, ended=ended.append)
    for when, shade in ((0.0, 40), (0.1, 120), (0.5, 240)):  # late pictures: the one before is shown longer
        assert film.add(picture(shade), when)
    film.close(wait=True)
    meta, frames = read(film.path)
    assert ended == [None] and meta["size"] == (96, 64) and meta["fps"] == FPS
    assert len(frames) == 16
    reds = frames[:, 30, 30, 0].astype(int)
    np.testing.assert_allclose(reds[[0, 2, 4, 14, 15]], [40, 40, 120, 120, 240], atol=8)
    assert [p.name for p in film.path.parent.iterdir()] == ["film.mp4"], "the temporary file is left behind"


def test_odd_sizes_lose_a_row_or_column(tmp_path: Path) -> None:
    film = VideoWriter(tmp_path / "odd.mp4", 97, 65)
    film.add(picture(200, 97, 65), 0.0)
    film.close(wait=True)
    assert read(film.path)[0]["size"] == (96, 64)


def test_adding_never_waits_for_the_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held, usage = threading.Event(), shutil.disk_usage(tmp_path)

    def slow(path: object) -> object:
        held.wait(20)
        return usage

    monkeypatch.setattr(shutil, "disk_usage", slow)
    film = VideoWriter(tmp_path / "slow.mp4", 96, 64)
    began = time.monotonic()
    taken = [film.add(picture(100), number / FPS) for number in range(100)]
    assert time.monotonic() - began < 5
    assert taken[0] and not taken[-1], "what the encoder cannot follow is left out"
    held.set()
    film.close(wait=True)
    assert len(read(film.path)[1]) == 100, "and the film keeps its length"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    film_ended: list[DataError | None] = []
    film = VideoWriter(tmp_path / "full.mp4", 96, 64, ended=film_ended.append)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 0))
    film.add(picture(1), 0.0)
    film.add(picture(2), 0.1)
    with pytest.raises(DataError, match="the disk is full") as caught:
        film.close(wait=True)
    assert caught.value.remedy and film_ended == [caught.value]
    assert list(tmp_path.iterdir()) == []
    assert not film.add(picture(3), 0.2)


def test_encoder_that_dies_raises_data_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", shutil.which("true") or "/bin/true")
    film = VideoWriter(tmp_path / "dead.mp4", 96, 64)
    for number in range(20):
        film.add(picture(number), number / FPS)
        time.sleep(0.02)
    with pytest.raises(DataError, match="film"):
        film.close(wait=True)
    assert list(tmp_path.iterdir()) == []


def test_encoder_error_text_is_kept(tmp_path: Path) -> None:
    film = VideoWriter(tmp_path / "odd.mp4", 96, 64, layout="nonsense")
    film.add(picture(1), 0.0)
    with pytest.raises(DataError, match=r"ffmpeg could not write the film .*nonsense"):
        film.close(wait=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX process groups")
def test_ctrl_c_in_the_terminal_leaves_the_encoder_at_work(tmp_path: Path) -> None:
    film = VideoWriter(tmp_path / "film.mp4", 96, 64)
    film.add(picture(100), 0.0)
    deadline = time.monotonic() + 20
    while not (encoders := [child for child in psutil.Process().children() if "film.part" in str(child.cmdline())]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert os.getpgid(encoders[0].pid) != os.getpgid(0)
    film.close(wait=True)
    assert len(read(film.path)[1]) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="cannot be written"):
        VideoWriter(tmp_path / "film.mp4", 96, 64)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "film.mp4", 96, 64)


def test_a_film_without_pictures_is_no_file(tmp_path: Path) -> None:
    film = VideoWriter(tmp_path / "none.mp4", 96, 64)
    with pytest.raises(DataError, match="no pictures"):
        film.close(wait=True)
    assert list(tmp_path.iterdir()) == []
