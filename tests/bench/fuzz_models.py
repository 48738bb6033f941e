"""2,000 model files of damaged structure: how many are refused in plain words, how many move.

Elements and attributes of small arms (MJCF and URDF), and of models in the folders named after the script's name, are
dropped, renamed, retyped, copied, or the text is cut off, one to three changes each. Each file is inspected, checked,
made a world of and moved, as the studio does. What is no StudioError, or no plain sentence, is an error; so is a file
that ends the process, or takes longer than a minute.
"""

from __future__ import annotations

import collections
import multiprocessing
import os
import shutil
import sys
import tempfile
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

import _tree  # noqa: F401
from _report import finish, row

from studio.registry import shared_registry
from tests.studio.sim.broken_models import damaged, sound_models
from tests.studio.sim.model_outcomes import model_outcome

FILES = 2000
SECONDS = 60  # for one file


def attempt(sound: list[Path], seeds: range, pipe: Connection) -> None:
    """Damage and try one file for each seed; send the outcome."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # MuJoCo's warnings
    for seed in seeds:
        file = sound[seed % len(sound)]
        path, done = damaged(file, seed)
        try:
            pipe.send((model_outcome(path, shared_registry()), ""))
        except Exception:
            pipe.send(("error", f"{file.name}, seed {seed}: {done}\n{traceback.format_exc()}"))
        path.unlink()


def tried(sound: list[Path], seeds: range) -> list[tuple[str, str]]:
    """What comes of each seed, from a process of its own as far as it lives."""
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(False)
    process = context.Process(target=attempt, args=(sound, seeds, theirs))
    process.start()
    theirs.close()
    found: list[tuple[str, str]] = []
    try:
        while len(found) < len(seeds) and mine.poll(SECONDS):
            found.append(mine.recv())
    except EOFError:
        pass
    process.kill()
    process.join()
    if len(found) == len(seeds):
        return found
    seed = seeds[len(found)]
    found.append(("error", f"{sound[seed % len(sound)].name}, seed {seed}: the process ended, or took too long"))
    return found + tried(sound, seeds[len(found) :]) if len(found) < len(seeds) else found


def main() -> None:
    """Damage, try, count."""
    counted: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        sound = sound_models(Path(folder))
        for top in sys.argv[1:]:  # folders of models, copied with their meshes and included files
            copied = shutil.copytree(top, Path(folder) / Path(top).name)
            sound += sorted(path for path in copied.rglob("*") if path.suffix in (".xml", ".urdf"))
        for outcome, said in tried(sound, range(FILES)):
            counted[outcome] += 1
            if said:
                print(said, file=sys.stderr)
    finish(
        [
            row("files", FILES, "files"),
            row("refused in plain words", counted["refused"], "files"),
            row("robots that move", counted["moves"], "files"),
            row("errors", counted["error"], "files", "0", counted["error"] == 0),
        ]
    )


if __name__ == "__main__":
    main()
