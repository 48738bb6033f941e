"""The Adaptation panel by mouse and keys: a run's first task, other ones, held-out scores, the viewport's offer."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import Qt

from plugins.panels.adaptation import PANEL, AdaptationPanel
from studio.contracts import Ball, ReferenceLine
from studio.errors import DataError
from studio.experiment import Domain
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.evaluate import Evaluation, score_of
from studio.run.session import Session
from studio.sim.domains import resolve
from studio.sim.rollout import Outcome
from widgets.adaptation.shots_plot import ShotsPlot
from widgets.shell.app_state import AppState
from widgets.shell.player_offer import PlayerOffer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs folder with a run of RL² on the half circle, whose episodes are short, after one iteration."""
    registry, runs = shared_registry(), tmp_path_factory.mktemp("runs")
    example = registry.get("strategies", "rl2", "").examples()["example"]
    short = {"budget.iterations": 1, "evaluation.episodes": 1, "evaluation.shots": [0]}
    short |= {"source.task": "half_circle", "target.task": "half_circle", "strategy.params.trial": 4}
    Session(example.changed(**short), registry, Channels(), runs).run()
    return runs


@pytest.fixture
def panel(qtbot: Any, folder: Path) -> Iterator[AdaptationPanel]:
    yield from shown(qtbot, folder)


def shown(qtbot: Any, folder: Path) -> Iterator[AdaptationPanel]:
    """Yield the panel once the first task of the newest run is adapted to."""
    app_state = AppState(folder)
    app_state.load_plugins()
    made = PANEL.factory(app_state)
    assert isinstance(made, AdaptationPanel)
    qtbot.addWidget(made)
    made.resize(720, 300)
    made.show()
    qtbot.waitUntil(lambda: made._found is not None and not made._worker.is_busy, timeout=60_000)
    yield made
    app_state.close()


def test_first_task_is_held_out_and_another_is_adapted_to(qtbot: Any, panel: AdaptationPanel) -> None:
    found = panel._found
    assert found is not None and panel._facts is not None
    assert found.context == pytest.approx(panel._facts.inside[0]) and [one.shots for one in found.after] == [0, 1, 2, 3]
    assert panel.episodes.currentWidget() is panel.episodes.plane and "After 3 shots: return" in panel.words.text()
    assert "expert&nbsp;" in panel.shots.legend.text()
    assert [box.toolTip() for box in panel.editor.numbers] == [
        "goal x: training draws -1 … 1",
        "goal y: training draws 0 … 1",
    ]
    panel.editor.numbers[0].setValue(0.9)  # not on the half circle any more
    assert "outside" in panel.editor.place.text()
    qtbot.waitUntil(lambda: panel._found is not found, timeout=20_000)
    assert panel._found is not None and panel._found.context[0] == pytest.approx(0.9) and not panel._found.is_inside
    panel.editor.sliders[0].setFocus()
    qtbot.keyClick(panel.editor.sliders[0], Qt.Key.Key_Left)
    assert panel.editor.context[0] == pytest.approx(0.86)
    panel.episodes.plane._handle.setPos(0.1, 0.2)
    assert panel.editor.context == pytest.approx((0.1, 0.2))
    qtbot.waitUntil(lambda: not panel._worker.is_busy, timeout=20_000)
    assert panel._found.context == pytest.approx((0.1, 0.2))  # the newest task counts


def test_held_out_scores_and_play_in_the_viewport(qtbot: Any, panel: AdaptationPanel) -> None:
    offers: list[PlayerOffer] = []
    panel._app_state.player_offered.connect(offers.append)
    qtbot.mouseClick(panel.buttons["score"], Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(panel.shots._scores) == 3, timeout=30_000)
    assert "outside the range" in panel.shots.legend.text()
    qtbot.mouseClick(panel.buttons["play"], Qt.MouseButton.LeftButton)
    player = offers[0].make()
    assert len(player.ghosts) == 3 and player.context_values() == pytest.approx(panel.editor.context)
    player.set_context(1, 0.4)  # on the render thread
    qtbot.waitUntil(lambda: panel.editor.context[1] == 0.4, timeout=5_000)
    qtbot.waitUntil(lambda: not panel._worker.is_busy, timeout=20_000)
    player.advance(0.01)
    assert np.allclose(player.data.mocap_pos[0, :2], panel.editor.context)


