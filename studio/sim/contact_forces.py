"""Makes every integration step leave the bodies' contact forces (``cfrc_ext``) behind, as Gymnasium's tasks read them.

MuJoCo computes ``cfrc_ext`` only on demand (``mj_rnePostConstraint``), which a batch offers no call for, and a sensor
that asks for it sees the first stage of a Runge-Kutta step where Gymnasium reads the last. An engine plugin is called
at the end of every integration step with exactly that function's arguments, so the function itself is the plugin.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import mujoco

PLUGIN = "studio.contact_forces"
_CALLBACKS = (
    "nstate", "nsensordata", "init", "destroy", "copy", "reset", "compute", "advance", "visualize", "actuator_act_dot",
    "sdf_distance", "sdf_gradient", "sdf_staticdistance", "sdf_attribute", "sdf_aabb",
)  # fmt: skip


class _Plugin(ctypes.Structure):
    """``mjpPlugin`` of mujoco/mjplugin.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("nattribute", ctypes.c_int),
        ("attributes", ctypes.c_void_p),
        ("capabilityflags", ctypes.c_int),
        ("needstage", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in _CALLBACKS),
    ]


@functools.cache
def _register() -> None:
    """Once a process. C functions only: a Python callback would hold the interpreter's lock on every thread."""
    folder = Path(mujoco.__file__).parent
    library = ctypes.CDLL(str(next(folder.glob("libmujoco.so*"), None) or next(folder.glob("*mujoco*.d*"))))
    standard = ctypes.CDLL(None)
    plugin = _Plugin()
    library.mjp_defaultPlugin(ctypes.byref(plugin))
    plugin.name = PLUGIN.encode()
    zero, nothing = _address(standard.sched_yield), _address(standard.abs)  # returns 0; does nothing
    plugin.nstate = plugin.init = zero
    plugin.reset = plugin.compute = nothing
    plugin.advance = _address(library.mj_rnePostConstraint)
    library.mjp_registerPlugin(ctypes.byref(plugin))


def _address(function: object) -> int | None:
    return ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[arg-type]


def add_contact_forces(spec: mujoco.MjSpec) -> None:
    """Have the model's ``cfrc_ext`` computed at the end of every step, at the cost of one pass over its bodies."""
    _register()
    spec.activate_plugin(PLUGIN)
    spec.add_plugin(name="contact_forces", plugin_name=PLUGIN, active=True)
