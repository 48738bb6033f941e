"""Two Franka arms side by side: fourteen joints."""

from studio.contracts import Embodiment, Limb
from studio.paths import assets


def _joints(side: str) -> tuple[str, ...]:
    return tuple(f"{side}_joint{i}" for i in range(1, 8))


EMBODIMENT = Embodiment(
    id="bimanual_14dof",
    title="Two Franka arms, 14 degrees of freedom",
    summary="Two seven-joint arms with grippers, side by side on a table.",
    reference="Franka Robotics data sheet; link masses: Gaz et al., IEEE RA-L 4(4), 2019",
    model=assets() / "embodiments" / "bimanual_14dof.xml",
    kind="arm",
    limbs=(
        Limb("right_ee", _joints("right"), _joints("right"), tuple(range(7)), (16, 17, 18), "right_gripper", 19),
        Limb("left_ee", _joints("left"), _joints("left"), tuple(range(7, 14)), (22, 23, 24), "left_gripper", 25),
    ),
    cameras=("front", "top", "right_wrist", "left_wrist"),
)
