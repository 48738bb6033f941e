"""World: task × embodiment × randomization as a Gymnasium vector environment on one ``mujoco.batch.Batch``.

Everything that is drawn for an episode comes from that episode's own seed, so a simulation's trajectory does not depend
on how many others run beside it, nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import gymnasium
import mujoco
import mujoco.batch
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from studio.contracts import Embodiment, Ids, Observation, Task
from studio.cores import cores
from studio.errors import ExperimentError, StudioError
from studio.experiment import Domain
from studio.experiment.randomization import longest_delay
from studio.images import adjust_arrays
from studio.rng import EpisodeRng, checked_seeds
from studio.sim import spaces
from studio.sim import state as world_state
from studio.sim.control import control_of
from studio.sim.randomization import fields as randomization
from studio.sim.randomization.manager import RandomizationManager
from studio.sim.randomization.visual import VISUALS
from studio.sim.render.renderer import CameraRenderer
from studio.sim.scene import MAX_DELAY, Scene, build
from studio.sim.substeps import PARTS
from studio.sim.tasks import contexts

if TYPE_CHECKING:
    from studio.sim.episode_recorder import EpisodeRecorder
    from studio.sim.randomization.curriculum import RangeCurriculum

Array = np.ndarray
ALL = slice(None)
STAGE = mujoco.mjtStage
STEP_STREAM = 8  # the streams of tasks' own steps: 8, 12, 16 …, where no other draw is

# of a control that is no number MuJoCo makes 0 and goes on, but the episode is no longer what was asked for
_BAD = slice(mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADCTRL.value + 1)  # and between

__all__ = ["ALL", "PARTS", "World"]


class World(VectorEnv):
    """``num_envs`` simulations of one domain.

    Actions are native, (n, width): in [−1, 1] for an arm or a base (end-effector control moves each limb's site by
    ``task.step_size`` a step), in the motors' own ranges for a body; of a discrete control the number of the choice.
    Observations of an arm or base: ``image`` (n, h, w, 3) uint8 or ``goal`` (n, task.goal_width) m; ``joint_pos``
    (n, joints) rad or m; ``eef_pos`` (n, 3·limbs) m. A body's is its state, (n, width), as Gymnasium gives it, or a
    dictionary where ``goal`` or ``body`` stands beside it. Of a family of tasks an episode's context is drawn from its
    seed too: :attr:`contexts`. Autoreset is SAME_STEP with ``final_obs``. A simulation that diverges is reset like one
    that ran out of time, and counted: ``info["diverged"]``, :attr:`diverged`.

    Args:
        threads: for physics and drawing; 0: one for each core that may be used.
        max_delay: how far actuators' commands can be delayed, s; further where the domain's terms ask for it. None: an
            arm's or base's ``MAX_DELAY``, a body's not at all.
        curriculum: for training: where the domain has a curriculum its ranges begin at the nominal values and widen.
            Trajectories then depend on the seed and on what the world has lived through; see
            :mod:`studio.sim.randomization.curriculum`.

    Raises ExperimentError where the robot cannot do the task.
    """

    state_arrays: ClassVar[tuple[str, ...]] = ("actions", "contexts", "_steps", "_episode_seed", "_bad", "_warnings")

    def __init__(
        self,
        domain: Domain,
        task: Task,
        embodiment: Embodiment,
        num_envs: int,
        threads: int = 0,
        max_delay: float | None = None,
        curriculum: bool = False,
    ) -> None:
        for unfit in task.check(embodiment):
            raise ExperimentError(unfit.message, unfit.field, unfit.remedy)
        self.domain, self.task, self.embodiment, self.num_envs = domain, task, embodiment, num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        if max_delay is None:
            max_delay = 0.0 if embodiment.kind == "body" else MAX_DELAY
        delay = max(max_delay, longest_delay(domain.randomization))
        self.scene: Scene = build(embodiment, task, delay, domain.stand_in)
        self.model: mujoco.MjModel = self.scene.model
        self.batch = mujoco.batch.Batch(self.model, num_envs, threads or cores())  # MuJoCo's own 0: every processor
        self._fields: dict[str, Array] = {}
        self._every = np.arange(num_envs)
        self._qpos, self._mocap, self._mocap_quat = self.bind("qpos"), self.bind("mocap_pos"), self.bind("mocap_quat")
        self._sites = self.bind("site_xpos")
        self._sites_at = [limb.site for limb in self.scene.limbs]
        self.batch.reset(stage=STAGE.mjSTAGE_NONE)
        self._rest = self.batch.state[0].copy()
        self._warnings = self.batch.warning  # (num_envs, warnings, 2)
        self.control = control_of(self)
        self.actions = np.zeros((num_envs, len(self.control.low)))
        self.variation = RandomizationManager(
            domain, self.model, self.batch, task.control_hz, task.has_success, curriculum
        )
        self.randomization = self.variation.values  # by key: what each simulation has now, (num_envs,) or (num_envs, 3)
        self.contexts = np.zeros((num_envs, len(task.context)))  # which of its task's family each episode is
        self._body = contexts.BodySense(domain.randomization, self.model, domain.camera)
        self.recorder: EpisodeRecorder | None = None  # is told of every episode that step() brings to its end
        self.watcher: Callable[[World, Array, Array], None] | None = None  # is told who was stepped, and their rewards
        self.self_generated: Callable[[int], Array] | None = (
            None  # simulation → the goal, (g,), that its learner set itself
        )
        self._renderer: CameraRenderer | None = None
        self._steps = np.zeros(num_envs, int)
        self._episode_seed = np.zeros(num_envs, int)
        self._bad = np.zeros(num_envs, bool)  # diverged in the last step
        self.diverged = 0  # simulations that diverged so far
        self._next_seed = 0
        task.prepare(self)
        self.single_observation_space, self.single_action_space = spaces.of_observations(self), spaces.of_actions(self)
        self._flat = not isinstance(self.single_observation_space, gymnasium.spaces.Dict)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    # -- what tasks see ------------------------------------------------------------------------------------------

    def bind(self, name: str) -> Array:
        if name not in self._fields:
            self._fields[name] = self.batch.bind(name)
        return self._fields[name]

    def rows(self, ids: Ids) -> Array:
        """``ids`` as indices."""
        return self._every[ids]

    def end_effectors(self, ids: Ids) -> Array:
        return self._sites[self.rows(ids)[:, None], self._sites_at].copy()

    def mocap(self) -> Array:
        return self._mocap

    def contact_forces(self, ids: Ids) -> Array:
        forces = self.bind("cfrc_ext")[ids]
        # no step of the episode has computed them yet: the rows hold whatever simulation came before
        fresh = self._steps[ids] == 0
        if fresh.any():
            forces = np.where(fresh[:, None, None], 0.0, forces)
        return forces

    def step_draws(self, ids: Ids) -> EpisodeRng:
        return EpisodeRng(self._episode_seed[ids], (self._steps[ids] << 2) + STEP_STREAM)

    def yaw(self, ids: Ids) -> Array:
        if self.embodiment.kind != "base":
            return np.zeros(len(self.rows(ids)))
        return self._qpos[ids, self.scene.limbs[0].qpos[2]].copy()

    # -- episodes ------------------------------------------------------------------------------------------------

    def begin(self, ids: Array, seeds: Sequence[int]) -> None:
        """Starts a new episode in each of the simulations ``ids``, drawn from its seed."""
        ids = np.asarray(ids)
        draws = EpisodeRng(seeds)
        self._episode_seed[ids] = seeds
        self._steps[ids] = 0
        self.actions[ids] = 0
        self._bad[ids] = False
        # a reset by MuJoCo clears megabytes of scratch memory; the state it leaves is known
        self.batch.state[ids] = self._rest
        diverged = self._warnings[ids, _BAD, 1].any(1)
        if diverged.any():
            self.batch.reset(ids[diverged], stage=STAGE.mjSTAGE_NONE)
        self.control.begin(ids, draws)
        if self.task.context:
            self.contexts[ids] = contexts.draw(self.task, self.domain.contexts, draws)
        self.task.reset(self, ids, draws)
        if self.recorder is not None:
            self.recorder.begin(ids)
        self.variation.begin(ids, self._episode_seed[ids])
        self.control.hold(ids)
        self.batch.forward(ids)

    def randomize(self, ids: Array, values: Mapping[str, Array]) -> None:
        """Gives each simulation its values, (n,) or (n, 3) by key, until its next episode; other keys stay."""
        self.variation.give(ids, values)

    def draw_again(self, ids: Array) -> None:
        """Gives each simulation what its episode's seed draws, whatever it was given since."""
        self.variation.draw(ids, self._episode_seed[ids])

    def set_state(self, ids: Array, qpos: Array, qvel: Array) -> None:
        """Puts simulations ``ids`` into given states, (n, nq) and (n, nv), within the present episode."""
        self._qpos[ids], self.bind("qvel")[ids] = qpos, qvel
        self.batch.forward(ids)

    def advance(self, actions: Array, ids: Ids) -> None:
        """One control step of the simulations ``ids`` under ``actions`` (n, width)."""
        self._before(actions, ids)
        self.control.advance(actions, ids)
        self._after(ids)

    def advance_parts(self, actions: Array, ids: Ids) -> Iterator[float]:
        """As :meth:`advance`, pausing after each of ``PARTS`` parts: a viewer shows the motion in between."""
        self._before(actions, ids)
        yield from self.control.advance_parts(actions, ids)
        self._after(ids)

    def physics_step(self, ids: Ids, substeps: Array | int, stage: Any = STAGE.mjSTAGE_NONE) -> None:
        """``substeps`` of the integrator, of each simulation its own where they are (n,). A simulation that raises an
        error keeps its state and counts as diverged."""
        if not isinstance(substeps, int):
            rows = self.rows(ids)
            for count in np.unique(substeps).tolist():
                self.physics_step(rows[substeps == count], count, stage)
            return
        if substeps == 0:
            return
        try:
            self.batch.step(None if isinstance(ids, slice) else ids, nstep=substeps, stage=stage)
        except mujoco.batch.SimulationError as error:
            self.lose(np.asarray(error.ids))

    def reward(self, ids: Ids) -> Array:
        """Reward of the present state, (n,); 0 where the simulation has just diverged, as one has whose reward is no
        number."""
        reward = self.task.reward(self, ids)
        finite = np.isfinite(reward)
        if not finite.all():
            self.lose(self.rows(ids)[~finite])
        bad = self._bad[ids]
        return np.where(bad, 0.0, reward) if bad.any() else reward

    def success(self, ids: Ids) -> Array:
        """Whether the present state is a success, (n,) bool."""
        return self.task.success(self, ids)

    def terminated(self, ids: Ids) -> Array:
        """Whether the present state ends the episode, (n,) bool."""
        return self.task.terminated(self, ids)

    def truncated(self, ids: Ids) -> Array:
        """Whether time is up, or the simulation has diverged, (n,) bool."""
        return np.asarray((self._steps[ids] >= self.task.horizon) | self._bad[ids])

    def diverging(self, ids: Ids) -> Array:
        """Whether the last step had a state, control or reward that is no number, or raised an error, (n,) bool. MuJoCo
        has reset such a state."""
        return self._bad[ids].copy()

    def observe(self, ids: Ids) -> Observation:
        """What a policy sees of the simulations ``ids``."""
        observation: Observation = {}
        if self.scene.limbs:
            qpos = self._qpos[ids]
            joints = np.concatenate([qpos[:, limb.qpos] for limb in self.scene.limbs], 1)
            observation["joint_pos"] = joints.astype(np.float32)
            observation["eef_pos"] = self.end_effectors(ids).reshape(len(qpos), -1).astype(np.float32)
        if self.domain.observation == "goal":
            observation["goal"] = self.task.goal(self, ids).astype(np.float32)
        elif self.domain.observation == "image":
            observation["image"] = self.images(ids)
        observation |= self.task_observation(ids)
        spread = self.randomization["sensor_noise"][ids]
        self.variation.add_noise(observation, spread, self._episode_seed[ids], self._steps[ids])
        return observation

    def task_observation(self, ids: Ids) -> Observation:
        """Of that, what the task adds, and the body's observed parameters."""
        return self.task.observe(self, ids) | self._body.observe(self.randomization, ids)

    def images(self, ids: Ids) -> Array:
        """Camera images, (n, h, w, 3) uint8, with the episode's camera and image randomization."""
        if self._renderer is None:
            size, keep = self.domain.image_size, self.scene.added
            self._renderer = CameraRenderer(self.model, self.domain.camera, size, keep=keep)
        values = {name: self.randomization[name][ids] for name in (*randomization.CAMERA, *randomization.IMAGE)}
        visuals = {name: values[name] for name in VISUALS if not randomization.is_nominal(name, values[name])}
        raw = self._renderer.render(self._qpos[ids], self._mocap[ids], visuals, mocap_quat=self._mocap_quat[ids])
        return adjust_arrays(raw, values)

    def expert(self, ids: Ids) -> Array:
        """The scripted expert's native actions, (n, width)."""
        return self.control.native(self.task.expert(self, ids), self.rows(ids))

    def state(self, sim: int) -> tuple[Array, Array]:
        """(qpos, mocap_pos) of one simulation, copied: what another thread needs to draw it."""
        return self._qpos[sim].copy(), self._mocap[sim].copy()

    @property
    def drawn(self) -> dict[str, Array]:
        """What each simulation's episode is of, by key: the values of randomization, and its context's components."""
        return self.randomization | contexts.named(self.task, self.contexts)

    @property
    def curriculum(self) -> RangeCurriculum | None:
        """How far the ranges have widened; None where they do not."""
        return self.variation.curriculum

    @property
    def steps(self) -> Array:
        """Control steps taken in each simulation's episode."""
        return self._steps

    @property
    def seeds(self) -> Array:
        """Of each simulation's episode."""
        return self._episode_seed

    # -- Gymnasium's vector interface ----------------------------------------------------------------------------

    def reset(self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None) -> Any:
        if options:
            raise StudioError("A world's reset has no options, and begins every episode anew.", "options", "Omit them.")
        asked: Any = seed
        one = np.ndim(asked) == 0  # the first simulation's; the others' follow
        given = checked_seeds([asked], 1) if one else checked_seeds(asked, self.num_envs)
        self._next_seed = given[0] if one and given[0] is not None else self._next_seed
        seeds = self._take_seeds(self.num_envs)
        if not one:
            seeds = [own if chosen is None else chosen for chosen, own in zip(given, seeds)]
        self.begin(self._every, seeds)
        return self._public(self.observe(ALL), copied=False), {}

    def step(self, actions: Array) -> Any:
        self.advance(actions, ALL)
        reward = self.reward(ALL)
        terminated, truncated = self.terminated(ALL), self.truncated(ALL)
        truncated &= ~terminated
        if self.recorder is not None:
            self.recorder.note(reward)
        if self.watcher is not None:
            self.watcher(self, self._every, reward)
        if self.curriculum is not None:
            self.curriculum.note(ALL, reward)
        observation, info = self._public(self.observe(ALL), copied=False), {}
        if self.task.has_success:
            info["success"] = self.success(ALL)
        done = terminated | truncated
        if done.any():
            ids = np.flatnonzero(done)
            final = np.full(self.num_envs, None, object)
            for i in ids.tolist():
                final[i] = spaces.row(observation, i)
            info |= {"final_obs": final, "_final_obs": done, "diverged": self.diverging(ALL)}
            if self.recorder is not None:
                self.recorder.ended(ids, self._episode_seed, self._steps, info.get("success"), self.drawn)
            if self.curriculum is not None:
                self.curriculum.ended(ids, info["success"][ids] if self.task.has_success else None)
            self.begin(ids, self._take_seeds(len(ids)))
            spaces.overwrite(observation, ids, self._public(self.observe(ids), copied=True))
        return observation, reward, terminated, truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None

    def state_dict(self) -> dict[str, Any]:
        """All that the next steps depend on, copied: see :func:`studio.sim.state.take`."""
        return world_state.take(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back what :meth:`state_dict` gave, bit for bit. Raises DataError where it is of other simulations."""
        world_state.restore(self, state)

    def state_owners(self) -> tuple[world_state.StateOwner, ...]:
        """All that keep state of the simulations beside the batch."""
        return self, self.control, self.task, self.variation

    @property
    def fields(self) -> Mapping[str, Array]:
        """The fields bound so far."""
        return self._fields

    def counters(self) -> dict[str, Any]:
        """What the world counts and no array holds."""
        return {"next_seed": self._next_seed, "diverged": self.diverged} | self.variation.counters()

    def set_counters(self, counters: Mapping[str, Any]) -> None:
        """Takes back what :meth:`counters` gave."""
        self._next_seed, self.diverged = int(counters["next_seed"]), int(counters["diverged"])
        self.variation.set_counters(counters)

    # -- inside --------------------------------------------------------------------------------------------------

    def _before(self, actions: Array, ids: Ids) -> None:
        if np.shape(actions) != (wanted := self.actions[ids].shape):  # NumPy would spread one row over all
            raise StudioError(
                f"Actions have shape {np.shape(actions)}; {wanted} is needed.", "actions", "Give one row each."
            )
        self.actions[ids] = actions
        self.task.before(self, ids)
        if self.variation.within:
            rows = self.rows(ids)
            self.variation.draw_within(rows, self._episode_seed[rows], self._steps[rows])
        self._steps[ids] += 1

    def _after(self, ids: Ids) -> None:
        bad = self._warnings[ids, _BAD, 1]
        if bad.any():
            self.lose(self.rows(ids)[bad.any(1)])

    def lose(self, bad: Array) -> None:
        """Counts simulations as diverged in this step."""
        self.diverged += int((~self._bad[bad]).sum())
        self._bad[bad] = True

    def _public(self, observation: Observation, copied: bool) -> Any:
        """As Gymnasium shows it: a body's state is an array, not a dictionary of one."""
        if self._flat:
            state = observation["state"]
            return state if copied or state.base is None else state.copy()
        return observation

    def _take_seeds(self, count: int) -> list[int]:
        first, self._next_seed = self._next_seed, self._next_seed + count
        return list(range(first, first + count))
