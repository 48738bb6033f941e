"""What ``transfer-studio adapt`` does."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.cli.parser import NumberList
from studio.errors import ExperimentError
from studio.files import json_text

if TYPE_CHECKING:
    from studio.contracts import ReferenceLine
    from studio.run.adaptation import Adaptation
    from studio.run.evaluate import Evaluation
    from studio.run.meta_test import MetaTest


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    text = "how a meta-learning run adapts to a task: its score after 0, 1, 2 … shots"
    parser = commands.add_parser("adapt", help=text, description=text.capitalize() + ".")
    parser.add_argument("folder", type=Path, metavar="RUN_DIR")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--context", action=NumberList, metavar="X", help="the task's ω (a held-out one)")
    which.add_argument("--held-out", choices=("inside", "outside"), help="all held-out tasks, in or beyond the range")
    parser.add_argument(
        "--shots",
        action=NumberList,
        kind=int,
        default=[],
        metavar="N",
        help="before it is scored (0 1 2 3 and the run's own)",
    )
    parser.add_argument("--repeats", type=int, metavar="N", help="independent adaptations to one task (10)")
    parser.add_argument("--json", action="store_true", help="print one JSON object last, with the paths")


def adapt(options: argparse.Namespace) -> int:
    """Print the scores after each number of shots."""
    from studio.cli.progress import ShareLine
    from studio.registry import shared_registry
    from studio.run.meta_test import REPEATS, MetaTest, check_request

    if options.held_out and options.repeats is not None:
        words = "Every held-out task is adapted to once."
        raise ExperimentError(words, "repeats", "Leave --repeats out, or name one task by --context.")
    repeats = REPEATS if options.repeats is None else options.repeats
    check_request(options.shots, repeats)
    line = ShareLine("adapt")
    test = MetaTest(options.folder, shared_registry())

    def tick(done: int, total: int) -> None:
        line(done / total)

    about = {"run": str(options.folder), "task": test.target.task.id, "step": test.step}
    if options.held_out:
        scores = test.held_out(options.held_out, options.shots, tick)
        line.clear()
        print(json_text({**about, **_held_out(options.held_out, scores)}) if options.json else _lines(scores.items()))
        return 0
    context = test.first_context if options.context is None else options.context
    *_, found = test.adapt(context, options.shots, repeats, tick)
    lines = test.references(context)
    line.clear()
    if options.json:
        print(json_text({**about, **found.to_dict(), "references": [asdict(line) for line in lines]}))
    else:
        print(_text(test, found, lines))
    return 0


def _held_out(which: str, scores: dict[int, Evaluation]) -> dict[str, Any]:
    return {"held_out": which, "after": [{"shots": count, **score.to_dict()} for count, score in scores.items()]}


def _text(test: MetaTest, found: Adaptation, references: Iterable[ReferenceLine]) -> str:
    """Return the task, a line for each number of shots, and what to compare them with."""
    task = test.target.task
    named = zip(task.context, found.context, strict=True)
    parts = [f"{name} {value:.0f}" if name in task.whole else f"{name} {value:.4g}" for name, value in named]
    where = "inside" if found.is_inside else "outside"
    head = [f"{', '.join(parts)} ({where} the range of training)"] if parts else []
    known = [_reference(line, [one.shots for one in found.after]) for line in references]
    return "\n".join([*head, _lines((one.shots, one.score) for one in found.after), *known])


def _reference(line: ReferenceLine, shots: Sequence[int]) -> str:
    values = [line.after(count) for count in ([0] if len(line.scores) == 1 else shots)]
    about = f"{line.source}; mean over the family" if line.of_family else line.source
    return f"{line.name}: {', '.join('–' if math.isnan(value) else f'{value:.3f}' for value in values)} ({about})"


def _lines(scores: Iterable[tuple[int, Evaluation]]) -> str:
    lines: list[str] = []
    for count, score in scores:
        if not lines:
            lines.append(f"{'shots':>5}  {score.measure} [95%]")
        lines.append(f"{count:>5}  {score.score:.3f} [{score.low:.3f}, {score.high:.3f}]")
    return "\n".join(lines)
