"""Sinusoid regression: a curve of unknown amplitude and phase, one point of which is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from studio.contracts import Ids, Problem, ReferenceLine, Simulation, task_name
from studio.meta.task_split import BEYOND
from studio.sim.tasks.motor_task import MotorTask

if TYPE_CHECKING:
    import mujoco

    from studio.contracts import Embodiment
    from studio.rng import EpisodeRng

LIMIT = 5.0  # of |x|
UNIT = 0.1  # m on the sheet
POINTS = 41  # of the curve, that the viewport shows
ROUNDING = 1e-9  # of a phase's sine


class Sinusoid(MotorTask):
    """An episode asks for y = A sin(x − φ) at one x, uniform in [−5, 5]; the action is the answer, in y's own units.

    The reward is the negative squared error, so a mean return is a negative MSE. A is uniform in [0.1, 5] and φ in
    [0, π]. Of policies that know neither, 0 everywhere has an MSE of 4.25, and the best one 3.00 (both exact). In the
    viewport red dots are the curve, and the pen stands at the answer.

    Curves outside have larger amplitudes, and phases that no curve of training has.
    """

    id = "sinusoid"
    title = "Sinusoid"
    summary = "Gives the value of a sinusoid whose amplitude and phase are unknown at one place."
    reference = "Finn, Abbeel and Levine 2017 (MAML), arXiv:1703.03400, section 5.1"
    gymnasium_id = "Sinusoid-v0"
    embodiment_id = "pen"
    horizon = 1
    control_hz = 10.0
    observations = ("state", "goal", "image")
    has_expert = True
    goal_width = 2
    is_regression = True
    context = ("amplitude", "phase")
    ranges: ClassVar[tuple[tuple[float, float], ...]] = ((0.1, 5.0), (0.0, np.pi))

    def outside(self, rng: EpisodeRng) -> np.ndarray:
        """Return amplitudes above the range, and phases on either side of theirs, by up to half of the widths.

        Amplitudes below the range would not do: −A sin(x − φ) = A sin(x − φ ± π) is a curve of training's.
        """
        low, high = np.array(self.ranges).T
        share = rng.uniform(-BEYOND, BEYOND, (2,))
        share[:, 0] = np.abs(share[:, 0])
        return np.where(share < 0, low, high) + share * (high - low)

    def is_inside(self, context: Sequence[float]) -> bool:
        """Return whether training draws the curve, which other amplitudes and phases may give too."""
        amplitude, phase = context
        (least, most), _ = self.ranges
        sine = math.sin(phase) if amplitude > 0 else -math.sin(phase)
        return least <= abs(amplitude) <= most and sine >= -ROUNDING

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        if abs(context[0]) <= 2 * LIMIT:
            return []
        words = f"The amplitude {context[0]:g} is beyond the pen's reach."
        return [Problem("contexts", words, f"Choose a number from {-2 * LIMIT:g} to {2 * LIMIT:g}.")]

    def reference_lines(self, context: Sequence[float]) -> Sequence[ReferenceLine]:
        return (ReferenceLine("best that knows neither", (-3.0,), of_family=True),)

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        import mujoco

        for i, x in enumerate(np.linspace(-LIMIT, LIMIT, POINTS)):
            dot = spec.worldbody.add_body(name=task_name(f"dot{i:02d}"), mocap=True, pos=[x * UNIT, 0, 0])
            size, red = [0.015, 0, 0], [0.86, 0.12, 0.12, 1]
            dot.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=size, rgba=red, contype=0, conaffinity=0)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._dots = world.mocap()
        self._line = np.linspace(-LIMIT, LIMIT, POINTS)

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self.qpos[ids, 0] = rng.uniform(-LIMIT * UNIT, LIMIT * UNIT)
        self.qpos[ids, 1], self.qvel[ids] = 0, 0
        self._dots[ids, :, 1] = UNIT * sinusoid(world.contexts[ids], self._line)

    def before(self, world: Simulation, ids: Ids) -> None:
        self.qpos[ids, 1] = UNIT * world.actions[ids][:, 0]

    def state(self, ids: Ids) -> np.ndarray:
        return self.qpos[ids][:, :1] / UNIT

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return -((self.qpos[ids][:, 1] / UNIT - self.expert(world, ids)[:, 0]) ** 2)

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Return the curve's own value, (n, 1)."""
        return sinusoid(world.contexts[ids], self.state(ids))


def sinusoid(contexts: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return A sin(x − φ) for contexts (A, φ), (n, 2), and x (points,) or (n, points): (n, points)."""
    return np.asarray(contexts[:, :1] * np.sin(x - contexts[:, 1:]))
