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
PER_CLASS = 200  # images
# A class: digit, quarter turns, whether it is mirrored. What looks the same when turned or mirrored (0, 1) has two.
TRAINING = (
    *((digit, turns, False) for digit in (0, 1) for turns in range(2)),
    *((digit, turns, mirrored) for digit in (2, 3, 4) for turns in range(4) for mirrored in (False, True)),
)
TEST = tuple((digit, turns, False) for digit in range(5, 10) for turns in range(2))
CLASSES = (*TRAINING, *TEST)
TEST_TASKS = 200


def _test_tasks() -> tuple[tuple[float, ...], ...]:
    rng = np.random.default_rng(0)
    places = np.arange(len(TRAINING), len(CLASSES))
    return tuple(tuple(rng.permutation(places)[:WAYS].astype(float).tolist()) for _ in range(TEST_TASKS))


class DigitClasses(Digits):
    """The context names five classes; the right action is the place of the image's class among them.

    A class is a digit that is turned by quarters, and mirrored or not. Training draws from 28 classes of the digits 0
    to 4, held-out tasks from 10 of 5 to 9, which no training sees. Episodes whose seeds are consecutive show the five
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
        if len({*context}) == WAYS and all(value in range(len(CLASSES)) for value in context):
            return []
        words = f"{', '.join(f'{value:g}' for value in context)} are not {WAYS} different classes."
        return [Problem("contexts", words, f"Give {WAYS} whole numbers from 0 to {len(CLASSES) - 1}.")]

    def images(self, numbers: np.ndarray) -> np.ndarray:
        """Return images (n, 32, 32, 3) uint8: of number i the image i % 200 of class i // 200."""
        images, labels = digit_images.mnist()
        found = np.empty((len(numbers), *images.shape[1:]), np.uint8)
        kinds, places = np.divmod(numbers, PER_CLASS)
        for kind, (digit, turns, mirrored) in enumerate(CLASSES):
            rows = np.flatnonzero(kinds == kind)
            own = images[np.flatnonzero(labels == digit)[places[rows]]]
            found[rows] = np.rot90(own[:, :, ::-1] if mirrored else own, turns, (1, 2))
        return digit_images.plain(found)

    def prepare(self, world: Simulation) -> None:
        super().prepare(world)
        self._place = np.zeros(world.num_envs, int)  # of the image's class in the context
        self._cell = np.zeros(world.num_envs, int)  # of the image on the sheet

    def family(self, rng: EpisodeRng) -> np.ndarray:
        return rng.uniform(shape=(len(TRAINING),)).argsort(1)[:, :WAYS].astype(float)

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        turn, self._place[ids] = np.divmod(rng.seeds.astype(int), WAYS)
        kinds = np.take_along_axis(world.contexts[ids], self._place[ids, None], 1)[:, 0].astype(int)
        self._cell[ids] = PER_CLASS * kinds + turn % PER_CLASS
        super().reset(world, ids, rng)

    def success(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray(self._choice[ids] == self._place[ids])

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Return the place of the image's class."""
        return self._place[ids][:, None].astype(float)

    def _numbers(self) -> np.ndarray:
        return np.arange(PER_CLASS * len(CLASSES))

    def _image(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self._cell[ids]
