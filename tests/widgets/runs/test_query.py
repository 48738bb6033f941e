"""The search over the runs by words and by fields."""

from __future__ import annotations

import math

import pytest

from widgets.runs.query import Searched, parse

RUN = Searched(
    {"strategy": "lora LoRA", "state": "finished", "target": "ur5_6dof UR5e arm"},
    {"episodes": 50.0, "seed": 1.0, "score": 0.34, "on_source": math.nan},
    "LoRA 0.34 finished 50 1 demo UR5e arm",
)


@pytest.mark.parametrize(
    ("search", "holds"),
    [
        ("", True),
        ("demo lora", True),
        ("demo pick", False),
        ("strategy:lora seed:1 episodes:>20 state:finished", True),
        ("strategy:lo seed:10", False),
        ("seed:", True),
        ("seed:1x", False),
        ("episodes:>=50 episodes:<=50 episodes:=50", True),
        ("episodes:<50", False),
        ("episodes:20..50", True),
        ("score:0.5..1", False),
        ("on_source:>0", False),
        ('target:"ur5e arm"', True),
        ("STATE:Finished", True),
        ("-state:failed -seed:2", True),
        ("-demo", False),
        ("color:red", False),
    ],
)
def test_search_by_words_fields_ranges_and_exclusion(search: str, holds: bool) -> None:
    assert all(condition(RUN) for condition in parse(search)) is holds
