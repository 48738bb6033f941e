"""The viewport's menus: checkpoints to be played, and recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication, QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

if TYPE_CHECKING:
    from studio.viewer.episode_playback import Scored


def checkpoints(
    parent: QWidget, runs: Sequence[tuple[str, Path, list[int]]], chosen: Callable[[Path, int], None]
) -> QMenu:
    """Return a menu of each run's checkpoints, the newest first."""
    menu = _menu(parent)
    for name, folder, steps in runs:
        entries = menu.addMenu(name)
        for step in reversed(steps):
            action = entries.addAction(_words("step {0}").format(step))
            action.triggered.connect(partial(_call, chosen, folder, step))
    return menu


def recordings(
    parent: QWidget,
    files: Sequence[tuple[str, Path]],
    runs: Sequence[tuple[str, Path, list[Scored]]],
    look_at: Callable[[Path, str], None],
    open_file: Callable[[], None],
    load: Callable[[Path, int], None],
) -> QMenu:
    """Return a menu of demonstrations on the disk, any file, and each run's evaluations, the newest first."""
    roles = {"source": _words("Demonstrations of the source"), "target": _words("Demonstrations of the target")}
    menu = _menu(parent)
    for role, path in files:
        menu.addAction(roles[role]).triggered.connect(partial(_call, look_at, path, roles[role]))
    menu.addAction(_words("Open a dataset or a model…")).triggered.connect(partial(_call, open_file))
    if runs:
        menu.addSeparator()
    for name, folder, scored in runs:
        entries = menu.addMenu(name)
        for entry in reversed(scored):
            action = entries.addAction(_outcome(entry))
            action.triggered.connect(partial(_call, load, folder, entry.step))
    return menu


def pop_up(menu: QMenu, above: QWidget) -> None:
    """Show a menu above a widget at the panel's lower edge."""
    menu.popup(above.mapToGlobal(QPoint(0, -menu.sizeHint().height())))


def _outcome(entry: Scored) -> str:
    if entry.successes is None:
        words = _words("step {0}: mean return {1:.2f} of {2} episodes")
        return words.format(entry.step, entry.mean_return, entry.episodes)
    return _words("step {0}: {1} of {2} episodes succeeded").format(entry.step, entry.successes, entry.episodes)


def _menu(parent: QWidget) -> QMenu:
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return menu


def _call(work: Callable[..., None], *arguments: Any) -> None:
    """Call without the check mark that a menu's action adds."""
    work(*(argument for argument in arguments if not isinstance(argument, bool)))


def _words(text: str) -> str:
    return QCoreApplication.translate("ViewportPanel", text)
