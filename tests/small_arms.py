"""A light arm of four hinges, as MJCF text that tests change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

JOINTS = ("j1", "j2", "j3", "j4")
ARM = """<mujoco>{head}<option integrator="implicitfast"/><compiler angle="radian"/><worldbody>
<light pos="0 0 3"/><geom type="plane" size="2 2 .1"/>
<body name="l1" pos="0 0 .1"><joint name="j1" axis="0 0 1" range="-3 3" limited="true" damping="1"/>
 <geom type="capsule" fromto="0 0 0 0 0 .3" size=".04"/>
 <body name="l2" pos="0 0 .3"><joint name="j2" axis="0 1 0" range="-2 2" limited="true" damping="1"/>
  <geom type="capsule" fromto="0 0 0 .35 0 0" size=".03"/>
  <body name="l3" pos=".35 0 0"><joint name="j3" axis="0 1 0" range="-2.5 2.5" limited="true" damping="1"/>
   <geom type="capsule" fromto="0 0 0 .35 0 0" size=".025"/>
   <body name="l4" pos=".35 0 0"><joint name="j4" axis="0 1 0" range="-2.5 2.5" limited="true" damping="1"/>
    <geom type="capsule" fromto="0 0 0 .1 0 0" size=".02"/><site name="tip" pos=".1 0 0"/>
   </body></body></body></body>{more}</worldbody>{tail}</mujoco>"""


def arm(folder: Path, head: str = "", more: str = "", tail: str = "", names: Mapping[str, str] | None = None) -> Path:
    """Write the arm into a folder and return its file.

    Args:
        head, more, tail: MJCF before the options, in the world's body, and behind it.
        names: bodies that are called otherwise.
    """
    text = ARM.format(head=head, more=more, tail=tail)
    for old, new in (names or {}).items():
        text = text.replace(f'name="{old}"', f'name="{new}"')
    folder.mkdir(exist_ok=True)
    path = folder / "arm.xml"
    path.write_text(text)
    return path
