"""Action chunks become actions: to their end, or as the mean that ACT describes."""

from __future__ import annotations

from typing import Any

import torch

from studio.nn.action_chunks import ChunkExecution

CHUNK = 3


class Oracle:
    """Predicts 10 · (the step at which it is asked) + the step of the chunk; counts how many rows it was asked for."""

    def __init__(self) -> None:
        self.step, self.asked = 0, 0

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        self.asked += len(rows)
        return (10.0 * self.step + torch.arange(CHUNK)).repeat(len(rows), 1)[..., None]


def played(execution: ChunkExecution, steps: int) -> tuple[list[float], int]:
    oracle, memory, found = Oracle(), None, []
    for step in range(steps):
        oracle.step = step
        action, memory = execution.act(oracle, 2, memory)
        assert action.shape == (2, 1) and torch.equal(action[0], action[1])
        found.append(action[0].item())
    return found, oracle.asked


def test_open_loop_executes_each_chunk_to_its_end() -> None:
    found, asked = played(ChunkExecution(CHUNK), 7)
    assert found == [0, 1, 2, 30, 31, 32, 60] and asked == 6  # three predictions of two rows


def test_ensemble_is_the_weighted_mean_of_all_chunks() -> None:
    found, asked = played(ChunkExecution(CHUNK, 0.5), 6)
    assert asked == 12
    for step, action in enumerate(found):
        asked_at = torch.arange(max(0, step - CHUNK + 1), step + 1)  # the oldest first
        weights = torch.exp(-0.5 * torch.arange(len(asked_at)))
        wanted = ((10.0 * asked_at + (step - asked_at)) * weights).sum() / weights.sum()
        torch.testing.assert_close(torch.tensor(action), wanted)


def test_rows_whose_episodes_ended_leave_the_others_alone() -> None:
    for execution in (ChunkExecution(CHUNK), ChunkExecution(CHUNK, 0.1)):
        oracle, memory = Oracle(), None
        _, memory = execution.act(oracle, 3, memory)
        left: Any = {name: value[1:] for name, value in memory.items()}
        action, _ = execution.act(oracle, 2, left)
        whole, _ = execution.act(oracle, 3, memory)
        assert torch.equal(action, whole[1:])
