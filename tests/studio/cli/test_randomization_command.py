"""Randomization from the command line: what cannot be is refused at its field, what can be is understood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.cli.main import main
from studio.experiment import Experiment
from studio.paths import assets
from studio.registry import Registry
from studio.run.check import check

PLAN = assets() / "experiments" / "randomized.yaml"


@pytest.mark.parametrize(
    ("setting", "field", "word"),
    [
        ("target.randomization=[{field: mass, low: -1, high: 1}]", "target.randomization.0.low", "above 0"),
        ("target.randomization=[{field: friction, low: -0.5}]", "target.randomization.0.low", "negative"),
        ("target.randomization=[{field: mass, low: 2, high: 1}]", "target.randomization.0.high", "reversed"),
        ("target.randomization=[{field: mass, low: 1, high: 1}]", "target.randomization.0.high", "empty"),
        ("target.randomization=[{field: mass}]", "target.randomization.0.high", "empty"),
        (
            "source.randomization=[{field: mass, low: 0.8, high: 1.2}, {field: mass, high: 2, parts: tail}]",
            "source.randomization.1.parts",
            "'tail'",
        ),
        (
            "target.randomization=[{field: blur, high: 2, parts: lens}]",
            "target.randomization.0.parts",
            "no parts",
        ),
        ("target.randomization=[{field: mass, high: 2, std: -1}]", "target.randomization.0.std", "out of range"),
        ("target.randomization=[{field: weight, high: 2}]", "target.randomization.0.field", "not a choice"),
        ("target.randomization=everything", "target.randomization", "no preset"),
        ("target.camera=behind", "target.camera", "no camera"),
        ("target.curriculum={widen_at: 0.3}", "target.curriculum", "above the widening threshold"),
        ("target.curriculum={enabled: true}", "target.curriculum.enabled", "demonstrations"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    setting: str, field: str, word: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(PLAN), "--set", setting, "--out", str(tmp_path), "--json"]) == 2
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    error = json.loads(out.splitlines()[-1])
    assert error["field"] == field
    assert word in error["error"] and error["remedy"]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "setting",
    [
        "target.randomization=preset",
        "target.randomization=off",
        "target.randomization=[{field: sharpness, low: 2, high: 2, probability: 0.5}]",
        "target.randomization=[{field: mass, parts: 'wrist*, base', high: 1.5, distribution: normal, resample: once}]",
        "target.randomization=[{field: color, low: 0.5, high: 2, distribution: log_uniform, resample: interval}]",
    ],
)
def test_what_can_be_is_understood(setting: str) -> None:
    assert check(Experiment.load(PLAN, [setting]), Registry()) == []
