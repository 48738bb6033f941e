"""The tool bar over the curves: which plots, smoothing, axes, and export."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QLabel, QMenu, QSizePolicy, QSlider, QToolBar, QToolButton, QWidget

from widgets.curves.metric_chooser import MetricChooser
from widgets.curves.plot_export import PlotExport
from widgets.curves.view import CurveView
from widgets.style import theme

DEFAULT_SMOOTHING = 90  # percent


class CurveToolBar(QToolBar):
    """Sets a curve view's options."""

    def __init__(self, view: CurveView, exports: PlotExport) -> None:
        super().__init__()
        self._view = view
        self.setObjectName("curves_bar")
        self.setStyleSheet(
            "QToolBar#curves_bar { background: transparent; padding: 0; spacing: 2px; }"
            "QToolBar#curves_bar::separator { width: 1px; min-width: 1px; max-width: 1px; margin: 5px 5px; }"
            "QToolButton#qt_toolbar_ext_button { padding: 0; border: none; }"
        )
        self.chooser = MetricChooser()
        self.chooser.ask.connect(self._fill_chooser)
        self.chooser.chosen.connect(self._view.set_shown)
        self.addWidget(self.chooser)
        self.addSeparator()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 99)
        self.slider.setValue(DEFAULT_SMOOTHING)
        self.slider.setFixedWidth(72)
        self.slider.setAccessibleName(self.tr("Smoothing"))
        tip = self.tr(
            "Smoothing by an exponentially weighted moving average; the raw curve stays visible behind it. 0 turns "
            "it off."
        )
        self.slider.setToolTip(tip)
        name, self.slider_value = QLabel(self.tr("S&mooth")), QLabel(f"{DEFAULT_SMOOTHING / 100:.2f}")
        name.setBuddy(self.slider)
        name.setToolTip(tip)
        name.setContentsMargins(theme.SMALL, 0, theme.SMALL, 0)
        self.slider_value.setProperty("role", "muted")
        self.slider_value.setMinimumWidth(self.fontMetrics().horizontalAdvance("0.00") + theme.MEDIUM)
        self.slider.valueChanged.connect(self._smooth)
        for widget in (name, self.slider, self.slider_value):
            self.addWidget(widget)
        self.addSeparator()
        self.by_step = self._toggle(self.tr("Step"), self.tr("Horizontal axis: gradient steps"), True)
        self.by_time = self._toggle(self.tr("Time"), self.tr("Horizontal axis: training time"), False)
        group = QActionGroup(self)
        for action in (self.by_step, self.by_time):
            group.addAction(action)
        group.triggered.connect(lambda a: self._view.set_options(axis="time" if a is self.by_time else "step"))
        self.addSeparator()
        self.log_y = self._toggle(self.tr("Log y"), self.tr("Logarithmic vertical axis for metrics"), False)
        self.log_y.toggled.connect(lambda on: self._view.set_options(log_y=on))
        self.link_x = self._toggle(self.tr("Link x"), self.tr("Zoom and pan the plots together"), True)
        self.link_x.toggled.connect(lambda on: self._view.set_options(link_x=on))
        self.group = self._toggle(
            self.tr("Group"),
            self.tr(
                "Average finished runs that differ in nothing but their seeds, with a 95% band. An average is over all "
                "its seeds, whichever of them are ticked; a click on it in the legend shows them."
            ),
            True,
        )
        self.fit = QAction(self.tr("Fit"), self)
        self.fit.setToolTip(self.tr("Zoom out to all data (or double-click a plot)"))
        self.fit.triggered.connect(self._view.fit)
        self.addAction(self.fit)
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(space)
        self.export_button = QToolButton()
        self.export_button.setAccessibleName(self.tr("Export"))
        self.export_button.setToolTip(self.tr("Export the plots as PNG, SVG or CSV"))
        self.export_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        theme.set_icon(self.export_button, "save")
        menu = QMenu(self.export_button)
        exports.fill(menu)
        self.export_button.setMenu(menu)
        self.addWidget(self.export_button)
        more = self.findChild(QToolButton, "qt_toolbar_ext_button")  # what a narrow dock has no room for
        if more is not None:
            more.setAccessibleName(self.tr("More"))
            theme.set_icon(more, "right")

        view.set_options(smoothing=DEFAULT_SMOOTHING / 100)

    def _toggle(self, text: str, help: str, checked: bool) -> QAction:
        action = QAction(text, self)
        action.setCheckable(True)
        action.setChecked(checked)
        action.setToolTip(help)
        self.addAction(action)
        return action

    def _smooth(self, percent: int) -> None:
        self.slider_value.setText(f"{percent / 100:.2f}" if percent else self.tr("off"))
        self._view.set_options(smoothing=percent / 100)

    def _fill_chooser(self) -> None:
        entries = []
        for key in self._view.candidates:
            name, stage = self._view.words(key)
            entries.append((key, f"{name} · {stage}" if stage else name, self._view.is_shown(key)))
        self.chooser.set_entries(entries)
