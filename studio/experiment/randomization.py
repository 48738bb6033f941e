"""What may vary from episode to episode: the terms of a randomization, their presets, and the curriculum over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import ValidationInfo, field_validator, model_validator

from studio.experiment.settings import Settings, setting

RandomizationField = Literal[
    "friction",
    "mass",
    "damping",
    "armature",
    "gravity",
    "actuator_gain",
    "actuator_delay",
    "sensor_noise",
    "camera_position",
    "camera_fov",
    "light_position",
    "light_intensity",
    "color",
    "brightness",
    "contrast",
    "saturation",
    "blur",
    "sharpness",
]
# fields of which a term may choose some parts of the model by name
PARTED = ("friction", "mass", "damping", "armature", "actuator_gain")
POSITIVE = ("mass", "actuator_gain", "camera_fov")
UNSIGNED = (
    "friction", "damping", "armature", "actuator_delay", "sensor_noise", "light_intensity", "color", "brightness",
    "contrast", "saturation", "blur", "sharpness",
)  # fmt: skip


class RandomizationTerm(Settings):
    """One randomized quantity. Scale factors multiply the nominal value; others are absolute, in their unit."""

    field: RandomizationField = setting("friction", "Field", "What is randomized.")
    low: float = setting(1.0, "Low", "Lower end of the range.")
    high: float = setting(1.0, "High", "Upper end of the range.", validate_default=True)
    distribution: Literal["uniform", "log_uniform", "normal"] = setting(
        "uniform", "Distribution", "How values are drawn; a normal distribution is truncated at the ends of the range."
    )
    std: float = setting(
        0.0,
        "Standard deviation",
        "Standard deviation of the normal distribution around the middle of the range; 0 means a quarter of the range.",
        ge=0,
        since=1,
    )
    probability: float = setting(1.0, "Probability", "Probability that the term is applied to a draw.", ge=0, le=1)
    resample: Literal["reset", "once", "interval"] = setting(
        "reset",
        "Resample",
        "When a value is drawn: at each reset (episode), once per simulation (startup), or repeatedly within an "
        "episode (interval).",
        since=1,
        earlier="moment",
    )
    interval: float = setting(
        1.0, "Interval", "Simulated time between draws, if values are drawn at intervals.", "s", gt=0, since=1
    )
    parts: str = setting(
        "",
        "Parts",
        "Names of bodies, geoms, joints or actuators, separated by commas; * and ? are wildcards. If empty, the "
        "whole model.",
        since=1,
    )
    observed: bool = setting(
        False,
        "Observed",
        "Adds the value to the policy's observation, so that one policy can adapt to all dynamics.",
        since=2,
    )

    @property
    def key(self) -> str:
        """The name of this term's values: the field, and the parts where only some are meant."""
        return f"{self.field}:{self.parts}" if self.parts else self.field

    @property
    def spread(self) -> float:
        """Standard deviation of the normal distribution before it is cut off."""
        return self.std or (self.high - self.low) / 4

    @field_validator("low")
    @classmethod
    def _check_low(cls, low: float, info: ValidationInfo) -> float:
        _possible(info.data.get("field", ""), low)
        return low

    @field_validator("high")
    @classmethod
    def _check_high(cls, high: float, info: ValidationInfo) -> float:
        _ordered(info.data.get("field", ""), info.data.get("low", high), high)
        return high

    @field_validator("distribution")
    @classmethod
    def _check_distribution(cls, distribution: str, info: ValidationInfo) -> str:
        _drawable(distribution, info.data.get("low", 1))
        return distribution

    @field_validator("parts")
    @classmethod
    def _check_parts(cls, parts: str, info: ValidationInfo) -> str:
        _parted(info.data.get("field", ""), parts)
        return parts

    @model_validator(mode="after")
    def _consistent(self) -> RandomizationTerm:
        """Check what a later assignment to one field may break."""
        _possible(self.field, self.low)
        if self.field == "actuator_gain" and self.low == 0 and not self.parts:
            raise ValueError("a gain of 0 breaks every actuator; raise the lower end above 0, or name the broken parts")
        _ordered(self.field, self.low, self.high)
        _drawable(self.distribution, self.low)
        _parted(self.field, self.parts)
        return self


def _possible(field: str, low: float) -> None:
    broken = field == "actuator_gain" and low == 0  # an actuator whose commands do nothing: a broken joint
    if field in POSITIVE and low <= 0 and not broken:
        raise ValueError(f"{_words(field)} must stay above 0; raise the lower end above 0")
    if field in UNSIGNED and low < 0:
        raise ValueError(f"{_words(field)} cannot be negative; raise the lower end to 0 or more")


def _ordered(field: str, low: float, high: float) -> None:
    if low > high:
        raise ValueError(f"the range {low:g} to {high:g} is reversed; put the smaller value first")
    if field == "camera_fov" and high >= 180:
        raise ValueError("a field of view must stay below 180 degrees; lower the upper end")


def _drawable(distribution: str, low: float) -> None:
    if distribution == "log_uniform" and low <= 0:
        raise ValueError("a log-uniform range reaches 0 or below; raise its lower end above 0")


