"""How far a run is, and the time that is left: measured, or not said."""

from __future__ import annotations

import math

import pytest

from studio.run.pace import Pace
from studio.run.pipeline import Pipeline
from studio.run.tally import Tally


def entered(stage: str) -> Pipeline:
    """A pipeline in a stage that was come to after 5 s, with nothing to do before."""
    made = Pipeline()
    made.progress(0, 0, 0.0)
    made.enter(stage)
    made.progress(0, 0, 5.0)
    return made


def test_time_left_is_unknown_until_steps_were_timed_and_leaves_out_the_first() -> None:
    pipeline = entered("adapt")
    first = [pipeline.progress(step, 100, seconds) for step, seconds in ((1, 35.0), (2, 36.0), (3, 37.0))]
    assert all(math.isnan(one.stage_seconds_left) for one in first)  # the first step compiled for 30 s
    assert first[0].fraction < 0.02  # neither a source policy nor demonstrations were needed
    fourth = pipeline.progress(4, 100, 38.0)
    assert fourth.stage_seconds_left == pytest.approx(96.0)
    assert math.isnan(fourth.seconds_left)  # nothing tells how long the evaluation takes
    pipeline.expect("evaluate", 20.0)
    assert pipeline.progress(5, 100, 39.0).seconds_left == pytest.approx(95 + 20)


def test_time_left_follows_steps_that_become_slower_and_starts_anew_with_other_work() -> None:
    pace = Pace()
    for step in range(1, 101):
        pace.left(0.1 * step, step / 1000)
    for step in range(101, 201):
        left = pace.left(10 + (step - 100), step / 1000)
    assert left == pytest.approx(800, rel=0.01)  # a second a step, of which 800 are left
    assert math.isnan(pace.left(120.0, 0.01))


def test_resumed_run_is_timed_from_where_it_goes_on() -> None:
    pipeline = entered("adapt")
    done = [pipeline.progress(step, 1000, 100.0 + step - 800) for step in range(801, 806)]
    assert done[-1].stage_seconds_left == pytest.approx(195)


def test_tally_counts_pieces_as_one() -> None:
    seen: list[tuple[int, int]] = []
    tally = Tally(lambda done, total: seen.append((done, total)), 30)
    first, second = tally.piece(20), tally.piece(10)
    first(1, 2)
    second(0, 0)
    second(4, 4)
    assert seen == [(10, 30), (20, 30), (30, 30)]
