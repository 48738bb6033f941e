"""The catalog: texts of contributions, read without importing them."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from studio.catalog import Description, read_description
from studio.registry import Registry

LITERAL = Description("mine", "Mine", "First and second half.", "none")
BODY = 'title = "Mine"; summary = ("First " "and second half."); reference: str = "none"'


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f'class Mine(Base):\n    id = "mine"\n    {BODY}', LITERAL),
        ('Mine = Kind(id="mine", title="Mine", summary="First and second half.", reference="none", n=2)', LITERAL),
        (f"class Mine(Base):\n    {BODY}", None),  # its id is inherited
        (f'class Mine:\n    id = f"{{name}}"\n    {BODY}', None),
        ('Mine = make("mine", "Mine", "First and second half.", "none")', None),
        ("def half(:", None),
        ("", None),
    ],
    ids=["class", "call", "inherited", "computed", "positional", "not Python", "absent"],
)
def test_read_description_takes_literals_and_imports_nothing(
    source: str, expected: Description | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "read_not_run.py").write_text(f"raise AssertionError\n{source}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert read_description(EntryPoint("mine", "read_not_run:Mine", "transfer_studio.strategies")) == expected


def test_read_description_of_a_module_that_is_not_there() -> None:
    assert read_description(EntryPoint("mine", "a_package.that_is_not_there:Mine", "transfer_studio.tasks")) is None


@pytest.mark.parametrize("kind", ["strategies", "policies", "tasks", "embodiments", "formats", "panels"])
def test_descriptions_are_those_of_the_imported_contributions(kind: str) -> None:
    registry = Registry()
    described = registry.descriptions(kind)
    imported = [Description(c.id, c.title, c.summary, c.reference) for c in registry.all(kind).values()]
    assert described == imported and registry.broken() == []
    assert registry.descriptions(kind) == imported


def test_descriptions_report_broken_plugins_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = tmp_path / "others_robots-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others-robots\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[transfer_studio.strategies]\ntheirs = others_robots:Theirs\n")
    (tmp_path / "others_robots.py").write_text(f"import gone_missing\nclass Theirs:\n    id = 'theirs'\n    {BODY}\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry(tmp_path / "no drop-ins")
    assert "theirs" not in [one.id for one in registry.descriptions("strategies")]
    (broken,) = registry.broken()
    assert (broken.name, broken.file, broken.line) == ("theirs", str(tmp_path / "others_robots.py"), 1)
