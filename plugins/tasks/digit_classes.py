"""Few-shot reading: five kinds of handwritten digits, and which answer belongs to which kind is to be found out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plugins.tasks import digit_images
from plugins.tasks.digits import Digits
from studio.contracts import Ids, Problem, Simulation

if TYPE_CHECKING:
    from studio.rng import EpisodeRng

WAYS = 5
TURNS = 2  # a digit as it is, and turned by 90°, are two classes (after Omniglot's protocol)
TRAINING, TEST = range(5 * TURNS), range(5 * TURNS, 10 * TURNS)  # digits 0 to 4, and 5 to 9
TEST_TASKS = 200


def _test_tasks() -> tuple[tuple[float, ...], ...]:
    rng = np.random.default_rng(0)
    return tuple(tuple(map(float, rng.permutation(TEST)[:WAYS])) for _ in range(TEST_TASKS))


class DigitClasses(Digits):
    """The context names five classes; the right action is the place of the image's class among them.

    Class 2d is the digit d, class 2d + 1 the same turned by 90°. Training draws from those of the digits 0 to 4,
    held-out tasks from those of 5 to 9, which no training sees. Episodes whose seeds are consecutive show the five
    classes in turn, each time another image, so the support of 5k episodes has k images of each class.
    """

    id = "digit_classes"
    title = "Digits of five kinds"
    summary = "Tells five kinds of digits apart, of which only a few examples show which is which."
    reference = "Vinyals et al. 2016, arXiv:1606.04080, section 4.1 (N-way k-shot); images: LeCun et al. 1998 (MNIST)"
    gymnasium_id = "DigitClasses-{embodiment}-v0"
    actions = WAYS
    goal_width = WAYS
    context: ClassVar[tuple[str, ...]] = tuple(f"class_{i + 1}" for i in range(WAYS))
    members = ()
    validation = ()
    held_out = _test_tasks()
    state_arrays: ClassVar[tuple[str, ...]] = ("_choice", "_place", "_cell")

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        if len({*context}) == WAYS and all(value in range(10 * TURNS) for value in context):
            return []
        words = f"{', '.join(f'{value:g}' for value in context)} are not {WAYS} different classes."
        return [Problem("contexts", words, f"Give {WAYS} whole numbers from 0 to {10 * TURNS - 1}.")]

    def images(self, numbers: np.ndarray) -> np.ndarray:
        """Return images (n, 32, 32, 3) uint8: of number i < 5,000 as it is, of 5,000 + i turned by 90°."""
        turned, place = np.divmod(numbers, digit_images.COUNT)
        plain = digit_images.mnist()[0][place]
        return digit_images.plain(np.where(turned[:, None, None] == 1, np.rot90(plain, 1, (1, 2)), plain))

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._place = np.zeros(world.num_envs, int)  # of the image's class in the context
        self._cell = np.zeros(world.num_envs, int)  # of the image on the sheet
        self._of_digit = [np.flatnonzero(self._labels == digit) for digit in range(10)]

    def family(self, rng: EpisodeRng) -> np.ndarray:
        return rng.uniform(shape=(len(TRAINING),)).argsort(1)[:, :WAYS].astype(float)

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        turn, self._place[ids] = np.divmod(rng.seeds.astype(int), WAYS)
        classes = np.take_along_axis(world.contexts[ids], self._place[ids, None], 1)[:, 0].astype(int)
        for row, (i, kind) in enumerate(zip(ids.tolist(), classes.tolist(), strict=True)):
            numbers = self._of_digit[kind // TURNS]
            self._cell[i] = numbers[turn[row] % len(numbers)] + kind % TURNS * digit_images.COUNT
        super().reset(world, ids, rng)

    def success(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray(self._choice[ids] == self._place[ids])

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Return the place of the image's class."""
        return self._place[ids][:, None].astype(float)

    def _numbers(self) -> np.ndarray:
        return np.arange(TURNS * digit_images.COUNT)

    def _image(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self._cell[ids]
