"""Returns of SAC, as the bench ``returns`` describes them. Ten of its trainings are Stable-Baselines3's, of
which each takes a quarter of an hour of a fast core, and half an hour of a slow one."""

from __future__ import annotations

from returns import main

if __name__ == "__main__":
    main("SAC")
