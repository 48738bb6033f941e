"""One domain's fields, for a grid that shows source and target side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic.fields import FieldInfo
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QLabel, QSizePolicy, QWidget

from studio.contracts import Problem
from studio.errors import StudioError
from studio.experiment import Domain, Instructions
from studio.experiment.short_form import fields_by_short_name
from studio.registry import Registry
from widgets.data.dataset_choice import DatasetChoice
from widgets.data.robot_preview import RobotPreview
from widgets.forms.choices import Choice
from widgets.forms.numbers import Whole, WholeBox, explain_at, limits
from widgets.forms.path_field import PathField
from widgets.forms.several import Several
from widgets.forms.texts import Anything
from widgets.shell import opening
from widgets.style import theme

OF_DATASET = ("dataset_split", "dataset_camera", "dataset_gripper")
OF_INSTRUCTIONS = tuple(f"instructions.{name}" for name in Instructions.model_fields)
FIELDS = ("embodiment", "task", "control", "observation", "contexts", "episodes", "dataset", *OF_DATASET)
MORE = ("camera", "image_size", *OF_INSTRUCTIONS, "placement", "hidden_dynamics")  # of less frequent use
OFFERED = {"control": "controls", "observation": "observations"}  # fields whose choices are the task's
DATASET_FILTER = "HDF5 (*.hdf5 *.h5)"
STAND_IN_FILTER = "YAML (*.yaml *.yml)"
MODEL_FILTER = "MJCF, URDF (*.xml *.mjcf *.urdf)"
OPEN = "open-a-file"  # data of the combo's last line


class RobotChoice(Choice):
    """The registered robots, and a line that opens a model file."""

    def __init__(self) -> None:
        super().__init__([])
        self._before: Any = None
        self.activated.disconnect()
        self.activated.connect(self._picked)

    def set_robots(self, robots: Sequence[tuple[str, str, str]]) -> None:
        """Take (id, title, summary) of what is registered."""
        present = self.value()
        self.clear()
        for id, title, summary in robots:
            self.addItem(title.split(",")[0], id)
            self.setItemData(self.count() - 1, f"{title}\n{summary}", Qt.ItemDataRole.ToolTipRole)
        self.insertSeparator(self.count())
        self.addItem(self.tr("Open a model file…"), OPEN)
        if present is not None:
            self.set_value(present)

    def set_value(self, value: Any) -> None:
        index = self.findData(value)
        if index < 0:
            index = 0
            self.insertItem(0, opening.short_name(str(value)), value)
        self.setCurrentIndex(index)
        self.setToolTip(str(self.itemData(index, Qt.ItemDataRole.ToolTipRole) or value))
        self._before = value

    def _picked(self, index: int) -> None:
        if self.itemData(index) != OPEN:
            self._before = self.itemData(index)
            self.edited.emit()
            return
        self.set_value(self._before)
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Open a robot model"), "", MODEL_FILTER)
        if name:
            self.set_value(name)
            self.edited.emit()


class DomainColumn(QObject):
    """The editors of one domain. ``edited`` carries the dotted field and its new value."""

    edited = Signal(str, object)

    def __init__(self, role: Literal["source", "target"], title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.role = role
        self.title = QLabel(title)
        self.title.setProperty("role", "title")
        self.preview = RobotPreview()
        self.preview.setAccessibleName(self.tr("Preview of the robot, {role}").format(role=title))
        self.preview.dropped.connect(self._take_file)
        fields = domain_fields()
        self.editors: dict[str, Any] = {
            "embodiment": RobotChoice(),
            "task": Choice([]),
            "control": Choice(["end_effector", "joint"]),
            "observation": Several(["image", "goal"]),
            "camera": Several([]),
            "image_size": Whole(*limits(fields["image_size"])),
            "contexts": Anything([]),  # nothing written: the whole family
            "episodes": Whole(*limits(fields["episodes"])),
            "dataset": PathField(DATASET_FILTER),
            "dataset_split": DatasetChoice(self.tr("all episodes")),
            "dataset_camera": DatasetChoice(self.tr("automatic")),
            "dataset_gripper": Choice(["open", "close"]),
            "instructions.languages": Several([], always_list=True),
            "instructions.wording": Choice(["training", "held_out"]),
            "instructions.given": Choice(["right", "shuffled", "blank"]),
            "placement": Choice([]),
            "hidden_dynamics": PathField(STAND_IN_FILTER),
        }
        for editor in self.editors.values():
            editor.setProperty("tight", True)  # two of them stand side by side
        self.editors["dataset"].line.setPlaceholderText(self.tr("expert"))
        self.editors["contexts"].setEnabled(False)
        self._tasks: dict[str, Any] = {}
        self._robots: dict[str, Any] = {}
        self._of_files: dict[str, tuple[str, ...]] = {}  # cameras by the model's path
        self.problems: dict[str, QLabel] = {}
        for name, editor in self.editors.items():
            editor.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            editor.setMinimumWidth(60)
            editor.setAccessibleName(f"{title}: {fields[name].title}")
            editor.setToolTip(fields[name].description or "")
            editor.edited.connect(lambda name=name: self._changed(name))
            if isinstance(editor, WholeBox):
                explain_at(editor)
            problem = QLabel()
            problem.setProperty("role", "problem")
            problem.setFont(theme.small_font())
            problem.setWordWrap(True)
            problem.hide()
            self.problems[name] = problem

    def fill(self, registry: Registry) -> None:
        """Take the choices from the registry."""
        self._robots = registry.all("embodiments")
        self.editors["embodiment"].set_robots([(e.id, e.title, e.summary) for e in self._robots.values()])
        self._tasks = registry.all("tasks")
        self.editors["task"].set_contributions(self._tasks)

    def show_domain(self, domain: Domain) -> None:
        """Show a domain; nothing is emitted."""
        for name, editor in self.editors.items():
            value: Any = domain
            for part in name.split("."):
                value = value.short(part)
            if editor.value() != (str(value) if isinstance(value, Path) else value):
                editor.blockSignals(True)
                editor.set_value(value)
                editor.blockSignals(False)
        self._offer(domain)

    def set_problems(self, problems: Sequence[Problem | StudioError]) -> None:
        """Show what is wrong at each field; a problem of the domain as a whole is shown at the embodiment."""
        texts: dict[str, list[str]] = {}
        for problem in problems:
            part, _, rest = problem.field.partition(".")
            if part == self.role:
                if rest.split(".")[0] in ("randomization", "curriculum"):  # shown in a dock of their own
                    continue
                name = self._editor_of(rest) or "embodiment"
                texts.setdefault(name, []).append(f"{problem.message} {problem.remedy}".strip())
        for name, label in self.problems.items():
            words = "\n".join(dict.fromkeys(texts.get(name, [])))
            label.setText(words)
            label.setVisible(bool(words))
            editor = self.editors[name]
            target = editor.line if isinstance(editor, PathField) else editor
            target.setProperty("problem", bool(words))
            target.style().unpolish(target)
            target.style().polish(target)

    def uses(self, name: str) -> bool:
        """Whether a field means something for this domain, or has a problem."""
        return bool(self.editors[name].isEnabled() or self.problems[name].text())

    def show_field(self, name: str) -> bool:
        """Give a field the focus."""
        found = self._editor_of(name) if name else "embodiment"
        if found:
            self.editors[found].setFocus()
        return bool(found)

    def _editor_of(self, dotted: str) -> str:
        """Return the name of the editor that a field, or a part of it, belongs to; empty: there is none."""
        return next((name for name in (dotted, dotted.split(".")[0]) if name in self.editors), "")

    def _changed(self, name: str) -> None:
        value = self.editors[name].value()
        self.edited.emit(f"{self.role}.{name}", value)
        if name == "task" and value in self._tasks:
            self._follow(self._tasks[value])
        if name == "dataset":  # another file has other names
            for part in OF_DATASET:
                usual = domain_fields()[part].default
                if self.editors[part].value() != usual:
                    self.edited.emit(f"{self.role}.{part}", usual)
        cameras = self._cameras(value) if name == "embodiment" else ()
        if cameras and not _offers(cameras, self.editors["camera"].value()):
            self.edited.emit(f"{self.role}.camera", cameras[0])

    def offer_cameras(self, robot: str, cameras: Sequence[str]) -> None:
        """Take the cameras of a model file, once it has been read."""
        self._of_files[robot] = tuple(cameras)
        if self.editors["embodiment"].value() == robot and cameras:
            self.editors["camera"].set_choices(cameras)

    def offer_dataset(self, splits: Mapping[str, int], cameras: Sequence[str]) -> None:
        """Take what can be chosen of the domain's dataset: named lists of so many episodes, and keys of images."""
        self.editors["dataset_split"].offer({name: f"{name} ({count})" for name, count in splits.items()})
        self.editors["dataset_camera"].offer({key: key for key in cameras})

    def _cameras(self, robot: str) -> Sequence[str]:
        """Of a registered robot, or of a model file that has been read."""
        return self._robots[robot].cameras if robot in self._robots else self._of_files.get(robot, ())

    def _offer(self, domain: Domain) -> None:
        """Offer the robot's cameras where images are seen; the controls and observations that the task has, and its
        contexts where it is a family."""
        self.editors["camera"].set_choices(self._cameras(domain.embodiment) or domain.cameras)
        for name in ("camera", "image_size"):
            self.editors[name].setEnabled(domain.observes("image"))
        for name in OF_INSTRUCTIONS:
            self.editors[name].setEnabled(domain.observes("instruction"))
        self.editors["dataset_gripper"].setEnabled(domain.dataset is not None)
        task = self._tasks.get(domain.task)
        if task is None:
            return
        for name, attribute in OFFERED.items():
            self.editors[name].set_choices(getattr(task, attribute))
        self.editors["placement"].set_choices(task.placements)
        self.editors["placement"].setEnabled(len(task.placements) > 1)
        self.editors["instructions.languages"].set_choices(task.languages)
        contexts = self.editors["contexts"]
        contexts.setEnabled(bool(task.context))
        contexts.setPlaceholderText(self.tr("the whole family") if task.context else self.tr("a single task"))

    def _follow(self, task: Any) -> None:
        """After another task was chosen: what it does not have becomes its usual; of another kind of task, all does."""
        other = self.editors["control"].value() not in task.controls
        if other:
            self.edited.emit(f"{self.role}.control", task.controls[0])
        seen, usual = self.editors["observation"].value(), task.usual_observation()
        reads = "instruction" in (seen if isinstance(seen, list) else [seen])
        if other or not _offers(task.observations, seen) or reads != ("instruction" in usual):
            self.edited.emit(f"{self.role}.observation", usual[0] if len(usual) == 1 else usual)
        if not task.context and self.editors["contexts"].value():
            self.edited.emit(f"{self.role}.contexts", [])
        if self.editors["placement"].value() not in task.placements:
            self.edited.emit(f"{self.role}.placement", task.placements[0])
        languages = self.editors["instructions.languages"].value()
        if task.languages and not _offers(task.languages, languages):
            self.edited.emit(f"{self.role}.instructions.languages", [*task.languages])
        if not task.languages:  # settings of instructions that it does not give
            for name in OF_INSTRUCTIONS:
                default = domain_fields()[name].get_default(call_default_factory=True)
                if self.editors[name].value() != default:
                    self.edited.emit(f"{self.role}.{name}", default)

    def _take_file(self, path: Path) -> None:
        name = "dataset" if opening.kind_of(path) == "dataset" else "embodiment"
        self.edited.emit(f"{self.role}.{name}", str(path))


def domain_fields() -> dict[str, FieldInfo]:
    """Return the fields of a domain by the names that forms know them by, those of its instructions among them."""
    of_instructions = {f"instructions.{name}": field for name, field in Instructions.model_fields.items()}
    return fields_by_short_name(Domain) | of_instructions


def _offers(choices: Sequence[Any], value: Any) -> bool:
    """Whether a value, or each of several, is among the choices."""
    return all(each in choices for each in (value if isinstance(value, list) else [value]))
