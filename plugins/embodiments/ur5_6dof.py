"""UR5e: one arm of six joints."""

from studio.contracts import Embodiment, Limb
from studio.paths import assets

JOINTS = ("shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3")

EMBODIMENT = Embodiment(
    id="ur5_6dof",
    title="UR5e arm, 6 degrees of freedom",
    summary="Six-joint industrial arm with a touch probe, on a table.",
    reference="Universal Robots: UR5e data sheet; DH parameters and masses for calculations of kinematics and dynamics",
    model=assets() / "embodiments" / "ur5_6dof.xml",
    kind="arm",
    limbs=(Limb("ee", JOINTS, JOINTS, tuple(range(6)), (16, 17, 18)),),
    cameras=("front", "top", "wrist"),
)
