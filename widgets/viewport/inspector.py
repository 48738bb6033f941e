"""The inspector beside the picture: what is drawn, joints, actuators, watched fields. Hidden, it costs nothing."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from widgets.forms.section import Section
from widgets.style import theme
from widgets.viewport.frame import Frame
from widgets.viewport.model_sheet import ModelSheet
from widgets.viewport.show_options import FRAMES, LABELS, TOGGLES, ViewOptions
from widgets.viewport.sliders import SliderList
from widgets.viewport.watch_list import WatchList

WIDTH = 262  # px


class ShowOptions(QWidget):
    """Chooses what is drawn over the scene: toggles, labels, frames."""

    changed = Signal(object)  # ViewOptions

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown = ViewOptions()
        words = {
            "contacts": (self.tr("Contacts"), self.tr("Contact points")),
            "contact_forces": (self.tr("Contact forces"), self.tr("Forces at the contacts")),
            "joints": (self.tr("Joints"), self.tr("Axes of the joints")),
            "actuators": (self.tr("Actuators"), self.tr("What drives the joints, colored by control")),
            "center_of_mass": (self.tr("Center of mass"), self.tr("Of each kinematic tree")),
            "inertia": (self.tr("Inertia"), self.tr("Boxes with the mass and inertia of the bodies")),
            "collision": (self.tr("Collision"), self.tr("Collision geometry in place of visual geometry")),
            "transparent": (self.tr("Transparent"), self.tr("See through moving bodies")),
            "sites": (self.tr("Sites"), self.tr("Reference points of the model")),
            "cameras": (self.tr("Cameras"), self.tr("Places of the model's cameras")),
            "wireframe": (self.tr("Wireframe"), self.tr("Edges only")),
        }
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.MEDIUM)
        grid.setVerticalSpacing(theme.SMALL)
        self.boxes: dict[str, QCheckBox] = {}
        for index, toggle in enumerate(TOGGLES):
            label, tip = words[toggle.name]
            box = QCheckBox(label)
            box.setToolTip(f"{tip} ({toggle.letter})")
            box.setAccessibleName(label)
            box.toggled.connect(lambda _on, name=toggle.name: self._take(self.shown.toggled(name)))
            self.boxes[toggle.name] = box
            grid.addWidget(box, index // 2, index % 2)
        kinds = {
            "none": self.tr("None"), "body": self.tr("Bodies"), "joint": self.tr("Joints"), "geom": self.tr("Geoms"),
            "site": self.tr("Sites"), "actuator": self.tr("Actuators"), "contactforce": self.tr("Contact forces"),
            "world": self.tr("World"),
        }  # fmt: skip
        self.labels = self._combo(self.tr("Labels"), self.tr("Names beside objects (L)"), LABELS, kinds)
        self.frames = self._combo(self.tr("Frames"), self.tr("Axes at objects (E)"), FRAMES, kinds)
        self.labels.activated.connect(lambda i: self._take(replace(self.shown, label=LABELS[i])))
        self.frames.activated.connect(lambda i: self._take(replace(self.shown, frame=FRAMES[i])))
        form = QFormLayout()
        form.setHorizontalSpacing(theme.MEDIUM)
        form.setVerticalSpacing(theme.SMALL)
        form.addRow(self.tr("Labels"), self.labels)
        form.addRow(self.tr("Frames"), self.frames)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, theme.MEDIUM)
        layout.setSpacing(theme.MEDIUM)
        layout.addLayout(grid)
        layout.addLayout(form)

    def obey(self, command: str) -> None:
        """Carry out a key's command: a toggle's name, ``labels`` or ``frames``."""
        if command in self.boxes:
            self._take(self.shown.toggled(command))
        elif command == "labels":
            self._take(self.shown.next_label())
        elif command == "frames":
            self._take(self.shown.next_frame())

    def _take(self, shown: ViewOptions) -> None:
        self.shown = shown
        for name, box in self.boxes.items():
            box.blockSignals(True)
            box.setChecked(name in shown.on)
            box.blockSignals(False)
        self.labels.setCurrentIndex(LABELS.index(shown.label))
        self.frames.setCurrentIndex(FRAMES.index(shown.frame))
        self.changed.emit(shown)

    def _combo(self, name: str, tip: str, keys: tuple[str, ...], words: dict[str, str]) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        combo.setToolTip(tip)
        for key in keys:
            combo.addItem(words[key], key)
        return combo


class ViewportSide(QScrollArea):
    """Hidden at first. After ``wants_changed``, :attr:`inspected` and :attr:`watched` say what frames must carry."""

    wants_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.options = ShowOptions()
        self.joints = SliderList(self.tr("Joint"), self.tr("No hinge or slide joints."))
        self.actuators = SliderList(self.tr("Actuator"), self.tr("No actuators."))
        self.watch = WatchList()
        self.changes = QLabel()
        self.changes.setWordWrap(True)
        self.changes.setFont(theme.small_font())
        self.changes.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, theme.MEDIUM)
        self.changes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.changes.setAccessibleName(self.tr("Changes to the model's file, in the studio's copy"))
        self.context = SliderList(self.tr("Context"), "")
        self.hold = QCheckBox(self.tr("Keep for later episodes"))
        self.hold.setToolTip(self.tr("When off, each episode draws its own context"))
        self.hold.setAccessibleName(self.tr("Keep the context for later episodes"))
        turned = QWidget()
        inner = QVBoxLayout(turned)
        inner.setContentsMargins(0, 0, 0, theme.MEDIUM)
        inner.setSpacing(0)
        inner.addWidget(self.context)
        row = QHBoxLayout()
        row.setContentsMargins(theme.MEDIUM, 0, theme.MEDIUM, 0)
        row.addWidget(self.hold)
        inner.addLayout(row)
        self.sections: dict[str, Section] = {}
        self._sheet = ModelSheet()
        self.setAccessibleName(self.tr("Inspector"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setFixedWidth(WIDTH)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(theme.SMALL, theme.SMALL, theme.SMALL, theme.SMALL)
        column.setSpacing(theme.SMALL)
        for key, title, part in (
            ("context", self.tr("Context"), turned),
            ("show", self.tr("Show"), self.options),
            ("joints", self.tr("Joints"), self.joints),
            ("actuators", self.tr("Actuators"), self.actuators),
            ("watch", self.tr("Watch"), self.watch),
            ("changes", self.tr("Changes to the model"), self.changes),
        ):
            section = Section(title, part)
            section.head.toggled.connect(lambda _on: self.wants_changed.emit())
            self.sections[key] = section
            column.addWidget(section)
        column.addStretch(1)
        self.sections["show"].set_open(True)
        self.sections["context"].set_open(True)
        self.sections["context"].hide()
        self.sections["changes"].hide()
        self.setWidget(content)
        self.watch.changed.connect(lambda _: self.wants_changed.emit())
        self.hide()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 300)

    @property
    def inspected(self) -> frozenset[str]:
        """The readings that frames must carry: ``joints``, ``actuators``, ``context``."""
        return frozenset(key for key in ("joints", "actuators", "context") if self._is_open(key))

    @property
    def watched(self) -> tuple[str, ...]:
        """The fields whose readings frames must carry."""
        return self.watch.texts if self._is_open("watch") else ()

    def follow(self, frame: Frame) -> None:
        """Show the model's names and the present values."""
        if frame.sheet is not self._sheet:
            self._sheet = frame.sheet
            self.joints.set_sliders(frame.sheet.joints)
            self.actuators.set_sliders(frame.sheet.actuators)
            self.watch.set_fields(frame.sheet.fields)
            self.changes.setText("\n".join(frame.sheet.changes))
            self.sections["changes"].setVisible(bool(frame.sheet.changes))
            if frame.sheet.context or self.context.sliders:
                self.context.set_sliders(frame.sheet.context)
            if self.sections["context"].isHidden() == bool(frame.sheet.context):
                self.sections["context"].setVisible(bool(frame.sheet.context))
                self.wants_changed.emit()
            touchable = frame.sheet.kind not in ("recorded", "training")
            self.joints.setEnabled(touchable)
            self.actuators.setEnabled(touchable)
        if self.isHidden():
            return
        if frame.joints is not None:
            self.joints.follow(frame.joints)
        if frame.actuators is not None:
            self.actuators.follow(frame.actuators)
        if frame.context is not None:
            self.context.follow(frame.context)
        if frame.readings:
            self.watch.follow(frame.readings)

    def setVisible(self, visible: bool) -> None:
        super().setVisible(visible)
        self.wants_changed.emit()

    def _is_open(self, key: str) -> bool:
        section = self.sections[key]
        return not self.isHidden() and not section.isHidden() and section.head.isChecked()
