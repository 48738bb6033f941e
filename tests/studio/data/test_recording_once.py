"""The expert's episodes are recorded once, whoever asks for them at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from studio.data import datasets
from studio.errors import Stopped
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import resolve

DOMAIN = Domain.model_validate({"embodiment": "ur5_6dof", "task": "reach", "observation": "goal", "episodes": 2})


def test_two_that_ask_at_once_get_the_same_episodes_and_one_can_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved, collect, recorded = resolve(DOMAIN, Registry()), datasets.collect, []
    waits, began = threading.Event(), threading.Event()

    def collected(*args: Any) -> Any:
        recorded.append(args)
        began.set()
        assert waits.wait(20), "nobody else waited for the recording"
        return collect(*args)

    def stopped(_done: int, _total: int) -> None:
        raise Stopped

    monkeypatch.setattr(datasets, "collect", collected)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(datasets.demonstrations, resolved, 4242)
        assert began.wait(20)
        leaves = pool.submit(datasets.demonstrations, resolved, 4242, stopped)
        second = pool.submit(datasets.demonstrations, resolved, 4242, lambda _done, _total: waits.set())
        assert isinstance(leaves.exception(20), Stopped)
        np.testing.assert_array_equal(first.result(20).actions, second.result(20).actions)
    assert len(recorded) == 1
