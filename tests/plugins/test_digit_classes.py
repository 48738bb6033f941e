"""Few-shot digits: what training sees, and what the support of a task holds."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.tasks import digit_images
from plugins.tasks.digit_classes import TEST, TRAINING, TURNS, DigitClasses
from studio.contracts import ResolvedDomain
from studio.experiment import Domain
from studio.meta.examples import SupportTrials
from studio.registry import shared_registry
from studio.rng import EpisodeRng
from studio.sim.domains import resolve
from studio.sim.rollout import Outcome

RNG = np.random.default_rng(0)
COUNT = 200
STAND_IN = RNG.integers(0, 256, (COUNT, 32, 32), np.uint8), np.arange(COUNT) % 10


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> ResolvedDomain:
    """Random images in place of MNIST's, which are data of a package that may not be there."""
    monkeypatch.setattr(digit_images, "COUNT", COUNT)
    monkeypatch.setattr(digit_images, "mnist", lambda: STAND_IN)
    monkeypatch.setattr(digit_images, "missing", lambda: None)
    chosen = {"embodiment": "reader", "task": "digit_classes", "control": "discrete", "camera": "eye"}
    plan = Domain.model_validate({**chosen, "observation": ["image"], "image_size": 32})
    return resolve(plan, shared_registry())


def test_held_out_tasks_have_no_class_of_training() -> None:
    drawn = DigitClasses().family(EpisodeRng(np.arange(500)))
    assert {*drawn.ravel().astype(int)} == {*TRAINING}
    assert {int(value) for context in DigitClasses.held_out for value in context} == {*TEST}
    assert {kind // TURNS for kind in TRAINING}.isdisjoint(kind // TURNS for kind in TEST)
    assert all(len({*context}) == 5 for context in [*drawn.tolist(), *DigitClasses.held_out])


def test_support_shows_every_class_equally_often_and_no_image_of_the_query(domain: ResolvedDomain) -> None:
    """Episodes show images of the classes that the context names; the expert answers with their places in it."""
    trials = SupportTrials(domain, range(7, 10), 10, 1)
    seen, labels = trials.examples().flat()
    asked = []

    def act(world: object, ids: np.ndarray, observation: dict[str, np.ndarray]) -> np.ndarray:
        asked.append(observation["image"].copy())
        return np.zeros((len(ids), 1))

    outcome: Outcome = trials.query(act)
    trials.close()
    contexts = np.stack([outcome.randomization[f"context:class_{i + 1}"] for i in range(5)], 1).astype(int)
    sheet = [np.asarray(STAND_IN[0]), np.rot90(STAND_IN[0], 1, (1, 2))]
    for task in range(3):
        assert np.bincount(labels[task, :, 0].astype(int)).tolist() == [2] * 5
        shown = [*seen["image"][task], asked[0][task]]
        found = [find(image, sheet) for image in shown]
        assert len({*found}) == 11
        places = [contexts[task].tolist().index(number % 10 * TURNS + turn) for turn, number in found]
        assert places[:10] == labels[task, :, 0].tolist()
        assert outcome.successes[task] == (places[10] == 0)


def find(image: np.ndarray, sheet: list[np.ndarray]) -> tuple[int, int]:
    """Return which turn and number of the sheet an image (32, 32, 3) is."""
    distances = np.stack([np.abs(part.astype(int) - image[..., 0]).mean((1, 2)) for part in sheet])
    turn, number = np.unravel_index(distances.argmin(), distances.shape)
    assert distances.min() < 3
    return int(turn), int(number)
