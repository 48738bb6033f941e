"""The Strategy panel: choosing, parameters, sections, problems at their fields."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from PySide6.QtWidgets import QApplication

from plugins.panels.strategy import PANEL, StrategyPanel
from plugins.policies.token_transformer import TokenTransformer
from plugins.strategies.rl_fine_tuning import RLFineTuning
from plugins.strategies.rl_from_scratch import RLFromScratch
from studio.contracts import Problem
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.squashed import SquashedActorCritic
from tests.widgets.shell import fakes
from widgets.forms.scroll_column import WIDEST, ScrollColumn
from widgets.shell.app_state import AppState
from widgets.style import theme


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppState]:
    made = AppState(tmp_path, registry=fakes.registry(), engine=fakes.FakeEngine().functions())
    yield made
    made.close()


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> StrategyPanel:
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    made.show()
    with qtbot.waitSignals([app_state.registry_ready, app_state.problems_changed], timeout=3000):
        app_state.load_plugins()
    return made


def rows(panel: StrategyPanel) -> dict[str, Any]:
    """The strategy's own parameters."""
    form = panel.params["strategy"].form
    assert form is not None
    return form.rows


def test_the_experiments_strategy_is_chosen_with_summary_reference_and_form(panel: StrategyPanel) -> None:
    assert panel.list.count() == 2 and panel.list.currentItem().text() == "LoRA"
    assert panel.summary.text() == "Learns a low-rank change." and panel.reference.text() == "Hu et al. 2022"
    assert list(rows(panel))[:2] == ["rank", "alpha"]


def test_chosen_strategy_stays_visible_in_a_lower_panel(qtbot: Any, panel: StrategyPanel) -> None:
    panel.list.addItems([f"Strategy {number}" for number in range(40)])
    panel.resize(350, 900)
    panel.list.setCurrentRow(20)
    panel.list.scrollToItem(panel.list.item(20))
    panel.resize(350, 300)
    viewport = panel.list.viewport()
    qtbot.waitUntil(lambda: viewport.height() < 200, timeout=3000)
    assert viewport.rect().contains(panel.list.visualItemRect(panel.list.item(20)))


def test_the_list_shows_whole_lines_for_half_of_the_panel(panel: StrategyPanel) -> None:
    panel.list.addItems([f"Strategy {number}" for number in range(14)])
    heights = []
    for height in (200, 330, 520, 2000):
        panel.resize(350, height)
        panel._fit_list()
        line = panel.list.sizeHintForRow(0)
        lines, rest = divmod(panel.list.height() - 2 * panel.list.frameWidth(), line)
        assert rest == 0 and lines >= 5 and lines * line <= max(5 * line, height / 2)
        heights.append(lines)
    assert heights == sorted(heights) and heights[-1] == panel.list.count()


def test_search_looks_into_summary_and_tags(panel: StrategyPanel) -> None:
    def shown() -> list[str]:
        return [panel.list.item(i).text() for i in range(panel.list.count()) if not panel.list.item(i).isHidden()]

    panel.search.setText("adapter")
    assert shown() == ["LoRA"]
    panel.search.setText("weights learning")
    assert shown() == ["Full fine-tuning"]
    assert not panel.no_match.isVisibleTo(panel)
    panel.search.setText("no such words")
    assert panel.no_match.isVisibleTo(panel)
    panel.search.setText("")
    assert len(shown()) == 2


def test_choosing_another_strategy_edits_the_experiment_and_drops_the_old_parameters(
    app_state: AppState, panel: StrategyPanel
) -> None:
    rows(panel)["rank"].editor.setValue(4)
    assert app_state.experiment.strategy.params == {"rank": 4}
    panel.list.setCurrentRow(0)
    assert app_state.experiment.strategy.id == "full_finetuning" and app_state.experiment.strategy.params == {}
    assert list(rows(panel)) == []


def test_an_experiment_from_elsewhere_is_shown(app_state: AppState, panel: StrategyPanel) -> None:
    app_state.edit(strategy={"id": "lora", "params": {"rank": 32}}, **{"budget.iterations": 123})
    assert rows(panel)["rank"].editor.value() == 32
    assert panel.forms["budget"].values()["iterations"] == 123


def test_sections_edit_their_part(app_state: AppState, panel: StrategyPanel) -> None:
    panel.forms["evaluation"].rows["episodes"].editor.setValue(300)
    panel.forms["pretraining"].rows["learning_rate"].editor.setValue(3e-4)
    assert app_state.experiment.evaluation.episodes == 300
    assert app_state.experiment.pretraining.learning_rate == pytest.approx(3e-4)


