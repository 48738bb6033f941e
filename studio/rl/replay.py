"""A replay buffer: the newest transitions of many simulations in one preallocated tensor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class Replay:
    """A ring buffer over time, (length, envs, width): a row holds a transition's columns side by side.

    Args:
        capacity: how many transitions it can hold, over all simulations.
        envs: how many simulations add at once.
        widths: width of each column, in the order of a row.
    """

    def __init__(self, capacity: int, envs: int, widths: Mapping[str, int], device: Any = "cpu") -> None:
        self.length, self.envs, self.widths = max(2, capacity // envs), envs, dict(widths)
        self.rows = torch.zeros(self.length, envs, sum(self.widths.values()), device=device)
        self.time = 0  # steps added so far; a slot is a time modulo the length
        # for each row, the time at which its episode started; at the slot of that time, when the episode ended
        self._began = torch.zeros(self.length, envs, dtype=torch.int64, device=device)
        self._ended = torch.full((self.length, envs), -1, dtype=torch.int64, device=device)
        self._start = torch.zeros(envs, dtype=torch.int64, device=device)  # of each simulation's present episode
        self._every = torch.arange(envs, device=device)

    def __len__(self) -> int:
        """Return how many transitions it holds."""
        return min(self.time, self.length) * self.envs

    def add(self, columns: Mapping[str, Tensor], ended: Tensor) -> None:
        """Add one step of every simulation: columns (envs, width) or (envs,), and which episodes it ended, (envs,)."""
        slot = self.time % self.length
        parts = [columns[name].reshape(self.envs, -1).to(self.rows) for name in self.widths]
        self.rows[slot] = torch.cat(parts, 1)
        self._began[slot] = self._start
        self._ended[self._start % self.length, self._every] = torch.where(ended, self.time, -1)
        self.time += 1
        self._start.masked_fill_(ended, self.time)

    def sample(self, count: int, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """Draw ``count`` transitions uniformly; return their columns (count, width)."""
        return self.columns(self.gather(*self.places(count, generator)))

    def places(self, count: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw ``count`` transitions uniformly; return their times and simulations, (count,) each."""
        device, held = self.rows.device, min(self.time, self.length)
        drawn = torch.randint(held * self.envs, (count,), generator=generator, device=device)
        return self.time - 1 - drawn // self.envs, drawn % self.envs

    def gather(self, times: Tensor, envs: Tensor) -> Tensor:
        """Return the rows (…, width) of stored transitions."""
        return self.rows.view(-1, self.rows.shape[-1])[(times % self.length) * self.envs + envs]

    def columns(self, rows: Tensor) -> dict[str, Tensor]:
        """Return views of the columns in rows (…, width)."""
        return dict(zip(self.widths, rows.split(list(self.widths.values()), -1), strict=True))

    def span(self, times: Tensor, envs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first and last time of each transition's episode, (…,) each.

        An unfinished episode reaches to the newest step. Where an episode's first step has been overwritten, its end is
        unknown, and both times are the transition's own.
        """
        first = self._began[times % self.length, envs]
        ended = self._ended[first % self.length, envs]
        last = torch.where(ended < 0, self.time - 1, ended)
        overwritten = first < self.time - self.length
        return torch.where(overwritten, times, first), torch.where(overwritten, times, last)

    def state_dict(self) -> dict[str, Any]:
        """Return all but the unused part, copied to the CPU."""
        held = min(self.time, self.length)
        kept = {name: tensor[:held].to("cpu", copy=True) for name, tensor in self._stored().items()}
        return {"time": self.time, "start": self._start.clone(), **kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.time = int(state["time"])
        self._start.copy_(state["start"])
        for name, tensor in self._stored().items():
            kept = state[name]
            tensor[: len(kept)] = kept.to(self.rows.device)

    def _stored(self) -> dict[str, Tensor]:
        """Return what each slot holds, (length, envs, …), by the names of a saved state."""
        return {"rows": self.rows, "began": self._began, "ended": self._ended}
