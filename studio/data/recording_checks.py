"""Checks of a recording before a policy learns from it: what makes a loss fall and the robot fail all the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from studio.contracts import CheckResult, Episodes, Limb, ResolvedDomain

Array = np.ndarray

FRAMES = 20_000  # that are looked at, at most
LARGEST_POSITION = 20.0  # m from the origin that a hand may be; recordings in millimeters go far beyond
LARGEST_JOINT = 4 * np.pi  # rad; recordings in degrees go beyond
SMALLEST_ACTION = 0.02  # of the range [−1, 1]; actions that stay below were not normalized
SATURATED = 0.9  # share of frames at ±1 from which on an action says little
OPPOSED, FOLLOWED = -0.2, 0.9  # correlations: of an action with its motion, and with the position itself
STILL = 1e-6
LEAST_FRAMES = 8


def check_recording(episodes: Episodes, resolved: ResolvedDomain) -> list[CheckResult]:
    """Return what each check of a domain's demonstrations found; fields of its changes are the domain's."""
    return [
        _statistics(episodes),
        _range(episodes, resolved),
        *_motion(episodes, resolved),
        *_grippers(episodes, resolved),
        *_images(episodes),
    ]


def _statistics(episodes: Episodes) -> CheckResult:
    """Positions in meters and radians."""
    check, found = "Statistics", episodes.statistics()
    reach = {key: float(max(abs(found[key]["min"]).max(), abs(found[key]["max"]).max())) for key in found}
    if reach.get("eef_pos", 0) > LARGEST_POSITION:
        words = f"End-effector positions reach {reach['eef_pos']:.4g}: they seem to be in millimeters."
        return CheckResult(check, "problem", words, "Convert them to meters.")
    if reach.get("joint_pos", 0) > LARGEST_JOINT:
        words = f"Joint positions reach {reach['joint_pos']:.4g}: they seem to be in degrees."
        return CheckResult(check, "problem", words, "Convert them to radians.")
    entries = ", ".join(found)
    return CheckResult(check, "ok", f"Mean and spread of {entries} are finite and plausible.")


def _range(episodes: Episodes, resolved: ResolvedDomain) -> CheckResult:
    """Motions that use the range [−1, 1] without lying at its ends; grippers do lie there."""
    check, size = "Action range", np.abs(episodes.actions)
    if size.max() < SMALLEST_ACTION:
        words = f"No action exceeds {size.max():.2g} of the range [-1, 1]: they seem to be in physical units."
        return CheckResult(check, "problem", words, "Normalize the actions as robomimic does.")
    moving = episodes.actions.std(0) > STILL
    moving[gripper_columns(resolved)] = False
    share = float((size[:, moving] > 1 - 1e-3).mean()) if moving.any() else 0.0
    if share > SATURATED:
        words = f"{share:.0%} of the actions lie at ±1: they say a direction at most."
        return CheckResult(check, "warning", words, "Check how the actions were normalized.")
    return CheckResult(check, "ok", f"Actions lie in [{episodes.actions.min():.2f}, {episodes.actions.max():.2f}].")


def _motion(episodes: Episodes, resolved: ResolvedDomain) -> Iterator[CheckResult]:
    """Each component of an arm's actions moves what it should, in its direction, and is a step rather than a place."""
    domain, embodiment = resolved.domain, resolved.embodiment
    entry = {"end_effector": "eef_pos", "joint": "joint_pos"}.get(domain.control)
    if embodiment.kind != "arm" or entry is None or entry not in episodes.observations:
        return
    check, positions = "Actions against motion", episodes.observations[entry][:FRAMES]
    steps, actions = _within_episodes(episodes, positions), episodes.actions
    columns = action_columns(resolved)
    opposed, absolute = [], []
    for place, column in enumerate(columns[: positions.shape[1]]):
        frames, moved = steps[0], steps[1][:, place]
        action, position = actions[frames, column], positions[frames, place]
        if _correlation(action, moved) < OPPOSED:
            opposed.append(column)
        elif _correlation(action, position) > FOLLOWED and _correlation(action, moved) < 0.5:
            absolute.append(column)
    if opposed:
        words = f"The motion goes against the actions in components {', '.join(map(str, opposed))}."
        remedy = "Check axes and control: the dataset may be of another control or of another robot."
        yield CheckResult(check, "problem", words, remedy)
    elif absolute:
        words = f"Components {', '.join(map(str, absolute))} of the actions follow the position itself."
        remedy = "These are targets, not steps: convert them to the difference from one frame to the next."
        yield CheckResult(check, "problem", words, remedy)
    else:
        yield CheckResult(check, "ok", "The robot moves as its actions say.")


