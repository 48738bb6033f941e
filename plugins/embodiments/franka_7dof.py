"""Franka: one arm of seven joints."""

from studio.contracts import Embodiment, Limb
from studio.paths import assets

JOINTS = tuple(f"joint{i}" for i in range(1, 8))

EMBODIMENT = Embodiment(
    id="franka_7dof",
    title="Franka arm, 7 degrees of freedom",
    summary="Seven-joint research arm with a two-finger gripper, on a table.",
    reference="Franka Robotics data sheet; link masses: Gaz et al., IEEE RA-L 4(4), 2019",
    model=assets() / "embodiments" / "franka_7dof.xml",
    kind="arm",
    limbs=(Limb("ee", JOINTS, JOINTS, tuple(range(7)), (16, 17, 18), "gripper", 19),),
    cameras=("front", "top", "wrist"),
)
