"""What the viewport plays and who drives it: the experiment's domain, a checkpoint, a file, a recording, a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QObject

from studio.contracts import Ghost, PlayerProtocol, Policy
from studio.experiment import Domain, Experiment
from widgets.shell import opening
from widgets.shell.app_state import AppState
from widgets.shell.policy_offer import PolicyOffer
from widgets.style import theme
from widgets.viewport import sources
from widgets.viewport.bar import ViewportBar
from widgets.viewport.render_thread import RenderThread
from widgets.viewport.source_menus import SourceMenus
from widgets.viewport.sources import Recorded
from widgets.viewport.training_source import TrainingSource
from widgets.viewport.view import Viewport

BESIDE_OPACITY = 0.4  # of a second robot
Found = TypeVar("Found")
CheckpointChoice = tuple[Policy, Experiment, str]  # a policy, its experiment, its name


class SourceController(QObject):
    """Gives the render thread a player and a policy, and names them in the bar and on the picture.

    Args:
        make_player: makes the player of a domain, on the render thread.
        load_policy: reads the policy of a run's checkpoint, off the UI thread.
    """

    def __init__(
        self,
        app_state: AppState,
        thread: RenderThread,
        view: Viewport,
        bar: ViewportBar,
        make_player: Callable[[Domain], PlayerProtocol],
        load_policy: Callable[[Path, int], Policy],
    ) -> None:
        super().__init__()
        self._app_state, self._thread, self._view, self._bar = app_state, thread, view, bar
        self._make_player, self._load_policy = make_player, load_policy
        self.training = TrainingSource(app_state, thread, bar)
        self.training.named.connect(view.set_looking_at)
        self._menus = SourceMenus(app_state, bar)
        self._menus.file_chosen.connect(self.look_at)
        self._menus.evaluation_chosen.connect(self._play_evaluation)
        self._policy = "expert"
        self._is_substitute = False  # random actions, nobody's choice: the task has no expert
        self._checkpoint: CheckpointChoice | None = None
        self._offer: PolicyOffer | None = None  # another panel's policy that is played
        self._asked = 0  # answers asked for; only the last one's counts
        self._domain: Domain | None = None  # whose player is shown
        self._elsewhere = ""  # name of a file or training that is shown in place of the experiment's domain
        self._ghosts: tuple[list[Ghost], Domain] = ([], Domain())  # and the domain whose robot they show
        app_state.checkpoint_chosen.connect(self._play_checkpoint)
        app_state.policy_offered.connect(self._play_offer)
        app_state.player_offered.connect(lambda offer: self._show_recorded(Recorded(offer.name, offer.make)))
        app_state.ghosts_changed.connect(self._take_ghosts)
        app_state.running_changed.connect(self._show_what_learns)
        bar.policy_chosen.connect(self.choose_policy)
        bar.simulation_chosen.connect(lambda _number: self._watch_training())
        bar.domain_chosen.connect(lambda _key: self.come_back())
        self._name_policy()

    @property
    def elsewhere(self) -> bool:
        """Whether something other than the experiment's domain is shown."""
        return bool(self._elsewhere)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def show_domain(self) -> None:
        """Show the chosen domain, if it is another than the one shown and nothing else is looked at."""
        if not self._thread.isRunning() or self._elsewhere:
            return
        domain = self._chosen_domain()
        if domain == self._domain:
            return
        self._domain = domain
        self._find_a_driver(domain)
        self._thread.show_domain(self._player_of(domain))
        self._show_ghosts()

    def _player_of(self, domain: Domain) -> Callable[[], PlayerProtocol]:
        """Return what makes a domain's player on the render thread."""
        make, offer, registry = self._make_player, self._offer, self._app_state.registry
        if offer is None or offer.beside is None:
            return lambda: make(domain)
        beside, label, hue = offer.beside, offer.beside_name, theme.series(1)
        color = hue.redF(), hue.greenF(), hue.blueF(), BESIDE_OPACITY
        return lambda: sources.compared(domain, registry, beside, label, color)

    def come_back(self) -> None:
        """Show the experiment's domain again after a file, a recording or a training."""
        if self._elsewhere:
            self._elsewhere, self._domain = "", None
            self.training.leave()
            self._view.set_looking_at("")
            self._name_policy()
        self.show_domain()

    def look_at(self, path: Path, name: str = "") -> None:
        """Show a model file, or play a dataset's episodes; the experiment stays as it is.

        Args:
            name: what to call it; empty: as the file is called.
        """
        path = Path(path)
        if opening.kind_of(path) == "dataset":
            registry, domain = self._app_state.registry, self._chosen_domain()
            self._answer(lambda: sources.dataset(path, registry, domain, name), self._show_recorded)
        else:
            self._show_recorded(sources.model(path))

    def _chosen_domain(self) -> Domain:
        experiment = self._checkpoint[1] if self._checkpoint else self._app_state.experiment
        return experiment.source if self._bar.domain.key == "source" else experiment.target

    def _show_recorded(self, recorded: Recorded) -> None:
        self.training.leave()
        self._show_elsewhere(recorded.name)
        self._view.set_looking_at(recorded.name)
        self._thread.show_domain(recorded.make)

    def _watch_training(self) -> None:
        """Show one of the training's own simulations."""
        self.training.watch()
        self._show_elsewhere(self.tr("training"))

    def _show_elsewhere(self, name: str) -> None:
        self._asked += 1
        self._elsewhere = name
        self._show_ghosts()
        self._name_policy()

    def _play_evaluation(self, folder: Path, step: int) -> None:
        self._answer(lambda: sources.evaluation(folder, step), self._show_recorded)

    def _answer(self, work: Callable[[], Found], done: Callable[[Found], None]) -> None:
        """Work in the background; of several questions only the last one's answer counts."""
        self._asked += 1
        asked = self._asked
        self._app_state.background(work, lambda found: done(found) if asked == self._asked else None)

    # -- ghosts --------------------------------------------------------------------------------------------------------

    def _take_ghosts(self, ghosts: list[Ghost], domain: Domain) -> None:
        self._ghosts = ghosts, domain
        self._show_ghosts()

    def _show_ghosts(self) -> None:
        """Show ghosts beside the robot and task that they are of, and nowhere else."""
        ghosts, domain = self._ghosts
        shown = None if self._elsewhere else self._domain
        fit = shown is not None and (shown.embodiment, shown.task) == (domain.embodiment, domain.task)
        self._thread.set_ghosts(ghosts if fit else [])

    # -- who drives ----------------------------------------------------------------------------------------------------

    def choose_policy(self, key: str) -> None:
        """Let another policy drive, by its key in the bar. Checkpoints and recordings are offered in a menu first."""
        if key == "training":
            self._watch_training()
        elif key == "checkpoint":
            self._name_policy()  # nothing has been chosen yet
            self._menus.offer_checkpoints()
        elif key == "recorded":
            self._name_policy()
            self._menus.offer_recordings()
        else:
            self._set_policy(key, None)

    def take_over(self) -> None:
        """Let the person's hand drive, if the experiment's domain is shown."""
        if self._policy != "hand" and not self._elsewhere:
            self._set_policy("hand", None)

    def _set_policy(self, key: str, checkpoint: CheckpointChoice | None, offer: PolicyOffer | None = None) -> None:
        self._policy, self._checkpoint, self._is_substitute = key, checkpoint, False
        before, self._offer = self._offer, offer
        if (before and before.beside) is not (offer and offer.beside):
            self._domain = None  # the player is made again, with the second robot or without it
        self._asked += 1
        self.come_back()
        self._drive()

    def _play_checkpoint(self, folder: Path, step: int) -> None:
        def work() -> tuple[Policy, Experiment]:
            return self._load_policy(folder, step), Experiment.load(folder / "experiment.yaml")

        self._answer(work, lambda both: self._set_policy("checkpoint", (*both, f"{both[1].strategy.id} · {step}")))

    def _play_offer(self, offer: PolicyOffer) -> None:
        self._set_policy("checkpoint", (offer.policy, offer.experiment, offer.name), offer)

    def _find_a_driver(self, domain: Domain) -> None:
        """Let random actions move a robot whose task has no expert, until there is a policy."""
        task = self._app_state.registry.all("tasks").get(domain.task)
        has_expert = task is None or task.has_expert
        if (self._policy == "expert" and not has_expert) or (self._is_substitute and has_expert):
            self._policy, self._is_substitute = ("expert", False) if has_expert else ("random", True)
            self._drive()

    def _show_what_learns(self, running: bool) -> None:
        """Let a run's own policy play in place of such random actions."""
        if running and self._is_substitute:
            self._set_policy("current", None)

    def _drive(self) -> None:
        if self._checkpoint is not None:
            self._thread.set_policy(self._checkpoint[0])
        elif self._policy == "current":
            self._thread.set_policy(None, self._app_state.channels.policy.get)
        else:
            self._thread.set_policy(self._policy)
        self._name_policy()

    def _name_policy(self) -> None:
        name = self._checkpoint[2] if self._checkpoint else ""
        shown = "training" if self.training.watching else "recorded" if self._elsewhere else self._policy
        self._bar.set_policy(shown, name)
        words = {
            "expert": self.tr("expert"),
            "current": self.tr("current policy"),
            "random": self.tr("random"),
            "hand": self.tr("by hand"),
            "checkpoint": name if self._offer is not None else self.tr("checkpoint {0}").format(name),
        }
        self._view.set_policy(words[self._policy])
