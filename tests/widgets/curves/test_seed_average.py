"""Averages over seeds: their values, which runs are in them, and that hiding a run changes none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from widgets.curves.content import SUCCESS, build, group_label
from widgets.curves.curve import Options
from widgets.curves.data import RunData, Series
from widgets.curves.feed import distinguish
from widgets.curves.overlay import Overlay, key_of
from widgets.curves.seed_average import Averages, average, student
from widgets.curves.view import CurveView
from widgets.shell.app_state import AppState
from widgets.style import theme


@dataclass(frozen=True)
class Info:
    """What the overlay reads of a listed run."""

    folder: Path
    seed: int
    configuration: str = "a"
    state: str = "finished"
    created: float = 0.0


def run(name: str, value: float, shown: bool = True, group: str = "a") -> RunData:
    made = RunData(key_of(Path(name)), f"LoRA · 5 ep · seed {name[-1]}")
    for step in range(10):
        made.add_metrics("adapt", step, float(step), {"loss": value + step}, {})
    made.add_score("adapt", "target", 9, value / 10, 0.0, 1.0)
    made.group, made.is_shown = group, shown
    return made


def test_average_and_student_interval_over_seeds() -> None:
    steps = np.arange(5)
    series = [Series.of(steps, steps, np.full(5, value)) for value in (1.0, 2.0, 3.0)]
    found = average(series, "step", 0)
    assert found.mean == pytest.approx([2.0] * 5)
    assert found.high - found.mean == pytest.approx([4.302653 / np.sqrt(3)] * 5)  # t(2), standard deviation 1
    assert (found.least[0], found.greatest[0]) == (1.0, 3.0)


def test_average_is_of_the_smoothed_seeds(rng: np.random.Generator) -> None:
    steps = np.cumsum(rng.uniform(0.1, 20, 500))
    series = [Series.of(steps, steps, rng.normal(size=500)) for _ in range(3)]
    found = average(series, "step", 0.9)
    assert found.mean == pytest.approx(np.mean([one.smoothed("step", 0.9) for one in series], axis=0))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_student_quantiles_are_those_of_scipy() -> None:
    from scipy.special import stdtrit

    degrees = [*range(1, 40), 200]
    assert [student(d) for d in degrees] == pytest.approx([float(stdtrit(d, 0.975)) for d in degrees], rel=1e-4)


def test_average_covers_what_all_its_seeds_cover() -> None:
    long, short = Series.of([0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2, 3.0]), Series.of([1, 3], [1, 3], [2, 4.0])
    found = average([long, short], "step", 0)
    assert found.x == pytest.approx([1, 2, 3]) and found.mean == pytest.approx([1.5, 2.5, 3.5])
    infinite = Series.of([1, 3], [1, 3], [np.inf, 4.0])
    assert average([long, infinite], "step", 0).x[-1] == 3


def test_hiding_a_run_changes_no_average(qtbot: Any) -> None:
    theme.force("light")
    seeds, other = [run(f"r{i}", float(i)) for i in range(3)], run("s0", 5.0, group="")

    def means() -> list[float]:
        content = build(("loss", "adapt"), [*seeds, other], Options(), lambda run: theme.series(0), Averages())
        return [float(curve.y[0]) for curve in content.curves if curve.seeds]

    assert means() == [1.0]
    seeds[2].is_shown = False
    other.is_shown = False
    assert means() == [1.0]
    theme.force(None)


def test_a_groups_seeds_are_drawn_once_it_is_opened(qtbot: Any) -> None:
    theme.force("light")
    runs = [run("r0", 2.0), run("r1", 4.0), run("r2", 6.0, shown=False)]
    closed = build(("loss", "adapt"), runs, Options(), lambda run: theme.series(0))
    opened = build(("loss", "adapt"), runs, Options(), lambda run: theme.series(0), opened={"a"})
    assert [curve.label for curve in closed.curves] == ["LoRA · 5 ep · 3 seeds"]
    assert [curve.run for curve in opened.curves] == [None, runs[0].folder, runs[1].folder]
    (score,) = build((SUCCESS, "adapt"), runs, Options(), lambda run: theme.series(0)).curves
    assert score.value(0) == pytest.approx(0.4) and score.low is not None and 0 <= score.low[0] < 0.4
    logarithmic = build(("loss", "adapt"), runs, Options(log_y=True), lambda run: theme.series(0)).curves[0]
    assert logarithmic.value(0) == pytest.approx(4.0) and logarithmic.band is not None
    assert np.isfinite(logarithmic.band[0]).all()
    theme.force(None)


def test_overlay_groups_the_newest_finished_run_of_each_seed(app_state: AppState, tmp_path: Path) -> None:
    overlay = Overlay.of(app_state)
    a, b, again, failed = (key_of(tmp_path / name) for name in ("a", "b", "again", "failed"))
    overlay.select([a, failed])
    before = overlay.color(a)
    overlay.learn([Info(a, 0), Info(b, 1, created=1.0), Info(again, 1, created=2.0), Info(failed, 2, state="failed")])
    assert overlay.needed() == [a, failed, again] and overlay.group_of(b) == overlay.group_of(failed) == ""
    assert overlay.color(again) == overlay.color(a) == before != overlay.color(failed)
    overlay.set_shown([again], True)
    overlay.set_shown([a], False)
    assert set(overlay.needed()) == {failed, again, a}  # what is hidden still counts
    overlay.set_grouped(False)
    assert overlay.needed() == [failed, again] and overlay.group_of(again) == ""


def test_legend_lists_the_seeds_behind_their_average(qtbot: Any) -> None:
    theme.force("light")
    view = CurveView(lambda folder: theme.series(0))
    qtbot.addWidget(view)
    view.resize(900, 400)
    view.show()
    view.set_runs([run("r0", 2.0), run("r1", 4.0), run("s0", 1.0, group="b"), run("s1", 1.5, group="b")])
    view.redraw(everything=True)
    rows = view.legend.model.rows
    assert [row.label for row in rows] == ["▸ LoRA · 5 ep · 2 seeds"] * 2
    view.legend.table.clicked.emit(view.legend.model.index(0, 0))
    view.redraw(everything=True)
    rows = view.legend.model.rows
    assert [row.label[0] for row in rows] == ["▾", " ", " ", "▸"] and rows[1].label.endswith("seed 0")
    assert "95% interval over 2 seeds" in rows[0].whole
    theme.force(None)


def test_averages_of_one_name_say_in_what_they_differ() -> None:
    runs = [run("r0", 1.0), run("r1", 1.0), run("s0", 1.0, group="b"), run("s1", 1.0, group="b")]
    for one in runs:
        one.settings = {"seed": int(one.label[-1]), "strategy.params.rank": 8 if one.group == "a" else 32, "task": "x"}
    distinguish(runs)
    assert group_label(runs[:2]) == "LoRA · 5 ep · rank 8 · 2 seeds"
    assert group_label(runs[2:]) == "LoRA · 5 ep · rank 32 · 2 seeds"
    distinguish(runs[:2])
    assert group_label(runs[:2]) == "LoRA · 5 ep · 2 seeds"
