"""Bits: rows of plates that stand for 1 where they are up."""

from studio.contracts import Embodiment
from studio.paths import assets


def _bits(count: int) -> Embodiment:
    return Embodiment(
        id=f"bits_{count}",
        title=f"{count} bits",
        summary=f"{count} plates, each up or down.",
        reference="Andrychowicz et al. 2017, Hindsight Experience Replay, arXiv:1707.01495, section 3.1",
        model=assets() / "embodiments" / f"bits_{count}.xml",
        kind="motor_controlled",
        limbs=(),
        cameras=("top",),
        home="",
        motors=count,
    )


BITS_8, BITS_15, BITS_30 = _bits(8), _bits(15), _bits(30)
