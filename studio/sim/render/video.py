"""MP4 films of pictures as they come, encoded by ffmpeg on a thread of its own, at a constant rate."""

from __future__ import annotations

import contextlib
import errno
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import imageio_ffmpeg

from studio.errors import DataError

FPS = 30
QUEUE = 6  # pictures that the encoder may lag behind; further ones are dropped and the one before is shown longer
MIN_FREE = 4 * 1024 * 1024  # bytes; below this a disk counts as full


class VideoWriter:
    """Writes pictures of one size. :meth:`add` never waits for the encoder.

    The film keeps the clock of its pictures: each is shown until the next one's time. It is written under a temporary
    name and gets its own when it is complete.

    Args:
        width, height: px; odd ones lose a row or column, since H.264 needs even ones.
        layout: of the pictures' bytes, as ffmpeg names it.
        ended: called once, from the writing thread, with the error that ended the film, or None.

    Raises:
        DataError: the folder cannot be written, or there is no ffmpeg.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        layout: str = "bgr0",
        ended: Callable[[DataError | None], None] | None = None,
    ) -> None:
        self.path, self.width, self.height = path, width, height
        self.frames = 0  # in the film so far
        self._layout, self._ended = layout, ended
        self._temporary = path.with_name(f".{path.stem}.part.mp4")
        self._queue: queue.Queue[tuple[float, bytes] | None] = queue.Queue(QUEUE)
        self._started: float | None = None  # s, time of the first picture
        self._error: DataError | None = None
        self._closing = threading.Event()
        self._end = 0.0  # s, time of the last picture after the first
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.touch()
        except OSError as error:
            raise _unwritable(path, error) from None
        self._thread = threading.Thread(target=self._write, name="video", daemon=True)
        self._thread.start()

    def add(self, picture: bytes, when: float | None = None) -> bool:
        """Add a picture (rows from the top) at a time, s; return False where the encoder lags and it is dropped."""
        if not self.alive:
            return False
        now = time.monotonic() if when is None else when
        if self._started is None:
            self._started = now
        self._end = now - self._started
        try:
            self._queue.put_nowait((now - self._started, picture))
        except queue.Full:
            return False
        return True

    @property
    def seconds(self) -> float:
        """Length of the film so far, s."""
        return self._end

    @property
    def alive(self) -> bool:
        """Whether it takes pictures: it neither failed nor was closed."""
        return self._error is None and not self._closing.is_set()

    def join(self, seconds: float) -> None:
        """Wait until the film is complete, but at most so many ``seconds``."""
        self._thread.join(seconds)

    def close(self, wait: bool = False) -> None:
        """End the film, which the thread completes; with ``wait``, return then or raise the error that ended it."""
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        if wait:
            self._thread.join()
            if self._error is not None:
                raise self._error

    # -- the thread ------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        error: DataError | None = None
        try:
            self._encode()
            if self.frames == 0:
                raise DataError("The film has no pictures.", str(self.path), "Record while the view is shown.")
            self._temporary.replace(self.path)
        except DataError as caught:
            error = caught
        except Exception as caught:  # ffmpeg's end shows as a broken pipe, whatever its reason
            error = _failed(self.path, caught)
        finally:
            self._error = error
            self._temporary.unlink(missing_ok=True)
        if self._ended is not None:
            self._ended(error)

    def _encode(self) -> None:
        with tempfile.TemporaryFile() as stderr:
            process, whole = self._start_ffmpeg(stderr), False
            try:
                self._send(process)
                whole = True
            except BrokenPipeError:
                pass  # ffmpeg has ended: the reason is in its error output
            finally:
                with contextlib.suppress(OSError):
                    process.stdin.close()
                status = process.wait()
            if whole and self.frames == 0:
                return
            with self._temporary.open("rb") as film:  # the index comes first, once the film is complete
                whole &= status == 0 and b"moov" in film.read(1 << 20)
            if not whole:
                _check_space(self.path)
                stderr.seek(0)
                raise RuntimeError(stderr.read().decode(errors="replace") or "it ended before the film was complete")

    def _start_ffmpeg(self, stderr: IO[bytes]) -> Any:
        """Start ffmpeg, which reads pictures from its standard input, and return the process."""
        even = f"crop={self.width // 2 * 2}:{self.height // 2 * 2}:0:0"
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", self._layout,
            "-s", f"{self.width}x{self.height}", "-r", str(FPS), "-i", "-", "-an", "-vf", even,
            # one thread and a fast preset: training goes first
            "-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "veryfast", "-crf", "20", "-threads", "1",
            "-movflags", "+faststart", str(self._temporary),
        ]  # fmt: skip
        # A process group of its own: Ctrl+C in the terminal goes to the studio, which completes the film.
        # imageio_ffmpeg would run Python between fork and exec for that, which sometimes hangs in a process with many
        # threads.
        flags = sum(getattr(subprocess, f"CREATE_{name}", 0) for name in ("NEW_PROCESS_GROUP", "NO_WINDOW"))  # Windows
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": stderr}
        return subprocess.Popen(command, **pipes, process_group=0, creationflags=flags)

    def _send(self, process: Any) -> None:
        last: bytes | None = None
        while (entry := self._next()) is not None:
            when, picture = entry
            # the one before is shown until this one's time; of two in one frame's time the later is shown
            self._fill(process, last, round(when * FPS))
            last = picture
        if last is not None:
            self._fill(process, last, max(round(self._end * FPS), self.frames) + 1)

    def _fill(self, process: Any, picture: bytes | None, until: int) -> None:
        while picture is not None and self.frames < until:
            if self.frames % FPS == 0:
                _check_space(self.path)
            process.stdin.write(picture)
            self.frames += 1

    def _next(self) -> tuple[float, bytes] | None:
        while True:
            try:
                return self._queue.get(timeout=0.2)
            except queue.Empty:
                if self._closing.is_set():
                    return None


def _check_space(path: Path) -> None:
    if shutil.disk_usage(path.parent).free < MIN_FREE:
        raise OSError(errno.ENOSPC, "No space left on device")


def _failed(path: Path, error: Exception) -> DataError:
    with contextlib.suppress(OSError):
        if getattr(error, "errno", None) == errno.ENOSPC or shutil.disk_usage(path.parent).free < MIN_FREE:
            return DataError("The film cannot be written: the disk is full.", str(path), "Free some space.")
    if isinstance(error, OSError) and error.strerror and error.errno != errno.EPIPE:
        return _unwritable(path, error)
    if isinstance(error, RuntimeError) and "exe" in str(error):
        return DataError(
            "There is no ffmpeg to write films with.", str(path), "Install it: sudo apt-get install ffmpeg."
        )
    reason = " ".join(str(error).split())[-160:] or type(error).__name__
    return DataError(f"ffmpeg could not write the film ({reason}).", str(path), "Choose another folder.")


def _unwritable(path: Path, error: OSError) -> DataError:
    return DataError(f"The film cannot be written ({error.strerror}).", str(path), "Choose another folder.")
