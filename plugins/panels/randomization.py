"""The Randomization panel: what varies from episode to episode, as ranges; any value of them is seen at once."""

from __future__ import annotations

import random
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.contracts import PanelInfo
from studio.experiment import Experiment, RandomizationTerm
from widgets import theme
from widgets.bench import Bench
from widgets.range_row import Choice, Quantity, RangeRow
from widgets.segmented import Segmented

REFERENCE = "transfer-learning document, section 4.1 (domain randomization)"
NAN = float("nan")


class RandomizationPanel(QWidget):
    """One row for each quantity, in three groups; edits go to the source's or the target's randomization."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench
        self._rng = random.Random()
        self._previewing = False
        self.rows: dict[str, RangeRow] = {}
        self.domain = Segmented(
            (
                ("source", self.tr("Source"), self.tr("Randomize the source domain")),
                ("target", self.tr("Target"), self.tr("Randomize the target domain")),
            ),
            self.tr("Domain"),
        )
        self.domain.set_key("target")
        self.presets = QComboBox()
        self.presets.setAccessibleName(self.tr("Preset"))
        self.presets.setToolTip(self.tr("Nothing, the ranges of the transfer-learning document, or your own"))
        for key, label in (
            ("off", self.tr("Off")),
            ("document", self.tr("Document preset")),
            ("custom", self.tr("Custom")),
        ):
            self.presets.addItem(label, key)
        head = QHBoxLayout()
        head.setSpacing(theme.MEDIUM)
        head.addWidget(self.domain)
        head.addWidget(self.presets, 1)
        self.sample = QPushButton(self.tr("Preview a &sample"))
        self.sample.setToolTip(self.tr("Draws one value of every enabled row and shows it in the viewport"))
        self.nominal = QPushButton(self.tr("Back to &nominal"))
        self.nominal.setToolTip(self.tr("Shows the model as it is"))
        self.release = QToolButton()
        theme.set_icon(self.release, "close", "muted")
        self.release.setAccessibleName(self.tr("End the preview"))
        self.release.setToolTip(self.tr("End the preview: episodes in the viewport draw their own values again"))
        self.release.setEnabled(False)
        foot = QHBoxLayout()
        foot.setSpacing(theme.SMALL)
        foot.addWidget(self.sample, 1)
        foot.addWidget(self.nominal, 1)
        foot.addWidget(self.release)
        self.problem = QLabel()
        self.problem.setProperty("role", "problem")
        self.problem.setWordWrap(True)
        self.problem.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, theme.MEDIUM, 0, theme.MEDIUM)
        layout.setSpacing(theme.MEDIUM)
        for part in (head, foot):
            part.setContentsMargins(0, 0, 10, 0)
        layout.addLayout(head)
        layout.addWidget(self._scroll(), 1)
        layout.addWidget(self.problem)
        layout.addLayout(foot)
        self._wire()
        self._show(bench.experiment)

    def show_field(self, field: str) -> bool:
        """Gives the row of a dotted field (``target.randomization.0.low``) the focus; False if it is none of ours."""
        domain, _, rest = field.partition(".")
        if domain not in ("source", "target") or not rest.startswith("randomization"):
            return False
        self.domain.set_key(domain)
        self._show(self._bench.experiment)
        terms = getattr(self._bench.experiment, domain).randomization
        parts = rest.split(".")
        if len(parts) > 1 and parts[1].isdigit() and int(parts[1]) < len(terms):
            row = self.rows[terms[int(parts[1])].field]
            self._area.ensureWidgetVisible(row)
            row.low.setFocus()
        return True

    # -- making --------------------------------------------------------------------------------------------------------

    def _scroll(self) -> QScrollArea:
        inner = QWidget()
        inner.setObjectName("scrolled")
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 10, 0)
        column.setSpacing(theme.SMALL)
        for title, quantities in self._groups():
            name = QLabel(title)
            name.setProperty("role", "title")
            line = QFrame()
            line.setProperty("role", "line")
            line.setFixedHeight(1)
            column.addWidget(name)
            column.addWidget(line)
            for quantity in quantities:
                row = RangeRow(quantity)
                row.changed.connect(self._apply)
                row.value_changed.connect(self._preview)
                self.rows[quantity.field] = row
                column.addWidget(row)
            column.addSpacing(theme.MEDIUM)
        column.addStretch(1)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(inner)
        return self._area

    def _groups(self) -> list[tuple[str, list[Quantity]]]:
        tr = self.tr
        times, factor = tr("Multiplies the model's own value."), tr("Factor; 1 is the image itself.")
        half: dict[str, Any] = {"probability": 0.5}
        zero: dict[str, Any] = {"nominal": 0.0, "shown": 0.0}
        physics = [
            Quantity("friction", tr("Friction"), tr("Of all contacts. ") + times, "×", 0.1, 3, 0.5, 1.5),
            Quantity("mass", tr("Mass"), tr("Of all bodies, inertia with it. ") + times, "×", 0.2, 3, 0.8, 1.2),
            Quantity("damping", tr("Damping"), tr("Of all joints. ") + times, "×", 0.1, 5, 0.5, 2),
            Quantity("actuator_gain", tr("Servo gain"), tr("Stiffness of servos. ") + times, "×", 0.3, 2, 0.8, 1.2),
            Quantity("actuator_delay", tr("Delay"), tr("Command to actuator."), "s", 0, 0.05, 0, 0.05, 3, **zero),
        ]
        place, angle = tr("Added to each coordinate of the camera's place."), tr("Vertical angle of the camera.")
        camera = [
            Quantity("camera_position", tr("Position"), place, "m", -0.1, 0.1, -0.02, 0.02, 3, **zero),
            Quantity("camera_fov", tr("Field of view"), angle, "°", 30, 100, 55, 65, 1, nominal=NAN, shown=60),
        ]
        sigma, soft = tr("Sigma of a Gaussian, kernel of 5."), tr("Factor; 0 is soft, 1 the image itself, 2 crisp.")
        image = [
            Quantity("brightness", tr("Brightness"), factor, "×", 0, 2, 0.7, 1.3, **half),
            Quantity("contrast", tr("Contrast"), factor, "×", 0, 2, 0.7, 1.3, **half),
            Quantity("saturation", tr("Saturation"), factor, "×", 0, 2, 0.7, 1.3, **half),
            Quantity("blur", tr("Blur"), sigma, "px", 0, 3, 0.1, 2, **zero, **half),
            Quantity("sharpness", tr("Sharpness"), soft, "×", 0, 4, 2, 2, **half),
        ]
        return [(tr("Physics"), physics), (tr("Camera"), camera), (tr("Image"), image)]

    def _wire(self) -> None:
        self.domain.chosen.connect(lambda _key: self._show(self._bench.experiment))
        self.presets.activated.connect(lambda index: self._choose_preset(self.presets.itemData(index)))
        self.sample.clicked.connect(self._show_sample)
        self.nominal.clicked.connect(self._show_nominal)
        self.release.clicked.connect(self._end_preview)
        self._bench.experiment_changed.connect(self._experiment_changed)

    # -- the experiment ------------------------------------------------------------------------------------------------

    def _terms(self) -> list[dict[str, Any]]:
        return [row.choice().term(field) for field, row in self.rows.items() if row.choice().on]

    def _apply(self) -> None:
        """Puts the rows into the experiment; what does not fit is said at its row."""
        error = self._bench.edit(**{f"{self.domain.key}.randomization": self._terms()})
        for row in self.rows.values():
            row.set_problem("")
        self.problem.setVisible(error is not None)
        if error is not None:
            parts = error.field.split(".")
            fields = [term["field"] for term in self._terms()]
            place = int(parts[2]) if len(parts) > 2 and parts[2].isdigit() else -1
            words = f"{error.message} {error.remedy}".strip()
            if 0 <= place < len(fields):
                self.rows[fields[place]].set_problem(words)
                self.problem.hide()
            else:
                self.problem.setText(words)
        self._name_preset()

    def _experiment_changed(self, experiment: Experiment) -> None:
        if not any(row.is_settling for row in self.rows.values()):  # what a person is moving is not moved back
            self._show(experiment)

    def _show(self, experiment: Experiment) -> None:
        terms: list[RandomizationTerm] = getattr(experiment, self.domain.key).randomization
        chosen = {term.field: term for term in terms}
        for field, row in self.rows.items():
            term = chosen.get(field)  # type: ignore[call-overload]
            if term is not None:
                log = term.distribution == "log_uniform"
                row.set_choice(Choice(True, term.low, term.high, log, term.probability))
            elif row.choice().on:
                row.set_choice(row.preset_choice(on=False))
        self._name_preset()

    def _name_preset(self) -> None:
        choices = {field: row.choice() for field, row in self.rows.items()}
        if not any(choice.on for choice in choices.values()):
            key = "off"
        else:
            document = {field: self._document_choice(row) for field, row in self.rows.items()}
            key = "document" if choices == document else "custom"
        self.presets.setCurrentIndex(self.presets.findData(key))

    def _document_choice(self, row: RangeRow) -> Choice:
        """The document says nothing of damping and servo gain."""
        return row.preset_choice(on=row.quantity.field not in ("damping", "actuator_gain"))

    def _choose_preset(self, key: str) -> None:
        if key == "custom":
            self._name_preset()  # moving anything makes it custom
            return
        for row in self.rows.values():
            row.set_choice(self._document_choice(row) if key == "document" else row.preset_choice(on=False))
        self._apply()

    # -- the preview ---------------------------------------------------------------------------------------------------

    def _preview(self) -> None:
        self._previewing = True
        self.release.setEnabled(True)
        self._bench.preview_changed.emit({field: row.looked_at for field, row in self.rows.items()})

    def _show_sample(self) -> None:
        for row in self.rows.values():
            row.look_at(row.sample(self._rng))
        self._preview()

    def _show_nominal(self) -> None:
        for row in self.rows.values():
            row.look_at(row.quantity.nominal)
        self._preview()

    def _end_preview(self) -> None:
        for row in self.rows.values():
            row.look_at(row.quantity.nominal)
        self._previewing = False
        self.release.setEnabled(False)
        self._bench.preview_changed.emit({})


PANEL = PanelInfo(
    id="randomization",
    title="Randomization",
    summary="What varies from episode to episode, as ranges; any value of them is seen in the viewport at once.",
    area="right",
    order=20,
    factory=RandomizationPanel,
    reference=REFERENCE,
)
