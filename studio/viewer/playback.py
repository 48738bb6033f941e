"""A player of recorded episodes: it shows each frame's state and simulates nothing."""

from __future__ import annotations

import json

import mujoco
import numpy as np

from studio.contracts import Episodes, PlayerInfo, ResolvedDomain
from studio.errors import DataError
from studio.experiment import Domain
from studio.sim.scene import Scene, build
from studio.viewer.recorded_player import RecordedPlayer

Array = np.ndarray


class Playback(RecordedPlayer):
    """Plays episodes back on the domain they were recorded in.

    A frame's state is ``concat(qpos, mocap_pos)`` as the studio records it. Where a file has no states, the robot is
    posed by ``joint_pos``, and the rest of the scene stays as in the model.

    Args:
        names: outcome of each episode, to be shown with it.

    Raises:
        DataError: the states, or the joints, do not fit the domain's model.
    """

    def __init__(
        self, episodes: Episodes, resolved: ResolvedDomain, where: str = "", names: tuple[str, ...] = ()
    ) -> None:
        task = resolved.new_task()
        scene: Scene = build(resolved.embodiment, task)
        super().__init__(scene.model, float(episodes.attributes.get("control_hz", task.control_hz)))
        self.episodes, self.names = episodes, names
        self._qpos, self._mocap = _poses(episodes, scene, where)
        self._starts, self._lengths = episodes.starts, np.asarray(episodes.lengths, int)
        self.episode = 0
        self._show()

    # -- a player's interface ------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Play on; after an episode comes the next one, after the last the first."""
        self._at += seconds
        if self._at * self.control_hz >= self.length:
            self.episode = (self.episode + 1) % len(self._lengths)
            self._at = 0.0
        self._show()

    def reset(self, seed: int | None = None) -> None:
        """Start the episode again; with a seed, another one."""
        if seed is not None:
            self.episode = seed % len(self._lengths)
        self.seek(0)

    def choose(self, episode: int) -> None:
        """Start one of the episodes."""
        self.reset(min(max(episode, 0), len(self._lengths) - 1))

    def observation_image(self) -> Array | None:
        """Return the image of this frame, (h, w, 3) uint8; None: none was recorded."""
        image = self.episodes.observations.get("image")
        return None if image is None else np.ascontiguousarray(image[self._row])

    @property
    def length(self) -> int:
        """Frames of the episode."""
        return int(self._lengths[self.episode])

    @property
    def info(self) -> PlayerInfo:
        """time (s), episode, episodes, step, and what became of the episode."""
        return {
            "time": self.frame / self.control_hz,
            "episode": self.episode,
            "episodes": len(self._lengths),
            "step": self.frame,
            "name": self.names[self.episode] if self.episode < len(self.names) else "",
        }

    def traces(self) -> dict[str, Array]:
        """Return the episode's actions, rewards and observations, (frames, width) by name."""
        rows = slice(int(self._starts[self.episode]), int(self._starts[self.episode]) + self.length)
        found = {"action": np.asarray(self.episodes.actions[rows], float)}
        if self.episodes.rewards is not None:
            found["reward"] = np.asarray(self.episodes.rewards[rows], float).reshape(-1, 1)
        for key, value in self.episodes.observations.items():
            if value.ndim == 2:
                found[key] = np.asarray(value[rows], float)
        return found

    # -- inside --------------------------------------------------------------------------------------------------

    @property
    def _row(self) -> int:
        return int(self._starts[self.episode]) + self.frame

    def _show(self) -> None:
        self.data.qpos[:] = self._qpos[self._row]
        if self._mocap is not None:
            self.data.mocap_pos[:] = self._mocap[self._row]
        self.data.time = self.frame / self.control_hz
        mujoco.mj_forward(self.model, self.data)


def recorded_domain(episodes: Episodes, default: Domain) -> Domain:
    """Return the domain that the episodes name, or else ``default``. Raises DataError where what they name is none."""
    try:
        kept = json.loads(episodes.attributes.get("env_args", "{}")).get("env_kwargs", {})
        return Domain(**kept) if "embodiment" in kept and "task" in kept else default
    except (ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"The dataset's description of its domain is unreadable ({reason}).",
            "env_args",
            "Record the episodes again, or remove the attribute.",
        ) from None


def _poses(episodes: Episodes, scene: Scene, where: str) -> tuple[Array, Array | None]:
    """Return (frames, nq) and (frames, mocap bodies, 3) or None."""
    model = scene.model
    states = episodes.states
    if states is not None:
        if states.shape[1] != model.nq + 3 * model.nmocap:
            raise DataError(
                f"The recorded states are {states.shape[1]} wide; this model's are {model.nq + 3 * model.nmocap}.",
                where,
                "Choose the embodiment and task that the episodes were recorded on.",
            )
        if not np.all(np.isfinite(states)):
            raise DataError("The recorded states contain NaN or Inf.", where, "Remove those episodes.")
        return states[:, : model.nq], states[:, model.nq :].reshape(len(states), model.nmocap, 3)
    joints = np.concatenate([limb.qpos for limb in scene.limbs]) if scene.limbs else np.empty(0, int)
    positions = episodes.observations.get("joint_pos")
    if positions is None or not len(joints) or positions.shape[1] != len(joints):
        raise DataError(
            "The file has neither states nor joint positions that fit this robot.",
            where,
            "Choose the embodiment that the episodes were recorded on.",
        )
    qpos = np.repeat(scene.home_qpos[None], len(positions), 0)
    qpos[:, joints] = positions
    return qpos, None
