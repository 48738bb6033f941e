"""The command line. Imports what a command needs when it is asked for; ``--help`` imports nothing heavy."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from studio import __version__
from studio.cli.adapt import add_parser as add_adapt
from studio.cli.adapters import add_parser as add_adapters
from studio.cli.features import add_parser as add_features
from studio.cli.help import add_parser as add_help
from studio.cli.parser import CommandParser, NumberList, readable
from studio.cli.queue import add_parser as add_queue
from studio.errors import StudioError

KINDS = ("strategies", "policies", "tasks", "embodiments", "formats", "panels")


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Return 0 done, 1 the run failed, 2 the request was wrong, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parser().parse_args(readable(words))
    except StudioError as error:
        _print_error(error, "--json" in words)
        return 2
    from studio.cli import commands

    try:
        command = commands.COMMANDS[options.command or "window"]
        return int(command(options))
    except StudioError as error:
        _print_error(error, options.json)
        return 2 if commands.is_request(error) else 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # a bug of a plugin, or ours: one sentence with its place; the traceback on request
        if os.environ.get("TRANSFER_STUDIO_DEBUG"):
            raise
        from studio.run.failures import unexpected_error

        _print_error(unexpected_error(error), options.json)
        return 1


def _print_error(error: StudioError, as_json: bool) -> None:
    """Print an error where its reader looks: a program on stdout, a person on stderr."""
    if as_json:
        import json

        print(json.dumps(error.to_dict()))
    else:
        print(f"transfer-studio: {error}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="transfer-studio", description="Transfer learning of robot policies. Without a command: the window."
    )
    parser.set_defaults(json=False)
    parser.add_argument("--version", action="version", version=f"transfer-studio {__version__}")
    parser.add_argument("--experiment", type=Path, metavar="FILE", help="open the window with this experiment loaded")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    run = _command(commands, "run", "run an experiment")
    run.add_argument("experiment_file", type=Path, metavar="EXPERIMENT.yaml")
    _settings(run)
    run.add_argument("--seed", type=int, help="the experiment's seed")

    resume = _command(commands, "resume", "continue a stopped, failed or killed run")
    resume.add_argument("folder", type=Path, metavar="RUN_DIR")
    resume.add_argument("--iterations", type=int, metavar="N", help="lengthen the run, finished or not, to N in all")

    evaluate = _command(commands, "evaluate", "score a finished run's policy on another experiment's target")
    evaluate.add_argument("folder", type=Path, metavar="RUN_DIR")
    evaluate.add_argument("--on", type=Path, required=True, metavar="EXPERIMENT.yaml", help="whose target and episodes")
    evaluate.add_argument("--set", action="append", default=[], metavar="a.b=c", help="change one of its settings")

    compare = _command(commands, "compare", "run strategies × episodes × seeds, or tabulate runs")
    compare.add_argument("sources", type=Path, nargs="+", metavar="RUN_OR_YAML")
    _settings(compare)
    compare.add_argument("--strategies", nargs="+", metavar="ID", help="only these strategies")
    episodes = "only these numbers of target episodes"
    compare.add_argument("--episodes", action=NumberList, kind=int, metavar="N", help=episodes)
    compare.add_argument("--seeds", action=NumberList, kind=int, metavar="N", help="only these seeds")
    compare.add_argument("--no-run", action="store_true", help="start nothing: tabulate what has been run of it")
    compare.add_argument(
        "--stop-when-decided",
        action="store_true",
        help="play the evaluation in batches; end it for a pair as soon as one of the two is ahead beyond chance",
    )
    compare.add_argument(
        "--alpha", type=float, metavar="P", help="probability, at most, that a pair of equal policies is decided (0.05)"
    )
    compare.add_argument(
        "--format",
        choices=("table", "json", "csv", "md", "matrix"),
        default="table",
        help="how the table is printed (table); matrix: strategies × episodes, with what differs beyond chance",
    )
    compare.add_argument(
        "--screenshot", type=Path, metavar="PNG", help="also write a picture of the window with these runs"
    )

    advise = _command(commands, "advise", "what rules of thumb recommend for an experiment, with what was measured")
    advise.add_argument("experiment_file", type=Path, metavar="EXPERIMENT.yaml")
    advise.add_argument("--set", action="append", default=[], metavar="a.b=c", help="change one of its settings")
    advise.add_argument("--out", type=Path, metavar="DIR", help="whose runs count (default: runs)")

    add_queue(commands)
    add_adapters(commands)
    add_features(commands)
    add_adapt(commands)

    listing = _command(commands, "list", "list what is registered; with --json its parameters too")
    listing.add_argument("kind", choices=KINDS)

    inspect = _command(commands, "inspect", "describe a dataset, run, checkpoint, adapter or model")
    inspect.add_argument("path", type=Path, metavar="PATH")

    export = _command(commands, "export", "copy a run's adapter or merged policy to a folder, or film the policy")
    export.add_argument("folder", type=Path, metavar="RUN_DIR")
    target = export.add_mutually_exclusive_group(required=True)
    target.add_argument("--to", type=Path, metavar="DIR", help="a new or empty folder")
    target.add_argument("--film", type=Path, metavar="FILE.mp4", help="film the policy on the target instead")
    export.add_argument("--episodes", type=int, default=5, metavar="N", help="how many the film shows (5)")
    export.add_argument("--merged", action="store_true", help="the whole policy with the adapter folded in")

    identify = _command(commands, "identify", "infer friction, mass, damping, gain, delay from a robot's recordings")
    identify.add_argument("experiment_file", type=Path, metavar="EXPERIMENT.yaml")
    identify.add_argument("--set", action="append", default=[], metavar="a.b=c", help="change a setting")
    identify.add_argument("--seed", type=int, help="the experiment's seed")
    identify.add_argument(
        "--domain", choices=("source", "target"), default="target", help="whose robot: source or target (target)"
    )
    identify.add_argument(
        "--dataset", type=Path, metavar="FILE", help="recordings (HDF5); without it they are made in simulation"
    )
    identify.add_argument(
        "--hidden", nargs="+", default=[], metavar="FIELD=VALUE", help="hidden parameters of the simulated robot"
    )
    identify.add_argument("--method", choices=("lstm", "sysid"), default="lstm", help="network, or least squares")
    identify.add_argument("--fields", nargs="+", metavar="FIELD", help="only these parameters")
    identify.add_argument("--record", type=Path, metavar="FILE", help="keep the recordings in this file")
    identify.add_argument(
        "--write", type=Path, metavar="YAML", help="write the experiment here, randomized around the estimates"
    )

    preflight = _command(
        commands, "preflight", "look at recordings, policy and adapter before they train; or at a run's policy"
    )
    preflight.add_argument("source", type=Path, metavar="RUN_OR_YAML")
    preflight.add_argument("--set", action="append", default=[], metavar="a.b=c", help="change a setting")
    preflight.add_argument("--seed", type=int, help="the experiment's seed")
    preflight.add_argument("--write", type=Path, metavar="YAML", help="write the fixed experiment here")

    add_help(commands)
    _command(commands, "doctor", "what this machine has, what is missing, and how to install it")

    bench = _command(commands, "bench", "measure the studio on this machine")
    bench.add_argument("names", nargs="*", metavar="NAME", help="which benches; without one, they are listed")
    return parser


def _command(commands: Any, name: str, help: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help.capitalize() + ".")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    return parser


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--set", action="append", default=[], metavar="a.b=c", help="change a setting; may be repeated")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where run folders are made (default: runs)")
    parser.add_argument("--device", choices=("cpu", "cuda", "auto"), help="where networks are trained")
