"""The Strategy panel: choosing, parameters, sections, problems at their fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.panels.strategy import PANEL, StrategyPanel
from plugins.strategies.rl_from_scratch import RLFromScratch
from studio.contracts import Problem
from tests.widgets import shell_fakes as fakes
from widgets.bench import Bench


@pytest.fixture
def bench(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    fakes.install(monkeypatch)
    made = Bench(tmp_path, registry=fakes.registry())
    yield made
    made.close()


@pytest.fixture
def panel(qtbot: Any, bench: Bench) -> StrategyPanel:
    made = PANEL.factory(bench)
    qtbot.addWidget(made)
    made.show()
    with qtbot.waitSignals([bench.registry_ready, bench.problems_changed], timeout=3000):
        bench.load_plugins()
    return made


def test_the_experiments_strategy_is_chosen_with_summary_reference_and_form(panel: StrategyPanel) -> None:
    assert panel.list.count() == 2 and panel.list.currentItem().text() == "LoRA"
    assert panel.summary.text() == "Learns a low-rank change." and panel.reference.text() == "Hu et al. 2022"
    assert panel.params is not None and list(panel.params.rows)[:2] == ["rank", "alpha"]


def test_search_looks_into_summary_and_tags(panel: StrategyPanel) -> None:
    def shown() -> list[str]:
        return [panel.list.item(i).text() for i in range(panel.list.count()) if not panel.list.item(i).isHidden()]

    panel.search.setText("adapter")
    assert shown() == ["LoRA"]
    panel.search.setText("weights learning")
    assert shown() == ["Full fine-tuning"]
    panel.search.setText("")
    assert len(shown()) == 2


def test_choosing_another_strategy_edits_the_experiment_and_drops_the_old_parameters(
    bench: Bench, panel: StrategyPanel
) -> None:
    assert panel.params is not None
    panel.params.rows["rank"].editor.setValue(4)
    assert bench.experiment.strategy.params == {"rank": 4}
    panel.list.setCurrentRow(0)
    assert bench.experiment.strategy.id == "full_finetuning" and bench.experiment.strategy.params == {}
    assert panel.params is not None and list(panel.params.rows) == []


def test_an_experiment_from_elsewhere_is_shown(bench: Bench, panel: StrategyPanel) -> None:
    bench.edit(strategy={"id": "lora", "params": {"rank": 32}}, **{"budget.iterations": 123})
    assert panel.params is not None and panel.params.values()["rank"] == 32
    assert panel.forms["budget"].values()["iterations"] == 123


def test_sections_edit_their_part(bench: Bench, panel: StrategyPanel) -> None:
    panel.forms["evaluation"].rows["episodes"].editor.setValue(300)
    panel.forms["pretraining"].rows["learning_rate"].editor.setValue(3e-4)
    assert bench.experiment.evaluation.episodes == 300
    assert bench.experiment.pretraining.learning_rate == pytest.approx(3e-4)


def test_problems_stand_at_their_fields_and_closed_sections_warn(bench: Bench, panel: StrategyPanel) -> None:
    bench.problems = [
        Problem("strategy.params.rank", "Larger than the layer.", "Take 16."),
        Problem("evaluation.every", "Larger than the budget."),
        Problem("strategy.id", "It needs a source."),
        Problem("target.dataset", "Missing."),
    ]
    bench.problems_changed.emit(bench.problems)
    assert panel.params is not None and panel.params.rows["rank"].problem.text() == "Larger than the layer. Take 16."
    assert "⚠" in panel.sections["evaluation"].head.text() and "⚠" not in panel.sections["budget"].head.text()
    assert panel.unplaced.text() == "It needs a source."
    assert panel.show_field("evaluation.every") and panel.sections["evaluation"].content.isVisible()
    assert not panel.show_field("target.dataset")


def test_a_value_that_the_parameters_refuse_is_told_at_once_and_not_taken(bench: Bench, panel: StrategyPanel) -> None:
    assert panel.params is not None
    editor = panel.params.rows["alpha"].editor
    editor.setValue(0.0)  # the range is open at 0: the editor cannot know
    assert panel.params.rows["alpha"].problem.text() == "0.0 is out of range. It must be above 0."
    assert bench.experiment.strategy.params == {}
    editor.setValue(2.0)
    assert panel.params.rows["alpha"].problem.text() == ""
    assert bench.experiment.strategy.params == {"alpha": 2.0}


@pytest.fixture
def chooser(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StrategyPanel]:
    """The panel with a strategy whose parameters hold settings of their own."""
    fakes.install(monkeypatch)
    made = Bench(tmp_path, registry=fakes.FakeRegistry(strategies=[RLFromScratch, fakes.Full]))
    panel = PANEL.factory(made)
    qtbot.addWidget(panel)
    panel.show()
    with qtbot.waitSignals([made.registry_ready], timeout=3000):
        made.load_plugins()
    made.edit(strategy={"id": "rl_from_scratch", "params": {}})
    yield panel
    made.close()


def test_settings_within_the_parameters_have_a_section_that_opens_when_chosen(
    qtbot: Any, chooser: StrategyPanel
) -> None:
    bench, section = chooser._bench, chooser.sections["strategy.params.sac"]
    assert chooser.params is not None and "sac" not in chooser.params.rows
    assert section.head.text() == "SAC" and not section.content.isVisible()
    chooser.parts["sac"].rows["batch_size"].editor.setValue(64)
    assert bench.experiment.strategy.params == {"sac": {"batch_size": 64}}
    algorithm = chooser.params.rows["algorithm"].editor
    algorithm.setFocus()
    qtbot.keyClicks(algorithm, "s")
    assert section.content.isVisible()
    assert bench.experiment.strategy.params == {"algorithm": "sac", "sac": {"batch_size": 64}}
    section.set_open(False)
    chooser.parts["sac"].rows["tau"].editor.setValue(0.01)
    assert not section.content.isVisible()  # closed by hand, it stays so
    bench.edit(**{"strategy.params": {}})
    assert chooser.parts["sac"].values()["batch_size"] == 256


def test_what_is_wrong_within_them_stands_at_its_field_and_goes_with_the_strategy(chooser: StrategyPanel) -> None:
    bench = chooser._bench
    bench.problems = [Problem("strategy.params.sac.update", "There is no compiler.", "Choose eager.")]
    bench.problems_changed.emit(bench.problems)
    assert chooser.parts["sac"].rows["update"].problem.text() == "There is no compiler. Choose eager."
    assert "⚠" in chooser.sections["strategy.params.sac"].head.text() and chooser.unplaced.text() == ""
    assert chooser.show_field("strategy.params.sac.update")
    assert chooser.sections["strategy.params.sac"].content.isVisible()
    bench.edit(strategy={"id": "full_finetuning", "params": {}})
    assert chooser.parts == {} and "strategy.params.sac" not in chooser.sections
