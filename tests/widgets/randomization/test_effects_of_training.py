"""Return against what varied in a training's own episodes: contexts and bodies, live and from a stopped run's log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.events import EpisodesEnded, Events, StateChanged
from studio.experiment import Domain, Experiment, RandomizationTerm
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.episode_recorder import EpisodeRecorder
from studio.sim.tasks.contexts import logged
from studio.sim.world import World
from studio.store.log_writer import RunLog
from studio.store.runs import new_folder, write_status
from widgets.randomization.effects import EffectView
from widgets.shell.app_state import AppState

FAMILY = Domain(
    embodiment="point",
    task="point_navigation",
    control="motor",
    observation="state",
    randomization=[RandomizationTerm(field="mass", low=0.8, high=1.2)],
)
NAMES = ["context:goal_x", "context:goal_y", "mass"]


@pytest.fixture(scope="module")
def trained() -> EpisodesEnded:
    """Episodes of a world that steps as a training does: standing still, so that far goals cost more."""
    registry = Registry()
    task = task_of(FAMILY, registry)
    world = World(FAMILY, task, embodiment_of(FAMILY, registry), 32, threads=1)
    recorder = EpisodeRecorder(32, logged(FAMILY, task))
    world.observers.append(recorder)
    world.reset(seed=0)
    for _ in range(2 * task.horizon):
        world.step(np.zeros((32, 2)))
    found = recorder.take()
    return EpisodesEnded("train", 7, found.seeds, found.returns, found.lengths, found.successes, found.randomization)


@pytest.fixture
def view(qtbot: Any, app_state: AppState) -> EffectView:
    made = EffectView(app_state)
    qtbot.addWidget(made)
    made.resize(340, 700)
    made.kind.set_key("train")
    made.show()
    return made


def check(view: EffectView) -> None:
    assert list(view.plots) == NAMES, "the context first"
    assert view.caption.text().startswith("Return against each value: the latest 64 episodes of training")
    assert [plot.title.text().split(" &nbsp;")[0] for plot in view.plots.values()] == ["Goal x", "Goal y", "Mass"]


def test_a_training_of_returns_is_drawn_while_it_goes_on(
    qtbot: Any, app_state: AppState, view: EffectView, trained: EpisodesEnded
) -> None:
    app_state.events.emit([StateChanged("/runs/1-2-now", "running"), trained])
    qtbot.waitUntil(lambda: len(view.plots) == 3, timeout=5_000)
    check(view)
    (_, outcomes, by_success) = view.plots["mass"]._runs[0]
    assert not by_success and (outcomes.returns < 0).all()


def test_a_stopped_run_of_returns_is_drawn_by_its_returns(
    qtbot: Any, app_state: AppState, view: EffectView, trained: EpisodesEnded, tmp_path: Path
) -> None:
    plan = Experiment(name="stopped", source=FAMILY, target=FAMILY)
    folder = new_folder(tmp_path, plan)
    events = Events()
    log = RunLog(folder / "log.h5", events, plan)
    events.publish(trained)
    log.close()
    write_status(folder, {"state": "stopped", "created": 1.0, "stage": "adapt", "summary": {"measure": "return"}})
    (folder / "experiment.yaml").write_text(plan.to_yaml())
    app_state.runs_selected.emit([folder])
    qtbot.waitUntil(lambda: len(view.plots) == 3, timeout=10_000)
    check(view)
