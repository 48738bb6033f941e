"""The bodies of Gymnasium's MuJoCo tasks: their own model files, as Gymnasium ships them."""

from importlib.util import find_spec
from pathlib import Path

from studio.contracts import Embodiment
from studio.paths import assets


def _folder() -> Path:
    found = find_spec("gymnasium")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "envs" / "mujoco" / "assets"


def _body(id: str, title: str, summary: str, motors: int, file: str = "", cameras: tuple[str, ...] = ()) -> Embodiment:
    return Embodiment(
        id=id,
        title=title,
        summary=summary,
        reference="Gymnasium's MuJoCo tasks, version 5",
        model=_folder() / (file or f"{id}.xml"),
        kind="motor_controlled",
        limbs=(),
        cameras=cameras,
        home="",
        motors=motors,
    )


ANT = _body("ant", "Ant", "Four legs of two joints.", 8, cameras=("track",))
HALF_CHEETAH = _body("half_cheetah", "Half cheetah", "Two legs of three joints, in a plane.", 6, cameras=("track",))
HOPPER = _body("hopper", "Hopper", "One leg of three joints, in a plane.", 3, cameras=("track",))
HUMANOID = _body("humanoid", "Humanoid", "Seventeen joints, about a child's size.", 17, cameras=("track",))
HUMANOID_STANDUP = _body(
    "humanoid_standup", "Humanoid, lying", "The humanoid on its back.", 17, "humanoidstandup.xml", ("track",)
)
INVERTED_PENDULUM = _body("inverted_pendulum", "Cart and pole", "A pole on a cart.", 1)
INVERTED_DOUBLE_PENDULUM = _body("inverted_double_pendulum", "Cart and two poles", "Two poles on a cart.", 1)
PUSHER = _body("pusher", "Pusher's arm", "An arm of seven joints before a table.", 7, "pusher_v5.xml")
REACHER = _body("reacher", "Reacher's arm", "Two joints in a plane.", 2)
SWIMMER = _body("swimmer", "Swimmer", "Three links in a viscous plane.", 2, cameras=("track",))
WALKER2D = _body("walker2d", "Walker", "Two legs of three joints, in a plane.", 6, "walker2d_v5.xml", ("track",))
POINT = Embodiment(
    id="point",
    title="Point",
    summary="A point in the plane that moves by its action.",
    reference="Finn, Abbeel and Levine 2017, arXiv:1703.03400, section 5.3",
    model=assets() / "embodiments" / "point.xml",
    kind="motor_controlled",
    limbs=(),
    cameras=("top",),
    home="",
    motors=2,
)
