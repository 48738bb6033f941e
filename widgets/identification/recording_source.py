"""Where recordings come from: a simulated robot with hidden values, the target's stand-in robot, or a file."""

from __future__ import annotations

import random
from pathlib import Path

from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from widgets.forms.numbers import RealBox, explain_at
from widgets.forms.segmented import Segmented
from widgets.style import theme

DELAY = "actuator_delay"


class RecordingSource(QWidget):
    """The choice, and what belongs to it: hidden values, or a file."""

    def __init__(self) -> None:
        super().__init__()
        self.titles = {
            "friction": self.tr("Friction"),
            "mass": self.tr("Mass"),
            "damping": self.tr("Damping"),
            "armature": self.tr("Armature"),
            "actuator_gain": self.tr("Servo gain"),
            DELAY: self.tr("Delay"),
        }
        self.source = Segmented(
            (
                (
                    "hidden",
                    self.tr("Simulated robot"),
                    self.tr("Record in simulation, from a robot with the hidden values below"),
                ),
                ("stand_in", self.tr("Stand-in"), self.tr("Record in simulation, from the target's stand-in robot")),
                ("file", self.tr("File"), self.tr("Recordings of a robot: HDF5 with commands, qpos and dt")),
            ),
            self.tr("Recordings"),
        )
        self.hidden: dict[str, RealBox] = {field: self._spin(field) for field in self.titles}
        self.dice = QPushButton(self.tr("Shuf&fle"))
        theme.set_icon(self.dice, "dice")
        self.dice.setToolTip(self.tr("Draw random hidden values for the simulated robot"))
        self.file = QLineEdit()
        self.file.setPlaceholderText(self.tr("HDF5 file of recordings"))
        self.file.setAccessibleName(self.tr("Recordings file"))
        self.browse = QPushButton(self.tr("&Browse…"))
        self._lay_out()
        self.source.chosen.connect(lambda _key: self._show_source())
        self.dice.clicked.connect(self._shuffle)
        self.browse.clicked.connect(self._browse)
        self._show_source()

    @property
    def key(self) -> str:
        """Which source is chosen: hidden, stand_in or file."""
        return self.source.key

    @property
    def path(self) -> Path | None:
        """The file of recordings; None where none has been entered."""
        text = self.file.text().strip()
        return Path(text).expanduser() if text else None

    def _show_source(self) -> None:
        self.hidden_box.setVisible(self.source.key == "hidden")
        self.file_box.setVisible(self.source.key == "file")

    def _shuffle(self) -> None:
        rng = random.Random()
        for field, spin in self.hidden.items():
            spin.setValue(rng.uniform(0, 50) if field == DELAY else 2 ** rng.uniform(-0.9, 0.9))

    def _browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, self.tr("Recordings"), self.file.text(), self.tr("HDF5 files (*.h5 *.hdf5);;All files (*)")
        )
        if path:
            self.file.setText(path)

    @property
    def hidden_values(self) -> dict[str, float]:
        """The simulated robot's parameters by field: factors, and the delay in s."""
        return {f: spin.value() / 1000 if f == DELAY else spin.value() for f, spin in self.hidden.items()}

    def _spin(self, field: str) -> RealBox:
        spin = RealBox()
        if field == DELAY:
            spin.setRange(0.0, 50.0)
            spin.setDecimals(0)
            spin.setSuffix(self.tr(" ms"))
        else:
            spin.setRange(0.5, 2.0)
            spin.setSingleStep(0.1)
            spin.setPrefix("×")
            spin.setValue(1.0)
        explain_at(spin)
        spin.setAccessibleName(self.tr("Hidden {0}").format(self.titles[field]))
        return spin

    def _lay_out(self) -> None:
        self.hidden_box = QWidget()
        grid = QGridLayout(self.hidden_box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.MEDIUM)
        grid.setVerticalSpacing(theme.SMALL)
        for i, (field, spin) in enumerate(self.hidden.items()):
            row, column = divmod(i, 2)
            label = QLabel(self.titles[field])
            label.setBuddy(spin)
            grid.addWidget(label, row, 2 * column)
            grid.addWidget(spin, row, 2 * column + 1)
            grid.setColumnStretch(2 * column + 1, 1)
        grid.addWidget(self.dice, 3, 2, 1, 2)
        self.file_box = QWidget()
        files = QHBoxLayout(self.file_box)
        files.setContentsMargins(0, 0, 0, 0)
        files.addWidget(self.file, 1)
        files.addWidget(self.browse)
        sources = QHBoxLayout()
        sources.addWidget(self.source)
        sources.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.MEDIUM)
        layout.addLayout(sources)
        layout.addWidget(self.hidden_box)
        layout.addWidget(self.file_box)
