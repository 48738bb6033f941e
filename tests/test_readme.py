"""The README's strategies, as they stand there, as drop-in files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from tests import tiny

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = [b for b in re.findall(r"```python\n(.*?)```", README, re.S) if "(CloningStrategy)" in b]


@pytest.mark.parametrize("code", BLOCKS, ids=[re.findall(r'id = "(\w+)"', block)[0] for block in BLOCKS])
def test_a_strategy_of_the_readme_runs_as_a_drop_in_file(code: str, tmp_path: Path, runs: Path) -> None:
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    (name,) = re.findall(r'id = "(\w+)"', code)
    session = Session(tiny.experiment(name), Registry(tmp_path), Channels(), runs)
    published = tiny.listen(session)
    session.run()
    steps = [e.values for e in published() if isinstance(e, MetricsLogged) and e.stage == "adapt"]
    assert session.state == "finished" and len(steps) == 10
    assert all(np.isfinite(list(values.values())).all() for values in steps)
    assert ("feature_distance" in steps[0]) == (name == "feature_matching")


def test_the_readme_shows_a_plain_strategy_and_one_with_an_auxiliary_loss() -> None:
    assert len(BLOCKS) == 2


def test_commands_of_the_readme_run_its_strategies(tmp_path: Path) -> None:
    for number, code in enumerate(BLOCKS):
        (tmp_path / f"strategy_{number}.py").write_text(code, encoding="utf-8")
    commands = re.findall(r"`transfer-studio run (\S+) --set (strategy\.id=\w+)`", README)
    assert {chosen.partition("=")[2] for _, chosen in commands} == {"head_and_norm", "feature_matching"}
    for file, chosen in commands:
        assert check(Experiment.load(ROOT / file, [chosen]), Registry(tmp_path)) == []
