"""A holonomic base: it drives in x and y and turns."""

from studio.contracts import Embodiment, Limb
from studio.paths import assets

JOINTS = ("base_x", "base_y", "base_yaw")

EMBODIMENT = Embodiment(
    id="mobile_3dof",
    title="Mobile base, 3 degrees of freedom",
    summary="Holonomic base on mecanum wheels that touches things with its front bumper.",
    reference="Clearpath Ridgeback data sheet",
    model=assets() / "embodiments" / "mobile_3dof.xml",
    kind="base",
    limbs=(Limb("ee", JOINTS, JOINTS, (28, 29, 30), (28, 29, 30)),),
    cameras=("top", "front", "onboard"),
)
