"""How many processors this process may use: fewer than the machine has under Slurm, taskset, a cpuset or a container's
share of time."""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # Linux, cgroup v2: microseconds of time, or "max", in a period of so many


def cores(quota: Path = QUOTA) -> int:
    """At least one. A part of a core counts as one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        time, period = quota.read_text(encoding="ascii").split()
    except (OSError, ValueError):  # elsewhere, or at the root of the groups
        return allowed
    return allowed if time == "max" else min(allowed, math.ceil(int(time) / int(period)))
