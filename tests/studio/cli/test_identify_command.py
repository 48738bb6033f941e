"""What identification writes and where: the simulation is calibrated, the robot stays as it is; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.cli.main import main
from studio.errors import ExperimentError
from studio.experiment import Domain, Experiment
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.sysid import FIELDS, RANGES, Estimate, read_recordings, record, simulation_of, terms_around

ARM = {"embodiment": "ur5_6dof", "task": "reach", "observation": "goal"}


def plan(**changes: Any) -> Experiment:
    varied = [{"field": "mass", "low": 0.8, "high": 1.2}, {"field": "friction", "low": 0.5, "high": 1.5}]
    made = Experiment.from_dict(
        {
            "source": ARM | {"randomization": varied},
            "target": ARM | {"hidden_dynamics": "heavy", "randomization": varied},
        }
    )
    return made.changed(**changes)


def identified(folder: Path, experiment: Experiment, *options: str) -> int:
    file = folder / "e.yaml"
    file.write_text(experiment.to_yaml(), encoding="utf-8")
    return main(["identify", str(file), *options])


@pytest.fixture
def heavier(monkeypatch: pytest.MonkeyPatch) -> dict[str, Estimate]:
    """What identification finds, without the work."""
    found = {
        "mass": Estimate(1.6, 1.5, 1.7, True, 1.0),
        "actuator_gain": Estimate(0.8, 0.7, 0.9, True, 1.0),
        "friction": Estimate(float("nan"), 0.4, 2.0, False, 1.0, "it does not show"),
    }
    monkeypatch.setattr("studio.cli.identify.identify", lambda *_, **__: found)
    return found


def terms(domain: Domain) -> dict[str, tuple[float, float]]:
    return {term.field: (term.low, term.high) for term in domain.randomization}


@pytest.mark.usefixtures("heavier")
def test_the_simulation_of_a_stand_in_is_calibrated_and_not_the_stand_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "out.yaml"
    assert identified(tmp_path, plan(), "--write", str(written)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"{written}: the source is randomized in mass, actuator_gain; the target is the robot and stays as it is."
    )
    after = Experiment.load(written)
    assert after.target == plan().target
    assert terms(after.source) == {"friction": (0.5, 1.5), "mass": (1.5, 1.7), "actuator_gain": (0.7, 0.9)}
    assert identified(tmp_path, plan(**{"target.hidden_dynamics": None}), "--write", str(written), "--json") == 0
    about = json.loads(capsys.readouterr().out)["written"]
    assert about == {"file": str(written), "domain": "target", "fields": ["mass", "actuator_gain"]}
    assert Experiment.load(written).source == plan().source


def test_a_stand_in_that_nothing_simulates_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for changes in ({"source.embodiment": "franka_7dof"}, {"source.hidden_dynamics": "heavy"}):
        assert identified(tmp_path, plan(**changes), "--write", str(tmp_path / "out.yaml")) == 2
        assert "the source does not simulate 'ur5_6dof'" in capsys.readouterr().err
    assert simulation_of(plan(), "source") == "source"
    with pytest.raises(ExperimentError, match="takes the source's place"):
        simulation_of(plan(**{"source.hidden_dynamics": "heavy"}), "source")


def test_no_margin_reaches_beyond_what_is_searched() -> None:
    found = {
        name: Estimate(low + 0.3 * (high - low), low + 0.1 * (high - low), high, True, 1.0)
        for name, (low, high) in RANGES.items()
    }
    around = terms_around(Domain(), found, margin=1.0)  # a mass of 0 or less is not possible
    assert {term.field: (term.low, term.high) for term in around} == RANGES
    within = {term.field: term.low for term in terms_around(Domain(), found, margin=0.01)}
    for name in FIELDS:
        assert within[name] == pytest.approx(max(found[name].low - 0.01 * found[name].value, RANGES[name][0]))


@pytest.mark.usefixtures("heavier")
def test_hidden_values_are_the_robots_and_not_a_stand_ins_times_them(tmp_path: Path) -> None:
    kept = tmp_path / "kept.h5"
    assert identified(tmp_path, plan(), "--record", str(kept), "--hidden", "mass=1.2", "actuator_delay=0") == 0
    wanted = record(resolve(plan(**{"target.hidden_dynamics": None}).target, Registry()), {"mass": 1.2}, None, 0)
    np.testing.assert_array_equal(read_recordings(kept).qpos, wanted.qpos)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--record", "none/kept.h5"), "The folder of --record does not exist."),
        (("--write", "none/out.yaml"), "The folder of --write does not exist."),
        (("--write", "."), "--write names a folder."),
        (("--hidden", "mass=1.2", "--dataset", "e.yaml"), "Leave out --hidden or --dataset."),
    ],
)
def test_a_vain_request_is_refused_before_the_work(
    options: tuple[str, ...],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it began")

    for name in ("record", "read_recordings", "identify"):
        monkeypatch.setattr(f"studio.cli.identify.{name}", never)
    monkeypatch.chdir(tmp_path)
    assert identified(tmp_path, plan(), *options) == 2
    assert words in capsys.readouterr().err
