"""Two memories of meta-training, with a ring for each task: all transitions, and the newest trials as support.

What the encoder infers a task from is recent, as it is in a test; what the critics learn from is not (Rakelly et al.
2019, arXiv:1903.08254, section 5.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class TaskReplay:
    """A replay buffer for each task, (tasks, length, width): a row holds a transition's columns side by side.

    Args:
        length: how many transitions of a task it can hold.
        widths: width of each column, in the order of a row.
    """

    def __init__(self, tasks: int, length: int, widths: Mapping[str, int], device: Any = "cpu") -> None:
        self.widths = dict(widths)
        self.rows = torch.zeros(tasks, length, sum(self.widths.values()), device=device)
        self.added = torch.zeros(tasks, dtype=torch.int64, device=device)

    def add(self, tasks: Sequence[int], rows: Tensor, chosen: Tensor | None = None) -> None:
        """Add transitions (time, simulations, width) of simulations that played these tasks.

        Args:
            chosen: which are added, (time, simulations) bool; None: all.
        """
        length = self.rows.shape[1]
        for i, (task, own) in enumerate(zip(tasks, rows.unbind(1), strict=True)):
            own = (own if chosen is None else own[chosen[:, i]])[-length:]
            places = (self.added[task] + torch.arange(len(own), device=own.device)) % length
            self.rows[task, places] = own
            self.added[task] += len(own)

    def sample(self, tasks: Tensor, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the columns, (n, count, width), of transitions drawn uniformly from each of the tasks (n,)."""
        stored = self.added[tasks].clamp(max=self.rows.shape[1])
        drawn = torch.rand(len(tasks), count, generator=generator, device=self.rows.device)
        rows = self.rows[tasks[:, None], (drawn * stored[:, None]).long()]
        return dict(zip(self.widths, rows.split(list(self.widths.values()), -1), strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Return all but the unused part, copied to the CPU."""
        held = int(self.added.max().clamp(max=self.rows.shape[1]))
        return {"added": self.added.clone(), "rows": self.rows[:, :held].to("cpu", copy=True)}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.added.copy_(state["added"])
        self.rows[:, : state["rows"].shape[1]] = state["rows"].to(self.rows.device)


class RecentTrials:
    """The newest trials of each task, (tasks, trials, time, width), transitions in their order.

    Args:
        trials: how many of each task are kept.
        steps: of a trial, at most.
        width: of a transition, as an encoder reads it.
        times: at which the support of a trial that is not cut short may end, in steps from its start, (moments,).
    """

    def __init__(self, tasks: int, trials: int, steps: int, width: int, times: Tensor, device: Any = "cpu") -> None:
        self.times = times.to(device).repeat(tasks, trials, 1)
        self.rows = torch.zeros(tasks, trials, steps, width, device=device)
        self.added = torch.zeros(tasks, dtype=torch.int64, device=device)

    def add(self, tasks: Sequence[int], trials: Tensor, times: Tensor) -> None:
        """Add a trial (time, simulations, width) of each of these tasks.

        Args:
            times: steps from each trial's start to its moments, (simulations, moments); what is behind the last of
                them is no part of the trial.
        """
        for task, own, moments in zip(tasks, trials.unbind(1), times, strict=True):
            place = self.added[task] % self.rows.shape[1]
            self.rows[task, place, : len(own)], self.times[task, place] = own, moments
            self.added[task] += 1

    def sample(self, tasks: Tensor, count: int, prefixes: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the support of each of the tasks (n,), (n, transitions, width), and masks (n, prefixes, transitions).

        It is a recent trial's transitions, or ``count`` of them drawn without replacement, in their order. Each
        mask is 1 for those before one of the trial's moments, which are as likely as each other.
        """
        steps, device, n = self.rows.shape[2], self.rows.device, len(tasks)
        stored = self.added[tasks].clamp(max=self.rows.shape[1])
        trial = (torch.rand(n, generator=generator, device=device) * stored).long()
        times = self.times[tasks, trial]
        if count < steps:
            keys = torch.rand(n, steps, generator=generator, device=device)
            keys = keys.masked_fill(torch.arange(steps, device=device) >= times[:, -1:], -1.0)
            places = keys.topk(count, sorted=False).indices.sort(-1).values
        else:
            places = torch.arange(steps, device=device).expand(n, steps)
        drawn = torch.randint(times.shape[1], (n, prefixes, 1), generator=generator, device=device)
        ends = times.gather(1, drawn[..., 0])[..., None]
        return self.rows[tasks[:, None], trial[:, None], places], (places[:, None] < ends).float()

    def state_dict(self) -> dict[str, Any]:
        """Return the trials, copied to the CPU."""
        rows, times = self.rows.to("cpu", copy=True), self.times.to("cpu", copy=True)
        return {"added": self.added.clone(), "rows": rows, "times": times}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.added.copy_(state["added"])
        self.rows.copy_(state["rows"])
        if "times" in state:  # not in those of earlier versions
            self.times.copy_(state["times"])
