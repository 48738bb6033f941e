"""Demonstrations of several domains in one batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from studio.contracts import Context, EmbodimentSpec, Episodes, TrainablePolicy
from studio.data.batches import Mixed


def mixture(
    context: Context[Any], policy: TrainablePolicy, source_share: float, target_actions: bool = True
) -> list[Mixed]:
    """Bind a policy to target and sources, and return their demonstrations, to be mixed in every batch.

    In a batch ``domain`` and ``embodiment`` are 0 for the target, on which the policy acts, and 1 and up for sources.

    Args:
        source_share: share of the samples in each batch that come from all sources together.
        target_actions: whether the target's actions are cloned. Else nothing of them is used: their samples have the
            weight 0, and the first source's actions give their statistics.
    """
    shares = [1 - source_share, *[source_share / len(context.sources)] * len(context.sources)]
    domains = [context.target, *context.sources]
    datasets = [
        Mixed(context.demonstrations(domain), row, row, share, target_actions or row > 0)
        for row, (domain, share) in enumerate(zip(domains, shares, strict=True))
    ]
    specs = [EmbodimentSpec.of(d, data.episodes) for d, data in zip(domains, datasets, strict=True)]
    if not target_actions:
        statistics = {**specs[0].statistics, "actions": specs[1].statistics["actions"]}
        specs[0] = dataclasses.replace(specs[0], statistics=statistics)
    policy.bind(specs, keep=True)
    return datasets


def bind_sources(policy: TrainablePolicy, specs: Sequence[EmbodimentSpec]) -> None:
    """Bind a new policy to its sources; metric quantities have the first one's statistics in all of them."""
    policy.bind(specs[:1])
    if len(specs) > 1:
        policy.bind(specs, keep=True)


def source_datasets(episodes: Sequence[Episodes]) -> list[Mixed]:
    """Return the sources' demonstrations, for a policy that :func:`bind_sources` has bound to them in this order."""
    return [Mixed(own, domain=row + 1, embodiment=row) for row, own in enumerate(episodes)]