def _parted(field: str, parts: str) -> None:
    if parts and field and field not in PARTED:
        raise ValueError(f"{_words(field)} has no parts; leave the parts empty")


class Curriculum(Settings):
    """Automatic domain randomization: ranges grow from the nominal values while the policy succeeds at their ends.

    Source: Akkaya et al. 2019, "Solving Rubik's Cube with a Robot Hand", arXiv:1910.07113, algorithm 1.
    """

    enabled: bool = setting(
        False,
        "Enabled",
        "Ranges begin at the nominal values and widen as training succeeds. What an episode draws then depends on the "
        "training's history, not on its seed alone.",
    )
    widen_at: float = setting(
        0.8, "Widen at", "Success rate at an end of a range from which that end is widened.", ge=0, le=1
    )
    narrow_at: float = setting(
        0.5, "Narrow at", "Success rate at an end of a range at or below which that end is narrowed.", ge=0, le=1
    )
    widen_return: float | None = setting(
        None, "Widen at return", "For tasks without success: mean return from which an end is widened."
    )
    narrow_return: float | None = setting(
        None,
        "Narrow at return",
        "For tasks without success: mean return at or below which an end is narrowed; if empty, nothing is narrowed.",
    )
    step: float = setting(
        0.1, "Step", "How far an end moves at a time, as a fraction of the term's whole range.", gt=0, le=1
    )
    episodes: int = setting(
        40,
        "Episodes",
        "Number of episodes at an end of a range before it is widened or narrowed.",
        "episodes",
        ge=1,
        le=100_000,
    )
    probability: float = setting(
        0.5, "Probability", "Probability that an episode is run at an end of a range.", gt=0, le=1
    )

    @model_validator(mode="after")
    def _ordered(self) -> Curriculum:
        if self.narrow_at > self.widen_at:
            raise ValueError("the narrowing threshold is above the widening threshold; set narrow_at below widen_at")
        narrow, widen = self.narrow_return, self.widen_return
        if narrow is not None and widen is not None and narrow > widen:
            raise ValueError(
                "the narrowing threshold is above the widening threshold; set narrow_return below widen_return"
            )
        return self


def _image(field: str, low: float, high: float) -> dict[str, Any]:
    return {"field": field, "low": low, "high": high, "probability": 0.5}


def _normal(field: str, parts: str, nominal: float, mean: float, std: float, low: float, high: float) -> dict[str, Any]:
    """Return a normal distribution of absolute values as a term of factors on the model's values."""
    ends = {"low": round(low / nominal, 4), "high": round(high / nominal, 4), "std": round(std / nominal, 4)}
    assert low + high == 2 * mean
    return {"field": field, "parts": parts, "distribution": "normal", **ends}


# name: (title, summary, terms)
PRESETS: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "nominal": ("Off", "No randomization: the model as it is.", []),
    "standard": (
        "Standard",
        "Moderate ranges of physics, camera and image, for an arm that observes a table.",
        [
            {"field": "friction", "low": 0.5, "high": 1.5},
            {"field": "mass", "low": 0.8, "high": 1.2},
            {"field": "actuator_delay", "low": 0.0, "high": 0.05},
            {"field": "camera_position", "low": -0.02, "high": 0.02},
            {"field": "camera_fov", "low": 55.0, "high": 65.0},
            _image("brightness", 0.7, 1.3),
            _image("contrast", 0.7, 1.3),
            _image("saturation", 0.7, 1.3),
            _image("blur", 0.1, 2.0),
            _image("sharpness", 2.0, 2.0),
        ],
    ),
    # the paper's Hopper weighs 3.6652 kg at the torso; the friction of foot and floor is the larger of 2 and 1
    "epopt_hopper": (
        "EPOpt hopper",
        "Source ensemble of EPOpt for the Hopper (Rajeswaran et al. 2017, arXiv:1610.01283, table 1).",
        [
            _normal("mass", "torso", 3.6652, 6.0, 1.5, 3.0, 9.0),
            _normal("friction", "foot_geom", 2.0, 2.0, 0.25, 1.5, 2.5),
            _normal("damping", "*_joint", 1.0, 2.5, 1.0, 1.0, 4.0),
            _normal("armature", "*_joint", 1.0, 1.0, 0.25, 0.5, 1.5),
        ],
    ),
}
_SYNONYMS = {"preset": "standard", "document": "standard", "off": "nominal", "none": "nominal"}


def expand(name: str) -> list[dict[str, Any]]:
    """Return the terms of a preset. Raises ValueError where there is none of this name."""
    wanted = _SYNONYMS.get(name, name)
    if wanted not in PRESETS:
        raise ValueError(f"there is no preset '{name}'; choose {', '.join(PRESETS)}, or give a list of terms")
    return [dict(term) for term in PRESETS[wanted][2]]


def longest_delay(terms: Iterable[RandomizationTerm]) -> float:
    """Return the longest delay of the actuators' commands, s; 0 where no term delays them."""
    return max((term.high for term in terms if term.field == "actuator_delay"), default=0.0)


def _words(field: str) -> str:
    return {"camera_fov": "a field of view"}.get(field, field.replace("_", " "))
