"""The texts of the chips on the picture, for each frame."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QColor

from studio.contracts import NAMESPACE
from widgets.viewport.frame import Frame
from widgets.viewport.glass import AMBER, GREEN, INK, RED
from widgets.viewport.model_sheet import DIRECTION


def texts(frame: Frame, looking_at: str, policy: str, success: bool) -> list[tuple[str, QColor]]:
    """Return the chips at the left and their inks.

    Args:
        looking_at: name of a file or training that is shown in place of the experiment's domain, or empty.
        policy: what drives the robot.
        success: whether the robot has just succeeded.
    """
    found = [_source(frame, looking_at, policy), *_moment(frame)]
    if frame.preview and not looking_at:
        found.append((_words("randomization preview"), INK))
    if frame.selected:
        found.append((frame.selected.removeprefix(NAMESPACE), AMBER))
    if frame.filmed is not None:
        found.append((_words("● recording {0}:{1:02d}").format(*divmod(int(frame.filmed), 60)), RED))
    if success:
        found.append((_words("success"), GREEN))
    return [(text, ink) for text, ink in found if text]


def pace(frame: Frame, coarse: bool) -> str:
    """Return the chip at the right: how fast pictures come and simulated time passes, or why they do not.

    Args:
        coarse: whether the picture has fewer pixels than the view.
    """
    if frame.playing and not frame.waiting:
        numbers = _words("{0:.0f} fps · {1:.2f}×").format(frame.fps, frame.speed)
        return _words("reduced detail · {0}").format(numbers) if coarse else numbers
    return _words("waiting") if frame.waiting else _words("paused")


def why_coarse(training: bool) -> str:
    """Return why the picture has fewer pixels than the view, and how to see it in full detail."""
    if training:
        return _words(
            "The training gets most of the processor, so the viewport draws fewer pixels. Pause the viewport to see "
            "full detail; the training goes on."
        )
    return _words(
        "The viewport draws fewer pixels so that it reaches 30 frames per second on this machine. Pause it to see "
        "full detail."
    )


def goal_hint(frame: Frame) -> str:
    """Return how the mouse moves the goal; empty where there is none to move."""
    if not frame.sheet.goal:
        return ""
    turns = frame.sheet.goal == DIRECTION
    return _words("Ctrl+drag turns the arrow") if turns else _words("Ctrl+drag moves the goal")


def steady(frame: Frame) -> tuple[object, ...]:
    """Return what the chips depend on, without the numbers that change in every frame."""
    return frame.waiting, frame.preview, frame.selected, frame.filmed is None, frame.playing, frame.inset is None


def _source(frame: Frame, looking_at: str, policy: str) -> tuple[str, QColor]:
    if looking_at:
        return looking_at, INK
    return (_words("waiting for the first policy"), AMBER) if frame.waiting else (policy, INK)


def _moment(frame: Frame) -> list[tuple[str, QColor]]:
    info = frame.info
    if "episodes" in info:
        return [(_words("frame {0} of {1}").format(info["step"] + 1, frame.moment[1]), INK), (info["name"], INK)]
    if "training" in info and "step" not in info:
        return [(_words("waiting for the training"), AMBER)]
    if "step" in info:
        return [(_words("episode {0} · step {1}").format(info["episode"], info["step"]), INK)]
    return [(f"{info['time']:.2f} s", INK)] if "time" in info else []


def _words(text: str) -> str:
    return QCoreApplication.translate("Viewport", text)
