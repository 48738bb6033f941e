"""The viewport's keys, and their descriptions in the help."""

from __future__ import annotations

from PySide6.QtCore import Qt
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
    _K.Key_Escape: "leave",
    **{getattr(_K, f"Key_{toggle.letter}"): toggle.name for toggle in TOGGLES},
}

HELP = {
    "Drag, right-drag, wheel": "orbit, pan, zoom",
    "Double-click": "select a body and center it",
    "Ctrl+right-drag, Ctrl+drag": "pull a body, turn it; with Shift in the horizontal plane",
    "Ctrl+drag on a goal or an arrow": "move the goal or turn the direction until a reset; the policy follows",
    "Space": "play or pause",
    "Left, Right, Home, End": "step back and forth, go to the ends of the history",
    "R, G": "reset, next keyframe",
    "+, −": "faster, slower",
    "0, 1 to 9": "free camera, the model's cameras",
    "C, F, J, A": "contacts, contact forces, joints, actuators",
    "M, I, H, T": "center of mass, inertia, collision geometry, transparency",
    "S, K, W, L, E": "sites, cameras, wireframe, labels, frames",
    "N, P, V": "inspector, picture, film",
    "Esc": "deselect, or go back to the experiment's domain",
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
    """Return every key and mouse gesture, one a line."""
    return "\n".join(f"{keys}: {words}" for keys, words in HELP.items())