def test_scoring_tells_how_far_it_is_and_can_be_stopped(
    qtbot: Any, panel: AdaptationPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, go_on, ended = panel._worker._job, threading.Event(), threading.Event()
    assert job is not None

    def held_out(which: str, seen: Callable[[float], None]) -> dict[int, Evaluation]:
        seen(0.5)
        go_on.wait(20)
        try:
            seen(0.6)
        finally:
            ended.set()
        return {}

    monkeypatch.setattr(job, "held_out", held_out)
    score = panel.buttons["score"]
    qtbot.mouseClick(score, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "Scoring held-out tasks: 25%." in panel.words.text(), timeout=5_000)  # of two groups
    assert score.text() == "Stop scoring" and score.isEnabled()
    qtbot.mouseClick(score, Qt.MouseButton.LeftButton)
    go_on.set()
    assert ended.wait(20) and panel._worker.scored_share is None
    qtbot.waitUntil(lambda: not panel._worker.is_busy, timeout=5_000)
    assert score.text() == "Score held-out tasks" and "Scoring" not in panel.words.text()
    assert [*panel.shots._scores] == ["task"]  # nothing of it is shown


def test_scores_of_zero_have_an_axis_with_ticks(qtbot: Any) -> None:
    plot = ShotsPlot()
    qtbot.addWidget(plot)
    plot.resize(300, 200)
    plot.show()
    none = Outcome(*(np.zeros(4) for _ in range(4)), {})
    plot.set_held_out("inside", {count: score_of(none, has_success=False) for count in (0, 1)})

    def labels() -> list[str]:
        axis, (low, high) = plot.view.getAxis("left"), plot.view.getPlotItem().viewRange()[1]
        return [text for _, texts in axis.levels(low, high, 150.0)[:1] for text in texts]

    assert "0.0" in labels() and 3 <= len({*labels()}) <= 12
    plot.set_references([ReferenceLine("oracle", (12.7,))])
    assert plot.view.getPlotItem().viewRange()[1][1] > 12.7 and "↑" not in plot.legend.text()


def test_a_narrow_panel_shows_one_part_at_a_time(qtbot: Any, panel: AdaptationPanel) -> None:
    assert panel.column.isVisible() and panel.shots.isVisible() and not panel.parts.choice.isVisible()
    panel.resize(380, 160)
    qtbot.waitUntil(panel.parts.choice.isVisible, timeout=2_000)
    assert panel.episodes.plane.isVisible() and not panel.column.isVisible() and not panel.shots.isVisible()
    assert panel.stack.height() >= 170  # the panel scrolls
    qtbot.mouseClick(panel.parts.choice.button("scores"), Qt.MouseButton.LeftButton)
    assert panel.shots.isVisible() and panel.buttons["score"].isVisible() and not panel.buttons["play"].isVisible()


def test_a_regression_shows_the_fit_with_its_support(qtbot: Any, tmp_path: Path) -> None:
    registry = shared_registry()
    example = registry.get("strategies", "maml", "").examples()["example"]
    short = {"budget.iterations": 1, "evaluation.episodes": 1, "evaluation.shots": [0, 1, 2, 3]}
    Session(example.changed(**short), registry, Channels(), tmp_path).run()
    for panel in shown(qtbot, tmp_path):
        assert panel._found is not None and panel.episodes.currentWidget() is panel.episodes.fit
        offers: list[PlayerOffer] = []
        panel._app_state.player_offered.connect(offers.append)
        qtbot.mouseClick(panel.buttons["play"], Qt.MouseButton.LeftButton)
        places = [ball.center for ball in offers[0].make().overlays if isinstance(ball, Ball)]
        after = panel._found.after
        answers = np.concatenate([one.ends for one in after])
        wanted = np.concatenate([answers[:, :2], after[-1].support[:, :2]])
        assert len(after[-1].support) == 3 and np.array(places)[:, :2] == pytest.approx(wanted)
        (points,) = (
            item for item in panel.episodes.fit.view.getPlotItem().items if isinstance(item, pg.ScatterPlotItem)
        )
        assert np.transpose(points.getData()) == pytest.approx(after[-1].support[:, :2])


def test_play_is_not_offered_where_an_episode_is_a_single_choice(qtbot: Any, panel: AdaptationPanel) -> None:
    assert panel._facts is not None and panel.buttons["play"].isEnabled()
    digits = Domain(embodiment="reader", task="digit_classes", control="discrete", observation="image", camera="eye")
    panel._facts = replace(panel._facts, domain=resolve(digits, shared_registry()))
    panel._offer_play(panel._facts)
    assert not panel.buttons["play"].isEnabled() and "a single choice" in panel.buttons["play"].toolTip()
    assert not panel.episodes.isVisible() and panel.shots.isVisible()


def test_a_new_checkpoint_is_followed_and_the_task_stays(qtbot: Any, panel: AdaptationPanel) -> None:
    panel._look_for_checkpoints()
    qtbot.waitUntil(lambda: bool(panel._read), timeout=5_000)
    qtbot.mouseClick(panel.buttons["inside"], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(panel.buttons["inside"], Qt.MouseButton.LeftButton)
    chosen = panel.editor.context
    assert panel._facts is not None and chosen == pytest.approx(panel._facts.inside[2])  # it begins with the first
    qtbot.waitUntil(lambda: not panel._worker.is_busy, timeout=20_000)
    folder = panel.run.currentData() / "checkpoints"
    shutil.copytree(folder / "adapt-00000001", folder / "adapt-00000007")
    try:
        panel._look_for_checkpoints()
        qtbot.waitUntil(lambda: panel._facts is not None and panel._facts.step == 7, timeout=20_000)
        qtbot.waitUntil(lambda: not panel._worker.is_busy, timeout=20_000)
    finally:
        shutil.rmtree(folder / "adapt-00000007")
    assert panel.editor.context == chosen and "Checkpoint of step 7" in panel.words.text()


def test_nothing_is_adapted_while_a_run_trains_here(
    qtbot: Any, panel: AdaptationPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AppState, "is_running", property(lambda _: True))
    before = panel._found
    qtbot.mouseClick(panel.buttons["outside"], Qt.MouseButton.LeftButton)
    assert panel._worker.is_busy and not panel._worker._is_working and "goes on by itself" in panel.words.text()
    monkeypatch.setattr(AppState, "is_running", property(lambda _: False))
    panel._app_state.running_changed.emit(False)
    qtbot.waitUntil(lambda: panel._found is not before and not panel._worker.is_busy, timeout=20_000)


def test_a_result_of_another_task_is_dimmed_and_not_played(
    qtbot: Any, panel: AdaptationPanel, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, go_on, play = panel._worker._job, threading.Event(), panel.buttons["play"]
    assert job is not None and panel._found is not None
    start, before = job.start, panel._found.context

    def slow_start(context: Sequence[float]) -> tuple[ReferenceLine, ...]:
        assert go_on.wait(20)
        if context[0] == 0.3:
            raise DataError("There is no such task.", "context", "Choose another one.")
        return start(context)

    monkeypatch.setattr(job, "start", slow_start)
    assert not any(veil.isVisible() for veil in panel.veils) and play.isEnabled()
    panel.episodes.plane._handle.setPos(0.1, 0.2)
    assert all(veil.isVisible() and veil.words == "Adapting …" for veil in panel.veils)
    assert panel.words.text() == "Adapting …" and not play.isEnabled()
    panel.episodes.plane._handle.setPos(0.3, 0.2)
    seen = list[tuple[tuple[float, ...], bool]]()
    panel._worker.adapted.connect(lambda found: seen.append((found.context, play.isEnabled())))
    go_on.set()
    qtbot.waitUntil(lambda: not panel._worker.is_busy, timeout=20_000)
    assert seen and {context for context, _ in seen} == {(0.1, 0.2)} and not any(enabled for _, enabled in seen)
    assert before != (0.1, 0.2) == panel.editor.context  # of what is shown, as the newest task failed
    assert not any(veil.isVisible() for veil in panel.veils) and play.isEnabled()
    assert "There is no such task." in panel.words.text()
    panel.editor.sliders[0].turned.emit(0.2)
    qtbot.waitUntil(lambda: not panel._worker.is_busy, timeout=20_000)
    assert "After 3 shots" in panel.words.text() and play.isEnabled()


def test_scoring_gives_way_to_another_task(qtbot: Any, panel: AdaptationPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    job, started = panel._worker._job, list[str]()
    assert job is not None

    def held_out(which: str, seen: Callable[[float], None]) -> dict[int, Evaluation]:
        started.append(which)
        for _ in range(2_000 if len(started) == 1 else 1):
            seen(0.5)
            threading.Event().wait(0.01)
        return {}

    monkeypatch.setattr(job, "held_out", held_out)
    taken = list[str]()
    panel._worker.scored.connect(lambda which, _: taken.append(which))
    panel._worker.adapted.connect(lambda found: taken.append(str(found.context[0])))
    monkeypatch.setattr(panel.shots, "set_held_out", lambda which, scores: None)
    panel._worker.score("inside", "outside")
    qtbot.waitUntil(lambda: bool(started), timeout=5_000)
    panel.episodes.plane._handle.setPos(0.1, 0.2)
    qtbot.waitUntil(lambda: not panel._worker.is_busy, timeout=20_000)
    assert started == ["inside", "inside", "outside"] and taken[:3] == ["0.1", "inside", "outside"]
