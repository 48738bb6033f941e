"""Which seeds of episodes each use of an experiment's seed may take, so that no two of them ever play the same.

Evaluation episodes have the seeds from ``evaluation.seed`` on, at most ``LAST_SEED`` plus their count. Every other use
is given a range of its own here; nothing else adds to a seed or shifts it.

Torch's generators are apart from that. New weights and the generators of the learners (PPO, the off-policy ones, DPT,
policy gradient of meta-learning), which draw their noise and the order of their minibatches, are all seeded with the
plain seed: the first noise is made of the same random numbers as the weights. That is harmless. No weight is chosen by
the noise, each of the two is distributed as it should be over seeds, they meet in other places and in another order,
and no episode is drawn from either. Other seeds there would change every figure that was published.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

import numpy as np

LAST_SEED = 2_000_000_000  # of an experiment: so every seed made of it fits 64 bits
DEMONSTRATIONS = 1_000_000  # seeds set aside for the demonstrations of one experiment's seed

_TRAINING = 32  # bits: training episodes lie above every evaluation's and demonstration's
_TARGET_VISITS = 1 << 20  # between the seeds of a training and of its visits to the target
_SHOTS = 1 << 21  # between the seeds of a training and of what its policy is adapted to
_SELECTION = 3 << 30  # above the training episodes and the images of a seed
_IMAGES = 1 << 30  # between the training episodes of a seed and each collection of images


def torch_seed(seed: int) -> int:
    """Return what seeds a generator of torch: on a CPU it reads the lower 32 bits alone, by which seeds of different
    experiments do not differ. Smaller seeds stay as they are."""
    return seed if seed < 1 << 32 else int(np.random.SeedSequence(seed).generate_state(1)[0])


def batch_seed(seed: int, iteration: int) -> int:
    """Return what seeds torch's generator for the batch of one iteration: the same for a run that was resumed."""
    return torch_seed((seed << 32) + iteration)


def training_episode_seed(seed: int) -> int:
    """Return the first seed of the episodes that an experiment with this seed trains in; the next ones follow."""
    return (seed + 1) << _TRAINING


def target_visit_seed(seed: int) -> int:
    """Return the first seed of the episodes in which a training on the source visits the target."""
    return training_episode_seed(seed + _TARGET_VISITS)


def shot_seed(seed: int, contexts: Sequence[Sequence[float]]) -> int:
    """Return the first seed of the episodes in which a policy is adapted to the task with these contexts: tasks that
    are adapted to with the same seed have episodes of their own."""
    return training_episode_seed(seed + _SHOTS) + (zlib.crc32(json.dumps(contexts).encode()) >> 1)


def image_episode_seed(seed: int, collection: int) -> int:
    """Return the first seed of the episodes that images are collected from; ``collection``: 1 for the first."""
    return training_episode_seed(seed) + collection * _IMAGES


def selection_seed(seed: int) -> int:
    """Return the first seed of the episodes by which a training's best policy is chosen."""
    return training_episode_seed(seed) + _SELECTION


def source_seed(seed: int, repeated: int) -> int:
    """Return the seed of a source's demonstrations, where ``repeated`` earlier sources have the same robot and task.

    From the same seed all of them would show the same scenes. It is above every experiment's own.
    """
    return seed + repeated * (LAST_SEED + 1)


def demonstration_seed(seed: int) -> int:
    """Return the first seed of an experiment's demonstrations; ``DEMONSTRATIONS`` seeds from it on are theirs."""
    return DEMONSTRATIONS * (seed + 1)
