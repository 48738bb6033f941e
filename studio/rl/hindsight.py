"""Hindsight: what was reached is taken for what was wanted (Andrychowicz et al. 2017, arXiv:1707.01495).

A learner whose batches pass through :class:`Hindsight` is paid −1 a step until its goal is reached, and 0 then. The
task says which goal a state reaches and whether it is another; no reward of the environment's is used.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from studio.contracts import Task
from studio.experiment import Settings, setting
from studio.rl.collectors.env_runner import EnvRunner, Transition
from studio.rl.networks.gaussian import seen_entries
from studio.rl.replay import Replay
from studio.sim.world import World

Array = np.ndarray
Batch = dict[str, Tensor]
LATEST = 200  # pursuits that the share of reached goals is taken over


class HindsightParams(Settings):
    """Whose goals are pursued, and which are put in their place when learning."""

    her: Literal["none", "future", "final", "episode"] = setting(
        "future",
        "Hindsight",
        "Goals for relabeled transitions: none, a later state of the episode (future), its last state (final), or "
        "any of its states (episode).",
    )
    k: float = setting(4.0, "k", "Relabeled transitions per original transition.", ge=0, le=1000)
    goals: Literal["task", "self_generated"] = setting(
        "task", "Goals", "task: the task's own goals. self_generated: states that the agent has visited."
    )


def has_goals(task: Task | type[Task]) -> bool:
    """Whether a task says which goals its states reach."""
    kind = task if isinstance(task, type) else type(task)
    return kind.achieved is not Task.achieved


class Goals:
    """Goals in flattened observations (n, width), as a world's task understands them."""

    def __init__(self, world: World, ignored: Collection[str] = ()) -> None:
        self._task, self._places, start = world.task, {}, 0
        seen = world.observe(slice(0, 1))
        for name in seen_entries(seen, ignored):
            self._places[name] = slice(start, start + seen[name].shape[1])
            start = self._places[name].stop
        self.width = int(self._task.achieved(seen).shape[1])
        stop = self._places["goal"].stop
        self._goal = slice(stop - self.width, stop)

    def of(self, rows: Any) -> Any:
        """The goals that are pursued, (n, g)."""
        return rows[:, self._goal]

    def put(self, rows: Tensor, goals: Tensor) -> Tensor:
        """A copy of the observations with other goals in them."""
        changed = rows.clone()
        changed[:, self._goal] = goals
        return changed

    def achieved(self, rows: Tensor) -> Tensor:
        """The goals that are reached, (n, g)."""
        found: Tensor = self._task.achieved({name: rows[:, place] for name, place in self._places.items()})
        return found

    def reached(self, rows: Tensor, goals: Tensor) -> Tensor:
        """Whether observed states reach the goals, (n,) bool."""
        found: Tensor = self._task.goal_reached(self.achieved(rows), goals)
        return found


class Hindsight:
    """Relabel batches of a learner with a replay buffer.

    Of ``k`` + 1 transitions k get another goal, that of a state of their own episode: one that came later, its own next
    state included ("future"), the last ("final"), or any ("episode"), each as likely as the others. Then reward and
    discount of all are the goals': −1 and γ, or 0 and 0 where the goal is reached. A stored discount of 0 stays.
    """

    def __init__(
        self, goals: Goals, replay: Replay, settings: HindsightParams, gamma: float, generator: torch.Generator
    ) -> None:
        self.goals, self.replay, self.settings, self.gamma = goals, replay, settings, gamma
        self.generator = generator

    def __call__(self, batch: Batch, times: Tensor, envs: Tensor) -> Batch:
        seen, following = batch["observations"], batch["next_observations"]
        goals = self.goals.of(seen)
        if self.settings.her != "none":
            others = self.replay.columns(self.replay.gather(self.chosen(times, envs), envs))["next_observations"]
            share = self.settings.k / (self.settings.k + 1)
            relabeled = torch.rand(times.shape, generator=self.generator, device=times.device) < share
            goals = torch.where(relabeled[:, None], self.goals.achieved(others), goals)
        ahead = self.goals.put(following, goals)
        going = (~self.goals.reached(ahead, goals)).float()[:, None]
        return {
            **batch,
            "observations": self.goals.put(seen, goals),
            "next_observations": ahead,
            "rewards": -going,
            "discounts": batch["discounts"] * going,
        }

    def chosen(self, times: Tensor, envs: Tensor) -> Tensor:
        """When in each transition's own episode the state was reached that becomes its goal, (n,): the time of the
        transition that led to it."""
        first, last = self.replay.span(times, envs)
        if self.settings.her == "final":
            return last
        first = times if self.settings.her == "future" else first
        drawn = torch.rand(times.shape, generator=self.generator, device=times.device, dtype=torch.float64)
        return first + (drawn * (last - first + 1)).long()


