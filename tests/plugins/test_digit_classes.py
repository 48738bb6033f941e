"""Few-shot digits: what training sees, and what the support of a task holds."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.tasks import digit_classes, digit_images
from plugins.tasks.digit_classes import CLASSES, TEST, TRAINING, DigitClasses
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
    monkeypatch.setattr(digit_classes, "PER_CLASS", COUNT // 10)
    monkeypatch.setattr(digit_images, "mnist", lambda: STAND_IN)
    monkeypatch.setattr(digit_images, "missing", lambda: None)
    chosen = {"embodiment": "reader", "task": "digit_classes", "control": "discrete", "camera": "eye"}
    plan = Domain.model_validate({**chosen, "observation": ["image"], "image_size": 32})
    return resolve(plan, shared_registry())


def test_held_out_tasks_have_no_class_of_training() -> None:
    drawn = DigitClasses().family(EpisodeRng(np.arange(500)))
    assert {CLASSES[kind] for kind in drawn.ravel().astype(int)} == {*TRAINING}
    assert {CLASSES[int(kind)] for context in DigitClasses.held_out for kind in context} == {*TEST}
    assert {digit for digit, *_ in TRAINING}.isdisjoint(digit for digit, *_ in TEST)
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
    for task in range(3):
        assert np.bincount(labels[task, :, 0].astype(int)).tolist() == [2] * 5
        found = [find(image) for image in [*seen["image"][task], *asked[0][[task]]]]
        assert len({*found}) == 11
        places = [[CLASSES[kind] for kind in contexts[task]].index(kind) for kind, _ in found]
        assert places[:10] == labels[task, :, 0].tolist()
        assert outcome.successes[task] == (places[10] == 0)


def find(image: np.ndarray) -> tuple[tuple[int, int, bool], int]:
    """Return which class an image (32, 32, 3) is of, and which of the stand-ins it is."""
    for kind in CLASSES:
        digit, turns, mirrored = kind
        upright = np.rot90(image[..., 0], -turns)
        distances = np.abs(STAND_IN[0].astype(int) - (upright[:, ::-1] if mirrored else upright)).mean((1, 2))
        if distances.min() < 3 and distances.argmin() % 10 == digit:
            return kind, int(distances.argmin())
    raise AssertionError("the image is none of the sheet's")