def _grippers(episodes: Episodes, resolved: ResolvedDomain) -> Iterator[CheckResult]:
    """A gripper opens after an action of +1."""
    if not resolved.task.grips or "gripper_pos" not in episodes.observations:
        return
    check, opening = "Gripper sign", episodes.observations["gripper_pos"][:FRAMES]
    frames, moved = _within_episodes(episodes, opening)
    columns = gripper_columns(resolved)
    found = [_correlation(episodes.actions[frames, column], moved[:, i]) for i, column in enumerate(columns)]
    if min(found) < OPPOSED:
        words = "The gripper closes where its action is positive; here +1 opens."
        other = "close" if resolved.domain.dataset_gripper == "open" else "open"
        remedy = f"Set dataset_gripper to {other}."
        yield CheckResult(check, "problem", words, remedy, {"dataset_gripper": other})
    elif max(np.ptp(opening, axis=0)) < STILL:
        yield CheckResult(check, "warning", "The gripper never moves.", "Check that its opening was recorded.")
    else:
        yield CheckResult(check, "ok", "The gripper opens where its action is positive.")


def _images(episodes: Episodes) -> Iterator[CheckResult]:
    """Pictures that show something, and change while the robot moves."""
    for entry, images in episodes.observations.items():
        if images.ndim != 4:
            continue
        check = "Images" if entry == "image" else f"Images ({entry})"
        ends = episodes.starts + episodes.lengths - 1
        first, last = images[episodes.starts].astype(float), images[ends].astype(float)
        flat, frozen = first.std((1, 2, 3)) < 1, np.abs(first - last).max((1, 2, 3)) < 1
        if flat.any():
            words = f"{int(flat.sum())} of {len(flat)} episodes begin with a picture of one color."
            yield CheckResult(check, "problem", words, "Remove these episodes, or check the camera.")
        elif (frozen & (episodes.lengths > 1)).any():
            words = f"In {int(frozen.sum())} of {len(flat)} episodes the last picture is the first one."
            yield CheckResult(check, "warning", words, "Check that the camera recorded while the robot moved.")
        else:
            yield CheckResult(check, "ok", "Pictures show a scene that changes.")


def action_columns(resolved: ResolvedDomain) -> list[int]:
    """Return which components of the native action move each coordinate of ``eef_pos`` or ``joint_pos``, in order."""
    slots = resolved.task.slots(resolved.embodiment, resolved.domain.control)

    def own(limb: Limb) -> tuple[int, ...]:
        return limb.joint_slots if resolved.domain.control == "joint" else limb.end_effector_slots

    return [slots.index(slot) for limb in resolved.embodiment.limbs for slot in own(limb)]


def gripper_columns(resolved: ResolvedDomain) -> list[int]:
    """Return which components of the native action open the grippers, limb by limb; none where none is used."""
    if not resolved.task.grips:
        return []
    slots = resolved.task.slots(resolved.embodiment, resolved.domain.control)
    return [slots.index(limb.gripper_slot) for limb in resolved.embodiment.limbs if limb.gripper]


def _within_episodes(episodes: Episodes, values: Array) -> tuple[Array, Array]:
    """Return frames (n,) that another one of their episode follows, and how the values change to it, (n, width)."""
    last = np.zeros(episodes.frames, bool)
    last[episodes.starts + episodes.lengths - 1] = True
    frames = np.flatnonzero(~last[: len(values) - 1])
    return frames, values[frames + 1] - values[frames]


def _correlation(one: Array, other: Array) -> float:
    """Return Pearson's r; 0 where there are few values or one of them never changes."""
    if len(one) < LEAST_FRAMES or one.std() < STILL or other.std() < STILL:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
