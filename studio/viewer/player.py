"""One simulation for watching: a domain played by an expert, a policy, chance or the user's hand. Single-threaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import mujoco
import numpy as np

from studio.contracts import Policy
from studio.errors import StudioError
from studio.experiment import Domain
from studio.registry import Registry
from studio.sim.domains import embodiment_of, task_of
from studio.sim.randomization import fields as randomization
from studio.sim.randomization.visual import VISUALS, Appearance, VisualParams, VisualTarget
from studio.sim.scene import MAX_DELAY
from studio.sim.substeps import PARTS, SubstepSchedule
from studio.sim.world import World
from studio.viewer import steering
from studio.viewer.decorations import Decoration, Line, Point
from studio.viewer.live import LiveSimulation
from studio.viewer.policy_probe import PolicyProbe, StepRecord, colored_path, full_color, traces

HOLD_SECONDS = 0.5  # how long the end of an episode stays before the next one begins
# how a policy fails on observations of other widths, entries or kinds than its own
MISFITS = (RuntimeError, ValueError, LookupError, TypeError, AttributeError)


class Player(LiveSimulation):
    """Plays episodes of a domain; made and used on one thread.

    Args:
        policy: ``"expert"``, ``"random"``, ``"hand"`` or a policy.
        seed: of the first episode; each further episode takes the next.
    """

    kind: ClassVar[str] = "world"

    def __init__(self, domain: Domain, registry: Registry, policy: Policy | str = "expert", seed: int = 0) -> None:
        task = task_of(domain, registry)
        self.world = World(domain, task, embodiment_of(domain, registry), 1, threads=1, max_delay=MAX_DELAY)
        world = self.world
        super().__init__(world.batch, task.control_hz, PARTS, world.state_owners(), world.fields)
        self._policy: Policy | str = policy
        self._memory: Any = None  # of the policy, within an episode
        self._probe = _probe(policy)
        self._seen: Any = None  # of the present state; None: not looked yet
        self._acted: tuple[Any, np.ndarray] | None = None  # what was seen and done last
        self._did: dict[str, Any] = {}  # of the last step, for its moment
        self._root = int(np.argmax(self.model.body_dofnum > 0))  # the first body that moves
        self._told: tuple[Any, Any] = (None, None)  # last moment of the traces that were made last, and they
        self._full = 0.0  # score of the full color
        self._drawn: tuple[Any, list[Any]] = (None, [])  # last moment of the path that was made last, and it
        self._seed = seed
        self._ids = np.zeros(1, int)
        self._schedule = SubstepSchedule(task.control_hz, world.model.opt.timestep)
        self._preview: dict[str, Any] = {}
        camera = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_CAMERA, domain.camera)
        self._own_look = Appearance(self.model, camera, world.scene.added) if camera >= 0 else None
        self._canvas = VisualTarget(self.model, camera) if camera >= 0 else None
        self._look = b""  # the values that the drawn model has now
        self._looks: VisualParams | None = None  # None: the model's own
        self._episode = self._successes = 0
        self._has_success, self.has_expert = task.has_success, task.has_expert
        self.goal_in_plane = task.goal_in_plane
        self.components = steering.components(task, domain.contexts)
        self._placed = steering.placed(task) if self.model.nmocap else 0
        self._domain, self._holds = domain, False
        self.by_hand = policy == "hand"
        self.reset(seed)

    def set_policy(self, policy: Policy | str) -> None:
        """Changes who acts, from the next control step on. A later state of the same policy remembers what it did.

        Raises:
            StudioError: it cannot act in this world. Who acted before goes on.
        """
        probe = _probe(policy)
        if _is_later_state(policy, self._policy):
            probe.answers = self._probe.answers
        else:
            self._check(policy)
            self._memory = None
            if not isinstance(policy, str):
                probe.evaluate(self._observe())  # whether it has anything to say
        self._policy, self._probe = policy, probe
        before, self.by_hand = self.by_hand, isinstance(policy, str) and policy == "hand"
        if self.by_hand and not before:
            self._drop_step()  # the rest of the policy's step would take back what the hand sets

    def _check(self, policy: Policy | str) -> None:
        """Lets a policy act once on what is seen now; raises StudioError where it cannot."""
        if isinstance(policy, str):
            if policy == "expert" and not self.has_expert:
                message = f"The task '{self.world.task.id}' has no scripted expert."
                raise StudioError(message, "", "Choose another policy: current, a checkpoint, random.")
            return
        fits, reason = False, None
        try:
            fits = np.shape(policy.act(self._observe())[0]) == (1, *self.world.single_action_space.shape)
        except MISFITS as error:
            reason = error
        if not fits:
            message = "The policy does not fit this world: it was made for other observations or actions."
            remedy = "Choose another policy, or show the world that it was trained in."
            raise StudioError(message, "", remedy) from reason

    def reset(self, seed: int | None = None) -> None:
        """Starts an episode: the given seed's, or the present one again."""
        self._put: dict[int, np.ndarray] = {}  # where a hand put marks, by body: they stay there until a reset,
        self._moved = False  # and so does a context that is one
        self._begin(self._seed if seed is None else seed)

    def _begin(self, seed: int) -> None:
        self._seed = seed
        held = self._moved or (self._holds and self.components)
        kept = [self.world.contexts[0].tolist()] if held else self._domain.contexts
        self.world.domain = self._domain.model_copy(update={"contexts": kept})
        self.world.reset_envs(self._ids, [self._seed])
        self._drop_step()
        self._ended, self._success, self._return, self._reward = 0.0, False, 0.0, 0.0
        self._memory, self._acted, self._did, self._seen = None, None, {}, None
        if self._preview:
            self._apply(self._preview)
        if self._put:
            for body, there in self._put.items():
                self._mark(body)[:] = there
            self.batch.forward(self._ids)
        self._randomized()
        self._remember()
        self._show()

    def step(self) -> None:
        """One whole control step; after an episode's end, the beginning of the next."""
        if self._ended and self.history.at_end:
            self._begin_next()
        else:
            super().step()

    def randomize(self, values: dict[str, Any]) -> None:
        """Applies values, numbers or three of them, by key at once (what is not named is nominal), to this episode and
        all further ones; empty: each episode's own draw again.

        Raises:
            StudioError: a delay is longer than the past commands that are kept. Everything stays as it is.
        """
        if values:
            self._apply(values)
        else:
            self.world.draw_again(self._ids)
        self._preview, self._seen = dict(values), None
        self._randomized()
        self._show()

    def observation_image(self) -> np.ndarray | None:
        """What the policy sees, (h, w, 3) uint8; None where the domain has no images."""
        if self.world.domain.observation != "image":
            return None
        image: np.ndarray = self.world.images(self._ids)[0]
        return image

    def set_context(self, component: int, value: float) -> None:
        """Makes the episode that plays another of its task's family, at once; until the next episode, unless held."""
        self._take_context(steering.turned(self.components, self.world.contexts[0], component, value))

    def _take_context(self, context: np.ndarray) -> None:
        world = self.world
        world.contexts[0] = context
        if self._placed:
            self._mocap[0][0, 0, : self._placed] = world.contexts[0, : self._placed]
        self._seen = None
        if self._part_index == 0:
            self._touched(obey=False)

    def hold_context(self, on: bool) -> None:
        """Whether further episodes have this one's context, in place of one of their own."""
        self._holds = on

    def context_values(self) -> np.ndarray:
        """The components of the context, (width,); of no family, (0,)."""
        return self.world.contexts[0].copy()

    def traces(self) -> dict[str, np.ndarray] | None:
        """What a policy that says something of its moments said, over the history, (entries, width) by name; the same
        object until there is more. None: it says nothing."""
        if not self._probe.answers:
            return None
        moments = self._step_records()
        if self._told[0] is not moments[-1]:
            self._told = (moments[-1], traces(moments))
        return self._told[1]

    @property
    def overlays(self) -> Sequence[Decoration]:
        """Where the body is told to go, and the path of this episode in the color of its score, if it has them."""
        return [*self._arrow(), *self._path()] if self.components else self._path()

    @property
    def aim(self) -> tuple[Point, Point] | None:
        """Foot and tip of the arrow that says where to go, which a hand may turn; None: there is none."""
        arrow = self._arrow()
        return (arrow[0].start, arrow[0].end) if arrow else None

    def aim_at(self, point: np.ndarray) -> None:
        """Turns the arrow to a point in the world, (3,): the episode is another of its family at once."""
        ahead = np.asarray(point)[:2] - self.data.xpos[self._root, :2]
        self._take_context(steering.aimed(self.components, self.world.contexts[0], ahead))

    def _arrow(self) -> list[Line]:
        if not self.components:
            return []
        at = (float(self.data.xpos[self._root, 0]), float(self.data.xpos[self._root, 1]), self._moment.place[2])
        return steering.arrow(self.components, self.world.contexts[0], at, float(self.model.stat.extent))

    def _path(self) -> Sequence[Decoration]:
        if self._probe.scores is None:
            return ()
        if self._drawn[0] is not self._moment:
            moments = self._step_records()
            self._full = full_color(moments)
            until = moments[: self.history.cursor + 1]
            self._drawn = (self._moment, colored_path(until, self._full, float(self.model.stat.extent)))
        return self._drawn[1]

    @property
    def legend(self) -> tuple[str, float] | None:
        """(title, score of the full color) of the path; None: there is none."""
        return (self._probe.title, self._full) if self._path() else None

    @property
    def info(self) -> dict[str, Any]:
        """time (s), episode, seed, step, reward (of the last step), success, successes, return_ of this episode."""
        return {
            "time": float(self.data.time),
            "episode": self._episode,
            "seed": self._seed,
            "step": int(self.world.steps[0]),
            "reward": self._reward,
            "success": self._success,
            "successes": self._successes,
            "return_": self._return,
        }

    def close(self) -> None:
        """Frees the observation renderer."""
        self.world.close()

    # -- how a control step passes -------------------------------------------------------------------------------

    def _control_step(self) -> Iterator[Any]:
        return self._step_by_hand() if self.by_hand else self.world.advance_parts(self._action(), self._ids)

    def _step_by_hand(self) -> Iterator[float]:
        """The actuators keep what their sliders tell them; task and clock go on as under a policy."""
        world = self.world
        world.task.before(world, self._ids)
        world.steps[0] += 1
        if world.domain.control == "motor":
            world.actions[0] = self._ctrl[0]
        self._obey_pose()
        for part in range(1, PARTS + 1):
            world.physics_step(self._ids, self._schedule.of_part(part, world.steps), mujoco.mjtStage.mjSTAGE_POS)
            yield part / PARTS

    def _step_over(self) -> None:
        world = self.world
        self._reward, self._seen = float(world.reward(self._ids)[0]), None
        self._did = {"reward": self._reward, "action": world.actions[0].copy()}
        if self._acted is not None:
            score = self._probe.score_transition(*self._acted, self._observe())
            self._did["score"], self._acted = score, None
        self._return += self._reward
        self._success = self._has_success and bool(world.success(self._ids)[0])
        self._successes += self._success
        if not self.by_hand and (world.terminated(self._ids)[0] or world.truncated(self._ids)[0]):
            self._ended = HOLD_SECONDS  # a hand has no time limit

    def _holding(self) -> bool:
        if not self._ended:
            return False
        self._ended -= self._part
        if self._ended <= 0:
            self._begin_next()
        elif self.perturb.active and self._mark(self.perturb.select) is not None:
            self._drag()
        return True

    def _begin_next(self) -> None:
        self._episode += 1
        self._begin(self._seed + 1)

    def _obey_pose(self) -> None:
        """Servos that are commanded step by step go on from what the hand set."""
        command = getattr(self.world.control, "command", None)
        if command is None:
            return
        if self.by_hand:
            command[0] = self._ctrl[0]
            return
        for limb in self.world.scene.limbs:
            command[0, limb.ctrl] = 0.0 if limb.velocity_controlled else self._qpos[0, limb.qpos]
        self.world.control.hold(self._ids)

    def _action(self) -> np.ndarray:
        space = self.world.single_action_space
        if isinstance(self._policy, str):
            if self._policy == "expert":
                self._check(self._policy)
                return self.world.expert(self._ids)
            rng = np.random.default_rng([self._seed, int(self.world.steps[0]), 2])
            return rng.uniform(space.low, space.high, (1, *space.shape))
        seen = self._observe()
        action: np.ndarray
        action, self._memory = self._policy.act(seen, self._memory)
        if self._probe.scores is not None:
            self._acted = seen, np.array(action)
        return action

    def _observe(self) -> Any:
        """What the policy sees of the present state: made once, an image is dear."""
        if self._seen is None:
            self._seen = self.world.observe(self._ids)
        return self._seen

    def _touched(self, obey: bool = True) -> None:
        self._seen = None
        super()._touched(obey)

    def _record_step(self) -> StepRecord:
        """The present moment, with what the policy says of it."""
        world = self.world
        place = world.end_effectors(self._ids)[0, 0] if world.scene.limbs else world.bind("xpos")[0, self._root]
        silent = self._probe.answers is False  # not worth an observation
        said: dict[str, Any] = {} if silent else self._probe.evaluate(self._observe(), self._memory)
        return StepRecord(int(world.steps[0]), (float(place[0]), float(place[1]), float(place[2])), **self._did, **said)

    def _step_records(self) -> list[StepRecord]:
        return [entry.more[-1] for entry in self.history.entries]

    def _show(self) -> None:
        super()._show()
        self._apply_look()

    def _apply_look(self) -> None:
        """Camera, lights and colors as they are randomized: the model that is drawn is this simulation's own."""
        drawn = self.world.randomization
        look = b"".join([drawn[name].tobytes() for name in VISUALS])
        if look == self._look:  # the model has it; lights are posed anew at every step
            if self._looks is not None:
                self._looks.move_lights(0, self.data)
            return
        self._look = look
        values = {name: drawn[name] for name in VISUALS if not randomization.is_nominal(name, drawn[name])}
        if self._own_look is None or self._canvas is None or not (values or self._looks):
            return
        looks = VisualParams(self._own_look, values, 1)
        self._canvas.intensity, self._canvas.tinted = float("nan"), True  # the batch may have put the model's own back
        looks.apply(0, self._canvas)
        mujoco.mj_camlight(self.model, self.data)
        looks.move_lights(0, self.data)
        self._looks = looks if values else None

    def _take_mocap(self) -> None:
        super()._take_mocap()
        self._seen = None
        if self._placed:  # the hand moved the mark: the episode is another of the family
            self.world.contexts[0, : self._placed] = self._mocap[0][0, 0, : self._placed]
            self._moved = True
        elif (mark := self._mark(self.perturb.select)) is not None:
            self._put = {**self._put, self.perturb.select: mark.copy()}

    def _mark(self, body: int) -> Any:
        """Where a mark stands: its live place, (3,) m, or that of its slides, (2,) m; None: it is no mark."""
        if (mocap := self.model.body_mocapid[body]) >= 0:
            return self._mocap[0][0, mocap]
        joints = self.sliding_marks.get(body)
        return None if joints is None else self._qpos[0, self.model.jnt_qposadr[joints[0]] :][:2]

    def _take_model(self) -> None:
        super()._take_model()
        self._look = b""

    def _apply(self, values: dict[str, Any]) -> None:
        # the domain's own terms of some parts too
        shown = {key: randomization.NOMINAL[randomization.base_field(key)] for key in self.world.randomization} | values
        rows = {key: np.broadcast_to(shown[key], randomization.nominal(key, 1).shape) for key in shown}
        self.world.randomize(self._ids, rows)

    def _time(self) -> float:
        return float(self.world.steps[0] / self.world.task.control_hz)

    def _more(self) -> Any:
        self._moment = self._record_step()
        episode = self._seed, self._episode, self._successes, self._ended, self._success, self._return, self._reward
        return episode, self._memory, self._put, self._moved, self._moment

    def _take_back(self, more: Any) -> None:
        episode, self._memory, self._put, self._moved, self._moment = more
        self._seed, self._episode, self._successes, self._ended, self._success, self._return, self._reward = episode
        self._seen, self._acted = None, None
        self._did = {name: getattr(self._moment, name) for name in ("action", "reward", "score")}


def _probe(policy: Policy | str) -> PolicyProbe:
    return PolicyProbe(None if isinstance(policy, str) else policy)


def _is_later_state(policy: Policy | str, before: Policy | str) -> bool:
    """Whether a policy is the one that acted before, trained further."""
    if isinstance(policy, str) or isinstance(before, str):
        return False
    return type(policy) is type(before) and policy.params is not None and policy.params == before.params
