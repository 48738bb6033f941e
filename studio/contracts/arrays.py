"""Names and types of arrays. All are batch first."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
Ids = Array | slice  # which simulations: sorted indices, or all
# "image" (n, h, w, 3) uint8, of further cameras "image_wrist" …, "joint_pos", "eef_pos", "goal", "state": see
# studio.sim.world; of tasks that grip also
# "gripper_pos" (n, grippers) m: how far each hand is open
# "instruction" (n, 96) uint8: a sentence, see studio.instructions
# "dynamics_params" (n, width): values of the randomization terms that are observed
Observation = dict[str, Any]
RENAMED_ENTRIES = {"body": "dynamics_params"}  # what policies and experiments made before may call an entry
SLOTS = 32  # width of the unified action space


def is_image(entry: str) -> bool:
    """Whether an observation's entry holds a camera's images: ``image``, ``image_wrist`` …"""
    return entry == "image" or entry.startswith("image_")
