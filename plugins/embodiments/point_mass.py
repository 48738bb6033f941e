"""A ball that slides on a floor: the cheapest body whose physics is simulated."""

from studio.contracts import Embodiment
from studio.paths import assets

EMBODIMENT = Embodiment(
    id="point_mass",
    title="Point mass",
    summary="A ball that slides on a floor, driven by motors along both axes.",
    reference="Transfer Studio",
    model=assets() / "embodiments" / "point_mass.xml",
    kind="motor_controlled",
    limbs=(),
    cameras=("top",),
    home="",
    motors=4,
)
