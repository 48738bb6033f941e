"""Adapters of runs: their spectra, pruning, and blending while the robot moves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.errors import Stopped
from studio.experiment import Experiment
from widgets.adapters import jobs
from widgets.adapters.adapter_list import AdapterList
from widgets.adapters.blend_bar import BlendBar
from widgets.adapters.prune_bar import PruneBar
from widgets.adapters.spectrum_view import SpectrumView
from widgets.forms.parts import Parts
from widgets.forms.scroll_column import ScrollColumn
from widgets.shell.app_state import AppState
from widgets.shell.policy_offer import PolicyOffer
from widgets.style import theme

if TYPE_CHECKING:
    from studio.nn.blended_policy import BlendedPolicy
    from studio.nn.updates import Spectrum
    from studio.store.adapters import Adapted, AdapterInfo

NARROW = 520  # px: below it one part of the panel is shown at a time
MADE = "adapters"  # the folder in the runs folder, as studio.store.adapters names it


class AdaptersView(QWidget):
    """The list at the left, the spectrum of the selected one at the right, where there is room for both."""

    def __init__(self, app_state: AppState) -> None:
        super().__init__()
        self._app_state = app_state
        self._shown: tuple[Adapted, list[Spectrum]] | None = None
        self._playing: BlendedPolicy | None = None  # what the slider weights
        self._asked = 0
        self.list, self.spectrum, self.pruning, self.blending = AdapterList(), SpectrumView(), PruneBar(), BlendBar()
        self.bar = QWidget()  # of the panel's head: buttons and the slider
        self.bar.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setProperty("role", "muted")
        self.buttons = {
            "play": self._button("run", self.tr("Play in the viewport; the slider weights it while it moves")),
            "beside": self._button("robot", self.tr("Show the base policy beside it, in episodes of the same seeds")),
            "keep": self._button("save", self.tr("Save this blend as an adapter of its own")),
            "merge": self._button("check", self.tr("Merge: save the policy with the adapter folded into its weights")),
            "delete": self._button(
                "trash", self.tr("Move the selected adapters to the trash; runs keep their policies")
            ),
        }
        self.buttons["beside"].setCheckable(True)
        self._lay_out()
        self._wire()
        self._choose()

    def refresh(self) -> None:
        """Read the adapters again."""
        self._app_state.background(partial(jobs.list_adapters, self._app_state.runs_folder), self._take)

    # -- making --------------------------------------------------------------------------------------------------------

    def _button(self, icon: str, words: str) -> QToolButton:
        button = QToolButton()
        button.setToolTip(words)
        button.setAccessibleName(words)
        theme.set_icon(button, icon)
        return button

    def _lay_out(self) -> None:
        row = QHBoxLayout(self.bar)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.HAIR)
        for button in self.buttons.values():
            row.addWidget(button)
        row.addSpacing(theme.MEDIUM)
        row.addWidget(self.blending, 1)
        right = QWidget()
        inner = QVBoxLayout(right)
        inner.setContentsMargins(theme.MEDIUM, 0, theme.SMALL, 0)
        inner.setSpacing(theme.SMALL)
        for widget in (self.words, self.pruning.ruler, self.spectrum, self.pruning):
            inner.addWidget(widget)
        inner.addStretch(1)
        spectrum = ScrollColumn(right)
        self.parts = Parts(
            [
                ("list", self.tr("List"), self.tr("The adapters that there are"), self.list, 1000),
                ("spectrum", self.tr("Spectrum"), self.tr("What the selected adapter changes"), spectrum, 1000),
            ],
            self.tr("Part of the panel"),
            NARROW,
        )
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.parts)

    def _wire(self) -> None:
        self._app_state.runs_changed.connect(self.refresh)
        self.list.itemSelectionChanged.connect(self._choose)
        self.list.itemDoubleClicked.connect(lambda *_: self._play())
        self.pruning.rank_changed.connect(self.spectrum.set_rank)
        self.pruning.actions_.clicked.connect(self._measure_actions)
        self.pruning.success.clicked.connect(self._measure_success)
        self.pruning.save.clicked.connect(self._save_pruned)
        self.blending.changed.connect(self._weight)
        self.buttons["play"].clicked.connect(self._play)
        self.buttons["beside"].toggled.connect(lambda _: self._play() if self._playing is not None else None)
        self.buttons["keep"].clicked.connect(self._save_blend)
        self.buttons["merge"].clicked.connect(self._merge)
        self.buttons["delete"].clicked.connect(self._ask_delete)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _take(self, infos: list[AdapterInfo]) -> None:
        if bool(infos) != self.parts.is_offered("list"):
            self.parts.offer("list", bool(infos))
            self.parts.choice.set_key("list" if infos else "spectrum")
        self.list.set_adapters(infos)
        if not infos:
            words = self.tr("No adapter yet. A run of LoRA, AdaLoRA or PEFT adapters leaves one here when it ends.")
            self.words.setText(words)
        elif not self.list.selected():
            self.words.setText(self.tr("Select an adapter to see its spectrum; select two to blend them."))

    def _choose(self) -> None:
        """Show the selected adapter's spectrum, and let the slider weight what is selected."""
        folders = self.list.selected()
        self._playing = None
        self._asked += 1
        self.blending.set_names([self.list.short_name_of(folder) for folder in folders])
        for id, button in self.buttons.items():
            few = len(folders) in (1, 2)
            button.setEnabled(bool(folders) if id == "delete" else len(folders) == 1 if id == "merge" else few)
        if len(folders) != 1:
            words = self.tr("Select an adapter to see its spectrum; select two to blend them.")
            if len(folders) == 2:
                words = self.tr("Press Play, and the slider above blends the two while the robot moves.")
            self._clear(words)
            return
        asked = self._asked
        self._clear(self.tr("Reading …"))

        def done(found: tuple[Adapted, list[Spectrum]]) -> None:
            if asked == self._asked:
                self._show(*found)

        def failed(error: Exception) -> None:
            if asked == self._asked:
                self._clear(str(error))

        self._app_state.background(partial(jobs.spectra, folders[0], self._app_state.registry), done, failed)

    def _clear(self, words: str) -> None:
        self._shown = None
        self.words.setText(words)
        self.words.show()
        self.spectrum.set_spectra(())
        self.pruning.set_spectra((), False)

    def _show(self, adapted: Adapted, spectra: list[Spectrum]) -> None:
        self._shown = adapted, spectra
        self.words.setText(
            self.tr("Singular values of each layer's update, and the rank that holds 99% of its energy:")
        )
        self.spectrum.set_spectra(spectra)
        self.pruning.set_spectra(spectra, adapted.config is not None)
        self.pruning.show()

    # -- who moves the robot -------------------------------------------------------------------------------------------

    def _play(self) -> None:
        folders, beside = self.list.selected(), self.buttons["beside"].isChecked()
        if len(folders) not in (1, 2):
            return
        asked = self._asked
        names = [self.list.short_name_of(folder) for folder in folders]

        def done(found: tuple[BlendedPolicy, Adapted, Experiment]) -> None:
            if asked != self._asked:
                return
            policy, first, experiment = found
            policy.set_weights(self.blending.weights)
            self._playing = policy
            other = first.base if beside else None
            name = self.tr("blend of {0}").format(" + ".join(names)) if len(names) == 2 else names[0]
            self._app_state.policy_offered.emit(PolicyOffer(policy, experiment, name, other, self.tr("base policy")))

        self._app_state.background(partial(jobs.playable, folders, self._app_state.registry), done)

    def _weight(self) -> None:
        if self._playing is not None:
            self._playing.set_weights(self.blending.weights)

    # -- what is kept --------------------------------------------------------------------------------------------------

    def _save_blend(self) -> None:
        folders, weights = self.list.selected(), self.blending.weights
        names = [self.list.name_of(folder) for folder in folders]
        end = "-".join(f"{weight:.2f}" for weight in weights)
        to = self._new_folder(f"{'+'.join(names)}-{end}")
        self._write(partial(jobs.write_blend, folders, weights, to, self._app_state.registry))

    def _save_pruned(self) -> None:
        folder, rank = self.list.selected()[0], self.pruning.rank
        to = self._new_folder(f"{self.list.name_of(folder)}-rank{rank}")
        self._write(partial(jobs.write_pruned, folder, rank, to, self._app_state.registry))

    def _merge(self) -> None:
        folder = self.list.selected()[0]
        to = self._new_folder(f"{self.list.name_of(folder)}-merged")
        self._write(partial(jobs.write_merged, folder, to, self._app_state.registry))

    def _write(self, work: Callable[[], Path]) -> None:
        def done(to: Path) -> None:
            self._app_state.toast.emit("info", self.tr("Saved to {0}").format(to), "")
            self.refresh()

        self._app_state.background(work, done)

    def _new_folder(self, name: str) -> Path:
        """Return a folder beside the runs that does not exist yet."""
        made, number = self._app_state.runs_folder / MADE, 1
        to = made / name
        while to.exists():
            number += 1
            to = made / f"{name}-{number}"
        return to

    def _ask_delete(self) -> None:
        folders = self.list.selected()
        many = self.tr("Move {0} adapters to the trash?").format(len(folders))
        one = self.tr("Move the adapter {0} to the trash?").format(self.list.name_of(folders[0]))
        text = one if len(folders) == 1 else many
        if QMessageBox.question(self, self.tr("Delete adapters"), text) == QMessageBox.StandardButton.Yes:
            self.delete(folders)

    def delete(self, folders: list[Path]) -> None:
        """Move adapters to the trash."""

        def done(_: object) -> None:
            self._app_state.runs_changed.emit()

        def failed(error: Exception) -> None:
            self._app_state.report(error, self.tr("Not all adapters could be deleted"))
            self._app_state.runs_changed.emit()

        self._app_state.background(partial(jobs.trash, folders), done, failed)

    # -- what pruning costs --------------------------------------------------------------------------------------------

    def _measure_actions(self) -> None:
        def words(found: Any) -> str:
            text = self.tr(
                "Rank {rank}: actions change by {change} (RMS over {states} recorded states); from the recorded ones "
                "they differ by {before} before and {after} after."
            )
            numbers = {name: f"{getattr(found, name):.3g}" for name in ("before", "after")}
            return text.format(rank=rank, change=f"{found.difference:.3g}", states=found.states, **numbers)

        if self._shown is not None:
            rank = self.pruning.rank
            self._measure(partial(jobs.pruning_actions, *self._shown, rank, self._app_state.registry), words)

    def _measure_success(self) -> None:
        def words(found: Any) -> str:
            text = self.tr("Rank {rank}: {measure} {before} before, {after} after ({episodes} episodes, same seeds).")
            before, after = (f"{one.score:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in found)
            measure, episodes = found[0].measure, found[0].episodes
            return text.format(rank=rank, measure=measure, before=before, after=after, episodes=episodes)

        if self._shown is not None:
            rank, state = self.pruning.rank, self._app_state
            self._measure(
                partial(jobs.pruning_success, *self._shown, rank, state.registry, lambda: state.is_open), words
            )

    def _measure(self, work: Callable[[], Any], words: Callable[[Any], str]) -> None:
        asked = self._asked
        self.pruning.set_busy(True)
        self.pruning.say(self.tr("Measuring …"))

        def done(found: Any) -> None:
            self.pruning.set_busy(False)
            if asked == self._asked:
                self.pruning.say(words(found))

        def failed(error: Exception) -> None:
            self.pruning.set_busy(False)
            if asked == self._asked and not isinstance(error, Stopped):
                self.pruning.say(str(error))

        self._app_state.background(work, done, failed)
