"""Features of a run's checkpoints: frames, plane, probe, and what reads which domain."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.analysis.feature_frames import domain_frames, spread_rows
from studio.analysis.feature_projection import (
    SHOWN,
    FeatureReader,
    domain_probe,
    features_of,
    joint_plane,
    thinned,
)
from studio.cli.main import main
from studio.contracts import EmbodimentSpec
from studio.data.datasets import demonstrations
from studio.errors import DataError
from studio.experiment import Experiment
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.store.policies import new_policy, save_policy

ARM = {"embodiment": "franka_7dof", "task": "reach", "observation": "goal", "episodes": 4}


def write_run(folder: Path, strategy: str = "dann", rows: int = 2, **changes: Any) -> Experiment:
    """Write a run with a source policy and two checkpoints, the second of which was changed; nothing is trained."""
    plan = Experiment.from_dict(
        {
            "name": "tiny",
            "source": ARM,
            "target": {**ARM, "episodes": 3},
            "policy": {"id": "mlp", "params": {"width": 16, "layers": 1}},
            "strategy": {"id": strategy},
            "device": "cpu",
        }
    ).changed(**changes)
    folder.mkdir()
    (folder / "experiment.yaml").write_text(plan.to_yaml())
    registry = shared_registry()
    domains = [resolve(plan.target, registry), resolve(plan.source, registry)]
    specs = [EmbodimentSpec.of(domain, demonstrations(domain, plan.seed)) for domain in domains]
    policy = new_policy(plan.policy, plan.target.observation_kind, registry, 0)
    policy.bind(specs[-1:])
    save_policy(policy, folder / "base")
    policy.bind(specs[:rows], keep=True)
    for step in (10, 20):
        place = folder / "checkpoints" / f"adapt-{step:08d}"
        place.mkdir(parents=True)
        save_policy(policy, place / "policy")
        with torch.no_grad():
            next(policy.parameters()).mul_(2.0)
    return plan


def test_spread_rows_takes_episodes_in_turns() -> None:
    lengths = np.array([3, 5, 2, 4])
    rows = spread_rows(lengths, 8)
    episode = np.repeat(np.arange(4), lengths)[rows]
    assert set(episode[0::2]) == {0, 2} and set(episode[1::2]) == {1, 3}
    assert spread_rows(np.array([6]), 4).tolist() == [0, 3, 2, 5]


def test_joint_plane_has_fixed_axes_and_ignores_drift() -> None:
    generator = torch.Generator().manual_seed(0)
    flat = torch.randn(200, 5, generator=generator).double() * torch.tensor([9, 3, 0.1, 0.1, 0.1]).double()
    (first, second), shares = joint_plane([flat, flat + 1e3])
    assert np.allclose(first, second, atol=1e-2)
    assert shares[0] == pytest.approx(0.9, abs=0.03) and shares.sum() > 0.99
    assert abs(np.corrcoef(first[:, 0], flat[:, 0])[0, 1]) > 0.99


def test_domain_probe_names_what_differs_and_guesses_else() -> None:
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randn(600, 4, generator=generator) for _ in range(2))
    episodes = [np.arange(600) // 2, np.arange(600) // 2]
    value, low, high = domain_probe([source, target], episodes)
    assert low < 0.5 < high and value == pytest.approx(0.5, abs=0.06)
    assert domain_probe([source, target + 6], episodes)[0] > 0.99
    assert math.isnan(domain_probe([source, target], [np.zeros(600), episodes[1]])[1])


def test_thinned_keeps_the_last_and_what_it_chose() -> None:
    assert thinned([3, 6, 9]) == [3, 6, 9]
    before, after = (thinned([*range(10, end, 10)]) for end in (1010, 1030))
    assert len(before) <= SHOWN and before[-1] == 1000
    assert set(before[:-1]) <= set(after)


def test_reader_gives_every_checkpoint_and_the_source_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "run")
    reader = FeatureReader(tmp_path / "run", shared_registry(), frames=64)
    found = reader.read()
    assert [one.step for one in found.checkpoints] == [0, 10, 20]
    assert found.fields == ("target", "source") and found.classes is None and found.classifier is None
    assert all(one.points.shape == (len(found.domain), 2) for one in found.checkpoints)
    assert not np.allclose(found.checkpoints[1].points, found.checkpoints[2].points)
    kept = dict(reader._known)
    assert reader.read().checkpoints[2].probe == found.checkpoints[2].probe
    assert all(reader._known[step] is value for step, value in kept.items())  # nothing is computed twice

    assert main(["features", str(tmp_path / "run"), "--frames", "64", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["chance"] == 0.5
    assert [one["step"] for one in printed["checkpoints"]] == [0, 10, 20]
    assert printed["checkpoints"][1]["probe"] == found.checkpoints[1].probe


def test_robot_without_tables_is_read_by_the_source_policy(tmp_path: Path) -> None:
    changes = {"source.embodiment": "ur5_6dof"}
    plan = write_run(tmp_path / "run", "full_finetuning", rows=1, **changes)
    reader = FeatureReader(tmp_path / "run", shared_registry(), frames=32)
    found = reader.read()
    assert [one.step for one in found.checkpoints] == [10, 20]  # the source policy knows no Franka
    assert found.embodiments == ("franka_7dof", "ur5_6dof")
    source = domain_frames(plan, shared_registry(), 32)[1]
    assert reader._base is not None
    assert torch.equal(reader._known[20][1], features_of(reader._base, 0, source))


def test_run_without_checkpoints_or_features_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no run"):
        FeatureReader(tmp_path, shared_registry())
    other = Experiment(name="other").changed(**{"policy.id": "gaussian_mlp"})
    (tmp_path / "experiment.yaml").write_text(other.to_yaml())
    with pytest.raises(DataError, match="no features to look at"):
        FeatureReader(tmp_path, shared_registry())
    write_run(tmp_path / "run")
    for folder in (tmp_path / "run" / "checkpoints").iterdir():
        folder.rename(tmp_path / folder.name)
    with pytest.raises(DataError, match="no checkpoint yet"):
        FeatureReader(tmp_path / "run", shared_registry(), frames=8).read()


def test_coral_moves_source_features_onto_the_target() -> None:
    registry = shared_registry()
    coral, visual = (registry.get("strategies", id) for id in ("coral", "visual_domain_adaptation"))
    generator = torch.Generator().manual_seed(0)
    source, target = torch.randn(500, 3, generator=generator) * 4 + 2, torch.randn(500, 3, generator=generator)
    moved = coral(coral.Params(regularization=1e-6)).aligned(source, source, target)
    assert torch.allclose(torch.cov(moved.T), torch.cov(target.T), atol=1e-2)
    assert torch.allclose(moved.mean(0), target.mean(0), atol=1e-3)
    kinds = {v: visual(visual.Params(variant=v)).aligns_to_source_policy() for v in ("adda", "mmd", "dann")}
    assert kinds == {"adda": True, "mmd": True, "dann": False}
