"""Demonstrations by the scripted expert in the batched simulator, half of them disturbed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from studio.contracts import Embodiment, Episodes, Observation, Task
from studio.errors import ExperimentError
from studio.experiment import Domain
from studio.seeds import demonstration_seed
from studio.sim.diagnosis import diagnose
from studio.sim.rollout import run_episodes
from studio.sim.world import World

Array = np.ndarray

NOISE = 0.3  # standard deviation of what is added to the expert's executed action; the label stays clean
NOISE_SHARE = 0.5  # share of the episodes that are disturbed at all
# a domain's fields about dataset files, which leave the world as it is
DATASET_FIELDS = ("episodes", "dataset", "datasets", "dataset_split", "dataset_camera", "dataset_gripper")
CHUNK = 256  # episodes at once
LEAST_TRIES = 16  # episodes in a row without a success before collection is given up
WATCHED = 4  # failed episodes that are examined for the cause


def collect(
    domain: Domain,
    task: Task,
    embodiment: Embodiment,
    count: int,
    seed: int,
    tick: Callable[[int, int], None] | None = None,
) -> Episodes:
    """Run the scripted expert until ``count`` episodes have succeeded.

    Half of the episodes are disturbed: noise is added to what is executed and the clean action is kept as the label, so
    that the data also shows the way back (DART: Laskey et al. 2017, arXiv:1703.09327). Choices of a discrete control
    are executed as they are.

    Args:
        tick: called every control step with (episodes made, episodes asked for); it may raise to stop.

    Raises:
        ExperimentError: the expert cannot do the task with this embodiment.
    """
    made: list[dict[str, Array]] = []
    first, failures = demonstration_seed(seed), 0
    while len(made) < count:
        wanted = min(CHUNK, count - len(made))
        recorder = _Recorder(range(first, first + wanted), lambda: tick and tick(len(made), count))
        world = World(domain, task, embodiment, wanted)
        try:
            outcome = run_episodes(world, recorder.act, recorder.seeds, record=recorder.record)
        finally:
            world.close()
        failures = 0 if outcome.successes.any() else failures + wanted
        if failures >= LEAST_TRIES:
            cause, remedy = diagnose(domain, task, embodiment, recorder.seeds[:WATCHED])
            words = f"The scripted expert cannot do '{task.id}' with '{embodiment.id}': {cause}."
            raise ExperimentError(words, "embodiment", remedy)
        made.extend(episode for episode, ok in zip(recorder.episodes(), outcome.successes, strict=True) if ok)
        first += wanted
    return _joined(made[:count], domain, task)


class _Recorder:
    """The disturbed expert of one chunk of episodes, and the observations and actions of each."""

    def __init__(self, seeds: Sequence[int], tick: Callable[[], object]) -> None:
        self.seeds, self._tick = seeds, tick
        self._rngs = [np.random.default_rng([seed, 1]) for seed in seeds]
        self._disturbed = [rng.random() < NOISE_SHARE for rng in self._rngs]
        self._frames: list[list[dict[str, Any]]] = [[] for _ in seeds]
        self._labels: Array = np.empty(0)
        self._world: World | None = None

    def act(self, world: World, ids: Array, observation: Observation | None) -> Array:
        self._world, self._labels = world, world.expert(ids)
        width = self._labels.shape[1]
        noise = [self._rngs[i].normal(0, NOISE, width) * self._disturbed[i] for i in ids]
        return world.control.disturbed(self._labels, np.array(noise))

    def record(self, ids: Array, seen: Observation, executed: Array, rewards: Array) -> None:
        assert self._world is not None
        for row, i in enumerate(ids):
            qpos, mocap = self._world.state(int(i))
            frame = {key: value[row] for key, value in seen.items()}
            frame |= {"actions": self._labels[row].astype(np.float32), "rewards": rewards[row]}
            frame["states"] = np.concatenate([qpos, mocap.ravel()])
            self._frames[i].append(frame)
        self._tick()

    def episodes(self) -> list[dict[str, Array]]:
        return [{key: np.stack([frame[key] for frame in frames]) for key in frames[0]} for frames in self._frames]


def _joined(parts: list[dict[str, Array]], domain: Domain, task: Task) -> Episodes:
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    lengths = np.array([len(part["actions"]) for part in parts])
    kwargs = {name: value for name, value in domain.plain().items() if name not in DATASET_FIELDS}
    env_args = {"env_name": f"{domain.task}-{domain.embodiment}", "env_type": 4, "env_kwargs": kwargs}
    actions, rewards, states = (whole.pop(key) for key in ("actions", "rewards", "states"))
    attributes = {"env_args": json.dumps(env_args), "control_hz": task.control_hz}
    return Episodes(whole, actions, lengths, rewards, states, attributes, domain.control == "discrete")
