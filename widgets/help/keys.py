"""Keys and mouse gestures as Markdown: of a panel, and of the window."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QKeySequence

from studio.contracts import PanelInfo
from studio.help_pages import Page

KEYS = "keys"  # the id of the page that is made here


def window_keys(commands: Iterable[QAction]) -> dict[str, str]:
    """Return what each shortcut of the window does."""
    return {
        action.shortcut().toString(QKeySequence.SequenceFormat.NativeText): action.statusTip() or action.toolTip()
        for action in commands
        if not action.shortcut().isEmpty()
    }


def keys_page(panels: Sequence[PanelInfo], window: Mapping[str, str]) -> Page:
    """Return the page of all keys: the window's, then each panel's."""
    title = QCoreApplication.translate("help", "Keys and mouse")
    everywhere = QCoreApplication.translate("help", "Everywhere")
    parts = [f"# {title}", f"## {everywhere}", _table(window)]
    parts += [f"## {panel.title}\n\n{panel.summary}\n\n{_table(panel.shortcuts)}" for panel in panels]
    return Page(KEYS, title, "", "\n\n".join(parts))


def with_keys(page: Page, panels: Iterable[PanelInfo]) -> str:
    """Return the text of a page, with the keys of the panels that it explains at its end and a link to them above."""
    own = [panel for panel in panels if panel.help == page.id and panel.shortcuts]
    if not own:
        return page.text
    heading = QCoreApplication.translate("help", "Keys and mouse: {panel}")
    headings = [heading.format(panel=panel.title) for panel in own]
    head, _, rest = page.text.partition("\n")
    links = " · ".join(f"[{words}](#keys-{panel.id})" for words, panel in zip(headings, own, strict=True))
    sections = (f"## {words}\n\n{_table(panel.shortcuts)}" for words, panel in zip(headings, own, strict=True))
    return "\n\n".join([head, links, rest.strip("\n"), *sections]) + "\n"


def _table(keys: Mapping[str, str]) -> str:
    rows = (f"| **{_escaped(key)}** | {_escaped(words)} |" for key, words in keys.items())
    head = QCoreApplication.translate("help", "| keys, mouse | what they do |")
    return "\n".join([head, "| --- | --- |", *rows]) if keys else ""


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)
