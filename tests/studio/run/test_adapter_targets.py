"""Targets of an adapter: what they name in a policy, and what PEFT would train, without any weights."""

from __future__ import annotations

from typing import Any

import pytest

from studio.registry import Registry
from studio.run.adapter_targets import (
    adapter_strategy,
    hollow_policy,
    matched,
    module_tree,
    shortest,
    trainable_numbers,
    unmatched,
)
from studio.store.policies import new_policy
from tests import tiny

CHOICES: list[dict[str, Any]] = [
    *({"id": "lora", "params": {"variant": name, "rank": 3}} for name in ("lora", "dora", "pissa")),
    *({"id": "peft_adapter", "params": {"method": name}} for name in ("ia3", "vera", "oft", "loha", "lokr")),
    {"id": "adalora", "params": {}},
    {"id": "lora", "params": {"target_modules": ["blocks.0.up_proj", "q_proj"]}},
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_count_without_weights_is_pefts_own(choice: dict[str, Any]) -> None:
    registry, plan = Registry(), tiny.experiment(strategy=choice["id"])
    plan = plan.changed(strategy=choice)
    strategy = adapter_strategy(plan, registry)
    assert strategy is not None
    real = strategy.place(new_policy(plan.policy, plan.target.observation_kind, registry, 0), 10)
    trained = sum(parameter.numel() for parameter in real.parameters() if parameter.requires_grad)
    assert trainable_numbers(strategy, hollow_policy(plan, registry), 10) == trained


def test_targets_name_layers_and_no_others() -> None:
    plan = tiny.experiment("lora", **{"policy.params": {**tiny.POLICY, "layers": 2}})
    parts = module_tree(hollow_policy(plan, Registry()))
    both = matched(["q_proj"], parts)
    assert both == ["blocks.0.attention.q_proj", "blocks.1.attention.q_proj"]
    assert shortest(both, parts) == ["q_proj"]
    assert shortest([both[0], "point_embedding"], parts) == ["point_embedding", both[0]]
    assert unmatched(["q_proj", "action_head", "nowhere"], parts) == ["action_head", "nowhere"]
    assert adapter_strategy(tiny.experiment("full_finetuning"), Registry()) is None
