"""Model files whose structure is damaged: elements and attributes dropped, renamed, retyped, copied, texts cut off."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.small_arms import arm

VALUES = ("", "0", "-1", "1e30", "nan", "inf", "abc", "0 0 0", "1 2", "world", "task/goal", "true", "9" * 30, "é")
PLACES = ("joint", "body", "geom", "site", "camera", "light", "inertial", "freejoint", "frame", "composite", "plugin")
URDF = """<robot name="r"><link name="base"/>{links}</robot>"""
LINK = """<link name="l{0}"><inertial><origin xyz="0 0 .1"/><mass value="1"/>
<inertia ixx=".01" iyy=".01" izz=".01" ixy="0" ixz="0" iyz="0"/></inertial>
<collision><geometry><box size=".05 .05 .2"/></geometry></collision></link>
<joint name="j{0}" type="revolute"><parent link="{1}"/><child link="l{0}"/><origin xyz="0 0 .2"/><axis xyz="{2}"/>
<limit lower="-2" upper="2" effort="50" velocity="2"/></joint>"""
MORE = """<body name="marker" mocap="true" pos=".7 0 .4"><geom size=".02" contype="0" conaffinity="0"/></body>
<body name="box" pos=".6 .4 .1"><freejoint/><geom type="box" size=".03 .03 .03"/></body>"""
TAIL = """<tendon><fixed name="t"><joint joint="j3" coef="1"/><joint joint="j4" coef="-1"/></fixed></tendon>
<equality><joint joint1="j4" joint2="j3" polycoef="0 1 0 0 0"/></equality>
<actuator><position name="p1" joint="j1" kp="100" kv="10" ctrlrange="-3 3"/><motor joint="j2" gear="30"/>
<velocity joint="j3" kv="5"/></actuator><sensor><jointpos joint="j1"/></sensor>
<keyframe><key name="home" qpos="0 .1 .2 .3 .6 .4 .1 1 0 0 0"/></keyframe>"""


WEDGE = "v 0 0 0\nv .1 0 0\nv 0 .1 0\nv 0 0 .1\nf 1 3 2\nf 1 2 4\nf 2 3 4\nf 1 4 3\n"
ATTACHED = """<mujoco><compiler meshdir="parts"/><asset><mesh name="wedge" file="wedge.obj"/>
<model name="r" file="full/arm.xml"/></asset><worldbody><geom type="mesh" mesh="wedge" pos="0 .5 0"/>
<attach model="r" body="l1" prefix="r_"/></worldbody></mujoco>"""


def sound_models(folder: Path) -> list[Path]:
    """Write an arm without anything, one with something of everything, a scene with that one attached to it and with a
    mesh, and a URDF; return their files."""
    links = "".join(
        LINK.format(i, f"l{i - 1}" if i > 1 else "base", axis) for i, axis in ((1, "0 0 1"), (2, "0 1 0"), (3, "0 1 0"))
    )
    urdf = folder / "arm.urdf"
    urdf.write_text(URDF.format(links=links))
    head = '<default><general ctrllimited="false"/><geom rgba=".5 .5 .5 1"/></default>'
    (folder / "parts").mkdir()
    (folder / "parts" / "wedge.obj").write_text(WEDGE)
    scene = folder / "scene.xml"
    scene.write_text(ATTACHED)
    return [arm(folder / "bare"), arm(folder / "full", head=head, more=MORE, tail=TAIL), scene, urdf]


def damaged(file: Path, seed: int) -> tuple[Path, list[str]]:
    """Write a file with one to three changes beside a sound one, where its meshes are. Return it and what was done."""
    path = file.with_name(f"damaged-{seed}{file.suffix}")
    path.write_bytes(file.read_bytes())
    return path, damage(path, np.random.default_rng(seed), 1 + seed % 3)


def damage(path: Path, rng: np.random.Generator, changes: int) -> list[str]:
    """Change a file's structure in some places. Return what was done."""
    done = []
    for _ in range(changes):
        try:
            tree = ET.parse(path)
        except ET.ParseError:
            break  # it was cut off
        kinds: list[Callable[[Path, ET.Element, np.random.Generator], str]] = [_drop, _rename, _retype, _copy, _move]
        kind = _cut if rng.random() < 0.04 else kinds[int(rng.integers(len(kinds)))]
        done.append(kind(path, tree.getroot(), rng))
        if kind is not _cut:
            tree.write(path, encoding="utf-8")
    return done


def _cut(path: Path, root: ET.Element, rng: np.random.Generator) -> str:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(rng.integers(len(whole)))])
    return "cut off"


def _drop(path: Path, root: ET.Element, rng: np.random.Generator) -> str:
    element = _any(root, rng)
    if element.attrib and rng.random() < 0.6:
        name = _attribute(element, rng)
        del element.attrib[name]
        return f"{element.tag} without {name}"
    if len(element):
        child = element[int(rng.integers(len(element)))]
        element.remove(child)
        return f"{element.tag} without a {child.tag}"
    return "nothing"


def _rename(path: Path, root: ET.Element, rng: np.random.Generator) -> str:
    element = _any(root, rng)
    if element.attrib and rng.random() < 0.5:
        name = _attribute(element, rng)
        element.attrib[name[:-1] + "x"] = element.attrib.pop(name)
        return f"{element.tag}.{name} renamed"
    old, element.tag = element.tag, str(rng.choice(PLACES))
    return f"{old} is a {element.tag}"


def _retype(path: Path, root: ET.Element, rng: np.random.Generator) -> str:
    element = _any(root, rng)
    if not element.attrib:
        return "nothing"
    name = _attribute(element, rng)
    words = element.attrib[name].split()
    value = " ".join(words[:-1]) if len(words) > 1 and rng.random() < 0.3 else str(rng.choice(VALUES))
    element.attrib[name] = value
    return f"{element.tag}.{name} is {value!r}"


def _copy(path: Path, root: ET.Element, rng: np.random.Generator) -> str:
    element = _any(root, rng)
    if not len(element):
        return "nothing"
    child = element[int(rng.integers(len(element)))]
    element.append(child)
    return f"{child.tag} twice"


def _move(path: Path, root: ET.Element, rng: np.random.Generator) -> str:
    """A name becomes another part's, or a reference another one's."""
    one, other = _any(root, rng), _any(root, rng)
    if not one.attrib or not other.attrib:
        return "nothing"
    name = _attribute(one, rng)
    one.attrib[name] = other.attrib[_attribute(other, rng)]
    return f"{one.tag}.{name} is {one.attrib[name]!r}"


def _any(root: ET.Element, rng: np.random.Generator) -> ET.Element:
    elements = list(root.iter())
    return elements[int(rng.integers(len(elements)))]


def _attribute(element: ET.Element, rng: np.random.Generator) -> str:
    return str(rng.choice(sorted(element.attrib)))
