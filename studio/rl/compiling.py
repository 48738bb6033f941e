"""Compiling a method with torch, where the machine has what that takes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

import torch

from studio import paths


def compiler() -> str:
    """The C++ compiler that torch would use for the CPU; empty: there is none."""
    names = (os.environ.get("CXX", ""), "g++", "clang++", "cl")
    return next((found for name in names if name and (found := shutil.which(name))), "")


def compiled(method: Any) -> Callable[..., Any]:
    """A bound method compiled as one graph, when it is first called.

    What was compiled once is kept in the studio's cache: seconds the first time, about one later on.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(paths.cache_folder("compiled")))
    function = method.__func__
    # torch counts what it compiles by code object and gives up on one that comes too often: each owner gets its own
    own = FunctionType(function.__code__.replace(), function.__globals__, function.__name__)
    done: Callable[..., Any] = torch.compile(MethodType(own, method.__self__), fullgraph=True, dynamic=False)
    return done