class GoalRunner(EnvRunner):
    """An env runner whose reward is that of the observed goal, and whose goals may be self-generated.

    A self-generated goal is what a state in the replay buffer achieved; a new one is drawn when an episode starts and
    when the last goal is reached. Of the environment it then uses nothing but its states: an end that its own goal
    brings counts as one that time brings.

    Args:
        replay: whose states become goals.
        generator: of their choice.
    """

    def __init__(
        self,
        world: World,
        first_seed: int,
        device: Any,
        ignored: Collection[str],
        replay: Replay,
        generator: torch.Generator,
        *,
        self_generated: bool,
    ) -> None:
        super().__init__(world, first_seed, device, ignored)
        self.goals, self.self_generated = Goals(world, ignored), self_generated
        self.replay, self.generator = replay, generator
        self.pursued: deque[bool] = deque(maxlen=LATEST)  # whether the latest goals were reached
        self._near = np.zeros(world.num_envs, bool)  # whether the present goal has been reached
        world.self_generated = (lambda sim: self.goals.of(self._seen[sim : sim + 1])[0]) if self_generated else None
        if self_generated:
            self._draw_goals(np.arange(world.num_envs))

    def step(self, native: Array) -> Transition:
        wanted = self.goals.of(self.observations)
        step = super().step(native)
        following = self.goals.put(step.next_observations, wanted)
        reached = self.goals.reached(following, wanted)
        ended, near = step.ended.cpu().numpy(), reached.cpu().numpy()
        over = ended | near if self.self_generated else ended
        self._near |= near
        self.pursued.extend(self._near[over].tolist())
        self._near[over] = False
        if self.self_generated:
            kept = self.goals.put(self.observations, wanted)
            self._seen = kept.cpu().numpy()
            self._draw_goals(np.flatnonzero(over))
        died = step.terminated * torch.as_tensor(~self._succeeded, device=self.device)  # of anything but success
        return Transition(step.observations, reached.float() - 1, following, died, step.ended)

    def metrics(self) -> dict[str, float]:
        values = super().metrics()
        if self.self_generated:
            for name in ("return", "training_success"):  # of goals that nobody pursued
                values.pop(name, None)
        return values | ({"goals_reached": float(np.mean(self.pursued))} if self.pursued else {})

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"pursued": list(self.pursued), "near": torch.from_numpy(self._near.copy())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(dict(state))
        self.pursued.clear()
        self.pursued.extend(bool(part) for part in state["pursued"])
        self._near = state["near"].cpu().numpy().copy()

    def _count(self, reward: Array, terminated: Array, truncated: Array, info: dict[str, Any]) -> None:
        super()._count(reward, terminated, truncated, info)
        self._succeeded = info.get("success", np.zeros(len(reward), bool))

    def _draw_goals(self, ids: Array) -> None:
        """New goals for simulations: states that were visited, or, before there are any, that are seen just now."""
        if not len(ids):
            return
        if len(self.replay):
            visited = self.replay.sample(len(ids), self.generator)["next_observations"]
        else:
            drawn = torch.randint(len(self._seen), (len(ids),), generator=self.generator, device=self.device)
            visited = self.observations[drawn]
        rows = torch.as_tensor(ids, device=self.device)
        seen = self.observations.clone()
        seen[rows] = self.goals.put(seen[rows], self.goals.achieved(visited))
        self._seen = seen.cpu().numpy()
