"""What ``transfer-studio features`` does."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.files import json_text

if TYPE_CHECKING:
    from studio.analysis.feature_projection import FeatureProjection


def add_parser(commands: Any) -> None:
    """Add the command to the parser."""
    text = "how far a run's features tell source from target, at each of its checkpoints"
    parser = commands.add_parser("features", help=text, description=text.capitalize() + ".")
    parser.add_argument("folder", type=Path, metavar="RUN_DIR")
    parser.add_argument("--frames", type=int, default=512, metavar="N", help="recorded frames of each domain (512)")
    parser.add_argument("--json", action="store_true", help="print one JSON object last, with the projected points")


def features(options: argparse.Namespace) -> int:
    """Print the probe's and the classifier's accuracy at each checkpoint."""
    from studio.analysis.feature_projection import FeatureReader
    from studio.cli.progress import ShareLine
    from studio.registry import shared_registry

    line = ShareLine("features")
    reader = FeatureReader(options.folder, shared_registry(), options.frames, lambda done, total: line(done / total))
    found = reader.read()
    line.clear()
    print(json_text({"run": str(options.folder), **found.to_dict()}) if options.json else _text(found))
    return 0


def _text(found: FeatureProjection) -> str:
    """Return a line for each checkpoint."""
    lines = [f"{'step':>8}  probe [95%]          classifier   (chance {found.chance:.2f}: features do not tell)"]
    for one in found.checkpoints:
        interval = "" if math.isnan(one.low) else f" [{one.low:.2f}, {one.high:.2f}]"
        own = found.classifier_at(one.step)
        lines.append(f"{one.step:>8}  {f'{one.probe:.2f}{interval}':<19}  {'–' if math.isnan(own) else f'{own:.2f}'}")
    return "\n".join(lines)
