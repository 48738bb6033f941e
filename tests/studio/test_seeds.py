"""Seeds: the uses of one experiment's seed never meet, and their numbers are those of runs made before."""

from __future__ import annotations

from itertools import pairwise

import torch

from studio import seeds


def test_numbers_are_those_of_earlier_runs() -> None:
    assert seeds.batch_seed(0, 7) == 7  # of other seeds they were alike, as torch read half of their bits
    assert seeds.training_episode_seed(3) == 4 * 2**32
    assert seeds.target_visit_seed(3) == (4 + 2**20) * 2**32
    assert seeds.image_episode_seed(3, 2) == 4 * 2**32 + 2 * 2**30
    assert seeds.demonstration_seed(3) == 4_000_000


def test_uses_of_one_seed_keep_apart() -> None:
    for seed in (0, 1, 12_345):
        firsts = [
            seeds.demonstration_seed(seed),
            seeds.training_episode_seed(seed),
            seeds.image_episode_seed(seed, 1),
            seeds.image_episode_seed(seed, 2),
            seeds.selection_seed(seed),
            seeds.training_episode_seed(seed + 1),
            seeds.target_visit_seed(seed),
            seeds.shot_seed(seed, []),
        ]
        assert all(later - earlier >= seeds.DEMONSTRATIONS for earlier, later in pairwise(firsts))


def test_tasks_that_are_adapted_to_have_episodes_of_their_own() -> None:
    firsts = sorted(seeds.shot_seed(3, [[place / 10]]) for place in range(20))
    assert all(later - earlier > 1000 for earlier, later in pairwise(firsts))


def test_every_seed_of_the_last_experiment_fits_64_bits() -> None:
    last = seeds.LAST_SEED
    firsts = (seeds.shot_seed(last, [[0.5]]), seeds.image_episode_seed(last, 2))
    assert max(firsts) + 2**32 < 2**63
    assert seeds.training_episode_seed(0) > last


def test_batches_of_every_seed_and_iteration_are_drawn_differently() -> None:
    drawn = set()
    for seed in (0, 1, 2, seeds.LAST_SEED):
        for iteration in range(50):
            generator = torch.Generator().manual_seed(seeds.batch_seed(seed, iteration))
            drawn.add(tuple(torch.randint(1000, (6,), generator=generator).tolist()))
    assert len(drawn) == 4 * 50
