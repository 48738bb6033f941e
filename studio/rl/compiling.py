"""Compiling an update with torch, where the machine has what that takes; on a GPU it becomes one CUDA graph."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from studio import paths
from studio.errors import StudioError


def compiler() -> str:
    """The C++ compiler that torch would use for the CPU; empty: there is none."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "cl")
    return next((found for name in names if name and (found := shutil.which(name))), "")


def compiled(method: Any, cpp: bool) -> Callable[..., Any]:
    """A bound method compiled as one graph, when it is first called.

    What was compiled once is kept in the studio's cache: seconds the first time, about one later on.

    Args:
        cpp: the kernels are called from C++ and not from Python: of small networks a sixth of the time.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(paths.cache_folder("compiled")))
    function = method.__func__
    # torch counts what it compiles by code object and gives up on one that comes too often: each owner gets its own
    own = FunctionType(function.__code__.replace(), function.__globals__, function.__name__)
    bound, options = MethodType(own, method.__self__), {"cpp_wrapper": cpp}
    done: Callable[..., Any] = torch.compile(bound, fullgraph=True, dynamic=False, options=options)
    return done


def made_fast(
    method: Any, example: tuple[Any, ...], changing: Sequence[Tensor], say: Callable[[str], None] = lambda text: None
) -> Callable[..., Any]:
    """A bound method that updates tensors in place, compiled; where they lie on a GPU, captured as a CUDA graph.

    Args:
        example: arguments as it will get them: it is called with them, and with no other shapes later.
        changing: all that it changes; put back afterwards.

    Raises:
        StudioError: what compiles is there and does not work: no Triton on a GPU, a compiler without headers.
    """
    say("Compiling the update. This takes some seconds the first time and about one second later.")
    began = time.perf_counter()
    kept = [tensor.clone() for tensor in changing]
    cpp = sys.platform != "win32" and not changing[0].is_cuda  # torch's on Windows lags; a CUDA graph calls nothing
    done = compiled(method, cpp)
    try:
        done(*example)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # whatever torch's compilers raise is one
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        remedy = "Choose eager, or install what torch.compile needs: a C++ compiler, and Triton on a GPU."
        raise StudioError(f"The update cannot be compiled ({reason}).", "update", remedy) from error
    if changing[0].is_cuda:
        done = _captured(done, example)
    for tensor, value in zip(changing, kept, strict=True):
        tensor.copy_(value)
    say(f"Compiled in {time.perf_counter() - began:.1f} s.")
    return done


def _captured(function: Callable[..., Any], example: tuple[Any, ...]) -> Callable[..., Any]:
    """A function as one CUDA graph: its kernels are launched together, its arguments copied to where it reads them."""
    held = tree_map_only(Tensor, torch.clone, example)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # a graph can only be captured of what has run on its stream
        for _ in range(3):
            function(*held)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    # the window plays copies of the policy on another thread, whose allocations are no fault of this capture
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        found = function(*held)

    def replay(*arguments: Any) -> Any:
        for place, given in zip(_tensors(held), _tensors(arguments), strict=True):
            place.copy_(given, non_blocking=True)
        graph.replay()
        return tree_map_only(Tensor, torch.clone, found)

    return replay


def _tensors(nest: Any) -> list[Tensor]:
    """The tensors in arguments, in one order."""
    if isinstance(nest, Tensor):
        return [nest]
    parts = [nest[key] for key in sorted(nest)] if isinstance(nest, dict) else nest
    return [tensor for part in parts for tensor in _tensors(part)]
