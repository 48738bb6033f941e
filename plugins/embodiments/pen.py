"""A pen over squared paper: its one action is a number, for tasks that ask for a function's value."""

from studio.contracts import Embodiment
from studio.paths import assets

EMBODIMENT = Embodiment(
    id="pen",
    title="Pen",
    summary="A pen over squared paper that marks one number, from −10 to 10.",
    reference="Transfer Studio",
    model=assets() / "embodiments" / "pen.xml",
    kind="motor_controlled",
    limbs=(),
    cameras=("top",),
    home="",
    motors=1,
)
