"""A robot, as a plugin describes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Limb:
    """One chain of joints that ends in something that touches: an arm, or a driving base.

    Slots are this limb's places in the unified action space: one for each joint in joint control, and one for each
    of x, y, z (an arm) or x, y, yaw (a base) in end-effector control.
    """

    site: str
    joints: tuple[str, ...]
    actuators: tuple[str, ...]
    joint_slots: tuple[int, ...]
    end_effector_slots: tuple[int, ...]
    gripper: str = ""  # actuator that opens and closes the hand; empty: it has none
    gripper_slot: int = -1  # after the limb's other slots


@dataclass(frozen=True)
class Embodiment:
    """A robot: its MJCF or URDF model, its limbs, its cameras, its slots in the unified action space."""

    id: str
    title: str
    summary: str
    reference: str
    model: Path
    kind: Literal["arm", "base", "motor_controlled"]
    limbs: tuple[Limb, ...]
    cameras: tuple[str, ...]
    home: str = "home"  # the keyframe of the resting pose; empty: the model's defaults
    motors: int = 0  # of a body whose actuators are commanded directly
    contents: str = ""  # of a user's model: hash of all files that it depends on
    changes: tuple[str, ...] = ()  # of a user's model: what the studio's copy has otherwise, in sentences

    @property
    def dof(self) -> int:
        """Controlled degrees of freedom."""
        return self.motors or sum(len(limb.joints) for limb in self.limbs)

    def slots(self, control: str, gripper: bool = False) -> tuple[int, ...]:
        """Return the places of the native action's components in the unified action space, ascending."""
        if control == "motor":
            return tuple(range(self.motors))
        if control == "discrete":
            return (0,)
        slots: list[int] = []
        for limb in self.limbs:
            slots += limb.joint_slots if control == "joint" else limb.end_effector_slots
            if gripper and limb.gripper:
                slots.append(limb.gripper_slot)
        return tuple(sorted(slots))
