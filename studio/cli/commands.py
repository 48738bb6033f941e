"""What each command does. Progress goes to stderr, results to stdout."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from studio import paths
from studio.cli.adapt import adapt
from studio.cli.adapters import adapters
from studio.cli.advise import advise
from studio.cli.compare import compare
from studio.cli.experiments import load_experiment
from studio.cli.features import features
from studio.cli.help import help_
from studio.cli.progress import STOPPED, ProgressLine
from studio.cli.queue import queue
from studio.errors import DataError, ExperimentError, StudioError
from studio.files import json_text

WITH_PARAMETERS = ("strategies", "policies")  # kinds of contributions whose classes have ``Params``


def is_request(error: StudioError) -> bool:
    """Whether the request was wrong (exit 2), rather than the run having failed (exit 1)."""
    return isinstance(error, ExperimentError | DataError)


def window(options: argparse.Namespace) -> int:
    """Open the window. Raises StudioError where Qt would abort: a library is missing, or there is no display."""
    from studio.cli.qt_platform import startable_platform
    from studio.cli.window import window_function

    if options.experiment is not None and not options.experiment.is_file():
        raise ExperimentError("The experiment file does not exist.", str(options.experiment), "Check the path.")
    startable_platform()
    return int(window_function("main")(options.experiment))


def run(options: argparse.Namespace) -> int:
    """Run one experiment."""
    from studio.registry import shared_registry
    from studio.run.session import Session

    experiment = load_experiment(options.experiment_file, options.set, device=options.device, seed=options.seed)
    with ProgressLine(1) as line:
        session = Session(experiment, shared_registry(), line.channels(0, experiment), options.out or paths.runs())
        line.drive(session)
    return _report(session, options.json)


def resume(options: argparse.Namespace) -> int:
    """Continue a run."""
    from studio.registry import shared_registry
    from studio.run.session import Session

    with ProgressLine(1) as line:
        channels = line.channels(0, None)
        session = Session.resume(options.folder, shared_registry(), channels, options.iterations)
        line.drive(session)
    return _report(session, options.json)


def evaluate(options: argparse.Namespace) -> int:
    """Score a run's policy on another experiment's target."""
    from studio.cli.progress import ShareLine
    from studio.registry import shared_registry
    from studio.run.evaluate_run import evaluate_run, leaves_out_shots

    experiment = load_experiment(options.on, options.set)
    line = ShareLine("evaluate")
    result = evaluate_run(options.folder, experiment, shared_registry(), lambda done, total: line(done / total))
    line.clear()
    if leaves_out_shots(options.folder, experiment, shared_registry()):
        words = "This is the score before any shot. transfer-studio adapt scores the run after shots of a task."
        print(f"transfer-studio: {words}", file=sys.stderr)
    target = experiment.target
    if options.json:
        about = {"run": str(options.folder), "experiment": str(options.on), "seed": experiment.evaluation.seed}
        about |= {"task": target.task, "embodiment": target.embodiment}
        print(json_text(about | result.to_dict()))
    else:
        print(
            f"{target.task} on {target.embodiment}: {result.measure} {result.score:.3f} "
            f"[{result.low:.3f}, {result.high:.3f}] over {result.episodes} episodes"
        )
    return 0


def list_(options: argparse.Namespace) -> int:
    """List the contributions of a kind; as JSON with their parameters, for which all of them are imported."""
    from studio.registry import shared_registry

    registry, kind = shared_registry(), options.kind
    if options.json:
        print(json_text({kind: [_described(kind, item) for item in registry.all(kind).values()]}))
    else:
        found = registry.descriptions(kind)
        width = max((len(one.id) for one in found), default=0)
        for one in found:
            print(f"{one.id:<{width}}  {one.title}: {one.summary}")
            print(f"{'':<{width}}  {one.reference}")
    for broken in [*registry.broken(kind), *registry.broken("plugins")]:
        print(f"transfer-studio: {broken}", file=sys.stderr)
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Describe a file or folder."""
    from studio.store.inspect import describe

    about = describe(options.path)
    print(json_text(about, default=str) if options.json else _lines(about))
    return 0


def export(options: argparse.Namespace) -> int:
    """Copy a run's result, or film it."""
    if options.film is not None:
        return _film(options)
    from studio.store.export import export_run

    to = export_run(options.folder, options.to, options.merged)
    print(json_text({"exported": str(to)}) if options.json else f"Exported to {to}")
    return 0


