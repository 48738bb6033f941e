"""Compile an update with torch; on a GPU, capture it as one CUDA graph."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from studio import paths
from studio.errors import CompilingError


def compiler() -> str:
    """Return the path of the C++ compiler that torch would use for the CPU; empty: there is none."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "cl")
    return next((found for name in names if name and (found := shutil.which(name))), "")


def compiled(method: Any, cpp: bool) -> Callable[..., Any]:
    """Return a bound method that is compiled as one graph on its first call.

    Kernels are cached on disk: compiling takes several seconds the first time and about one second later.

    Args:
        cpp: call the kernels from C++ instead of Python, which takes a sixth of the time for small networks.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(paths.cache_folder("compiled")))
    function = method.__func__
    # torch counts recompilations per code object and gives up after a few: each owner gets a copy of the code
    copied = FunctionType(function.__code__.replace(), function.__globals__, function.__name__)
    bound, options = MethodType(copied, method.__self__), {"cpp_wrapper": cpp}
    compiled_method: Callable[..., Any] = torch.compile(bound, fullgraph=True, dynamic=False, options=options)
    return compiled_method


def compile_update(
    method: Any, example: tuple[Any, ...], changing: Sequence[Tensor], log: Callable[[str], None] = lambda text: None
) -> Callable[..., Any]:
    """Return a bound method that updates tensors in place, compiled; on a GPU, captured as a CUDA graph.

    Args:
        example: arguments of the shapes that every later call has. The method is called with them to compile it.
        changing: all tensors that the method changes. They are restored after the trial calls.

    Raises:
        CompilingError: no Triton on a GPU, a C++ compiler without headers; or a compiler that was ended from outside.
    """
    log("Compiling the update. This takes some seconds the first time and about one second later.")
    started = time.perf_counter()
    before = [tensor.clone() for tensor in changing]
    # torch's C++ wrapper lags behind on Windows, and a CUDA graph makes no calls that it could speed up
    cpp = sys.platform != "win32" and not changing[0].is_cuda
    update = compiled(method, cpp)
    try:
        update(*example)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ConnectionError, EOFError) as error:  # what torch's compilers raise, and their processes
        if _was_ended(error):
            words = "The compiler was ended before the update was compiled."
            raise CompilingError(words, "update", "Resume the run, or choose eager.") from error
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        remedy = "Choose eager, or install what torch.compile needs: a C++ compiler, and Triton on a GPU."
        raise CompilingError(f"The update cannot be compiled ({reason}).", "update", remedy) from error
    if changing[0].is_cuda:
        update = _captured(update, example)
    for tensor, value in zip(changing, before, strict=True):
        tensor.copy_(value)
    log(f"Compiled in {time.perf_counter() - started:.1f} s.")
    return update


def _was_ended(error: BaseException) -> bool:
    """Whether an error comes from the end of a compiling process, by a signal, and not from what it says."""
    found: BaseException | None = error
    for _ in range(100):  # causes may form a circle
        if found is None:
            break
        if isinstance(found, (ConnectionError, EOFError, BrokenExecutor)):  # of the pipe to torch's compiling processes
            return True
        if isinstance(found, subprocess.CalledProcessError) and found.returncode < 0:
            return True
        found = found.__cause__ or found.__context__
    return False


def _captured(function: Callable[..., Any], example: tuple[Any, ...]) -> Callable[..., Any]:
    """Return a function as one CUDA graph: arguments are copied to its static inputs, and all kernels launched."""
    inputs = tree_map_only(Tensor, torch.clone, example)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # capture requires warm-up runs on a side stream
        for _ in range(3):
            function(*inputs)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # the viewer runs copies of the policy on another thread, whose allocations must not break this capture
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        outputs = function(*inputs)

    def replay(*arguments: Any) -> Any:
        for static, argument in zip(_tensors(inputs), _tensors(arguments), strict=True):
            static.copy_(argument, non_blocking=True)
        graph.replay()
        return tree_map_only(Tensor, torch.clone, outputs)

    return replay


def _tensors(nest: Any) -> list[Tensor]:
    """Return the tensors in nested arguments, always in the same order."""
    if isinstance(nest, Tensor):
        return [nest]
    parts = [nest[key] for key in sorted(nest)] if isinstance(nest, dict) else nest
    return [tensor for part in parts for tensor in _tensors(part)]
