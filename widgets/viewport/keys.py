"""The viewport's keys, and what the help says about them."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QKeyEvent

from widgets.viewport.show_options import TOGGLES

_K = Qt.Key
COMMANDS: dict[Qt.Key, str] = {
    _K.Key_Space: "play",
    _K.Key_Right: "step",
    _K.Key_Left: "back",
    _K.Key_Home: "first",
    _K.Key_End: "last",
    _K.Key_R: "reset",
    _K.Key_G: "keyframe",
    _K.Key_Plus: "faster",
    _K.Key_Equal: "faster",
    _K.Key_Minus: "slower",
    _K.Key_L: "labels",
    _K.Key_E: "frames",
    _K.Key_N: "side",
    _K.Key_P: "picture",
    _K.Key_V: "film",
    _K.Key_F1: "help",
    _K.Key_Escape: "leave",
    **{getattr(_K, f"Key_{toggle.letter}"): toggle.name for toggle in TOGGLES},
}


def command_of(event: QKeyEvent) -> str:
    """Return the command of a key press: one of ``COMMANDS``, ``camera 0`` to ``camera 9``, or empty."""
    plain = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if plain == Qt.KeyboardModifier.ShiftModifier and event.key() == _K.Key_Plus:
        return "faster"  # where the key has = without Shift
    if plain != Qt.KeyboardModifier.NoModifier:
        return ""
    if _K.Key_0 <= event.key() <= _K.Key_9:
        return f"camera {int(event.key()) - int(_K.Key_0)}"
    return COMMANDS.get(Qt.Key(event.key()), "")


def help_text() -> str:
    """Return a few lines that name every key."""
    return QCoreApplication.translate(
        "ViewportKeys",
        "Drag to orbit, right-drag to pan, wheel to zoom, double-click to select and center. "
        "Ctrl+right-drag pulls a body, Ctrl+drag turns it; with Shift in the horizontal plane. "
        "Ctrl+drag moves a goal, which stays there until a reset, or turns the arrow of a direction, and the policy "
        "follows.\n"
        "Space plays or pauses, the arrow keys step back and forth, Home and End go to the ends of the history, "
        "R resets, G goes to the next keyframe, + and − change the speed, 0 is the free camera, 1 to 9 the model's.\n"
        "C contacts, F contact forces, J joints, A actuators, M center of mass, I inertia, H collision geometry, "
        "T transparency, S sites, K cameras, W wireframe, L labels, E frames.\n"
        "N inspector, P picture, V film, Esc deselects, F1 shows this help.",
    )
