"""Demonstrations for a domain: a file's, or the scripted expert's, made once and cached by content hash."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from studio import paths
from studio.contracts import Embodiment, Format, Observation, Task
from studio.data.episodes import Episodes
from studio.errors import DataError, ExperimentError
from studio.experiment import Domain, content_hash
from studio.registry import Registry
from studio.run.files import file_hash

DEMONSTRATION_SEED = 1_000_000  # evaluation seeds lie below; demonstrations of seed s start at (s + 1) times this
NOISE = 0.3  # standard deviation of what is added to the expert's executed action; the label stays clean
NOISE_SHARE = 0.5  # share of the episodes that are disturbed at all
CHUNK = 256
COLLECTOR_VERSION = 1  # raise it when collection changes, so that cached datasets are made anew


def demonstrations(
    domain: Domain, registry: Registry, seed: int, tick: Callable[[int, int], None] | None = None
) -> Episodes:
    """The domain's episodes: from its dataset file where it names one, else from the scripted expert.

    Args:
        tick: called with (episodes made, episodes asked for); it may raise to stop.

    Raises:
        DataError: the file is missing, broken, empty, or does not fit the embodiment.
    """
    embodiment = embodiment_of(domain, registry)
    width = len(embodiment.slots(domain.control))
    if domain.dataset is not None:
        episodes = read_dataset(domain.dataset, registry, domain.episodes)
        if len(episodes) < domain.episodes:
            raise DataError(
                f"The dataset holds {len(episodes)} episodes; {domain.episodes} are asked for.",
                str(domain.dataset),
                "Ask for fewer episodes or choose a larger dataset.",
            )
        where = str(domain.dataset)
    else:
        episodes, where = _expert_episodes(domain, registry, embodiment, seed, tick), "expert"
    keys = ["joint_pos", "eef_pos", "image" if domain.observation == "image" else "goal"]
    episodes.check(where, width, keys)
    joints = episodes.observations["joint_pos"].shape[1]
    if joints != embodiment.dof:
        raise DataError(
            f"Joint positions are {joints} wide; '{embodiment.id}' has {embodiment.dof} joints.",
            where,
            "Choose the embodiment the data was recorded on.",
        )
    return episodes


def read_dataset(path: Path, registry: Registry, limit: int | None = None) -> Episodes:
    """Reads a dataset file through the first format that knows it."""
    return format_of(path, registry).read(path, limit)


def format_of(path: Path, registry: Registry) -> Format:
    """The format a dataset file is in. Raises DataError where none knows it."""
    if not path.exists():
        raise DataError("The dataset does not exist.", str(path), "Check the path.")
    formats: list[Format] = [contribution() for contribution in registry.all("formats").values()]
    for known in formats:
        if known.sniff(path):
            return known
    named = ", ".join(f.title for f in formats)
    raise DataError("The file is in no dataset format the studio reads.", str(path), f"It reads: {named}.")


def embodiment_of(domain: Domain, registry: Registry) -> Embodiment:
    """The registered embodiment, or one made of the MJCF or URDF file the domain names."""
    if domain.embodiment.lower().endswith((".xml", ".mjcf", ".urdf")):
        from studio.sim.open_model import open_model

        return open_model(Path(domain.embodiment))
    found: Embodiment = registry.get("embodiments", domain.embodiment, "embodiment")
    return found


def task_of(domain: Domain, registry: Registry) -> Task:
    """The registered task."""
    task: Task = registry.get("tasks", domain.task, "task")()
    return task


def cache_path(domain: Domain, registry: Registry, seed: int) -> Path:
    """Where the expert's episodes of a domain lie, or will."""
    embodiment = embodiment_of(domain, registry)
    made_of = domain.model_dump(mode="json", exclude={"episodes", "dataset"}) | {
        "seed": seed,
        "model": model_hash(embodiment.model),
        "collector": COLLECTOR_VERSION,
    }
    return paths.cache() / "datasets" / f"{content_hash(made_of)[:32]}.hdf5"


def model_hash(model: Path) -> str:
    """Hash of a model file and of all files beside and below it that it may include."""
    files = sorted(f for f in model.parent.rglob("*.xml")) if model.parent.name == "embodiments" else [model]
    return content_hash([file_hash(f) for f in files])


