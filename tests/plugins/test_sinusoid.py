"""The sinusoid family, and learning to adapt to examples of it."""

from __future__ import annotations

import numpy as np
import pytest

from plugins.tasks.sinusoid import sinusoid
from studio.contracts import ResolvedDomain
from studio.experiment import Domain
from studio.meta.examples import SupportTrials
from studio.meta.support_strategy import SINUSOID
from studio.meta.task_split import split
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.sim.gymnasium_ids import make_vector

Array = np.ndarray


@pytest.fixture
def domain() -> ResolvedDomain:
    return resolve(Domain.model_validate({**SINUSOID, "observation": ["goal"]}), shared_registry())


def test_best_answer_without_examples_has_its_exact_error() -> None:
    """The mean of A sin(x − φ) over A and φ is −2.55 · (2/π) cos x, and its MSE 3.00; that of 0 is 4.25."""
    world = make_vector(5000, "sinusoid", "pen", threads=1, observation="state")
    x = world.reset(seed=0)[0]
    _, rewards, *_ = world.step(-2.55 * 2 / np.pi * np.cos(x))
    assert rewards.mean() == pytest.approx(-3.00, abs=0.2)
    world.reset(seed=0)
    assert world.step(np.zeros((5000, 1)))[1].mean() == pytest.approx(-4.25, abs=0.25)
    world.close()


def test_no_curve_outside_is_one_of_training(domain: ResolvedDomain) -> None:
    """A sin(x − φ) = p sin x − q cos x, where training has q ≥ 0 and 0.1² ≤ p² + q² ≤ 5²."""
    x, found = np.linspace(-5, 5, 50), split(domain, 3, 200)
    basis = np.stack([np.sin(x), -np.cos(x)], 1)

    def is_of_training(contexts: Array) -> Array:
        p, q = np.linalg.lstsq(basis, sinusoid(contexts, x).T)[0]
        return np.asarray((q >= -1e-9) & (np.hypot(p, q) >= 0.1 - 1e-9) & (np.hypot(p, q) <= 5 + 1e-9))

    inside, outside = np.array(found.inside), np.array(found.outside)
    assert is_of_training(inside).all() and not is_of_training(outside).any() and len(outside) == 200
    anywhere = np.random.default_rng(0).uniform([-7.45, -6], [7.45, 10], (300, 2))
    for contexts in (inside, outside, anywhere, np.array([[5.0, np.pi], [-2.0, -np.pi], [0.1, 0.0]])):
        assert [domain.task.is_inside(one) for one in contexts.tolist()] == is_of_training(contexts).tolist()


def test_support_and_query_are_of_one_task_and_share_no_episode(domain: ResolvedDomain) -> None:
    trials = SupportTrials(domain, range(50, 54), 6, 2)
    seen, labels = trials.examples().flat()
    amplitude, phase = seen["goal"].transpose(2, 0, 1)
    assert np.ptp(amplitude, 1).max() == np.ptp(phase, 1).max() == 0
    assert len(np.unique(amplitude[:, 0])) == 4
    x = seen["state"][..., 0]
    np.testing.assert_allclose(labels[..., 0], amplitude * np.sin(x - phase), atol=1e-5)
    asked = []

    def act(world: object, ids: Array, observation: dict[str, Array]) -> Array:
        asked.append({name: value.copy() for name, value in observation.items()})
        return np.zeros((len(ids), 1))

    returns = [trials.query(act).returns for _ in range(2)]
    trials.close()
    np.testing.assert_array_equal(asked[0]["goal"], seen["goal"][:, 0])
    np.testing.assert_array_equal(asked[0]["state"], asked[1]["state"])
    assert not np.isin(asked[0]["state"][:, 0], x).any()
    y = amplitude[:, 0] * np.sin(asked[0]["state"][:, 0] - phase[:, 0])
    np.testing.assert_allclose(returns, [-(y**2)] * 2, rtol=1e-4)
