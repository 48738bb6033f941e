"""Visual randomization: which looks it is trained on, and what it cannot vary."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.strategies.visual_randomization import VisualRandomization
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.run.check import check

PLAN = VisualRandomization.examples()["example"]


def test_ranges_grow_with_the_strength_and_replace_the_source_s_own() -> None:
    own = [{"field": "color", "low": 0.5, "high": 0.6}, {"field": "friction", "low": 0.5, "high": 1.5}]
    source = PLAN.source.changed(randomization=own)
    strategy = VisualRandomization(VisualRandomization.Params(strength=0.5, light_position=0.0))
    found = {t.field: (t.low, t.high) for t in strategy.training_source(source).randomization}
    varied = {"camera_position": (-0.025, 0.025), "light_intensity": (0.8, 1.2), "color": (0.85, 1.15)}
    assert found == {"friction": (0.5, 1.5), **varied}
    plain = VisualRandomization(VisualRandomization.Params(strength=0.0))
    assert plain.training_source(source) == source


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"target.embodiment": "ur5_6dof"}, "target.embodiment", "keeps the embodiment"),
        ({"source.observation": "goal", "target.observation": "goal"}, "source.observation", "no images to vary"),
        ({"policy": {"id": "gaussian_mlp"}}, "policy.id", "cannot be trained by behavior cloning"),
        ({"source.dataset": "a.hdf5"}, "source.dataset", "cannot be rendered"),
    ],
)
def test_visual_randomization_problems_before_the_start(changes: dict[str, Any], field: str, words: str) -> None:
    asked: Experiment = PLAN.changed(**changes)
    assert [p for p in check(asked, shared_registry()) if p.field == field and words in p.message and p.remedy]
