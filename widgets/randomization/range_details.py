"""What a randomized quantity has beside its range: distribution, when it is drawn, probability, parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QCompleter,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from widgets.forms.numbers import RealBox, WholeBox, explain_at
from widgets.forms.wheel import guard_wheel
from widgets.randomization.choice import Choice, kept
from widgets.style import theme

# fields of a term that stand here
DETAILS = ("distribution", "std", "resample", "interval", "probability", "observed", "parts")
WIDTH = 118  # of an editor, px


class PartsCompleter(QCompleter):
    """Completes the name after the last comma."""

    def splitPath(self, path: str) -> list[str]:
        return [path.rsplit(",", 1)[-1].strip()]

    def pathFromIndex(self, index: Any) -> str:
        before, comma, _ = self.widget().text().rpartition(",")  # type: ignore[attr-defined]
        return f"{before}{comma} {index.data()}" if comma else str(index.data())


class RangeDetails(QWidget):
    """Two or three short lines, shown where a row is opened."""

    edited = Signal()
    another_asked = Signal()  # a second term of the quantity, for other parts
    removal_asked = Signal()

    def __init__(self, name: str, step: float, decimals: int, parted: bool, further: bool) -> None:
        super().__init__()
        self._given = Choice(False, 0.0, 0.0)
        self.shape = self._combo(
            self.tr("{0}: distribution").format(name),
            [
                ("uniform", self.tr("uniform"), self.tr("Uniform: every value in the range is equally likely")),
                (
                    "log_uniform",
                    self.tr("log-uniform"),
                    self.tr("Log-uniform: halving is as likely as doubling; the range must lie above 0"),
                ),
                ("normal", self.tr("normal"), self.tr("Normal around the middle of the range, truncated at its ends")),
            ],
        )
        self.std = RealBox()
        self.std.setRange(0, 1e6)
        self.std.setDecimals(decimals + 1)
        self.std.setSingleStep(step)
        self.std.setPrefix("σ ")
        self.std.setSpecialValueText(self.tr("σ auto"))
        self.std.setToolTip(self.tr("Standard deviation before truncation; auto is a quarter of the range"))
        self.std.setAccessibleName(self.tr("{0}: standard deviation").format(name))
        self.resample = self._combo(
            self.tr("{0}: when").format(name),
            [
                ("reset", self.tr("each episode"), self.tr("Drawn at the start of every episode")),
                ("once", self.tr("once"), self.tr("Drawn once per simulation and then kept")),
                ("interval", self.tr("at intervals"), self.tr("Drawn repeatedly within the episode")),
            ],
        )
        self.interval = RealBox()
        self.interval.setRange(0.01, 1e4)
        self.interval.setDecimals(2)
        self.interval.setSingleStep(0.1)
        self.interval.setPrefix(self.tr("every "))
        self.interval.setSuffix(" s")
        self.interval.setToolTip(self.tr("Simulated time between two draws"))
        self.interval.setAccessibleName(self.tr("{0}: interval").format(name))
        self.share = WholeBox()
        self.share.setRange(0, 100)
        self.share.setSuffix(" %")
        self.share.setToolTip(self.tr("Probability that it is applied"))
        self.share.setAccessibleName(self.tr("{0}: probability").format(name))
        self.observed = QCheckBox(self.tr("policy observes it"))
        self.observed.setToolTip(
            self.tr("Adds the value to the observation, so that one policy can adapt to all dynamics")
        )
        self.observed.setAccessibleName(self.tr("{0}: observed").format(name))
        for spin in (self.std, self.interval, self.share):
            spin.setAlignment(Qt.AlignmentFlag.AlignRight)
            explain_at(spin)
            guard_wheel(spin)
        self.parts = QLineEdit()
        self.parts.setPlaceholderText(self.tr("all parts"))
        self.parts.setToolTip(self.tr("Names in the model, separated by commas; * and ? are wildcards"))
        self.parts.setAccessibleName(self.tr("{0}: parts").format(name))
        self._names = QStringListModel(self)
        completer = PartsCompleter(self._names, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.parts.setCompleter(completer)
        self.another = QPushButton(self.tr("Other parts too"))
        self.another.setProperty("small", True)
        self.another.setToolTip(self.tr("Add another range for other parts of the model"))
        self.removal = QPushButton(self.tr("Remove"))
        self.removal.setProperty("small", True)
        self.removal.setToolTip(self.tr("Remove this range"))
        grid = QGridLayout(self)
        grid.setContentsMargins(20, theme.HAIR, 0, theme.SMALL)
        grid.setHorizontalSpacing(theme.SMALL)
        grid.setVerticalSpacing(theme.SMALL)
        rows: list[tuple[str, list[QWidget]]] = [
            (self.tr("Drawn"), [self.shape, self.std]),
            (self.tr("When"), [self.resample, self.interval]),
            (self.tr("Applied"), [self.share, self.observed]),
        ]
        if parted:
            rows.append((self.tr("Parts"), [self.parts, self.removal if further else self.another]))
        for line, (words, editors) in enumerate(rows):
            label = QLabel(words)
            label.setProperty("role", "muted")
            label.setBuddy(editors[0])
            label.setMinimumWidth(48)
            box = QHBoxLayout()
            box.setSpacing(theme.SMALL)
            for editor in editors:
                if isinstance(editor, (QComboBox, QAbstractSpinBox)):
                    editor.setFixedWidth(WIDTH)
                box.addWidget(editor, editor is self.parts)
            box.addStretch(editors[0] is not self.parts)
            grid.addWidget(label, line, 0)
            grid.addLayout(box, line, 1)
        grid.setColumnStretch(1, 1)
        self.editors: dict[str, QWidget] = {
            "distribution": self.shape,
            "std": self.std,
            "resample": self.resample,
            "interval": self.interval,
            "probability": self.share,
            "observed": self.observed,
            "parts": self.parts,
        }
        self._follow()
        for combo in (self.shape, self.resample):
            combo.activated.connect(self._edit)
        for spin in (self.std, self.interval, self.share):
            spin.valueChanged.connect(self._edit)
        self.observed.toggled.connect(self._edit)
        self.parts.editingFinished.connect(self._edit)
        completer.activated.connect(lambda _text: self._edit())
        self.another.clicked.connect(self.another_asked)
        self.removal.clicked.connect(self.removal_asked)

    def values(self) -> dict[str, Any]:
        """Return what the editors show, as fields of a Choice."""
        given = self._given
        return {
            "distribution": self.shape.currentData(),
            "std": kept(given.std, self.std.value(), self.std.decimals()),
            "resample": self.resample.currentData(),
            "interval": kept(given.interval, self.interval.value(), self.interval.decimals()),
            "probability": kept(given.probability, self.share.value() / 100, 2),
            "observed": self.observed.isChecked(),
            "parts": self.parts.text().strip(),
        }

    def set_choice(self, choice: Choice) -> None:
        """Show a choice without emitting."""
        self._given = choice
        editors = tuple(self.editors.values())
        for editor in editors:
            editor.blockSignals(True)
        self.shape.setCurrentIndex(self.shape.findData(choice.distribution))
        self.std.setValue(choice.std)
        self.resample.setCurrentIndex(self.resample.findData(choice.resample))
        self.interval.setValue(choice.interval)
        self.share.setValue(round(100 * choice.probability))
        self.observed.setChecked(choice.observed)
        if self.parts.text().strip() != choice.parts:
            self.parts.setText(choice.parts)
        for editor in editors:
            editor.blockSignals(False)
        self._follow()

    def set_names(self, names: Sequence[str]) -> None:
        """The parts the model has, as completions."""
        self._names.setStringList(list(names))

    def set_log_allowed(self, allowed: bool) -> None:
        """Offer log-uniform draws or not: they need a range above 0."""
        item = self.shape.model().item(self.shape.findData("log_uniform"))  # type: ignore[attr-defined]
        item.setEnabled(allowed)
        if not allowed and self.shape.currentData() == "log_uniform":
            self.shape.setCurrentIndex(self.shape.findData("uniform"))

    def _edit(self) -> None:
        self._follow()
        self.edited.emit()

    def _follow(self) -> None:
        self.std.setVisible(self.shape.currentData() == "normal")
        self.interval.setVisible(self.resample.currentData() == "interval")

    def _combo(self, name: str, entries: list[tuple[str, str, str]]) -> QComboBox:
        combo = QComboBox()
        combo.setAccessibleName(name)
        for key, label, help in entries:
            combo.addItem(label, key)
            combo.setItemData(combo.count() - 1, help, Qt.ItemDataRole.ToolTipRole)
        guard_wheel(combo)
        return combo
