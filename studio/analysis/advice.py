"""What rules of thumb recommend for an experiment's episodes and distance, with what was measured beside it.

The rules are data (``assets/advice.yaml``). Figures come from the user's own runs and from the tables of comparisons
that are shipped; where they contradict a rule, the advice says so.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from studio import paths
from studio.analysis.comparison import table
from studio.experiment import Domain, Experiment
from studio.store.runs import RunInfo, experiment_of, list_runs

FAR = 2  # differences from which source and target count as far apart; another task alone does
LOOK = (
    "camera_position", "camera_fov", "light_position", "light_intensity", "color", "brightness", "contrast",
    "saturation", "blur", "sharpness",
)  # fmt: skip
OWN = "your runs"


@dataclass(frozen=True)
class Rule:
    """A rule that applies: the strategy it names, why, and in which section of the notes it is."""

    strategy: str
    reason: str
    section: str


@dataclass(frozen=True)
class Help:
    """Strategies against one kind of difference between source and target."""

    difference: str
    strategies: Sequence[str]
    reason: str
    section: str


@dataclass(frozen=True)
class Figure:
    """A measured row: ``origin`` says where it is from, ``same`` whether it is of the same target."""

    strategy: str
    episodes: int
    seeds: int
    score: float
    low: float
    high: float
    measure: str
    origin: str
    same: bool


@dataclass(frozen=True)
class Advice:
    """The recommendation first, then alternatives; what helps with the differences; and figures, the best first."""

    episodes: int
    differences: Sequence[str]
    is_far: bool
    rules: Sequence[Rule]
    helps: Sequence[Help]
    source: str
    figures: Sequence[Figure] = field(default_factory=list)

    @property
    def strategy(self) -> str:
        """The id that is recommended."""
        return self.rules[0].strategy

    def verdicts(self) -> list[tuple[Figure, Figure | None]]:
        """Return for each origin its best figure and that of the recommended strategy, None where it has none."""
        found = []
        for origin in dict.fromkeys(figure.origin for figure in self.figures):
            mine = [figure for figure in self.figures if figure.origin == origin]
            named = next((figure for figure in mine if figure.strategy == self.strategy), None)
            found.append((mine[0], named))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, as the command line prints it."""
        return asdict(self) | {"strategy": self.strategy}


def differences(experiment: Experiment) -> list[str]:
    """Return in what source and target differ: task, embodiment, control, observation, look, dynamics."""
    source, target = experiment.source, experiment.target
    pairs = {
        "task": (source.task, target.task),
        "embodiment": (source.embodiment, target.embodiment),
        "control": (source.control, target.control),
        "observation": (source.observation, target.observation),
        "look": (_look(source), _look(target)),
        "dynamics": (_terms(source, looks=False), _terms(target, looks=False)),
    }
    return [name for name, (one, other) in pairs.items() if one != other]


def advise(experiment: Experiment, figures: Iterable[Figure] = ()) -> Advice:
    """Return what the rules recommend for an experiment, with the figures nearest to its number of episodes."""
    rules = yaml.safe_load((paths.assets() / "advice.yaml").read_text(encoding="utf-8"))
    episodes, found = experiment.target.episodes, differences(experiment)
    far = "task" in found or len(found) >= FAR
    fitting = [
        Rule(rule["strategy"], rule["reason"], rule["section"])
        for rule in rules["rules"]
        if rule.get("from", 0) <= episodes <= rule.get("to", math.inf)
        and rule.get("distance", "far" if far else "near") == ("far" if far else "near")
    ]
    first = {rule.strategy: rule for rule in reversed(fitting)}
    helps = [Help(name, **rules["differences"][name]) for name in found if name in rules["differences"]]
    chosen = [rule for rule in fitting if first[rule.strategy] is rule]
    return Advice(episodes, found, far, chosen, helps, rules["source"], nearest(figures, episodes))


def nearest(figures: Iterable[Figure], episodes: int) -> list[Figure]:
    """Return of each origin the figures at the number of episodes that is nearest in proportion, the best first."""
    by_origin: dict[str, list[Figure]] = {}
    for figure in figures:
        by_origin.setdefault(figure.origin, []).append(figure)
    found: list[Figure] = []
    for of_origin in by_origin.values():
        at = min({figure.episodes for figure in of_origin}, key=lambda n: abs(math.log(n / episodes)))
        found += sorted((f for f in of_origin if f.episodes == at), key=lambda figure: -figure.score)
    return found


def own_figures(experiment: Experiment, runs_folder: Path) -> list[Figure]:
    """Return what the runs of a folder measured on the experiment's task and robots."""
    target, source = experiment.target, experiment.source

    def fits(run: RunInfo) -> bool:
        if run.state != "finished" or run.target != target.embodiment or not math.isfinite(run.success):
            return False
        of_run = experiment_of(run)
        same = (of_run.target.task, of_run.source.task, of_run.source.embodiment)
        return same == (target.task, source.task, source.embodiment)

    return [_figure(row, OWN, target) for row in table([run for run in list_runs(runs_folder) if fits(run)])]


def shipped_figures(experiment: Experiment, folders: Iterable[Path]) -> list[Figure]:
    """Return the rows of comparisons in the JSON files of folders; files of other things are passed over.

    Where some are of the experiment's target, only those.
    """
    found = []
    for path in sorted(file for folder in folders if folder.is_dir() for file in folder.glob("*.json")):
        raw = json.loads(path.read_text(encoding="utf-8"))
        rows = raw.get("rows", []) if isinstance(raw, dict) else raw
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and {"strategy", "episodes", "success", "low", "high"} <= row.keys():
                found.append(_figure(row, path.stem, experiment.target))
    same = [figure for figure in found if figure.same]
    return same or found


def figures_folders() -> list[Path]:
    """Return where shipped tables lie: with the assets, and in the source tree's benches."""
    return [paths.assets() / "figures", paths.assets().parent / "tests" / "bench"]


def _figure(row: Mapping[str, Any], origin: str, target: Domain) -> Figure:
    numbers = (row["success"], row["low"], row["high"])
    same = origin == OWN or row.get("target") == f"{target.task} on {target.embodiment}"
    measure = row.get("measure", "success")
    return Figure(row["strategy"], row["episodes"], row.get("seeds", 1), *numbers, measure, origin, same)


def _look(domain: Domain) -> Any:
    return domain.cameras, domain.image_size, _terms(domain, looks=True)


def _terms(domain: Domain, looks: bool) -> list[str]:
    return sorted(repr(term) for term in domain.randomization if (term.field in LOOK) == looks)
