"""What arrays are called between the rooms. All are batch first."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
Ids = Array | slice  # which simulations: sorted indices, or all
# "image" (n, h, w, 3) uint8, "joint_pos", "eef_pos", "goal", "state": see studio.sim.world; of tasks that grip also
# "gripper_pos" (n, grippers) m: how far each hand is open
# "body" (n, width): values of the randomization terms that are observed
Observation = dict[str, Any]
SLOTS = 32  # width of the unified action space
