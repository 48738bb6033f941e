"""Hindsight experience replay (HER): relabel transitions with goals that were reached (Andrychowicz et al. 2017,
arXiv:1707.01495).

The reward is −1 per step until the goal is reached, and 0 then. The task maps a state to the goal that it achieves and
compares goals; the environment's own reward is not used.
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
from studio.rl.networks.observations import entry_names
from studio.rl.replay import Replay
from studio.sim.world import World

Array = np.ndarray
Batch = dict[str, Tensor]
LATEST = 200  # goals over which the share of reached ones is averaged


class HindsightParams(Settings):
    """Which goals are set, and with which goals transitions are relabeled."""

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
    """Return whether a task defines which goal a state achieves."""
    kind = task if isinstance(task, type) else type(task)
    return kind.achieved is not Task.achieved


class Goals:
    """Reads and writes the goal in flattened observations (n, width) of a world's task."""

    def __init__(self, world: World, ignored: Collection[str] = ()) -> None:
        self._task, self._places, start = world.task, {}, 0
        observation = world.observe(slice(0, 1))
        for name in entry_names(observation, ignored):
            self._places[name] = slice(start, start + observation[name].shape[1])
            start = self._places[name].stop
        self.width = int(self._task.achieved(observation).shape[1])
        stop = self._places["goal"].stop
        self._goal = slice(stop - self.width, stop)

    def desired(self, rows: Any) -> Any:
        """Return the goals that observations hold, (n, g)."""
        return rows[:, self._goal]

    def with_goals(self, rows: Tensor, goals: Tensor) -> Tensor:
        """Return a copy of the observations with other goals in them."""
        changed = rows.clone()
        changed[:, self._goal] = goals
        return changed

    def achieved(self, rows: Tensor) -> Tensor:
        """Return the goals that observed states achieve, (n, g)."""
        goals: Tensor = self._task.achieved({name: rows[:, place] for name, place in self._places.items()})
        return goals

    def reached(self, rows: Tensor, goals: Tensor) -> Tensor:
        """Return whether observed states reach the goals, (n,) bool."""
        reached: Tensor = self._task.goal_reached(self.achieved(rows), goals)
        return reached


class Hindsight:
    """Relabels batches from a replay buffer.

    k of ``k`` + 1 transitions get the goal that a state of their own episode achieves, drawn uniformly: a later one,
    their own next state included ("future"), the last ("final"), or any ("episode"). Reward and discount of all
    transitions are then recomputed: −1 and γ, or 0 and 0 where the goal is reached. A stored discount of 0 stays.
    """

    def __init__(
        self, goals: Goals, replay: Replay, settings: HindsightParams, gamma: float, generator: torch.Generator
    ) -> None:
        self.goals, self.replay, self.settings, self.gamma = goals, replay, settings, gamma
        self.generator = generator

    def __call__(self, batch: Batch, times: Tensor, envs: Tensor) -> Batch:
        observations, goals = batch["observations"], self.goals.desired(batch["observations"])
        if self.settings.her != "none":
            others = self.replay.columns(self.replay.gather(self.goal_times(times, envs), envs))["next_observations"]
            share = self.settings.k / (self.settings.k + 1)
            relabeled = torch.rand(times.shape, generator=self.generator, device=times.device) < share
            goals = torch.where(relabeled[:, None], self.goals.achieved(others), goals)
        next_observations = self.goals.with_goals(batch["next_observations"], goals)
        not_reached = (~self.goals.reached(next_observations, goals)).float()[:, None]
        return {
            **batch,
            "observations": self.goals.with_goals(observations, goals),
            "next_observations": next_observations,
            "rewards": -not_reached,
            "discounts": batch["discounts"] * not_reached,
        }

    def goal_times(self, times: Tensor, envs: Tensor) -> Tensor:
        """Draw, for each transition, the time of one of its episode whose next state gives it its goal, (n,)."""
        first, last = self.replay.span(times, envs)
        if self.settings.her == "final":
            return last
        first = times if self.settings.her == "future" else first
        drawn = torch.rand(times.shape, generator=self.generator, device=times.device, dtype=torch.float64)
        return first + (drawn * (last - first + 1)).long()


class GoalRunner(EnvRunner):
    """An env runner whose reward is that of the observed goal, and whose goals may be self-generated.

    A self-generated goal is what a state in the replay buffer achieves; a new one is drawn when an episode starts and
    when the last goal is reached. The environment's goals are then ignored: an episode that ends because one was
    reached counts as truncated.

    Args:
        replay: the buffer whose states become goals.
        generator: draws them.
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
        self.outcomes: deque[bool] = deque(maxlen=LATEST)  # whether each of the latest goals was reached
        self._reached = np.zeros(world.num_envs, bool)  # whether the present goal has been reached
        own = (lambda sim: self.goals.desired(self._observation[sim : sim + 1])[0]) if self_generated else None
        world.self_generated = own
        if self_generated:
            self._draw_goals(np.arange(world.num_envs))

    def step(self, native: Array) -> Transition:
        goals = self.goals.desired(self.observations)
        step = super().step(native)
        next_observations = self.goals.with_goals(step.next_observations, goals)
        reached = self.goals.reached(next_observations, goals)
        ended, just_reached = step.ended.cpu().numpy(), reached.cpu().numpy()
        over = ended | just_reached if self.self_generated else ended
        self._reached |= just_reached
        self.outcomes.extend(self._reached[over].tolist())
        self._reached[over] = False
        if self.self_generated:
            self._observation = self.goals.with_goals(self.observations, goals).cpu().numpy()
            self._draw_goals(np.flatnonzero(over))
        # success ends an episode, but the value of the state after it is not 0 for other goals
        terminated = step.terminated * torch.as_tensor(~self._succeeded, device=self.device)
        return Transition(step.observations, reached.float() - 1, next_observations, terminated, step.ended)

    def metrics(self) -> dict[str, float]:
        values = super().metrics()
        if self.self_generated:
            for name in ("return", "training_success"):  # they are about the environment's goals
                values.pop(name, None)
        return values | ({"goals_reached": float(np.mean(self.outcomes))} if self.outcomes else {})

    def state_dict(self) -> dict[str, Any]:
        own = {"pursued": list(self.outcomes), "near": torch.from_numpy(self._reached.copy())}
        return super().state_dict() | own

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(dict(state))
        self.outcomes.clear()
        self.outcomes.extend(bool(part) for part in state["pursued"])
        self._reached = state["near"].cpu().numpy().copy()

    def _record(self, reward: Array, terminated: Array, truncated: Array, info: dict[str, Any]) -> None:
        super()._record(reward, terminated, truncated, info)
        self._succeeded = info.get("success", np.zeros(len(reward), bool))

    def _draw_goals(self, ids: Array) -> None:
        """Draw new goals for simulations: what visited states achieve, or the present ones before any are stored."""
        if not len(ids):
            return
        if len(self.replay):
            visited = self.replay.sample(len(ids), self.generator)["next_observations"]
        else:
            drawn = torch.randint(len(self._observation), (len(ids),), generator=self.generator, device=self.device)
            visited = self.observations[drawn]
        rows = torch.as_tensor(ids, device=self.device)
        observations = self.observations.clone()
        observations[rows] = self.goals.with_goals(observations[rows], self.goals.achieved(visited))
        self._observation = observations.cpu().numpy()
