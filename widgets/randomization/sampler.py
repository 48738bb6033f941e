"""Samples of a domain's randomization, made on a thread of their own: pictures, and poses after a second of motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PySide6.QtCore import QThread, Signal

from studio.errors import StudioError
from studio.experiment import Domain
from studio.experiment.randomization import longest_delay
from studio.registry import Registry
from widgets.shell.mailbox import Mailbox, Slot

COUNT = 6
MOTION_SECONDS = 1.0
SEED = 0  # of the episode that all samples are of
# fields whose change needs a new world
_WORLD = ("embodiment", "task", "control", "camera", "image_size", "hidden_dynamics")


@dataclass(frozen=True)
class Samples:
    """What came of a request. ``values`` by key, (n,) or (n, 3)."""

    images: np.ndarray | None = None  # (n, h, w, 3) uint8
    poses: np.ndarray | None = None  # (n, nq), where the robot is after the same commands
    alike: list[list[int]] = field(default_factory=list)  # poses by number, in groups of those that look alike
    values: dict[str, np.ndarray] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)  # field → the model's parts
    problem: str = ""


@dataclass(frozen=True)
class Request:
    """Which domain's samples are wanted; another ``seed`` draws others."""

    domain: Domain
    seed: int
    images: bool = True
    poses: bool = False


class Sampler(QThread):
    """Draws samples as asked; a newer request replaces one that waits. The world and its GL context stay on it."""

    ready = Signal()  # there is something in the slot

    def __init__(self, registry: Registry, make: Callable[[Domain, Registry], Any] | None = None) -> None:
        super().__init__()
        self.setObjectName("randomization samples")
        self._registry, self._make = registry, make or _world
        self._mail, self._slot = Mailbox(), Slot()

    def ask(self, request: Request) -> None:
        """Start the thread at its first use."""
        self._mail.post("request", request)
        if not self.isRunning():
            self.start()

    def take(self) -> Samples | None:
        """The newest result, once."""
        found: Samples | None = self._slot.take()
        return found

    def end(self) -> None:
        """End the thread and wait for it."""
        self._mail.close()
        self.wait()

    def run(self) -> None:
        world: Any = None
        made_for: Any = None
        while not self._mail.closed:
            self._mail.wait(None)
            request = self._mail.take().get("request")
            if request is None:
                continue
            wanted = {name: getattr(request.domain, name) for name in _WORLD}
            try:
                if world is None or made_for != wanted:
                    if world is not None:
                        world.close()
                    world, made_for = None, None
                    world = self._make(request.domain, self._registry)
                    made_for = wanted
                result = _samples(world, request)
            except Exception as error:
                words = str(error) if isinstance(error, StudioError) else f"{type(error).__name__}: {error}"
                result = Samples(problem=words)
            if self._slot.put(result):
                self.ready.emit()
        if world is not None:
            world.close()


def _world(domain: Domain, registry: Registry) -> Any:
    """Return simulations of the domain without any variation yet."""
    from studio.sim.domains import embodiment_of, task_of
    from studio.sim.scene import MAX_DELAY
    from studio.sim.world import World

    embodiment, task = embodiment_of(domain, registry), task_of(domain, registry)
    plain = domain.model_copy(update={"randomization": []})
    return World(plain, task, embodiment, COUNT, 1, max_delay=max(MAX_DELAY, longest_delay(domain.randomization)))


def _samples(world: Any, request: Request) -> Samples:
    from studio.rng import EpisodeRng
    from studio.sim.randomization import fields as randomization
    from studio.viewer.pose_overlap import groups_alike

    ids = np.arange(world.num_envs)
    values = randomization.draw(request.domain.randomization, EpisodeRng(request.seed + ids, 1))
    world.reset_envs(ids, [SEED] * len(ids))
    world.randomize(ids, {key: value for key, value in values.items() if not _too_late(world, key, value)})
    images = world.images(ids) if request.images else None
    poses = _moved(world, ids) if request.poses else None
    names = {}
    for part in randomization.PARTED:
        known = dict.fromkeys(n for n in randomization.parts_of(world.model, part) if n and n != "world")
        names[part] = list(known)
    alike = [] if poses is None else groups_alike(world.model, poses)
    return Samples(images, poses, alike, values, names)


def _too_late(world: Any, key: str, value: np.ndarray) -> bool:
    """A delay that is longer than the past this world's actuators keep."""
    if key != "actuator_delay" or not world.model.nu:
        return key == "actuator_delay"
    kept = (world.model.actuator_history[:, 0].min() - 1) * world.model.opt.timestep
    return bool(np.max(value) > kept + 1e-9)


def _moved(world: Any, ids: np.ndarray) -> np.ndarray:
    """Where each sample's robot is when all have had the same commands for a second: the expert's of a first one, else
    such as chance gives."""
    space, rng = world.single_action_space, np.random.default_rng(SEED)
    low, high = np.clip(space.low, -1, 1), np.clip(space.high, -1, 1)
    action = np.zeros(space.shape)
    for step in range(max(1, round(MOTION_SECONDS * world.task.control_hz))):
        if world.task.has_expert:
            action = world.expert(ids)[0]
        elif step % 10 == 0:
            action = rng.uniform(low, high)
        world.advance(np.repeat(action[None], len(ids), 0), ids)
    poses: np.ndarray = world.bind("qpos")[ids].copy()
    return poses
