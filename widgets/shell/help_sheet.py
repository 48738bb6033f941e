"""The sheet that F1 opens: what the panel in hand is for, and every key and mouse gesture of the window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from studio.contracts import PanelInfo

SIZE = (560, 640)


class HelpSheet(QDialog):
    """Lists the panels' keys, that of the panel with the focus first, then the window's.

    Args:
        panels: in the order in which they are listed.
        commands: of the window; those with a shortcut are listed.
    """

    def __init__(self, panels: Sequence[PanelInfo], commands: Iterable[QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys and mouse"))
        self.resize(*SIZE)
        self.text = QTextBrowser()
        self.text.setAccessibleName(self.tr("Keys and mouse"))
        window = {
            action.shortcut().toString(QKeySequence.SequenceFormat.NativeText): action.statusTip() or action.toolTip()
            for action in commands
            if not action.shortcut().isEmpty()
        }
        parts = [_section(panel.title, panel.summary, panel.shortcuts) for panel in panels[:1]]
        parts.append(_section(self.tr("Everywhere"), "", window))
        parts += [_section(panel.title, panel.summary, panel.shortcuts) for panel in panels[1:]]
        self.text.setHtml("".join(parts))
        close = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        close.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(close)


def _section(title: str, summary: str, keys: Mapping[str, str]) -> str:
    named = ((escape(key).replace(" ", "&nbsp;"), escape(words)) for key, words in keys.items())
    rows = "".join(f"<tr><td style='padding-right: 14px'><b>{k}</b></td><td>{words}</td></tr>" for k, words in named)
    return f"<h3>{escape(title)}</h3><p>{escape(summary)}</p><table>{rows}</table>"
