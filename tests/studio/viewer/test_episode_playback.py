"""A run's evaluations, played again from their seeds."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from studio.errors import DataError
from studio.registry import Registry
from studio.store.log_reader import read_episodes
from studio.store.runs import read_status, write_status
from studio.viewer.episode_playback import replay, scored
from studio.viewer.playback import Playback
from tests import tiny


@pytest.fixture(scope="module")
def run(own_folders: Path) -> Path:
    plan = tiny.experiment(**{"evaluation.every": 5, "evaluation.short_episodes": 6, "evaluation.episodes": 6})
    return tiny.run(plan, own_folders / "replayed").folder


def test_what_was_scored_is_offered_while_its_checkpoint_exists(run: Path, tmp_path: Path) -> None:
    offered = scored(run)
    assert offered and offered[-1].step == 10 and offered[-1].episodes == 6
    copied = tmp_path / "copy"
    shutil.copytree(run, copied)
    shutil.rmtree(copied / "checkpoints")
    assert scored(copied) == []


def test_the_same_episodes_come_again(run: Path) -> None:
    import h5py

    step = scored(run)[-1].step
    episodes, domain, names = replay(run, step)
    with h5py.File(run / "log.h5", "r") as file:
        rows = file["episodes"][:]
    rows = rows[(rows["domain"] == b"target") & (rows["step"] == step)]
    np.testing.assert_array_equal(episodes.lengths, rows["length"])
    assert names[0].startswith(f"seed {rows['seed'][0]}: ")
    assert domain.embodiment.id == "ur5_6dof"
    playback = Playback(episodes, domain, names=names)
    assert playback.length == rows["length"][0] and "reward" in playback.traces()
    np.testing.assert_array_equal(playback.observation_image(), episodes.observations["image"][0])


def test_an_episode_that_was_logged_twice_is_played_once(run: Path, tmp_path: Path) -> None:
    import h5py

    folder = tmp_path / "resumed"
    shutil.copytree(run, folder)
    with h5py.File(folder / "log.h5", "r+") as file:
        table, rows = file["episodes"], file["episodes"][:]
        again = rows.copy()
        again["return"] += 1
        table.resize(2 * len(rows), 0)
        table[len(rows) :] = again
    step = scored(run)[-1].step
    assert [s.episodes for s in scored(folder)] == [s.episodes for s in scored(run)]
    assert scored(folder)[-1].mean_return == pytest.approx(scored(run)[-1].mean_return + 1)
    assert len(replay(folder, step)[2]) == 6


def test_where_a_task_has_no_success_the_return_alone_is_said(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "returns"
    shutil.copytree(run, folder)
    status = read_status(folder)
    write_status(folder, status | {"summary": status["summary"] | {"measure": "return"}})
    before, now = scored(run)[-1], scored(folder)[-1]
    assert before.successes is not None and now.successes is None
    registry = Registry()
    monkeypatch.setattr(registry.get("tasks", "reach"), "has_success", False)
    _, _, names = replay(folder, now.step, most=1)
    logged = read_episodes(folder)
    returns = logged.returns[(logged.step == now.step) & (logged.domain == "target")]
    assert names == (f"seed 10000: return {returns[0]:.2f}",)
    assert now.mean_return == pytest.approx(returns.mean())


def test_nothing_scored_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no evaluation at step 7"):
        replay(run, 7)
    with pytest.raises(DataError, match="log cannot be read"):
        scored(tmp_path)
