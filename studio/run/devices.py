"""What this machine has and how loaded it is: CPU, memory, GPU."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from typing import Any

import psutil

from studio.errors import ExperimentError
from studio.events import DeviceSample

MEGABYTE = 1024 * 1024


def choose(device: str) -> str:
    """Return ``cuda`` or ``cpu`` for ``auto``. Raises ExperimentError where CUDA is asked for and absent."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise ExperimentError("CUDA was requested, but this machine has no CUDA GPU.", "device", "Choose cpu or auto.")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


class Sampler:
    """Samples once a second on a thread of its own and calls ``publish``; remembers the highest memory seen."""

    def __init__(self, publish: Callable[[DeviceSample], None], period: float = 1.0) -> None:
        self._publish, self._period = publish, period
        self._process = psutil.Process()
        self._gpu = _first_gpu()
        self._stop = threading.Event()
        self.peak_memory_mb = 0.0
        self._thread = threading.Thread(target=self._run, name="devices", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._process.cpu_percent()
        while not self._stop.wait(self._period):
            memory = self._process.memory_info().rss / MEGABYTE
            self.peak_memory_mb = max(self.peak_memory_mb, memory)
            gpu, gpu_memory = _gpu_load(self._gpu)
            self._publish(DeviceSample(self._process.cpu_percent(), memory, gpu, gpu_memory))


def _first_gpu() -> Any:
    with contextlib.suppress(Exception):  # no driver, no library, no GPU: there is simply none to watch
        import pynvml

        pynvml.nvmlInit()
        return pynvml.nvmlDeviceGetHandleByIndex(0)
    return None


def _gpu_load(handle: Any) -> tuple[float, float]:
    if handle is None:
        return math.nan, math.nan
    import pynvml

    with contextlib.suppress(pynvml.NVMLError):
        load = pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
        return float(load), pynvml.nvmlDeviceGetMemoryInfo(handle).used / MEGABYTE
    return math.nan, math.nan
