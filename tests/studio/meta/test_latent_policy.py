"""A policy with a latent variable: what it infers in a trial, and what its adaptation holds on to."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from studio.contracts import LatentPolicy
from studio.meta.latent_policy import AdaptedLatentPolicy, LatentActorCritic

SIZES = {"width": 8, "encoder_width": 8, "encoder_layers": 1, "latent": 2}


def policy_of(**params: object) -> LatentActorCritic:
    policy = LatentActorCritic(LatentActorCritic.Params.model_validate({**SIZES, **params}))
    policy.fit(3, np.full(1, -2.0), np.full(1, 2.0), 0)
    return policy


def trial(steps: int, ends: set[int], rows: int = 1) -> list[dict[str, np.ndarray]]:
    """Return observations of a trial whose episodes end with the steps ``ends``."""
    rng, seen = np.random.default_rng(0), []
    for step in range(steps + 1):
        entry = {"state": rng.normal(size=(rows, 3)).astype(np.float32)}
        for name in ("previous_action", "previous_reward"):
            entry[name] = rng.uniform(-2, 2, (rows, 1)).astype(np.float32) * (step > 0)
        entry["previous_end"] = np.full((rows, 1), float(step in ends), np.float32)
        seen.append(entry)
    return seen


def posterior_of(policy: LatentActorCritic, seen: list[dict[str, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return what the encoder infers from all transitions of a trial at once."""
    rows = [
        np.concatenate([before["state"], after["previous_action"] / 2, after["previous_reward"]], 1)
        for before, after in pairwise(seen)
    ]
    with torch.no_grad():
        mean, variance = policy.encoder(torch.tensor(np.stack(rows, 1)), torch.ones(len(rows[0]), 1, len(rows)))
    return mean[:, 0].numpy(), variance[:, 0].sqrt().numpy()


@pytest.mark.parametrize("encoder", ["factors", "recurrent"])
def test_memory_holds_the_posterior_of_the_trial_so_far(encoder: str) -> None:
    policy, seen, memory = policy_of(encoder=encoder), trial(7, {3, 6}, rows=2), None
    for entry in seen:
        _, memory = policy.act(entry, memory)
    for found, wanted in zip(policy.posterior(memory), posterior_of(policy, seen), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("inference", "steps"), [("episode", {3, 6}), ("step", set(range(1, 8)))])
def test_exploring_samples_when_it_infers(inference: str, steps: set[int]) -> None:
    policy, memory, latents = policy_of(inference=inference), None, []
    explore = policy.exploring(5)
    for entry in trial(7, {3, 6}):
        _, memory = explore(entry, memory)
        latents.append(policy._parts(memory)[1].numpy())
    changed = {i for i in range(1, 8) if not np.array_equal(latents[i], latents[i - 1])}
    assert changed == steps and latents[0].any()  # the first is a sample of the prior


def test_adapted_policy_has_the_posterior_and_acts_by_its_mean() -> None:
    policy, seen, memory = policy_of(), trial(4, {4}), None
    for entry in seen:
        _, memory = policy.exploring(0)(entry, memory)
    adapted, start = AdaptedLatentPolicy(policy, memory), {"state": seen[0]["state"]}
    assert isinstance(adapted, LatentPolicy)
    mean, _ = adapted.posterior()
    np.testing.assert_allclose(mean, posterior_of(policy, seen)[0][0], rtol=1e-4, atol=1e-5)
    for latent, acting in ((mean, adapted), (np.array([1.0, -1.0]), adapted.with_latent(np.array([1.0, -1.0])))):
        rows = np.concatenate([start["state"], latent[None]], 1).astype(np.float32)
        with torch.no_grad():
            wanted = 2 * torch.tanh(policy.actor(torch.tensor(rows))[0, :, :1])
        action, kept = acting.act(start)
        np.testing.assert_allclose(action, wanted, rtol=1e-5)
        np.testing.assert_array_equal(acting.act(start, kept)[0], action)


def test_adapted_policy_without_shots_believes_the_prior() -> None:
    mean, deviation = AdaptedLatentPolicy(policy_of(), None).posterior()
    assert not mean.any() and (deviation == 1).all()
