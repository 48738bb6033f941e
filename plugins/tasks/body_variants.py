"""Families of bodies after iMuJoCo: Hopper, HalfCheetah and Walker2d with other masses, friction and damping.

iMuJoCo's variants change one limb's mass, a joint's range, a limb's length or the feet's friction at a time. Here all
masses, friction and damping change together and continuously; lengths and joint ranges do not change.
"""

from __future__ import annotations

from plugins.tasks.half_cheetah import HalfCheetah
from plugins.tasks.hopper import Hopper
from plugins.tasks.walker2d import Walker2d
from studio.sim.tasks.families import BodyVariants

REFERENCE = "After iMuJoCo, Patacchiola et al. 2023, arXiv:2306.13554; Rakelly et al. 2019, arXiv:1903.08254 (Walker)"


class HopperBodies(BodyVariants, Hopper):
    """Hopper with other masses, friction and damping."""

    id = "hopper_bodies"
    title = "Hopper, other bodies"
    summary = "Hops forward with a body whose masses, friction and damping the context gives."
    reference = REFERENCE
    gymnasium_id = "HopperBodies-v0"
    limbs = {"torso": "torso", "thigh": "thigh", "leg": "leg", "foot": "foot"}


class HalfCheetahBodies(BodyVariants, HalfCheetah):
    """HalfCheetah with other masses, friction and damping."""

    id = "half_cheetah_bodies"
    title = "HalfCheetah, other bodies"
    summary = "Runs forward with a body whose masses, friction and damping the context gives."
    reference = REFERENCE
    gymnasium_id = "HalfCheetahBodies-v0"
    limbs = {"torso": "torso", "thigh": "bthigh,fthigh", "shin": "bshin,fshin", "foot": "bfoot,ffoot"}


class Walker2dBodies(BodyVariants, Walker2d):
    """Walker2d with other masses, friction and damping."""

    id = "walker2d_bodies"
    title = "Walker2d, other bodies"
    summary = "Walks forward with a body whose masses, friction and damping the context gives."
    reference = REFERENCE
    gymnasium_id = "Walker2dBodies-v0"
    limbs = {"torso": "torso", "thigh": "thigh,thigh_left", "leg": "leg,leg_left", "foot": "foot,foot_left"}
