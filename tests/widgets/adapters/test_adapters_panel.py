"""The Adapters panel by mouse: list, spectrum, pruning, blending while it is played, targets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt

from plugins.panels.adapters import PANEL, AdaptersPanel
from tests import tiny
from tests.studio.store.test_adapters import lora, write
from widgets.shell.app_state import AppState
from widgets.shell.policy_offer import PolicyOffer


@pytest.fixture
def app_state(qtbot: Any, tmp_path: Path) -> Iterator[AppState]:
    for seed, name in enumerate(("one", "two")):
        write(tmp_path / "adapters" / name, seed, lora())
        (tmp_path / "adapters" / name / "experiment.yaml").write_text(tiny.experiment("lora").to_yaml())
    made = AppState(tmp_path)
    made.set_experiment(tiny.experiment("lora"))
    made.load_plugins()
    qtbot.waitUntil(lambda: made.registry_is_ready, timeout=60_000)
    yield made
    made.close()


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> AdaptersPanel:
    made = PANEL.factory(app_state)
    qtbot.addWidget(made)
    made.resize(700, 300)
    made.show()
    qtbot.waitUntil(lambda: made.adapters.list.topLevelItemCount() == 2)
    return made


def click(qtbot: Any, widget: Any, place: QPoint | None = None, keys: Any = Qt.KeyboardModifier.NoModifier) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, keys, place or widget.rect().center())


def select(qtbot: Any, panel: AdaptersPanel, row: int, keys: Any = Qt.KeyboardModifier.NoModifier) -> None:
    found = panel.adapters.list
    click(qtbot, found.viewport(), found.visualItemRect(found.topLevelItem(row)).center(), keys)


def test_spectrum_and_pruned_adapter(qtbot: Any, app_state: AppState, panel: AdaptersPanel, tmp_path: Path) -> None:
    assert app_state.registry.all("panels")["adapters"] is PANEL
    select(qtbot, panel, 0)
    view = panel.adapters
    qtbot.waitUntil(lambda: len(view.spectrum.spectra) == 4)
    view.pruning.slider.setValue(2)
    assert view.pruning.words.text().startswith("Rank 2 of 5")
    click(qtbot, view.pruning.save)
    qtbot.waitUntil(lambda: view.list.topLevelItemCount() == 3, timeout=30_000)
    assert (tmp_path / "adapters" / "one-rank2" / "adapter" / "adapter_model.safetensors").exists()


def test_a_narrow_panel_shows_the_list_with_its_columns_whole(qtbot: Any, panel: AdaptersPanel) -> None:
    view = panel.adapters
    assert view.list.isVisible() and view.spectrum.parentWidget().isVisible() and not view.parts.choice.isVisible()
    panel.resize(380, 200)
    qtbot.waitUntil(view.parts.choice.isVisible, timeout=2_000)
    header = view.list.header()
    qtbot.waitUntil(lambda: 0 < header.length() <= view.list.viewport().width(), timeout=5_000)
    assert all(header.sectionSize(column) >= header.sectionSizeHint(column) for column in range(4))
    click(qtbot, view.parts.choice.button("spectrum"))
    assert view.words.isVisible() and not view.list.isVisible()
    click(qtbot, panel.choice.button("targets"))
    assert not view.parts.choice.isVisible()


def test_slider_blends_the_policy_that_is_played(qtbot: Any, app_state: AppState, panel: AdaptersPanel) -> None:
    view = panel.adapters
    select(qtbot, panel, 0)
    select(qtbot, panel, 1, Qt.KeyboardModifier.ControlModifier)
    click(qtbot, view.buttons["beside"])
    with qtbot.waitSignal(app_state.policy_offered, timeout=10_000) as offered:
        click(qtbot, view.buttons["play"])
    offer: PolicyOffer = offered.args[0]
    assert offer.policy.weights == (1.0, 0.0) and offer.beside is not None  # type: ignore[attr-defined]
    view.blending.slider.setValue(75)
    assert offer.policy.weights == (0.25, 0.75)  # type: ignore[attr-defined]
    click(qtbot, view.blending.enabled)
    assert offer.policy.weights == (0.0, 0.0)  # type: ignore[attr-defined]


def test_ticks_edit_the_targets_and_the_count_follows(qtbot: Any, app_state: AppState, panel: AdaptersPanel) -> None:
    click(qtbot, panel.choice.button("targets"))
    view = panel.targets
    qtbot.waitUntil(lambda: "would train" in view.count.text(), timeout=60_000)
    before, tree = view.count.text(), view.tree
    item = next(leaf for leaf in view._leaves() if leaf.text(0) == "q_proj")
    tree.scrollToItem(item)
    place = tree.visualItemRect(item)
    click(qtbot, tree.viewport(), QPoint(place.left() + 8, place.center().y()))
    assert app_state.experiment.strategy.params["target_modules"] == ["k_proj", "v_proj", "o_proj"]
    qtbot.waitUntil(lambda: view.count.text() != before and "on 3 layers" in view.count.text())
