"""What may be drawn over a scene, by name and key, and as MuJoCo's options. Without Qt: both threads use it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mujoco

LABELS = ("none", "body", "joint", "geom", "site", "actuator", "contactforce")  # MuJoCo's mjLABEL_…
FRAMES = ("none", "body", "geom", "site", "world")  # MuJoCo's mjFRAME_…
COLLISION, VISUAL = 3, 2  # geom groups, by the convention of MuJoCo's own models


@dataclass(frozen=True)
class Toggle:
    """One thing to show or hide. ``flag`` is MuJoCo's mjVIS_…; empty where it is something else."""

    name: str
    letter: str
    flag: str = ""


TOGGLES = (
    Toggle("contacts", "C", "CONTACTPOINT"),
    Toggle("contact_forces", "F", "CONTACTFORCE"),
    Toggle("joints", "J", "JOINT"),
    Toggle("actuators", "A", "ACTUATOR"),
    Toggle("center_of_mass", "M", "COM"),
    Toggle("inertia", "I", "INERTIA"),
    Toggle("collision", "H"),
    Toggle("transparent", "T", "TRANSPARENT"),
    Toggle("sites", "S"),
    Toggle("cameras", "K", "CAMERA"),
    Toggle("wireframe", "W"),
)
NAMES = tuple(toggle.name for toggle in TOGGLES)


@dataclass(frozen=True)
class ViewOptions:
    """What is drawn over the scene: names of toggles, and which labels and frames are drawn at objects."""

    on: frozenset[str] = frozenset()
    label: str = "none"
    frame: str = "none"

    def toggled(self, name: str) -> ViewOptions:
        """Return the same with one toggle switched."""
        return replace(self, on=self.on ^ {name})

    def next_label(self) -> ViewOptions:
        """Return the same with the next kind of label."""
        return replace(self, label=LABELS[(LABELS.index(self.label) + 1) % len(LABELS)])

    def next_frame(self) -> ViewOptions:
        """Return the same with the next kind of frame."""
        return replace(self, frame=FRAMES[(FRAMES.index(self.frame) + 1) % len(FRAMES)])

    @property
    def is_plain(self) -> bool:
        """Whether nothing is drawn over the scene."""
        return self == ViewOptions()


# sizes of marks as shares of the model's extent: MuJoCo's go by the mean size of its geoms, which is small for detailed
# robots, whose marks are then hidden inside the links
_MARKS = {"jointlength": 0.4, "jointwidth": 0.012, "com": 0.03, "contactwidth": 0.015, "contactheight": 0.006,
          "forcewidth": 0.010, "framelength": 0.12, "framewidth": 0.006, "actuatorlength": 0.05, "actuatorwidth": 0.02,
          "camera": 0.04, "selectpoint": 0.015}  # fmt: skip


_CENTER = (1.0, 0.55, 0.1, 1.0)  # color of centers of mass; MuJoCo's light gray is hard to see among gray links


def enlarge_marks(model: mujoco.MjModel) -> None:
    """Make marks of joints, contacts and so on large enough to be seen; never smaller than the model has them."""
    model.vis.rgba.com[:] = _CENTER
    scale, unit = model.vis.scale, max(float(model.stat.extent), 1e-9) / max(float(model.stat.meansize), 1e-9)
    for name, share in _MARKS.items():
        setattr(scale, name, max(getattr(scale, name), share * unit))


# MuJoCo names these only while they are drawn
_LABELED = {"joint": "joints", "actuator": "actuators", "contactforce": "contact_forces"}


def apply(shown: ViewOptions, mujoco: ModuleType, option: mujoco.MjvOption) -> None:
    """Write the options into an ``MjvOption``."""
    for toggle in TOGGLES:
        if toggle.flag:
            wanted = toggle.name in shown.on or toggle.name == _LABELED.get(shown.label)
            option.flags[getattr(mujoco.mjtVisFlag, f"mjVIS_{toggle.flag}")] = wanted
    collision = "collision" in shown.on  # shown in place of what looks better
    option.geomgroup[VISUAL], option.geomgroup[COLLISION] = not collision, collision
    # labels and frames of sites need the sites that they are at
    sites = "sites" in shown.on or "site" in (shown.label, shown.frame)
    option.sitegroup[:] = sites
    option.label = getattr(mujoco.mjtLabel, f"mjLABEL_{shown.label.upper()}").value
    option.frame = getattr(mujoco.mjtFrame, f"mjFRAME_{shown.frame.upper()}").value
