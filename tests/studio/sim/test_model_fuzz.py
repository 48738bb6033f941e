"""Model files whose structure is damaged: each is refused in plain words, or moves."""

from __future__ import annotations

from pathlib import Path

from studio.registry import shared_registry
from tests.studio.sim.broken_models import damaged, sound_models
from tests.studio.sim.model_outcomes import model_outcome

FILES = 100


def test_models_of_damaged_structure_are_refused_or_move(tmp_path: Path) -> None:
    seen, sound = [], sound_models(tmp_path)
    for seed in range(FILES):
        file = sound[seed % len(sound)]
        path, done = damaged(file, seed)
        try:
            seen.append(model_outcome(path, shared_registry()))
        except Exception as error:
            error.add_note(f"seed {seed}, {file.name}: {done}")
            raise
    assert min(seen.count("moves"), seen.count("refused")) >= FILES // 10
