"""Domain: a task, the robot that does it, and what varies from episode to episode."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from studio.experiment.hashing import EPISODES, decisive
from studio.experiment.instructions import Instructions
from studio.experiment.randomization import Curriculum, RandomizationTerm, expand
from studio.experiment.settings import Settings, setting

Entry = Literal["image", "goal", "state", "instruction"]  # of an observation


class Domain(Settings):
    """Task × embodiment × shift, and optionally a dataset of episodes from it."""

    embodiment: str = setting("franka_7dof", "Embodiment", "A built-in robot, or the path of an MJCF or URDF file.")
    task: str = setting("reach", "Task", "What the robot has to do.")
    control: Literal["end_effector", "joint", "motor", "discrete"] = setting(
        "end_effector",
        "Control",
        "What an action means: a step of the end effector, a step of each joint, each motor's own command, or one of "
        "the task's choices.",
    )
    observation: list[Entry] = setting(
        ["image"],
        "Observation",
        "A camera image, the goal's coordinates (to study transfer without vision), or the robot's state; and the "
        "instruction, where the task gives one.",
        short="observation",
        min_length=1,
    )
    cameras: list[str] = setting(
        ["front"],
        "Camera",
        "The camera whose image the policy observes, or several; a camera's pose and lens vary for the first alone.",
        short="camera",
        min_length=1,
    )
    image_size: int = setting(64, "Image size", "Width and height of the camera image.", "px", ge=32, le=256)
    episodes: int = setting(
        50, "Episodes", "Number of demonstrations the policy learns from.", "episodes", ge=1, le=100_000
    )
    datasets: list[Path] = setting(
        [], "Dataset", "HDF5 file of demonstrations; if empty, the scripted expert records them.", short="dataset"
    )
    dataset_split: str = setting(
        "",
        "Split",
        "Named list of episodes in the dataset that are learned from (robomimic's /mask); if empty, all of them.",
        since=2,
    )
    dataset_camera: str = setting(
        "",
        "Dataset's images",
        "Key of the dataset's images, such as agentview_image; if empty, those of the camera, or the only ones.",
        since=2,
    )
    dataset_gripper: Literal["open", "close"] = setting(
        "open",
        "Dataset's gripper",
        "What a gripper action of +1 means in the dataset: open, as here, or close, as in robosuite.",
        since=2,
    )
    randomization: list[RandomizationTerm] = setting(
        [], "Randomization", "What varies from episode to episode: a list of terms, or the name of a preset."
    )
    contexts: list[list[float]] = setting(
        [],
        "Contexts",
        "For a task family: the contexts that episodes are drawn from; if empty, the whole family.",
        since=2,
    )
    instructions: Instructions = setting(
        Instructions(), "Instructions", "Which instructions are given, where they are observed.", since=2
    )
    placement: str = setting(
        "usual",
        "Placement",
        "Where the task's objects lie at the start; tasks with objects to choose from also have placements that no "
        "training uses.",
        since=2,
    )
    curriculum: Curriculum = setting(
        Curriculum(),
        "Curriculum",
        "Widens the ranges as long as the policy succeeds at their ends during training.",
        since=2,
        switch="enabled",
    )
    hidden_dynamics: Path | None = setting(
        None,
        "Stand-in robot",
        "A robot with hidden parameters that stands in for a real one: its file, or the name of a shipped one (heavy).",
        earlier="stand_in",
    )

    def observes(self, entry: Entry) -> bool:
        """Whether an entry is part of the observation."""
        return entry in self.observation

    @property
    def observation_kind(self) -> str:
        """The observation's entries and images, such as ``image+image_wrist+instruction``: they decide how a policy is
        built."""
        return "+".join(name for entry in self.observation for name in (self.images if entry == "image" else [entry]))

    @property
    def images(self) -> dict[str, str]:
        """The camera of each image in the observation, by the image's name: ``image``, then ``image_wrist`` …"""
        if not self.observes("image"):
            return {}
        return {f"image_{camera}" if place else "image": camera for place, camera in enumerate(self.cameras)}

    @property
    def camera(self) -> str:
        """The first camera."""
        return self.cameras[0]

    @property
    def dataset(self) -> Path | None:
        """The first dataset; None where the scripted expert demonstrates."""
        return self.datasets[0] if self.datasets else None

    @field_validator("observation", "cameras", "datasets")
    @classmethod
    def _different(cls, entries: list[Any]) -> list[Any]:
        for place, entry in enumerate(entries):
            if entry in entries[:place]:
                raise ValueError(f"'{entry}' is listed twice; remove one of them")
        return entries

    @field_validator("randomization", mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        if value is False:  # what YAML makes of "off"
            return []
        return expand(value) if isinstance(value, str) else value

    def cache_key(self) -> dict[str, Any]:
        """Return what decides the episodes drawn from it, but for the files it names, whose contents do.

        The curriculum follows the training, not the domain.
        """
        kept = decisive(self, EPISODES)
        return {
            name: value for name, value in kept.items() if name not in ("dataset", "datasets", "stand_in", "curriculum")
        }
