"""Importing a package of the engine changes nothing in the process."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import os, sys
before = dict(os.environ)
import gymnasium
known = set(gymnasium.registry)
import studio.sim, studio.sim.world, studio.sim.rollout, studio.sim.render.renderer, studio.viewer.film, studio.sysid
assert set(gymnasium.registry) == known, set(gymnasium.registry) - known
assert dict(os.environ) == before, {name for name in os.environ if os.environ.get(name) != before.get(name)}
assert not [name for name in sys.modules if name.startswith("plugins.tasks")]
import studio.gym
assert "studio/Hopper-v5" in gymnasium.registry
"""


def test_importing_studio_sim_has_no_side_effect() -> None:
    unset = {name: value for name, value in os.environ.items() if name not in ("MUJOCO_GL", "PYOPENGL_PLATFORM")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=unset, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