def test_problems_stand_at_their_fields_and_closed_sections_warn(app_state: AppState, panel: StrategyPanel) -> None:
    app_state.problems = [
        Problem("strategy.params.rank", "Larger than the layer.", "Take 16."),
        Problem("evaluation.every", "Larger than the budget."),
        Problem("strategy.id", "It needs a source."),
        Problem("target.dataset", "Missing."),
    ]
    app_state.problems_changed.emit(app_state.problems)
    assert rows(panel)["rank"].problem.text() == "Larger than the layer. Take 16."
    assert "⚠" in panel.sections["evaluation"].head.text() and "⚠" not in panel.sections["budget"].head.text()
    assert panel.unplaced.text() == "It needs a source."
    assert panel.show_field("evaluation.every") and panel.sections["evaluation"].content.isVisible()
    assert not panel.show_field("target.dataset")


def test_a_value_that_the_parameters_refuse_is_told_at_once_and_not_taken(
    app_state: AppState, panel: StrategyPanel
) -> None:
    editor = rows(panel)["alpha"].editor
    editor.setValue(0.0)  # the range is open at 0: the editor cannot know
    assert rows(panel)["alpha"].problem.text() == "0.0 is out of range. It must be above 0."
    assert app_state.experiment.strategy.params == {}
    editor.setValue(2.0)
    assert rows(panel)["alpha"].problem.text() == ""
    assert app_state.experiment.strategy.params == {"alpha": 2.0}


def test_a_narrow_panel_does_not_scroll_sideways(panel: StrategyPanel) -> None:
    theme.apply(cast(QApplication, QApplication.instance()))
    (column,) = panel.findChildren(ScrollColumn)
    assert column.widget().minimumSizeHint().width() <= WIDEST


@pytest.fixture
def chooser(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StrategyPanel]:
    """The panel with a strategy whose parameters hold settings of their own."""
    made = AppState(
        tmp_path,
        registry=fakes.FakeRegistry(strategies=[RLFromScratch, fakes.Full]),
        engine=fakes.FakeEngine().functions(),
    )
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
    app_state, params = chooser._app_state, chooser.params["strategy"]
    section = params.sections["sac"]
    assert "sac" not in rows(chooser)
    assert section.head.text() == "SAC" and not section.content.isVisible()
    params.parts["sac"].rows["batch_size"].editor.setValue(64)
    assert app_state.experiment.strategy.params == {"sac": {"batch_size": 64}}
    algorithm = rows(chooser)["algorithm"].editor
    algorithm.setFocus()
    qtbot.keyClicks(algorithm, "s")
    assert section.content.isVisible()
    assert app_state.experiment.strategy.params == {"algorithm": "sac", "sac": {"batch_size": 64}}
    section.set_open(False)
    params.parts["sac"].rows["tau"].editor.setValue(0.01)
    assert not section.content.isVisible()  # closed by hand, it stays so
    app_state.edit(**{"strategy.params": {}})
    assert params.parts["sac"].values()["batch_size"] == 256


def test_what_is_wrong_within_them_stands_at_its_field_and_goes_with_the_strategy(chooser: StrategyPanel) -> None:
    app_state, params = chooser._app_state, chooser.params["strategy"]
    app_state.problems = [Problem("strategy.params.sac.update", "There is no compiler.", "Choose eager.")]
    app_state.problems_changed.emit(app_state.problems)
    assert params.parts["sac"].rows["update"].problem.text() == "There is no compiler. Choose eager."
    assert "⚠" in params.sections["sac"].head.text() and chooser.unplaced.text() == ""
    assert chooser.show_field("strategy.params.sac.update")
    assert params.sections["sac"].content.isVisible()
    app_state.edit(strategy={"id": "full_finetuning", "params": {}})
    assert params.parts == {} and params.sections == {}


@pytest.fixture
def learning(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StrategyPanel]:
    """The panel with policies that learn by reinforcement, and the demo's, which is cloned."""
    policies = [TokenTransformer, GaussianActorCritic, SquashedActorCritic]
    made = AppState(
        tmp_path,
        registry=fakes.FakeRegistry(strategies=[RLFineTuning, fakes.Full], policies=policies),
        engine=fakes.FakeEngine().functions(),
    )
    panel = PANEL.factory(made)
    qtbot.addWidget(panel)
    panel.show()
    with qtbot.waitSignals([made.registry_ready], timeout=3000):
        made.load_plugins()
    yield panel
    made.close()


