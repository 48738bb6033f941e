"""What ``transfer-studio queue`` does: runs that wait, in the same list as the window's."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio import paths
from studio.cli.experiments import load_experiment
from studio.cli.progress import STOPPED, ProgressLine
from studio.errors import ExperimentError
from studio.files import json_text

if TYPE_CHECKING:
    from studio.run.queue import Queue
    from studio.run.queue_entry import Entry


def add_parser(commands: Any) -> None:
    """Add the command and its own commands to the parser."""
    text = "runs that wait, one after the other; the window has the same list"
    parser = commands.add_parser("queue", help=text, description=text.capitalize() + ".")
    actions = parser.add_subparsers(dest="queue_action", metavar="ACTION", required=True)

    def action(name: str, help: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = actions.add_parser(name, help=help, description=help.capitalize() + ".")
        made.add_argument("--json", action="store_true", help="print one JSON object last")
        made.add_argument("--out", type=Path, metavar="DIR", help="the runs folder whose queue it is (default: runs)")
        return made

    add = action("add", "add an experiment, or with --compare all runs of its comparison")
    add.add_argument("experiment_file", type=Path, metavar="EXPERIMENT.yaml")
    add.add_argument("--set", action="append", default=[], metavar="a.b=c", help="change a setting; may be repeated")
    add.add_argument("--device", choices=("cpu", "cuda", "auto"), help="where networks are trained")
    add.add_argument("--seed", type=int, help="the experiment's seed")
    add.add_argument("--compare", action="store_true", help="its comparison; what has finished already is left out")
    add.add_argument("--first", action="store_true", help="before all that wait")
    action("list", "show the queue, and the time that is left in all")
    action("run", "run what waits; Ctrl-C stops with a checkpoint, and the next 'queue run' goes on")
    for name, help in (
        ("skip", "pass over entries that wait; stop the one that runs, and go on with the next"),
        ("cancel", "take entries off the queue; their runs are kept"),
        ("move", "change the order of what waits"),
        ("repeat", "run entries again: what was stopped or failed is resumed, a finished one is a new run"),
    ):
        of = action(name, help)
        of.add_argument("ids", type=int, nargs="*" if name == "cancel" else "+", metavar="ID")
        if name == "cancel":
            of.add_argument("--ended", action="store_true", help="all that have ended")
        elif name == "move":
            where = of.add_mutually_exclusive_group(required=True)
            where.add_argument("--by", type=int, metavar="N", help="places down; up where negative (--by=-1)")
            where.add_argument("--first", action="store_true", help="before all others")
            where.add_argument("--last", action="store_true", help="behind all others")
        elif name == "repeat":
            of.add_argument("--seed", type=int, metavar="N", help="as new runs of this seed")


def queue(options: argparse.Namespace) -> int:
    """Change, show or run the queue of a runs folder."""
    from studio.run.queue import Queue

    of = Queue(options.out or paths.runs())
    action = options.queue_action
    if action == "add":
        _add(of, options)
    elif action == "run":
        return _run(of, options)
    elif action == "skip":
        of.skip(options.ids)
    elif action == "cancel":
        if not (options.ids or options.ended):
            remedy = "Give the numbers, or --ended."
            raise ExperimentError("Nothing says which entries are to be canceled.", "queue cancel", remedy)
        of.cancel(options.ids)
        if options.ended:
            of.cancel_ended()
    elif action == "move":
        far = len(of.entries())
        of.move(options.ids, -far if options.first else far if options.last else options.by)
    elif action == "repeat":
        of.repeat(options.ids, options.seed)
    _show(of, options.json)
    return 0


def _add(of: Queue, options: argparse.Namespace) -> None:
    from studio.registry import shared_registry
    from studio.run.check import check
    from studio.run.matrix import jobs_of, matrix, plan
    from studio.run.queue_entry import Job

    registry = shared_registry()
    experiment = load_experiment(options.experiment_file, options.set, device=options.device, seed=options.seed)
    if not options.compare:
        for problem in check(experiment, registry):
            raise ExperimentError(problem.message, problem.field, problem.remedy)
        of.add([Job(experiment)], first=options.first)
        return
    runs = plan(matrix(experiment, registry), registry, of.runs_folder)
    of.add(jobs_of(experiment, runs), experiment.name, options.first)
    finished = sum(run.is_finished for run in runs)
    if finished:
        print(f"{finished} of {len(runs)} runs are finished already.", file=sys.stderr)


def _run(of: Queue, options: argparse.Namespace) -> int:
    from studio.registry import shared_registry
    from studio.run.decide import DecisionSession
    from studio.run.queue_worker import QueueWorker, RunnableSession
    from studio.run.session import Session

    registry, ran = shared_registry(), list[int]()

    def started(entry: Entry) -> None:
        ran.append(entry.id)
        entries = of.entries()
        line.total = len(entries)
        place = [other.id for other in entries].index(entry.id)
        channels.append(line.channels(place, entry.experiment))

    def open_session(entry: Entry) -> RunnableSession:
        if entry.decides:
            return DecisionSession(entry.experiment, registry, channels[-1], of.runs_folder)
        folder = of.path_of(entry)
        if folder is not None:
            return Session.resume(folder, registry, channels[-1], entry.iterations)
        return Session(entry.experiment, registry, channels[-1], of.runs_folder)

    def drive(session: RunnableSession) -> None:
        try:
            line.drive(session)
        finally:
            if line.interrupted:
                worker.leave()

    def failed(entry: Entry, _session: RunnableSession | None, error: Exception) -> None:
        line.say(f"transfer-studio: {entry.id} '{entry.experiment.name}' failed: {error}")

    channels: list[Any] = []
    worker = QueueWorker(of, open_session, drive, started, failed=failed)
    of.set_going(True)
    with ProgressLine(1) as line:
        worker.run()
    _show(of, options.json)
    if line.interrupted:
        return STOPPED
    return 1 if any(entry.state == "failed" and entry.id in ran for entry in of.entries()) else 0


def _show(of: Queue, as_json: bool) -> None:
    from studio.run.queue_time import seconds_left

    entries = of.entries()
    left = seconds_left(entries)
    if as_json:
        rows = [_row(of, entry) for entry in entries]
        print(json_text({"queue": str(of.path), "going": of.is_going, "seconds_left": left, "entries": rows}))
        return
    if not entries:
        print("The queue is empty. Add to it with: transfer-studio queue add EXPERIMENT.yaml")
        return
    width = max(len(entry.experiment.name) for entry in entries)
    for entry in entries:
        plan = entry.experiment
        what = f"{plan.strategy.id}, {plan.target.episodes} episodes, seed {plan.seed}"
        if entry.decides:
            what = "decisions of its pairs"
        about = entry.message or entry.folder
        print(f"{entry.id:>4}  {entry.state:<8}  {plan.name:<{width}}  {what}  {about}".rstrip())
    waiting = sum(entry.state == "waiting" for entry in entries)
    time = f", about {left / 60:.0f} min in all" if math.isfinite(left) and left > 0 else ""
    print(f"{waiting} waiting{time}")


def _row(of: Queue, entry: Entry) -> dict[str, Any]:
    plan, folder = entry.experiment, of.path_of(entry)
    return {
        "id": entry.id,
        "state": entry.state,
        "name": plan.name,
        "comparison": entry.batch or None,
        "strategy": plan.strategy.id,
        "episodes": plan.target.episodes,
        "seed": plan.seed,
        "run": None if folder is None else str(folder),
        "seconds": entry.seconds or None,
        "message": entry.message or None,
    }