def _expert_episodes(
    domain: Domain, registry: Registry, embodiment: Embodiment, seed: int, tick: Callable[[int, int], None] | None
) -> Episodes:
    store: Format = registry.get("formats", "robomimic")()
    path = cache_path(domain, registry, seed)
    if path.exists():
        episodes = store.read(path)
        if len(episodes) >= domain.episodes:
            return episodes.take(domain.episodes)
    episodes = collect(domain, task_of(domain, registry), embodiment, domain.episodes, seed, tick)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        store.write(episodes, path)
    except OSError as error:
        raise ExperimentError(
            f"The cache cannot be written ({error.strerror}).", str(path.parent), "Free space, or set TRANSFER_STUDIO_CACHE."
        ) from None
    return episodes


def collect(
    domain: Domain,
    task: Task,
    embodiment: Embodiment,
    count: int,
    seed: int,
    tick: Callable[[int, int], None] | None = None,
) -> Episodes:
    """Runs the scripted expert in the batched simulator until ``count`` episodes succeeded.

    Half of the episodes are disturbed: noise is added to what is executed and the clean action is kept as the label, so
    that the data also shows the way back (DART: Laskey et al. 2017, arXiv:1703.09327).
    """
    from studio.sim.rollout import run_episodes
    from studio.sim.world import World

    parts: list[dict[str, Any]] = []
    next_seed = DEMONSTRATION_SEED * (seed + 1)
    while len(parts) < count:
        wanted = min(CHUNK, count - len(parts))
        world = World(domain, task, embodiment, wanted)
        frames: list[list[dict[str, Any]]] = [[] for _ in range(wanted)]
        rngs = [np.random.default_rng([next_seed + i, 1]) for i in range(wanted)]
        labels = np.zeros((wanted, world.single_action_space.shape[0]), np.float32)
        disturbed = [rng.random() < NOISE_SHARE for rng in rngs]

        def act(
            world: World, ids: np.ndarray, _: Observation | None, labels: Any = labels, rngs: Any = rngs, on: Any = disturbed
        ) -> np.ndarray:
            labels[ids] = world.expert(ids)
            noise = [rngs[i].normal(0, NOISE, labels.shape[1]) * on[i] for i in ids]
            return np.clip(labels[ids] + noise, -1, 1)

        def record(
            ids: np.ndarray, seen: Observation, _: np.ndarray, rewards: np.ndarray, labels: Any = labels, frames: Any = frames,
            world: World = world,
        ) -> None:  # fmt: skip
            for row, i in enumerate(ids):
                frame = {key: value[row] for key, value in seen.items()}
                qpos, mocap = world.state(int(i))
                frame |= {"actions": labels[i].copy(), "rewards": rewards[row]}
                frame["states"] = np.concatenate([qpos, mocap.ravel()])
                frames[i].append(frame)
            if tick is not None:
                tick(len(parts), count)

        outcome = run_episodes(world, act, range(next_seed, next_seed + wanted), record=record)
        world.close()
        parts += [_stack(episode) for episode, ok in zip(frames, outcome.successes, strict=True) if ok]
        if not outcome.successes.any():
            raise ExperimentError(
                f"The scripted expert cannot do '{task.id}' with '{embodiment.id}'.",
                "embodiment",
                "Check the model's reach and its actuators.",
            )
        next_seed += wanted
    return _join(parts[:count], domain, task)


def _stack(frames: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return {key: np.stack([frame[key] for frame in frames]) for key in frames[0]}


def _join(parts: list[dict[str, np.ndarray]], domain: Domain, task: Task) -> Episodes:
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    lengths = np.array([len(part["actions"]) for part in parts])
    attributes = {
        "env_args": json.dumps(
            {
                "env_name": f"{domain.task}-{domain.embodiment}",
                "env_type": 4,
                "env_kwargs": domain.model_dump(mode="json", exclude={"episodes", "dataset"}),
            }
        ),
        "control_hz": task.control_hz,
    }
    actions, rewards, states = (whole.pop(k) for k in ("actions", "rewards", "states"))
    return Episodes(whole, actions.astype(np.float32), lengths, rewards, states, attributes)