def test_another_policy_and_what_trains_it_are_chosen_with_their_own_parameters(
    qtbot: Any, learning: StrategyPanel
) -> None:
    app_state, policy, pretraining = learning._app_state, learning.params["policy"], learning.params["pretraining"]
    assert learning.policies.value() == "token_transformer" and learning.policies.count() == 3
    assert learning.policies.currentText() == "Token transformer"
    assert policy.form is not None and "heads" in policy.form.rows and pretraining.form is None
    cloned = learning.forms["pretraining"].rows["batch_size"]
    assert not cloned.editor.isHidden()
    policy.form.rows["heads"].editor.setValue(2)
    assert app_state.experiment.policy.params == {"heads": 2}

    learning.policies.setFocus()
    qtbot.keyClicks(learning.policies, "gauss")
    assert (app_state.experiment.policy.id, app_state.experiment.policy.params) == ("gaussian_mlp", {})
    assert pretraining.form is not None and cloned.editor.isHidden() and cloned.label.isHidden()
    assert policy.form is not None and "inputs" not in policy.form.rows  # it follows from the task
    pretraining.form.rows["steps"].editor.setValue(128)
    assert app_state.experiment.pretraining.params == {"steps": 128}
    policy.form.rows["width"].editor.setValue(32)
    assert learning.forms["policy"].rows["id"].reset.isHidden(), "no policy is no policy to go back to"
    learning.policies.edited.emit()
    assert app_state.experiment.policy.params == {"width": 32}, "chosen again, it keeps them"

    learning.policies.set_value("squashed_mlp")
    learning.policies.edited.emit()
    chosen = app_state.experiment
    assert (chosen.policy.id, chosen.policy.params, chosen.pretraining.params) == ("squashed_mlp", {}, {})
    assert pretraining.form is not None and "tau" in pretraining.form.rows


def test_the_budget_shows_what_the_strategy_spends(learning: StrategyPanel) -> None:
    app_state, batch = learning._app_state, learning.forms["budget"].rows["batch_size"]
    app_state.edit(strategy={"id": "full_finetuning", "params": {}})
    assert not batch.editor.isHidden()
    app_state.edit(strategy={"id": "rl_fine_tuning", "params": {}})
    assert batch.editor.isHidden() and batch.label.isHidden(), "its learner has a minibatch of its own"
    assert not learning.forms["budget"].rows["iterations"].editor.isHidden()


def test_what_is_wrong_with_a_policy_stands_in_its_section(learning: StrategyPanel) -> None:
    app_state, policy = learning._app_state, learning.params["policy"]
    app_state.edit(policy={"id": "gaussian_mlp", "params": {}})
    app_state.problems = [
        Problem("policy.id", "It is trained by PPO.", "Choose another."),
        Problem("policy.params.width", "Too wide."),
        Problem("pretraining.params.minibatch", "Too large."),
    ]
    app_state.problems_changed.emit(app_state.problems)
    assert learning.forms["policy"].rows["id"].problem.text() == "It is trained by PPO. Choose another."
    assert policy.form is not None and policy.form.rows["width"].problem.text() == "Too wide."
    assert learning.unplaced.text() == ""
    for name in ("policy", "pretraining"):
        assert "⚠" in learning.sections[name].head.text() and not learning.sections[name].content.isVisible()
    assert learning.show_field("policy.id") and learning.sections["policy"].content.isVisible()
    assert learning.show_field("pretraining.params.minibatch") and learning.sections["pretraining"].content.isVisible()


def test_name_seed_device_and_comparison_are_edited(qtbot: Any, app_state: AppState, panel: StrategyPanel) -> None:
    run, comparison = panel.forms["run"], panel.forms["comparison"]
    assert list(run.rows) == ["name", "title", "description", "seed", "device"]
    run.rows["seed"].editor.setValue(7)
    run.rows["device"].editor.setFocus()
    qtbot.keyClicks(run.rows["device"].editor, "cpu")
    name = run.rows["name"].editor
    name.setText("a name with spaces")
    name.editingFinished.emit()
    assert (app_state.experiment.seed, app_state.experiment.device) == (7, "cpu")
    words = run.rows["name"].problem.text()
    assert words == "\"a name with spaces\" does not fit. Use letters, digits, '.', '-' and '_'."
    app_state.edit(**{"budget.iterations": 12})
    assert run.rows["name"].problem.text() == "" and name.text() == app_state.experiment.name
    text = comparison.rows["params"].editor
    text.setText("")
    text.editingFinished.emit()
    assert comparison.rows["params"].problem.text() == ""
    for field, text in (("strategies", "lora, full_finetuning"), ("seeds", "0, 1, 2")):
        comparison.rows[field].editor.setText(text)
        comparison.rows[field].editor.editingFinished.emit()
    plan = app_state.experiment.comparison
    assert (plan.strategies, plan.seeds) == (["lora", "full_finetuning"], [0, 1, 2])
