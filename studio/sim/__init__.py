"""Batched MuJoCo: scenes, worlds, randomization, rendering, kinematics, the player.

Importing this package chooses MuJoCo's GL backend, which MuJoCo reads once, at its own import.
"""

import ctypes.util
import os
import sys

if sys.platform.startswith("linux") and "MUJOCO_GL" not in os.environ:
    os.environ["MUJOCO_GL"] = "egl" if ctypes.util.find_library("EGL") else "osmesa"

from studio.registry import shared_registry
from studio.sim.gymnasium_ids import register_all

register_all(shared_registry())
