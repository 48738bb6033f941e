"""Whether a dataset suits a domain: what would have to change, what is converted, and which images are the camera's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.contracts import Embodiment, Problem, Reading, Survey, Task
from studio.data.resample import frames_per_step
from studio.experiment import Domain

OTHER_ROBOT = "Choose the embodiment the data was recorded on."


def entries_of(domain: Domain, task: Task, embodiment: Embodiment) -> frozenset[str]:
    """Return the observations that a policy learns from in a domain."""
    sights = [*domain.images, *(["goal"] if domain.observes("goal") or not domain.images else [])]
    read, gripped = ["instruction"] * domain.observes("instruction"), ["gripper_pos"] * task.grips
    limbs = ["joint_pos", "eef_pos"] if embodiment.limbs else []
    return frozenset([*limbs, *sights, *read, *gripped])


def further_images(domain: Domain, cameras: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return (entry, key) of the images of the domain's cameras but the first, of those that a file has.

    Args:
        cameras: key of images → name of the camera that saw them.
    """
    keys = {camera: key for key, camera in cameras.items()}
    return tuple((entry, keys[camera]) for entry, camera in [*domain.images.items()][1:] if camera in keys)


@dataclass(frozen=True)
class Suitability:
    """How a dataset suits a domain.

    Args:
        reading: what to read from the file.
        frames: how many frames of the file make one control step.
        problems: at fields of the domain.
        notes: sentences for the log.
    """

    reading: Reading
    frames: int = 1
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def suitability(
    domain: Domain, task: Task, embodiment: Embodiment, survey: Survey, reading: Reading, known: frozenset[str]
) -> Suitability:
    """Return how a dataset suits a domain.

    Args:
        survey: of the dataset, by ``reading``.
        known: ids of tasks, embodiments and controls: a file that names another of them is of another domain.
    """
    camera, problems = _camera(domain, embodiment, survey)
    further = further_images(domain, survey.cameras)
    read = Reading(reading.episodes, reading.split, reading.entries, camera, further)
    images = {"image": camera, **dict(further)}
    named = {entry: survey.keys.get(entry, "") for entry in reading.entries or ()} | images
    needed = [key for key in named.values() if key]
    notes = survey.notes_of(needed)
    problems += [Problem("dataset", fault.message, fault.remedy) for fault in survey.faults_of(needed)]
    problems += _spaces(domain, task, embodiment, survey)
    for entry, name in domain.images.items():
        if entry not in images:
            words = f"None of the dataset's images ({', '.join(survey.cameras) or 'none'}) is of the camera '{name}'."
            problems.append(Problem("camera", words, "Choose another dataset, or fewer cameras."))
    problems += _missing(domain, survey, reading, [key for key in images.values() if key])
    frames = 1
    if survey.control_hz is None:
        notes.append(f"The dataset does not state its control rate: the task's {task.control_hz:g} Hz are assumed.")
    else:
        found = frames_per_step(survey.control_hz, task.control_hz)
        if found is None or (found > 1 and domain.control == "discrete"):
            words = f"The dataset has {survey.control_hz:g} actions a second; '{task.id}' has {task.control_hz:g}."
            remedy = f"Resample the demonstrations to {task.control_hz:g} Hz, or choose others."
            problems.append(Problem("dataset", words, remedy))
        elif found > 1:
            frames = found
            notes.append(
                f"The dataset has {survey.control_hz:g} actions a second and '{task.id}' {task.control_hz:g}: one "
                f"frame in {found} is kept, with the mean of their actions."
            )
    origin_problems, origin_notes = _origin(domain, survey, known)
    if camera and domain.observes("image") and survey.cameras.get(camera) != domain.camera:
        origin_notes.append(f"The dataset's '{camera}' stand for the camera '{domain.camera}'.")
    return Suitability(read, frames, (*problems, *origin_problems), (*notes, *origin_notes))


