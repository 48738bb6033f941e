"""A run's own episodes, played again from their seeds by the checkpoint that was scored.

A run's log holds each episode's seed and outcome, not its states: those follow from seed and policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.contracts import Episodes, ResolvedDomain
from studio.errors import DataError
from studio.experiment import Experiment
from studio.meta.task_split import held_out
from studio.registry import shared_registry
from studio.sim.domains import resolve
from studio.sim.rollout import policy_actions, run_episodes
from studio.sim.world import World
from studio.store.checkpoint import list_checkpoints, load_policy
from studio.store.log_reader import opened
from studio.store.runs import read_run

Array = np.ndarray
MAX_EPISODES = 16  # episodes of an evaluation that are played again


@dataclass(frozen=True)
class Scored:
    """One evaluation on the target whose checkpoint still exists."""

    step: int
    episodes: int
    successes: int | None  # None: the task has no success
    mean_return: float


def scored(folder: Path) -> list[Scored]:
    """Return the run's evaluations that can be played again, by step."""
    rows = _rows(folder)
    by_success = read_run(folder).measure == "success"
    steps = {step for stage, step, _ in list_checkpoints(folder) if stage == "adapt"}
    found = []
    for step in sorted(steps & {int(s) for s in rows["step"]}):
        these = rows[rows["step"] == step]
        successes = int(these["success"].sum()) if by_success else None
        found.append(Scored(step, len(these), successes, float(these["return"].mean())))
    return found


def replay(folder: Path, step: int, most: int = MAX_EPISODES) -> tuple[Episodes, ResolvedDomain, tuple[str, ...]]:
    """Play an evaluation's first episodes again.

    Returns:
        The episodes with their states, their domain, and each one's outcome as the log has it.

    Raises:
        DataError: the run has no such evaluation or no longer its checkpoint.
    """
    rows = _rows(folder)
    rows = rows[rows["step"] == step][:most]
    if not len(rows):
        raise DataError(f"The run has no evaluation at step {step}.", str(folder), "Choose another step.")
    policy = load_policy(folder, step)
    plan = Experiment.load(folder / "experiment.yaml")
    resolved = held_out(resolve(plan.target, shared_registry()), plan.evaluation.held_out, plan.evaluation.seed)
    task = resolved.new_task()
    frames: list[list[dict[str, Any]]] = [[] for _ in rows]
    world = World(resolved.domain, task, resolved.embodiment, len(rows))

    def record(ids: Array, observations: dict[str, Array], actions: Array, rewards: Array) -> None:
        for row, sim in enumerate(ids):
            qpos, mocap = world.state(int(sim))
            frame = {key: value[row] for key, value in observations.items()}
            frame |= {"actions": actions[row], "rewards": rewards[row]}
            frames[sim].append(frame | {"states": np.concatenate([qpos, mocap.ravel()])})

    try:
        run_episodes(world, policy_actions(policy), [int(seed) for seed in rows["seed"]], record=record)
    finally:
        world.close()
    flat = [frame for episode in frames for frame in episode]
    whole = {key: np.stack([np.asarray(frame[key]) for frame in flat]) for key in flat[0]}
    actions, rewards, states = (whole.pop(key) for key in ("actions", "rewards", "states"))
    lengths = np.array([len(episode) for episode in frames])
    discrete = resolved.domain.control == "discrete"
    episodes = Episodes(whole, actions, lengths, rewards, states, {"control_hz": task.control_hz}, discrete)
    return episodes, resolved, tuple(_outcome(row, task.has_success) for row in rows)


def _outcome(row: Any, by_success: bool) -> str:
    end = f"{'success' if row['success'] else 'failure'}, " if by_success else ""
    return f"seed {row['seed']}: {end}return {row['return']:.2f}"


def _rows(folder: Path) -> Array:
    """Return the log's episodes on the target by step and seed; of one that a resumed run logged twice, the later."""
    with opened(folder / "log.h5") as file:
        rows: Array = file["episodes"][:]
    rows = rows[rows["domain"] == b"target"][::-1]
    _, last = np.unique(rows[["step", "seed"]], return_index=True)
    return rows[last]
