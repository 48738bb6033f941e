"""2,000 dataset files of damaged structure: how many are refused in plain words, how many read as what they are.

Parts of small files in robomimic's layout, and of the files that are named after the script's name, are dropped,
renamed, retyped, truncated and reshaped, attributes and values changed, one to three changes each. Each file is
inspected, checked, read and played as the studio does. What is no StudioError, or no plain sentence, is an error.
"""

from __future__ import annotations

import collections
import sys
import tempfile
import traceback
from pathlib import Path

import _tree  # noqa: F401
import numpy as np
from _report import finish, row

from studio.experiment import Domain
from studio.registry import shared_registry
from tests.studio.data.broken_files import PICTURES, SIZE, damage, write_file
from tests.studio.data.outcomes import outcome

FILES = 2000


def main() -> None:
    """Damage, try, count."""
    counted: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        sound = [(write_file(Path(folder) / f"{kind}.h5", kind), SIZE) for kind in PICTURES]
        sound += [(write_file(Path(folder) / f"plain-{i}.h5", "", bool(i)), 0) for i in range(2)]
        sound += [(Path(name), 64 if "img" in name else 0) for name in sys.argv[1:]]
        path = Path(folder) / "damaged.hdf5"
        for seed in range(FILES):
            file, size = sound[seed % len(sound)]
            path.unlink(missing_ok=True)
            path = Path(folder) / f"{seed}.hdf5"
            path.write_bytes(file.read_bytes())
            done = damage(path, np.random.default_rng(seed), 1 + seed % 3)
            domain = Domain(embodiment="ur5_6dof", observation="goal", episodes=2, dataset=path)
            if size:
                domain = domain.changed(observation="image", image_size=size)
            try:
                counted[outcome(domain, shared_registry())] += 1
            except Exception:
                counted["error"] += 1
                print(f"{file.name}, seed {seed}: {done}\n{traceback.format_exc()}", file=sys.stderr)
    finish(
        [
            row("files", FILES, "files"),
            row("refused in plain words", counted["refused"], "files"),
            row("read as what they are", counted["read"], "files"),
            row("errors", counted["error"], "files", "0", counted["error"] == 0),
        ]
    )


if __name__ == "__main__":
    main()
