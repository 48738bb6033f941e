"""Whatever an experiment file can say, some panel lets a person say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from plugins.panels import data_embodiment, randomization, strategy
from studio.experiment import Experiment
from studio.experiment.short_form import fields_by_short_name, item_model
from widgets.shell.app_state import AppState

WHOLE = ("randomization", "strategy.params", "policy.params", "pretraining.params")  # edited by forms of their own


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted name of each setting of an experiment."""
    for name, field in fields_by_short_name(model).items():
        dotted, inner = prefix + name, item_model(field)
        if inner is not None and not dotted.endswith(WHOLE):
            yield from settings(inner, f"{dotted}.")
        elif not dotted.endswith(WHOLE) and dotted != "version":
            yield dotted


def test_every_setting_of_an_experiment_has_its_place_in_a_panel(qtbot: Any, tmp_path: Path) -> None:
    app_state = AppState(tmp_path)
    panels = [module.PANEL.factory(app_state) for module in (data_embodiment, strategy, randomization)]
    for panel in panels:
        qtbot.addWidget(panel)
    with qtbot.waitSignal(app_state.registry_ready, timeout=60_000):
        app_state.load_plugins()
    names = list(settings(Experiment))
    assert {"target.camera", "policy.id", "seed", "comparison.seeds", "source.curriculum.enabled"} <= set(names)
    assert [name for name in names if not any(panel.show_field(name) for panel in panels)] == []
    app_state.close()
