"""Many simulations of one domain on one ``mujoco.batch.Batch``: their episodes, their steps, their state.

Everything that is drawn for an episode comes from that episode's own seed, so a simulation's trajectory does not depend
on how many others run beside it, nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import mujoco
import mujoco.batch
import numpy as np

from studio.contracts import Embodiment, Ids, Observation, Task
from studio.cores import cores
from studio.errors import ExperimentError, StudioError
from studio.experiment import Domain
from studio.experiment.randomization import longest_delay
from studio.rng import EpisodeRng
from studio.sim.control import control_of
from studio.sim.randomization.manager import RandomizationManager
from studio.sim.scene import MAX_DELAY, Scene, build
from studio.sim.sensors import Sensors
from studio.sim.state import StateOwner, restore, take
from studio.sim.tasks import contexts

if TYPE_CHECKING:
    from studio.sim.observers import Observer, TrialObserver
    from studio.sim.randomization.curriculum import RangeCurriculum

Array = np.ndarray
STAGE = mujoco.mjtStage
STEP_STREAM = 8  # the streams of tasks' own steps: 8, 12, 16 …, where no other draw is

# of a control that is no number MuJoCo makes 0 and goes on, but the episode is no longer what was asked for
_BAD = slice(mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADCTRL.value + 1)  # and between


class BatchSimulation:
    """``num_envs`` simulations of one domain: task × embodiment × randomization.

    Actions are native, (n, width): in [−1, 1] for an arm or a base (end-effector control moves each limb's site by
    ``task.step_size`` a step), in the motors' own ranges for a motor-controlled body; of a discrete control the number
    of the choice. Observations of an arm or base: ``image`` (n, h, w, 3) uint8 or ``goal`` (n, task.goal_width) m;
    ``joint_pos`` (n, joints) rad or m; ``eef_pos`` (n, 3·limbs) m. A motor-controlled body's is its ``state``
    (n, width). ``dynamics_params`` is there where a randomization term is observed. Of a family of tasks an episode's
    context is drawn from its seed too: :attr:`contexts`. A simulation that diverges is reset like one that ran out of
    time, and counted: :attr:`diverged`.

    Args:
        threads: for physics and drawing; 0: one for each core that may be used.
        max_delay: how far actuators' commands can be delayed, s; further where the domain's terms ask for it. None: an
            arm's or base's ``MAX_DELAY``, a motor-controlled body's not at all.
        curriculum: for training: where the domain has a curriculum its ranges begin at the nominal values and widen.
            Trajectories then depend on the seed and on the history of the simulations; see
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
        if max_delay is None:
            max_delay = 0.0 if embodiment.kind == "motor_controlled" else MAX_DELAY
        delay = max(max_delay, longest_delay(domain.randomization))
        self.scene: Scene = build(embodiment, task, delay, domain.hidden_dynamics)
        self.model: mujoco.MjModel = self.scene.model
        self.batch = mujoco.batch.Batch(self.model, num_envs, threads or cores())  # MuJoCo's own 0: every processor
        self._fields: dict[str, Array] = {}
        self._every = np.arange(num_envs)
        self._qpos, self._mocap = self.bind("qpos"), self.bind("mocap_pos")
        self._sites, self._sites_at = self.bind("site_xpos"), [limb.site for limb in self.scene.limbs]
        self.batch.reset(stage=STAGE.mjSTAGE_NONE)
        self._mocap[:], self.bind("mocap_quat")[:] = self.scene.home_mocap
        self._rest = self.batch.state[0].copy()
        self._warnings = self.batch.warning  # (num_envs, warnings, 2)
        self.control = control_of(self)
        self.actions = np.zeros((num_envs, len(self.control.low)))
        self.randomizer = RandomizationManager(
            domain, self.model, self.batch, task.control_hz, task.has_success, curriculum, task.dynamics
        )
        self.randomization = self.randomizer.values  # each simulation's present values by key, (num_envs,) or (…, 3)
        self.contexts = np.zeros((num_envs, len(task.context)))  # which of its task's family each episode is
        self.observers: list[Observer] = [] if self.curriculum is None else [self.curriculum]
        self.trials: TrialObserver | None = None  # which episodes share one context; None: each has its own
        # the goal (g,) that a learner set itself in a simulation, in place of the task's; None: it sets none
        self.self_generated: Callable[[int], Array] | None = None
        self._steps = np.zeros(num_envs, int)
        self._episode_seed = np.zeros(num_envs, int)
        self._bad = np.zeros(num_envs, bool)  # diverged in the last step
        self.diverged = 0  # simulations that diverged so far
        self._next_seed = 0
        task.prepare(self)
        self.sensors = Sensors(self)

    # -- what tasks see ------------------------------------------------------------------------------------------

    def bind(self, name: str) -> Array:
        if name not in self._fields:
            self._fields[name] = self.batch.bind(name)
        return self._fields[name]

    @property
    def choices(self) -> int:
        """How many discrete choices an action is one of; 0: actions are continuous."""
        return self.task.actions if self.domain.control == "discrete" else 0

    def env_indices(self, ids: Ids) -> Array:
        """``ids`` as indices."""
        return self._every[ids]

    def end_effectors(self, ids: Ids) -> Array:
        return self._sites[self.env_indices(ids)[:, None], self._sites_at].copy()

    def mocap(self) -> Array:
        return self._mocap[:, self.marks]

    def contact_forces(self, ids: Ids) -> Array:
        forces = self.bind("cfrc_ext")[ids]
        # no step of the episode has computed them yet: the rows hold whatever simulation came before
        fresh = self._steps[ids] == 0
        if fresh.any():
            forces = np.where(fresh[:, None, None], 0.0, forces)
        return forces

    def step_rng(self, ids: Ids) -> EpisodeRng:
        return EpisodeRng(self._episode_seed[ids], (self._steps[ids] << 2) + STEP_STREAM)

    def yaw(self, ids: Ids) -> Array:
        if self.embodiment.kind != "base":
            return np.zeros(len(self.env_indices(ids)))
        return self._qpos[ids, self.scene.limbs[0].qpos[2]].copy()

    # -- episodes ------------------------------------------------------------------------------------------------

    def reset_envs(self, ids: Array, seeds: Sequence[int]) -> None:
        """Start a new episode in each of the simulations ``ids``, drawn from its seed."""
        ids = np.asarray(ids)
        rng = EpisodeRng(seeds)
        self._episode_seed[ids] = seeds
        self._steps[ids] = 0
        self.actions[ids] = 0
        self._bad[ids] = False
        diverged = self._warnings[ids, _BAD, 1].any(1)
        if diverged.any():
            self.batch.reset(ids[diverged], stage=STAGE.mjSTAGE_NONE)
        # a reset by MuJoCo clears megabytes of scratch memory; the state it leaves is known
        self.batch.state[ids] = self._rest
        self.control.reset_envs(ids, rng)
        shared = self._episode_seed[ids] if self.trials is None else self.trials.context_seeds(ids, np.asarray(seeds))
        if self.task.context:
            drawn = contexts.draw(self.task, self.domain.contexts, rng)  # in any case: what is drawn after it stays
            if self.trials is not None:
                drawn = contexts.draw(self.task, self.domain.contexts, EpisodeRng(shared))
            self.contexts[ids] = drawn
        self.task.reset(self, ids, rng)
        for observer in self.observers:
            observer.on_reset(self, ids)
        self.randomizer.reset_envs(ids, shared, self.context_dynamics(ids))
        self.control.hold(ids)
        self.batch.forward(ids)

    def randomize(self, ids: Array, values: Mapping[str, Array]) -> None:
        """Give each simulation its values, (n,) or (n, 3) by key, until its next episode; other keys stay."""
        self.randomizer.set_values(ids, values)

    def draw_again(self, ids: Array) -> None:
        """Reset each simulation to the values that its episode's seed draws, undoing later changes."""
        self.randomizer.draw(ids, self._episode_seed[ids], self.context_dynamics(ids))

    def context_dynamics(self, ids: Array) -> dict[str, Array]:
        """Return the values, (n,), that the contexts of a family of bodies give the dynamics, by randomization key."""
        return {key: self.contexts[ids, place] for place, key in enumerate(self.task.dynamics)}

    def set_state(self, ids: Array, qpos: Array, qvel: Array) -> None:
        """Put simulations ``ids`` into given states, (n, nq) and (n, nv), within the present episode."""
        self._qpos[ids], self.bind("qvel")[ids] = qpos, qvel
        self.batch.forward(ids)

    def advance(self, actions: Array, ids: Ids) -> None:
        """One control step of the simulations ``ids`` under ``actions`` (n, width)."""
        self._before(actions, ids)
        self.control.advance(actions, ids)
        self._after(ids)

    def advance_parts(self, actions: Array, ids: Ids) -> Iterator[float]:
        """Advance like :meth:`advance`, but pause after each of ``PARTS`` parts, so that a viewer can draw."""
        self._before(actions, ids)
        yield from self.control.advance_parts(actions, ids)
        self._after(ids)

    def physics_step(self, ids: Ids, substeps: Array | int, stage: Any = STAGE.mjSTAGE_NONE) -> None:
        """``substeps`` of the integrator, of each simulation its own where they are (n,). A simulation that raises an
        error keeps its state and counts as diverged."""
        if not isinstance(substeps, int):
            rows = self.env_indices(ids)
            for count in np.unique(substeps).tolist():
                self.physics_step(rows[substeps == count], count, stage)
            return
        if substeps == 0:
            return
        try:
            self.batch.step(None if isinstance(ids, slice) else ids, nstep=substeps, stage=stage)
        except mujoco.batch.SimulationError as error:
            self.mark_diverged(np.asarray(error.ids))

    def mark_diverged(self, ids: Array) -> None:
        """Count simulations as diverged in this step."""
        self.diverged += int((~self._bad[ids]).sum())
        self._bad[ids] = True

    def notify_step(self, ids: Ids, rewards: Array) -> None:
        """Tell the observers of a control step of the simulations ``ids`` and of its rewards, (n,)."""
        for observer in self.observers:
            observer.on_step(self, ids, rewards)

    def notify_episode_end(self, ids: Array, successes: Array | None) -> None:
        """Tell the observers that episodes have ended, before they are reset; see
        :meth:`studio.sim.observers.Observer.on_episode_end`."""
        for observer in self.observers:
            observer.on_episode_end(self, ids, successes)

    # -- what a step led to --------------------------------------------------------------------------------------

    def reward(self, ids: Ids) -> Array:
        """Reward of the present state, (n,); 0 where the simulation has just diverged, as one has whose reward is no
        number."""
        reward = self.task.reward(self, ids)
        finite = np.isfinite(reward)
        if not finite.all():
            self.mark_diverged(self.env_indices(ids)[~finite])
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
        seen = self.sensors.observe(ids)
        return seen if self.trials is None else seen | self.trials.observe(ids)

    def task_observation(self, ids: Ids) -> Observation:
        """Return the part of the observation that the task adds, and the observed parameters of the dynamics."""
        return self.sensors.task_observation(ids)

    def images(self, ids: Ids) -> Array:
        """Camera images, (n, h, w, 3) uint8, with the episode's camera and image randomization."""
        return self.sensors.images(ids)

    def expert(self, ids: Ids) -> Array:
        """The scripted expert's native actions, (n, width)."""
        return self.control.native(self.task.expert(self, ids), self.env_indices(ids))

    def state(self, sim: int) -> tuple[Array, Array]:
        """(qpos, mocap_pos) of one simulation, copied: what another thread needs to draw it."""
        return self._qpos[sim].copy(), self._mocap[sim].copy()

    @property
    def marks(self) -> slice:
        """Where among the mocap bodies the task's own are."""
        return self.scene.marks

    @property
    def drawn(self) -> dict[str, Array]:
        """What each simulation's episode is of, by key: the values of randomization, and its context's components."""
        return self.randomization | contexts.named(self.task, self.contexts)

    @property
    def curriculum(self) -> RangeCurriculum | None:
        """How far the ranges have widened; None where they do not."""
        return self.randomizer.curriculum

    @property
    def steps(self) -> Array:
        """Control steps taken in each simulation's episode."""
        return self._steps

    @property
    def seeds(self) -> Array:
        """Of each simulation's episode."""
        return self._episode_seed

    # -- state ---------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that the next steps depend on, copied: see :func:`studio.sim.state.take`."""
        return take(self)

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take back what :meth:`state_dict` gave, bit for bit. Raises DataError where it is of other simulations."""
        restore(self, saved)

    def state_owners(self) -> tuple[StateOwner, ...]:
        """All that keep state of the simulations beside the batch."""
        return self, self.control, self.task, self.randomizer

    @property
    def fields(self) -> Mapping[str, Array]:
        """The fields bound so far."""
        return self._fields

    def counters(self) -> dict[str, Any]:
        """What is counted and no array holds."""
        return {"next_seed": self._next_seed, "diverged": self.diverged} | self.randomizer.counters()

    def set_counters(self, counters: Mapping[str, Any]) -> None:
        """Take back what :meth:`counters` gave."""
        self._next_seed, self.diverged = int(counters["next_seed"]), int(counters["diverged"])
        self.randomizer.set_counters(counters)

    # -- inside --------------------------------------------------------------------------------------------------

    def _before(self, actions: Array, ids: Ids) -> None:
        if np.shape(actions) != (wanted := self.actions[ids].shape):  # NumPy would spread one row over all
            raise StudioError(
                f"Actions have shape {np.shape(actions)}; {wanted} is needed.", "actions", "Give one row each."
            )
        self.actions[ids] = actions
        self.task.before(self, ids)
        if self.randomizer.has_interval_terms:
            rows = self.env_indices(ids)
            self.randomizer.draw_interval_terms(rows, self._episode_seed[rows], self._steps[rows])
        self._steps[ids] += 1

    def _after(self, ids: Ids) -> None:
        bad = self._warnings[ids, _BAD, 1]
        if bad.any():
            self.mark_diverged(self.env_indices(ids)[bad.any(1)])

    def _take_seeds(self, count: int) -> list[int]:
        first, self._next_seed = self._next_seed, self._next_seed + count
        return list(range(first, first + count))
