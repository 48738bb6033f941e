"""Models of other people: what opening one and a five-iteration run with it come to.

``robots.py FOLDER…`` tries every MJCF and URDF file in folders, such as unpacked wheels of gymnasium-robotics,
dm_control, robosuite and metaworld, and keeps in ``robots.tried.json`` what came of each; without folders the kept
results are counted. Wanted: single arms of three to nine hinges reach, or are refused with the cause; no file ends in a
traceback, and a robot that does nothing succeeds nowhere.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import sys
import tempfile
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from _report import finish, row

KEPT = Path(__file__).with_suffix(".tried.json")
SUFFIXES = (".xml", ".urdf", ".mjcf")
SECONDS = 120  # for one file
SEEDS = 8  # episodes of the expert, and of a robot that does nothing
HINGES = range(3, 10)
EXPERIMENT = {
    "version": 1,
    "name": "robots",
    "pretraining": {"iterations": 1, "batch_size": 4},
    "strategy": {"id": "from_scratch"},
    "policy": {"id": "token_transformer", "params": {"width": 16, "layers": 1, "points": 4, "channels": 8}},
    "budget": {"iterations": 5, "batch_size": 16, "checkpoint_every": 5, "threads": 1},
    "evaluation": {"episodes": 2, "source_episodes": 0, "short_episodes": 2},
}


def attempt(path: Path) -> dict[str, Any]:
    """What comes of one file: opened or not, a single arm or not, how often the expert succeeds, the run's end."""
    import torch

    from studio.errors import StudioError
    from studio.experiment import Domain, Experiment
    from studio.registry import Registry
    from studio.run.channels import Channels
    from studio.run.session import Session
    from studio.sim.domains import resolve
    from studio.store.inspect import describe

    torch.set_num_threads(1)
    registry = Registry()
    found: dict[str, Any] = {}
    try:
        found["opened"] = True
        found["changes"] = describe(path)["changes"]
        target = resolve(Domain(embodiment=str(path), task="reach", observation="goal", episodes=4), registry)
        found |= shape(target.embodiment)
    except StudioError as error:
        return {"opened": False, "said": f"{error.message} {error.remedy}"}
    try:
        found |= episodes(target)
        domain = {"embodiment": str(path), "task": "reach", "observation": "goal", "episodes": 4}
        plan = Experiment.from_dict({**EXPERIMENT, "source": domain, "target": domain})
        with tempfile.TemporaryDirectory() as folder:
            Session(plan, registry, Channels(), Path(folder)).run()
        return found | {"run": "finished"}
    except StudioError as error:
        return found | {"run": "refused", "said": f"{error.message} {error.remedy}"}


def shape(embodiment: Any) -> dict[str, Any]:
    """Whether a robot is a single arm: fixed to the world, three to nine hinges, fewer than three beside them."""
    import mujoco

    from studio.sim.scene import build

    model = build(embodiment).model
    chain = [model.joint(name).id for name in embodiment.limbs[0].joints]
    hinge, free = mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_FREE
    hinges = sum(int(model.jnt_type[j]) == hinge for j in chain)

    root = int(model.body_rootid[model.jnt_bodyid[chain[0]]])
    own = [j for j in range(model.njnt) if model.body_rootid[model.jnt_bodyid[j]] == root]
    floats = any(int(model.jnt_type[j]) == free for j in own)
    beside = sum(int(model.jnt_type[j]) == hinge and j not in chain and not carried(model, j, chain[-1]) for j in own)
    single = embodiment.kind == "arm" and hinges in HINGES and len(chain) - hinges < 2 and not floats and beside < 3
    return {"hinges": hinges, "slides": len(chain) - hinges, "single_arm": single}


def carried(model: Any, joint: int, last: int) -> bool:
    """Whether a joint hangs on the body of the chain's last one, as a hand's do."""
    body = int(model.jnt_bodyid[joint])
    while body and body != model.jnt_bodyid[last]:
        body = int(model.body_parentid[body])
    return bool(body)


def episodes(target: Any) -> dict[str, float]:
    """The share of episodes in which the expert succeeds, and in which a robot that keeps still does."""
    import numpy as np

    from studio.sim.rollout import expert_actions, run_episodes
    from studio.sim.world import World

    world = World(target.domain, target.new_task(), target.embodiment, SEEDS, 1)
    still = np.zeros((SEEDS, world.actions.shape[1]))
    try:
        expert = run_episodes(world, expert_actions, range(SEEDS)).successes.mean()
        idle = run_episodes(world, lambda w, ids, seen: still[ids], range(SEEDS)).successes.mean()
    finally:
        world.close()
    return {"expert": float(expert), "idle": float(idle)}


def _child(path: Path, pipe: Connection) -> None:
    try:
        pipe.send(attempt(path))
    except BaseException:
        pipe.send({"fault": traceback.format_exc(limit=-3).strip().splitlines()[-1]})


def tried(path: Path) -> dict[str, Any]:
    """What comes of a file in a process of its own: one that MuJoCo ends is a result too."""
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(False)
    process = context.Process(target=_child, args=(path, theirs))
    process.start()
    theirs.close()
    try:
        return mine.recv() if mine.poll(SECONDS) else {"unfinished": f"after {SECONDS} s"}
    except EOFError:
        return {"fault": "the process ended"}
    finally:
        process.kill()
        process.join()


def try_folders(folders: list[Path], wanted: str) -> None:
    """Try every file and keep what came of it, by its path within its folder, without the machine's."""
    for module in ("studio.sim.world", "studio.run.session", "studio.il.strategy"):
        importlib.import_module(module)  # once, before the processes fork

    kept: dict[str, Any] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and wanted in str(p)):
            name = str(path.relative_to(folder.parent))
            text = json.dumps(tried(path), ensure_ascii=False).replace(str(path), path.name)
            kept[name] = json.loads(text.replace(str(folder.parent.resolve()) + "/", ""))
            print(name, text[:200], flush=True)
            KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--json"]
    folders = [Path(word) for word in words if Path(word).is_dir()]
    try_folders(folders, next((word for word in words if not Path(word).is_dir()), ""))
    found = [*json.loads(KEPT.read_text(encoding="utf-8")).values()]
    arms = [entry for entry in found if entry.get("single_arm")]
    reach = sum(entry.get("run") == "finished" for entry in arms)
    unfinished = sum("unfinished" in entry for entry in found)
    faults = sum("fault" in entry for entry in found)
    idle = sum(entry.get("idle", 0) > 0.5 for entry in found)
    finish(
        [
            row("files tried", len(found), "files"),
            row("files opened as robots", sum(bool(entry.get("opened")) for entry in found), "files"),
            row("files that end in a fault", faults, "files", "0", faults == 0),
            row(f"files unfinished after {SECONDS} s", unfinished, "files"),
            row("robots that succeed without moving", idle, "files", "0", idle == 0),
            row("single arms of 3–9 hinges", len(arms), "files"),
            row(
                "single arms that reach", 100 * reach / max(len(arms), 1), "%", "at least 90", reach >= 0.9 * len(arms)
            ),
        ]
    )


if __name__ == "__main__":
    main()
