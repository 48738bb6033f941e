"""README and help pages: their links, commands, YAML and strategies, as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from studio import help_pages
from studio.cli.main import _parser
from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry, shared_registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from tests import tiny

ROOT = Path(__file__).parents[1]
HELP = ROOT / "assets" / "help"
DOCUMENTS = [ROOT / "README.md", *sorted(HELP.glob("*.md"))]
PLUGINS = (HELP / "plugins.md").read_text("utf-8")
BLOCKS = [b for b in re.findall(r"```python\n(.*?)```", PLUGINS, re.S) if "(CloningStrategy)" in b]

each_document = pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.stem)


def headings(file: Path) -> set[str]:
    return {help_pages.anchor(title) for title in re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)}


@each_document
def test_links_of_a_document_resolve(file: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text("utf-8")):
        if link.startswith("http"):
            continue
        name, _, anchor = link.partition("#")
        target = (file.parent / name).resolve() if name else file
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


@each_document
def test_commands_of_a_document_parse(file: Path) -> None:
    text = file.read_text("utf-8")
    shown = re.findall(r"^transfer-studio ([^#\n]+)", text, re.M)
    named = [" ".join(words.split()) for words in re.findall(r"`transfer-studio ([^`]+)`", text)]
    for command in [*shown, *named]:
        words = shlex.split(command)
        if command in named and all(word.isalpha() and word.islower() for word in words):
            words.append("--help")  # a command's name alone: its arguments are not the point
        try:
            options = _parser().parse_args(words)
        except SystemExit as ended:
            assert ended.code == 0, command
            continue
        assert options.command == words[0]
        files = [word for word in words if word.startswith("assets/")]
        assert all((ROOT / word).is_file() for word in files), command


@each_document
def test_yaml_of_a_document_is_an_experiment(file: Path, tmp_path: Path) -> None:
    for block in re.findall(r"```yaml\n(.*?)```", file.read_text("utf-8"), re.S):
        (tmp_path / "some.yaml").write_text(block, encoding="utf-8")
        Experiment.load(tmp_path / "some.yaml")


def test_the_index_lists_each_page_once_under_its_title() -> None:
    pages = help_pages.pages()
    assert set(pages) == {file.stem for file in HELP.glob("*.md")}
    assert all(page.text.startswith(f"# {page.title}\n") for id, page in pages.items() if id != help_pages.INDEX)


def test_each_strategy_has_its_place_in_the_help() -> None:
    named = set(re.findall(r"`(\w+)`", "".join(page.text for page in help_pages.pages().values())))
    assert {one.id for one in shared_registry().descriptions("strategies")} <= named


def test_each_built_in_panel_has_a_page() -> None:
    panels = shared_registry().all("panels").values()
    assert panels and {panel.help for panel in panels} <= set(help_pages.pages())


@pytest.mark.parametrize("code", BLOCKS, ids=[re.findall(r'id = "(\w+)"', block)[0] for block in BLOCKS])
def test_a_strategy_of_the_help_runs_as_a_drop_in_file(code: str, tmp_path: Path, runs: Path) -> None:
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    (name,) = re.findall(r'id = "(\w+)"', code)
    session = Session(tiny.experiment(name), Registry(tmp_path), Channels(), runs)
    published = tiny.listen(session)
    session.run()
    steps = [e.values for e in published() if isinstance(e, MetricsLogged) and e.stage == "adapt"]
    assert session.state == "finished" and len(steps) == 10
    assert all(np.isfinite(list(values.values())).all() for values in steps)
    assert ("feature_distance" in steps[0]) == (name == "feature_matching")


def test_the_help_shows_a_plain_strategy_and_one_with_an_auxiliary_loss() -> None:
    assert len(BLOCKS) == 2


def test_commands_of_the_help_run_its_strategies(tmp_path: Path) -> None:
    for number, code in enumerate(BLOCKS):
        (tmp_path / f"strategy_{number}.py").write_text(code, encoding="utf-8")
    commands = re.findall(r"`transfer-studio run (\S+) --set\s+(strategy\.id=\w+)`", PLUGINS)
    assert {chosen.partition("=")[2] for _, chosen in commands} == {"head_and_norm", "feature_matching"}
    for file, chosen in commands:
        assert check(Experiment.load(ROOT / file, [chosen]), Registry(tmp_path)) == []
