"""OpenGL contexts without a window, and which of MuJoCo's backends makes them."""

from __future__ import annotations

import ctypes.util
import os
import sys
import threading
from importlib import import_module
from typing import Any, Protocol

from studio.errors import StudioError

_THREAD = threading.local()  # .context: each thread's GL context
_MAKING = threading.Lock()  # MuJoCo's EGL binding keeps global state while it makes a context
OFFSCREEN = ("egl", "osmesa")  # backends whose contexts work on any thread


class GLContext(Protocol):
    """A GL context of one of MuJoCo's backends."""

    def make_current(self) -> None:
        """Make it the calling thread's."""

    def free(self) -> None:
        """Free it; it must not be used again."""


def choose_gl_backend() -> str:
    """Choose the backend where ``MUJOCO_GL`` does not, and return its name; "" is MuJoCo's own choice.

    On Linux that is EGL, or OSMesa where there is no EGL: neither needs a display. The choice is left in ``MUJOCO_GL``,
    where MuJoCo's library looks for it when it first draws. Called by :func:`new_context`; a program that uses
    ``mujoco.Renderer`` itself calls it before it imports ``mujoco``.
    """
    if sys.platform.startswith("linux") and "MUJOCO_GL" not in os.environ:
        os.environ["MUJOCO_GL"] = "egl" if ctypes.util.find_library("EGL") else "osmesa"
    return os.environ.get("MUJOCO_GL", "").lower().strip()


def new_context() -> GLContext:
    """Return a new offscreen GL context of the calling thread, which is now current.

    Pictures are drawn into MuJoCo's own framebuffers, so its size does not matter.

    Raises:
        StudioError: the machine has no GL.
    """
    try:
        with _MAKING:
            # Mesa reads it once. Its rasterizer's own threads cannot speed up small images; without them each of
            # our threads draws on its own core (measured: 1.9 times one thread's pictures, and 1.0 with them).
            os.environ.setdefault("LP_NUM_THREADS", "0")
            backend = choose_gl_backend()
            # MuJoCo's own GLContext is the backend that was chosen when it was first imported
            module: Any = import_module(f"mujoco.{backend}" if backend in OFFSCREEN else "mujoco")
            context: GLContext = module.GLContext(16, 16)
        context.make_current()
    except Exception as error:
        raise no_gl(error) from error
    return context


def thread_context() -> GLContext:
    """Return this thread's offscreen GL context, made at its first use and now current.

    All renderers of a thread share it: making one takes half a second with software GL, and leaks some memory.

    Raises:
        StudioError: the machine has no GL.
    """
    context: GLContext | None = getattr(_THREAD, "context", None)
    if context is None:
        context = _THREAD.context = new_context()
        return context
    try:
        context.make_current()
    except Exception as error:
        raise no_gl(error) from error
    return context


def no_gl(error: Exception) -> StudioError:
    """Return the error for a machine where no context can be made."""
    return StudioError(
        f"No OpenGL context can be created ({error}).",
        "",
        "Install Mesa's drivers: sudo apt-get install libegl1 libgl1-mesa-dri (or set MUJOCO_GL=osmesa).",
    )
