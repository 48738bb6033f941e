"""Files whose structure is damaged: each is refused in plain words, or read as what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.experiment import Domain
from studio.registry import shared_registry
from tests.studio.data.broken_files import LENGTHS, SIZE, damage, write_file
from tests.studio.data.outcomes import outcome


@pytest.mark.parametrize(("pictures", "files"), [("", 75), ("gray", 25)])
def test_damaged_structure_is_refused_or_read(pictures: str, files: int, tmp_path: Path) -> None:
    sound = write_file(tmp_path / "sound.hdf5", pictures).read_bytes()
    seen = []
    for seed in range(files):
        path, rng = tmp_path / f"{seed}.hdf5", np.random.default_rng(seed)
        path.write_bytes(sound)
        done = damage(path, rng, 1 + seed % 3)
        observation = "image" if pictures else "goal"
        domain = Domain(
            embodiment="ur5_6dof", observation=observation, image_size=SIZE, episodes=len(LENGTHS), dataset=path
        )
        try:
            seen.append(outcome(domain, shared_registry()))
        except Exception as error:
            error.add_note(f"seed {seed}: {done}")
            raise
    assert min(seen.count("read"), seen.count("refused")) >= files // 10