def _camera(domain: Domain, embodiment: Embodiment, survey: Survey) -> tuple[str, list[Problem]]:
    """Return the key of the domain's images: the one asked for, else the domain's camera's, else the only one there is
    where it is not another of the robot's cameras."""
    if not domain.observes("image"):
        return "", []
    keys = list(survey.cameras)
    has = f"It has: {', '.join(keys)}."
    if asked := domain.dataset_camera:
        if asked in survey.cameras:
            return asked, []
        words = f"The dataset has no images '{asked}'."
        return "", [Problem("dataset_camera", words, has if keys else "It has no images at all.")]
    of_camera = [key for key, name in survey.cameras.items() if name == domain.camera]
    if len(of_camera) == 1:
        return of_camera[0], []
    if len(keys) == 1 and survey.cameras[keys[0]] not in embodiment.cameras:
        return keys[0], []
    if not keys:
        remedy = "Choose another dataset, set dataset_camera to the key that holds images, or observe the goal."
        return "", [Problem("dataset", "The dataset has no images.", remedy)]
    words = f"None of the dataset's images ({', '.join(keys)}) is named after the camera '{domain.camera}'."
    return "", [Problem("dataset_camera", words, "Set dataset_camera to the images that the policy is to learn from.")]


def _missing(domain: Domain, survey: Survey, reading: Reading, images: Sequence[str]) -> list[Problem]:
    """Return the problems with missing observations, too few episodes and images of another size."""
    problems = []
    if lacking := sorted((reading.entries or frozenset()) - set(domain.images) - set(survey.keys)):
        has = ", ".join(survey.observations) or "none"
        words = f"The dataset's observations lack '{lacking[0]}' (there are: {has})."
        problems.append(Problem("dataset", words, "Choose another dataset."))
    if survey.episodes < domain.episodes:
        holds = "1 episode" if survey.episodes == 1 else f"{survey.episodes} episodes"
        words = f"The dataset holds {holds}; the experiment needs {domain.episodes}."
        remedy, changes = "Ask for fewer episodes or choose a larger dataset.", {"episodes": survey.episodes}
        problems.append(Problem("dataset", words, remedy, changes if survey.episodes else {}))
    for height, width in dict.fromkeys(survey.images[key] for key in images if key in survey.images):
        if (height, width) == (domain.image_size, domain.image_size):
            continue
        found = f"{height} px" if height == width else f"{height} × {width} px (height × width)"
        words = f"The dataset's images are {found}; the experiment needs {domain.image_size} px, square."
        fits = height == width and 32 <= height <= 256
        remedy = f"Set image_size to {height}." if fits else "Resize them, or choose another dataset."
        problems.append(Problem("dataset", words, remedy, {"image_size": height} if fits else {}))
    return problems


def _spaces(domain: Domain, task: Task, embodiment: Embodiment, survey: Survey) -> list[Problem]:
    """Return the problems with actions, joints and grippers of other widths."""
    problems = []
    width = len(task.slots(embodiment, domain.control))
    if survey.action_width != width:
        words = f"Actions have {survey.action_width} components; this embodiment and control need {width}."
        remedy = "Choose the embodiment the data was recorded on, or the other control."
        problems.append(Problem("dataset", words, remedy))
    joints = survey.widths.get("joint_pos")
    if joints is not None and joints != embodiment.dof:
        words = f"Joint positions are {joints} wide; '{embodiment.id}' has {embodiment.dof} joints."
        problems.append(Problem("dataset", words, OTHER_ROBOT))
    hands, columns = sum(1 for limb in embodiment.limbs if limb.gripper), survey.widths.get("gripper_pos")
    if task.grips and columns is not None and columns != hands:
        words = f"Gripper positions are {columns} wide; '{embodiment.id}' has {hands} grippers, one opening each."
        problems.append(Problem("dataset", words, OTHER_ROBOT))
    return problems


def _origin(domain: Domain, survey: Survey, known: frozenset[str]) -> tuple[list[Problem], list[str]]:
    """Return how the file's task, robot and control differ from the domain's: as problems where the names are of the
    studio, else as notes."""
    problems, notes = [], []
    for name, wanted in (("task", domain.task), ("embodiment", domain.embodiment), ("control", domain.control)):
        recorded = survey.recorded.get(name, "")
        if not recorded or recorded == wanted:
            continue
        words = f"The dataset was recorded with the {name} '{recorded}'; the experiment has '{wanted}'."
        if recorded in known:
            remedy = f"Set {name} to {recorded}, or choose another dataset."
            problems.append(Problem("dataset", words, remedy, {name: recorded}))
        else:
            notes.append(words)
    environment = survey.recorded.get("environment", "")
    if environment and not survey.recorded.get("task"):
        notes.append(f"The dataset was recorded in '{environment}'; the experiment's task is '{domain.task}'.")
    return problems, notes
