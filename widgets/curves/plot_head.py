"""The head of a plot: its title, which line is which, and the values under the cursor."""

from __future__ import annotations

from html import escape
from typing import Any

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout

from widgets.curves.axis import kind_name, mark_of, metric_name, number, stage_name
from widgets.curves.content import SUCCESS, Content, Key
from widgets.curves.curve import Curve
from widgets.curves.groups import paler
from widgets.curves.readout import GAP, Readout
from widgets.style import theme

_NAMED, _LOW = 12, 130  # contexts that are all named; px: a plot too low to name them


class _Wrapped(QLabel):
    """Text in lines, whose height is set by hand: did it ask for one by its width, all plots would get their preferred
    heights, as high as the window."""

    def hasHeightForWidth(self) -> bool:
        return False


class PlotHead:
    """The labels over a plot, laid out by :meth:`add_to`."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.title = QLabel()
        self.title.setTextFormat(Qt.TextFormat.RichText)
        self.readout = Readout()
        self.contexts = _Wrapped()  # which line is which context, where the title's line has no room for it
        self.contexts.setTextFormat(Qt.TextFormat.RichText)
        self.contexts.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, 0)
        self.contexts.setWordWrap(True)
        self.contexts.hide()
        self._content, self._size = Content(key), QSize()
        self._titled: Any = None  # what the title was last written for

    def add_to(self, column: QVBoxLayout) -> None:
        """Put title and readout into a line of the layout, and the contexts under it."""
        line = QHBoxLayout()
        line.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, 0)
        line.setSpacing(theme.MEDIUM)
        line.addWidget(self.title)
        line.addWidget(self.readout, 1)
        column.addLayout(line)
        column.addWidget(self.contexts)

    def set_font(self, font: QFont) -> None:
        """Set the font of values and contexts."""
        for text in (self.readout, self.contexts):
            text.setFont(font)

    def name(self) -> str:
        """The plot's name in words."""
        return metric_name(self.key[0])

    def stage_name(self) -> str:
        """The stage in words; empty for the load."""
        return stage_name(self.key[1])

    def show(self, content: Content, size: QSize) -> None:
        """Write the title, and which line is which where the plot's size leaves room for it."""
        self._content, self._size = content, size
        kinds = {c.kind: c for c in self._content.curves if c.kind}
        muted = theme.color("muted").name()
        marks = [(self._kind_color(curve), mark_of(curve), kind_name(kind)) for kind, curve in kinds.items()]
        wanted = (marks, muted, self._size.width(), self._size.height() > _LOW)
        if wanted == self._titled:
            return
        self._titled = wanted
        name = f"<b>{escape(self.name())}</b>"
        staged = f"{name}&nbsp; <span style='color:{muted}'>{escape(self.stage_name())}</span>"
        longer = staged + "".join(
            f"&nbsp; <span style='color:{tint}'>{mark}</span> <span style='color:{muted}'>{escape(kind)}</span>"
            for tint, mark, kind in marks
        )
        crowded = not self._fits(longer)
        if (len(kinds) < 2 or crowded) and not self._fits(staged):
            self.title.setText(name)
        self._show_contexts(crowded)
        self.title.setToolTip(f"{self.name()} {self.stage_name()}".strip())

    def _fits(self, title: str) -> bool:
        """Set the title, and return whether there is room for it."""
        self.title.setText(title)
        return self.title.sizeHint().width() <= self._size.width() - 2 * theme.MEDIUM

    def _show_contexts(self, crowded: bool) -> None:
        """Under the head of a plot that has a line for each context; of many the first, the middle and the last."""
        curves = list(self._content.contexts.values())
        shown = crowded and len(curves) > 1 and self._size.height() > _LOW
        if shown:
            if len(curves) > _NAMED:
                curves = [curves[0], curves[len(curves) // 2], curves[-1]]
            muted = theme.color("muted").name()
            words = [
                f"<span style='color:{self._kind_color(curve)}'>▬</span>&nbsp;"
                f"<span style='color:{muted}'>{escape(curve.kind).replace(' ', '&nbsp;')}</span>"
                for curve in curves
            ]
            self.contexts.setText("&nbsp; ".join(words))
            self.contexts.setFixedHeight(self.contexts.heightForWidth(self._size.width() - 2))
        self.contexts.setVisible(shown)

    def _kind_color(self, curve: Curve) -> str:
        one = len({c.owner for c in self._content.curves}) == 1
        tint = curve.color if one else theme.color("muted")
        contexts = list(self._content.contexts)
        if contexts and not one:
            tint = paler(theme.color("text"), contexts.index(curve.kind) / max(1, len(contexts) - 1))
        if curve.secondary and curve.low is None:
            tint = theme.blend(tint, theme.color("plot_background"), 0.5)
        return tint.name()

    def value_text(self, curve: Curve, index: int, interval: bool = True) -> str:
        """A curve's value for reading, with its interval and unit."""
        if curve.low is not None and curve.high is not None:
            ends = curve.value(index), float(curve.low[index]), float(curve.high[index])
            text, low, high = (f"{end:.2f}" if self.key[0] == SUCCESS else number(end) for end in ends)
            return f"{text}  [{low}, {high}]" if interval else text
        if curve.band is not None and interval:
            low, high = (number(float(10 ** end[index] if curve.log else end[index])) for end in curve.band)
            return f"{number(curve.value(index))} {curve.unit}".strip() + f"  [{low}, {high}]"
        return f"{number(curve.value(index))} {curve.unit}".strip()

    def read(self, x: float | None) -> None:
        """Write one run's values at x (None: the latest), as much of them as fits beside the title."""
        if self._content.contexts:  # named in the head or under it; else the ends of the scale, where the values stand
            ends = [*self._content.contexts.values()][:: max(1, len(self._content.contexts) - 1)]
            named = len(ends) < 2 or not self.contexts.isHidden() or ends[0].kind in self.title.text()
            self.readout.set_parts([] if named else [(c.color.name(), f"▬ {c.kind}") for c in ends])
            return
        if len({c.owner for c in self._content.curves}) != 1:
            self.readout.set_parts([])
            return
        found = [(c, c.at(x) if x is not None else len(c.x) - 1) for c in self._content.curves if len(c.x)]
        room = self._size.width() - self.title.sizeHint().width() - 4 * theme.MEDIUM
        for interval in (True, False):
            parts = [(c.color.name(), self.value_text(c, i, interval)) for c, i in found[:2] if i is not None]
            if self.readout.fontMetrics().horizontalAdvance(GAP.join(t for _, t in parts)) <= room:
                self.readout.set_parts(parts)
                return
        self.readout.set_parts([])
