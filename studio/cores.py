"""How many processors this process may use: fewer than the machine has under Slurm, taskset or a cpuset."""

from __future__ import annotations

import os


def cores() -> int:
    """At least one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
