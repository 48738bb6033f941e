"""A camera that slides over a sheet of pictures."""

from studio.contracts import Embodiment
from studio.paths import assets

EMBODIMENT = Embodiment(
    id="reader",
    title="Reading camera",
    summary="A camera on two slides that looks at one picture of a sheet at a time.",
    reference="After the digit experiments of Ganin et al. 2016, arXiv:1505.07818, section 5.2",
    model=assets() / "embodiments" / "reader.xml",
    kind="motor_controlled",
    limbs=(),
    cameras=("eye",),
    home="",
    motors=2,
)
