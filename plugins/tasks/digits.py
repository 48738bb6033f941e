"""Reading digits: an episode is one image, its one action the digit. Two domains: MNIST's images as they are, and
blended with photographs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from plugins.tasks import digit_images
from studio.contracts import Embodiment, Ids, Problem, Simulation, Task, task_name

if TYPE_CHECKING:
    import mujoco

    from studio.rng import EpisodeRng

CELL = 0.1  # m: the side of an image on the sheet, which the camera sees whole
# which images (of the shuffled 5,000) are whose: no image is in two of them
SOURCE, TARGET = range(1750), range(1750, 3500)
VALIDATION, TEST = range(3500, 4000), range(4000, digit_images.COUNT)


def _contexts(images: range) -> tuple[tuple[float, ...], ...]:
    return tuple((float(image),) for image in images)


class Digits(Task):
    """A sheet holds the domain's images, and the camera stands over one of them. The episode is a success where the
    chosen action is the image's digit. The context is the image's number: episodes of consecutive seeds show all
    training images in turn, and held-out ones are no source's and no target's training images."""

    id = "digits"
    title = "Digits"
    summary = "Reads a handwritten digit (MNIST); one action: the digit."
    reference = "LeCun et al. 1998, Gradient-based learning applied to document recognition (MNIST)"
    gymnasium_id = "Digits-{embodiment}-v0"
    horizon = 1
    control_hz = 10.0
    controls = ("discrete",)
    observations = ("image",)
    actions = 10
    goal_width = 1
    context: ClassVar[tuple[str, ...]] = ("image",)
    members = _contexts(SOURCE)
    validation = _contexts(VALIDATION)
    held_out = _contexts(TEST)
    state_arrays: ClassVar[tuple[str, ...]] = ("_choice",)
    drawn: ClassVar[tuple[int, ...]] = tuple(range(10))  # the digits that training meets; scores have all ten

    def check(self, embodiment: Embodiment) -> list[Problem]:
        if embodiment.id != "reader":
            words = f"'{self.title}' is not for '{embodiment.id}', which has no sheet to read from."
            return [Problem("embodiment", words, "Choose reader.")]
        error = digit_images.missing()
        return [] if error is None else [Problem("task", error.message, error.remedy)]

    def check_context(self, context: Sequence[float]) -> list[Problem]:
        if tuple(context) in {*self.members, *self.validation, *self.held_out}:
            return []
        words = f"There is no image {context[0]:g} on the sheet of '{self.id}'."
        return [Problem("contexts", words, f"Give a whole number from {SOURCE.start} to {TEST.stop - 1}.")]

    def images(self, numbers: np.ndarray) -> np.ndarray:
        """Return the domain's images of these numbers, (n, 32, 32, 3) uint8."""
        return digit_images.plain(digit_images.mnist()[0][numbers])

    def build(self, spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
        """Lay the sheet: one texture with all images of the domain, row after row."""
        import mujoco

        numbers = self._numbers()
        line, side = math.ceil(math.sqrt(len(numbers))), digit_images.SIDE
        sheet = np.zeros((line * line, side, side, 3), np.uint8)
        sheet[: len(numbers)] = self.images(numbers)
        whole = sheet.reshape(line, line, side, side, 3).swapaxes(1, 2).reshape(line * side, line * side, 3)
        texture = spec.add_texture(name=task_name("sheet"), type=mujoco.mjtTexture.mjTEXTURE_2D, nchannel=3)
        texture.width = texture.height = line * side
        texture.data = whole.tobytes()
        material = spec.add_material(name=task_name("sheet"), texrepeat=[1, 1])
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = task_name("sheet")
        half = line * CELL / 2
        spec.worldbody.add_geom(
            name=task_name("sheet"), type=mujoco.mjtGeom.mjGEOM_BOX, size=[half, half, 0.01], pos=[0, 0, -0.01],
            material=task_name("sheet"), contype=0, conaffinity=0,
        )  # fmt: skip

    def prepare(self, world: Simulation) -> None:
        self._qpos = world.bind("qpos")
        self._labels = digit_images.mnist()[1]
        self._choice = np.full(world.num_envs, -1)
        numbers = self._numbers()
        self._cells = np.full(numbers.max() + 1, -1)
        self._cells[numbers] = np.arange(len(numbers))
        self._line = math.ceil(math.sqrt(len(numbers)))

    def family(self, rng: EpisodeRng) -> np.ndarray:
        rng.uniform()
        images = np.asarray(self.members)
        images = images[np.isin(digit_images.mnist()[1][images[:, 0].astype(int)], self.drawn)]
        return images[rng.seeds % np.uint64(len(images))]

    def reset(self, world: Simulation, ids: np.ndarray, rng: EpisodeRng) -> None:
        self._choice[ids] = -1
        row, column = np.divmod(self._cells[self._image(world, ids)], self._line)
        self._qpos[ids, 0] = (column - (self._line - 1) / 2) * CELL
        self._qpos[ids, 1] = ((self._line - 1) / 2 - row) * CELL

    def act(self, world: Simulation, choices: np.ndarray, ids: Ids) -> None:
        self._choice[ids] = choices

    def success(self, world: Simulation, ids: Ids) -> np.ndarray:
        return np.asarray(self._choice[ids] == self._labels[self._image(world, ids)])

    def reward(self, world: Simulation, ids: Ids) -> np.ndarray:
        return self.success(world, ids).astype(float)

    def expert(self, world: Simulation, ids: Ids) -> np.ndarray:
        """Return the label."""
        return self._labels[self._image(world, ids)][:, None].astype(float)

    def _numbers(self) -> np.ndarray:
        return np.array([*self.members, *self.validation, *self.held_out], int)[:, 0]

    def _image(self, world: Simulation, ids: Ids) -> np.ndarray:
        return world.contexts[ids][:, 0].astype(int)


class DigitsBlended(Digits):
    """The same task on other images: each is blended with a crop of a photograph, as MNIST-M is made."""

    id = "digits_blended"
    title = "Digits over photographs"
    summary = "Reads a handwritten digit that is blended with a photograph (after MNIST-M); one action: the digit."
    reference = "Ganin and Lempitsky 2015, arXiv:1409.7495, section 4 (MNIST-M)"
    gymnasium_id = "DigitsBlended-{embodiment}-v0"
    members = _contexts(TARGET)

    def images(self, numbers: np.ndarray) -> np.ndarray:
        return digit_images.blended(digit_images.mnist()[0][numbers], numbers, digit_images.photographs())


class DigitsBlendedPartial(DigitsBlended):
    """What a poor policy sees of the same task: training meets three of the ten digits, scores all of them."""

    id = "digits_blended_partial"
    title = "Digits 0 to 2 over photographs"
    summary = "The same, but training meets the digits 0, 1 and 2 alone, as a poor policy does; scored on all ten."
    gymnasium_id = "DigitsBlendedPartial-{embodiment}-v0"
    drawn = (0, 1, 2)
