"""The quantities that can be randomized, in their groups, with the words and scales of their rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from PySide6.QtCore import QCoreApplication

from widgets.randomization.quantity import Quantity

NAN = float("nan")
CONTEXT = "context:"  # before the name of a context's component, see studio.sim.tasks.contexts


def readable(name: str) -> str:
    """Return a parameter's name in words: ``camera_fov`` → Field of view; ``mass:torso`` → Mass, torso;
    ``camera_position_x`` → Camera position, x; ``context:velocity`` → Velocity."""
    field, _, parts = name.removeprefix(CONTEXT).partition(":")
    whole, _, axis = field.rpartition("_")
    if field not in _labels() and whole in _labels():  # one number of three
        field, parts = whole, f"{parts},{axis}" if parts else axis
    words = _labels().get(field, field.replace("_", " ").capitalize())
    return ", ".join([words, *(part for part in parts.split(",") if part)])


@cache
def _labels() -> dict[str, str]:
    """Every quantity's label by its field."""

    def translated(text: str) -> str:
        return QCoreApplication.translate("RandomizationRows", text)

    return {quantity.field: quantity.label for _, members in groups(translated) for quantity in members}


def groups(tr: Callable[[str], str]) -> list[tuple[str, list[Quantity]]]:
    """(group's title, its quantities); ``tr`` translates."""
    times, factor = tr("Factor on the model's own value."), tr("Factor; 1 leaves the image unchanged.")
    half: dict[str, Any] = {"probability": 0.5}
    zero: dict[str, Any] = {"nominal": 0.0, "shown": 0.0}
    parted: dict[str, Any] = {"parted": True}
    physics = [
        Quantity("friction", tr("Friction"), tr("Of all contacts. ") + times, "×", 0.1, 3, 0.5, 1.5, **parted),
        Quantity(
            "mass",
            tr("Mass"),
            tr("Of all bodies, together with the inertia. ") + times,
            "×",
            0.2,
            3,
            0.8,
            1.2,
            **parted,
        ),
        Quantity("damping", tr("Damping"), tr("Of all joints. ") + times, "×", 0.1, 5, 0.5, 2, **parted),
        Quantity(
            "armature", tr("Armature"), tr("Rotor inertia of all motors. ") + times, "×", 0.1, 5, 0.5, 2, **parted
        ),
        Quantity("gravity", tr("Gravity"), times, "×", 0, 2, 0.9, 1.1),
        Quantity(
            "actuator_gain",
            tr("Actuator gain"),
            tr("Strength of motors, stiffness of servos. ") + times,
            "×",
            0.3,
            2,
            0.8,
            1.2,
            **parted,
        ),
        Quantity(
            "actuator_delay", tr("Delay"), tr("Delay from command to actuator."), "s", 0, 0.05, 0, 0.05, 3, **zero
        ),
    ]
    noise = tr("Standard deviation of the noise added to joint angles, positions and state, each in its own unit.")
    sensors = [Quantity("sensor_noise", tr("Sensor noise"), noise, "", 0, 0.1, 0, 0.01, 3, **zero)]
    place, angle = tr("Added to each coordinate of the camera position."), tr("Vertical field of view of the camera.")
    lamp = tr("Added to each coordinate of the light positions; directional lights are rotated accordingly.")
    tint = tr("Factor on red, green and blue of the scene; the task's goals and objects keep their colors.")
    camera = [
        Quantity("camera_position", tr("Camera position"), place, "m", -0.1, 0.1, -0.02, 0.02, 3, **zero),
        Quantity("camera_fov", tr("Field of view"), angle, "°", 30, 100, 55, 65, 1, nominal=NAN, shown=60),
        Quantity("light_position", tr("Light position"), lamp, "m", -2, 2, -1, 1, 2, **zero),
        Quantity("light_intensity", tr("Light"), tr("Intensity of all lights. ") + times, "×", 0, 2, 0.5, 1.5),
        Quantity("color", tr("Colors"), tint, "×", 0, 2, 0.7, 1.3),
    ]
    sigma, soft = (
        tr("σ of a Gaussian blur with a 5 px kernel."),
        tr("Factor; 0 blurs, 1 leaves the image unchanged, 2 sharpens."),
    )
    image = [
        Quantity("brightness", tr("Brightness"), factor, "×", 0, 2, 0.7, 1.3, **half),
        Quantity("contrast", tr("Contrast"), factor, "×", 0, 2, 0.7, 1.3, **half),
        Quantity("saturation", tr("Saturation"), factor, "×", 0, 2, 0.7, 1.3, **half),
        Quantity("blur", tr("Blur"), sigma, "px", 0, 3, 0.1, 2, **zero, **half),
        Quantity("sharpness", tr("Sharpness"), soft, "×", 0, 4, 2, 2, **half),
    ]
    titles = tr("Physics"), tr("Sensors"), tr("Camera and light"), tr("Image")
    return list(zip(titles, (physics, sensors, camera, image), strict=True))
