"""Images of several cameras, from the world through demonstrations and batches to the policy, and action chunks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio import paths
from studio.contracts import ResolvedDomain
from studio.data.datasets import cache_path, demonstrations
from studio.registry import Registry
from studio.run.check import check
from studio.sim.domains import resolve
from studio.store.checkpoint import load_policy
from tests import tiny

SEES = {"target.cameras": ["front", "wrist"], "source.cameras": ["top", "wrist"]}
POLICY = tiny.POLICY | {"chunk": 3, "temporal_ensemble": True}


@pytest.fixture(scope="module")
def target() -> ResolvedDomain:
    return resolve(tiny.experiment(**SEES).target, Registry())


def test_policy_learns_from_two_cameras_in_chunks(tmp_path: Path) -> None:
    plan = tiny.experiment("full_finetuning", **SEES, **{"policy.params": POLICY})
    assert check(plan, Registry()) == []
    session = tiny.run(plan, tmp_path)
    policy = load_policy(session.folder)
    assert policy.observation == "image+image_wrist" and policy.chunk == 3


def test_each_cameras_images_survive_the_file(target: ResolvedDomain) -> None:
    made = demonstrations(target, seed=0)
    read = demonstrations(target, seed=0)  # of the cache
    assert paths.cache() in cache_path(target, 0).parents
    for name in ("image", "image_wrist"):
        assert np.array_equal(made.observations[name], read.observations[name])
    assert not np.array_equal(read.observations["image"], read.observations["image_wrist"])


def test_cameras_of_a_dataset_are_found_by_name(target: ResolvedDomain) -> None:
    wanted = demonstrations(target, seed=0)
    file = cache_path(target, 0)
    swapped = target.changed(target.domain.model_copy(update={"datasets": [file], "cameras": ["wrist", "front"]}))
    found = demonstrations(swapped, seed=0)
    assert np.array_equal(found.observations["image"], wanted.observations["image_wrist"])
    assert np.array_equal(found.observations["image_front"], wanted.observations["image"])
    domain = target.domain.model_copy(update={"datasets": [file], "cameras": ["front", "top"]})
    problems = check(tiny.experiment(**{"target": domain.plain(), "source.cameras": ["front", "top"]}), Registry())
    assert [p.field for p in problems] == ["target.camera"] and "'top'" in problems[0].message