def _film(options: argparse.Namespace) -> int:
    from studio.viewer.film import film_run

    def tick(done: int, episodes: int) -> None:
        print(f"Episode {done + 1} of {episodes}", file=sys.stderr, flush=True)

    filmed = film_run(options.folder, options.film, options.episodes, tick)
    if options.json:
        print(json_text(filmed.to_dict()))
    else:
        score = f", {sum(filmed.success)} of {filmed.episodes} succeeded" if filmed.success else ""
        episodes = "1 episode" if filmed.episodes == 1 else f"{filmed.episodes} episodes"
        print(f"Filmed {episodes} to {filmed.path}: {filmed.seconds:.1f} s{score}")
    return 0


def identify(options: argparse.Namespace) -> int:
    """Infer physical parameters from recordings."""
    from studio.cli.identify import identify_for
    from studio.registry import shared_registry

    experiment = load_experiment(options.experiment_file, options.set, seed=options.seed)
    about, text = identify_for(experiment, shared_registry(), options)
    print(json_text(about) if options.json else text)
    return 0


def preflight(options: argparse.Namespace) -> int:
    """Look at an imitation experiment before it trains, or at a run's policy on its own recording."""
    from studio.cli.preflight import preflight_of

    return preflight_of(options)


def doctor(options: argparse.Namespace) -> int:
    """Report what this machine has."""
    from studio.cli.doctor import examine

    findings = examine()
    if options.json:
        print(json_text({"findings": findings}))
    else:
        for finding in findings:
            print(f"{'ok ' if finding['ok'] else 'NO '} {finding['what']}: {finding['found']}")
            if finding["remedy"]:
                print(f"    {finding['remedy']}")
    return 0 if all(f["ok"] or not f["needed"] for f in findings) else 1


def bench(options: argparse.Namespace) -> int:
    """Run benches, or list them."""
    from studio.cli.bench import available, measure

    if not options.names:
        print(json_text({"benches": available()}) if options.json else "\n".join(available()))
        return 0
    results = [measure(name) for name in options.names]
    if options.json:
        print(json_text(results[0] if len(results) == 1 else {"benches": results}))
    else:
        for result in results:
            for row in result["rows"]:
                asked = f" (target {row['target']}): {'met' if row['met'] else 'NOT MET'}" if row["target"] else ""
                print(f"{result['bench']}  {row['id']}: {row['value']:.4g} {row['unit']}{asked}")
    return 0


def _report(session: Any, as_json: bool) -> int:
    if as_json:
        print(json_text({"run": str(session.folder), "state": session.state, "evaluations": session.evaluations}))
    else:
        for row in session.evaluations:
            shots = f" after {row['shots']} {'episode' if row['shots'] == 1 else 'episodes'}" if "shots" in row else ""
            under = f", {row['condition'].replace('+', ' and ')}" if "condition" in row else ""
            print(
                f"{row['domain']}{under} at step {session.scored_step(row)}{shots}: "
                f"{row['measure']} {row['success']:.3f} "
                f"[{row['low']:.3f}, {row['high']:.3f}] over {row['episodes']} episodes"
            )
        print(f"{session.state}: {session.folder}")
    return {"finished": 0, "stopped": STOPPED}.get(session.state, 1)


def _described(kind: str, item: Any) -> dict[str, Any]:
    row = {"id": item.id, "title": item.title, "summary": item.summary, "reference": item.reference}
    row["parameters"] = item.Params.model_json_schema() if kind in WITH_PARAMETERS else {}
    if kind == "tasks":
        row |= {"controls": [*item.controls], "observations": [*item.observations], "context": [*item.context]}
    if kind == "embodiments":
        row["dof"] = item.dof
        row["cameras"] = [*item.cameras]
    return row


def _lines(about: dict[str, Any], indent: str = "") -> str:
    lines = []
    for key, value in about.items():
        if isinstance(value, dict) and value:
            lines += [f"{indent}{key}:", _lines(value, indent + "  ")]
        elif (isinstance(value, dict | list) and not value) or value in ("", None):
            lines.append(f"{indent}{key}: none")
        elif isinstance(value, list) and any(isinstance(entry, str) and " " in entry for entry in value):  # sentences
            lines += [f"{indent}{key}:", *(f"{indent}  {entry}" for entry in value)]
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ("  ".join(f"{name} {part}" for name, part in row.items()) for row in value)
            lines += [f"{indent}{key}:", *(f"{indent}  {row}" for row in rows)]
        else:
            lines.append(f"{indent}{key}: {value}")
    return "\n".join(lines)


COMMANDS = {
    "window": window,
    "run": run,
    "resume": resume,
    "evaluate": evaluate,
    "compare": compare,
    "advise": advise,
    "queue": queue,
    "adapters": adapters,
    "features": features,
    "adapt": adapt,
    "list": list_,
    "inspect": inspect,
    "export": export,
    "identify": identify,
    "preflight": preflight,
    "help": help_,
    "doctor": doctor,
    "bench": bench,
}
