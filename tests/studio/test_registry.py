"""The registry: what it finds, and what it says of plugins that cannot be loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import ExperimentError
from studio.registry import KINDS, Registry, place_of, shared_registry
from tests import tiny

STRATEGY = """
from studio.il.strategy import CloningStrategy

class Mine(CloningStrategy):
    id = "mine"
    title = "Mine"
    summary = "A strategy of one's own."
    reference = "none"
"""
BUILT_IN = {
    "strategies": {"from_scratch", "feature_extraction", "full_finetuning", "lora"},
    "policies": {"token_transformer"},
    "tasks": {"reach"},
    "embodiments": {"franka_7dof", "ur5_6dof", "bimanual_14dof", "mobile_3dof"},
    "formats": {"robomimic"},
}


@pytest.mark.parametrize("kind", sorted(BUILT_IN))
def test_built_in_contributions_are_found(kind: str) -> None:
    registry = Registry()
    assert BUILT_IN[kind] <= set(registry.all(kind))
    assert registry.broken() == []


def test_contributions_come_in_the_order_of_their_titles() -> None:
    titles = [item.title for item in Registry().all("strategies").values()]
    assert titles == sorted(titles)


def test_drop_in_plugins_of_every_kind_are_found(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(STRATEGY)
    (tmp_path / "robot.py").write_text(
        "import dataclasses\n"
        "from plugins.embodiments.franka_7dof import EMBODIMENT as FRANKA\n"
        "MINE = dataclasses.replace(FRANKA, id='my_robot', title='My robot')\n"
    )
    registry = Registry(tmp_path)
    assert registry.get("strategies", "mine").title == "Mine"
    assert registry.get("embodiments", "my_robot").title == "My robot"
    assert "CloningStrategy" not in {item.__name__ for item in registry.all("strategies").values()}
    assert registry.broken() == []


def test_drop_in_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(STRATEGY)
    monkeypatch.setenv("TRANSFER_STUDIO_PLUGINS", str(tmp_path))
    assert "mine" in Registry().all("strategies")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\nraise OSError('no such robot')\n", 2, "OSError: no such robot"),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),  # the plugin's line, not the library's
        ("def half(:\n    pass\n", 1, "SyntaxError"),
        ("import a_package_that_is_not_there\n", 1, "ModuleNotFoundError"),
    ],
)
def test_a_drop_in_that_cannot_be_imported_is_reported_and_the_others_live(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    (tmp_path / "broken.py").write_text(text)
    (tmp_path / "mine.py").write_text(STRATEGY)
    registry = Registry(tmp_path)
    assert {"mine"} | BUILT_IN["strategies"] <= set(registry.all("strategies"))
    (broken,) = registry.broken()
    assert (broken.name, broken.file, broken.line) == ("broken", str(tmp_path / "broken.py"), line)
    assert said in broken.message
    assert said.split(":")[0] in broken.traceback
    assert f"broken.py, line {line}" in str(broken)


def test_a_contribution_without_an_id_is_reported_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "nameless.py").write_text(STRATEGY.replace('    id = "mine"\n', ""))
    registry = Registry(tmp_path)
    assert set(registry.all("strategies")) >= BUILT_IN["strategies"]
    (broken,) = registry.broken("strategies")
    assert (broken.name, broken.file, broken.line) == ("nameless", str(tmp_path / "nameless.py"), 4)
    assert broken.message == "Mine has no text 'id'"


def test_a_drop_in_cannot_take_the_id_of_another_contribution(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from studio.contracts import Strategy\n\n\nclass Mine(Strategy):\n"
        "    id, title, summary, reference = 'lora', 'Mine', 'Mine.', 'none'\n"
    )
    registry = Registry(tmp_path)
    assert registry.get("strategies", "lora").title == "LoRA"
    (broken,) = registry.broken("strategies")
    assert (broken.name, broken.line, broken.message) == ("mine", 4, "the id 'lora' is taken; choose another one")


def test_a_drop_in_that_calls_a_built_in_plugin_wrongly_is_blamed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from plugins.policies.token_transformer import TokenTransformer\n\n\n"
        "class Mine(TokenTransformer):\n"
        "    id, title, summary, reference = 'mine', 'Mine', 'Mine.', 'none'\n\n"
        "    def wrong(self):\n        return self.forward({})\n"
    )
    kind = Registry(tmp_path).get("policies", "mine")
    with pytest.raises(KeyError) as failed:
        kind(None, "goal").wrong()
    assert place_of(failed.value) == (str(tmp_path / "mine.py"), 8)


def test_asking_for_a_broken_or_unknown_contribution_says_why(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("1 / 0\n")
    registry = Registry(tmp_path)
    with pytest.raises(ExperimentError) as broken:
        registry.get("strategies", "mine", "strategy.id")
    assert "mine.py, line 1: ZeroDivisionError" in broken.value.message
    with pytest.raises(ExperimentError) as unknown:
        registry.get("strategies", "nothing", "strategy.id")
    assert unknown.value.field == "strategy.id"
    assert all(id in unknown.value.remedy for id in BUILT_IN["strategies"])


def test_a_plugin_is_imported_once(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(f"open({str(tmp_path / 'count')!r}, 'a').write('x')\n")
    registry = Registry(tmp_path)
    for kind in ("strategies", "tasks", "embodiments", "strategies"):
        registry.all(kind)
    assert (tmp_path / "count").read_text() == "x"


def test_every_kind_has_an_entry_point_group() -> None:
    registry = Registry()
    for kind in KINDS:
        if kind != "panels":  # they need Qt
            assert registry.all(kind), kind


WHOLE_LIFE = """
import sys
from pathlib import Path

from studio.cli.main import main
from studio.registry import shared_registry
from studio.run.check import check
from studio.experiment import Experiment
from studio.store.policies import load_policy_folder

plan, runs = Path(sys.argv[1]), Path(sys.argv[2])
assert check(Experiment.load(plan), shared_registry()) == []
assert main(["run", str(plan), "--out", str(runs)]) == 0
(run,) = runs.iterdir()
load_policy_folder(run / "policy")
assert main(["inspect", str(run), "--json"]) == 0
"""


def test_drop_in_is_executed_once_in_a_process(tmp_path: Path, runs: Path) -> None:
    plugins, executed = tmp_path / "plugins", tmp_path / "executed"
    plugins.mkdir()
    counts = f"with open({str(executed)!r}, 'a') as file:\n    file.write('.')\n"
    mine = STRATEGY.replace("CloningStrategy", "FullFineTuning").replace(
        "studio.il.strategy", "plugins.strategies.full_finetuning"
    )
    (plugins / "mine.py").write_text(counts + mine)
    plan = tiny.write(tiny.experiment("mine"), tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_LIFE, str(plan), str(runs)],
        env=tiny.environment(TRANSFER_STUDIO_PLUGINS=str(plugins)), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert executed.read_text() == "."


def test_shared_registry_is_the_same_object() -> None:
    assert shared_registry() is shared_registry()


def test_misspelled_id_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(ExperimentError, match=r"Did you mean 'full_finetuning'\? `transfer-studio list strategies`"):
        shared_registry().get("strategies", "full_fine_tuning")
    with pytest.raises(ExperimentError, match=r"Choose one of: .*lora"):
        shared_registry().get("strategies", "zzz")
