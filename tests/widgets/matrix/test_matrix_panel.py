"""The Matrix panel: cells in words, by mouse and by key, and its copies."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from plugins.panels.matrix import MatrixPanel
from studio.analysis.matrix_table import matrix_table
from studio.analysis.sequential import Decision
from tests.studio.analysis.test_matrix_table import cells, run
from widgets.shell.app_state import AppState


@pytest.fixture
def panel(qtbot: Any, app_state: AppState) -> MatrixPanel:
    table = matrix_table(
        {
            ("from_scratch", 5): cells("from_scratch", 5, 0.3, 0.32),
            ("lora", 5): cells("lora", 5, 0.7, 0.72),
            ("lora", 20): {0: run("lora", 20, 0, state="running"), 1: None},
        }
    )
    app_state.engine = dataclasses.replace(app_state.engine, matrix_table=lambda *_: table)
    app_state.registry_is_ready = True
    made = MatrixPanel(app_state)
    qtbot.addWidget(made)
    made.resize(420, 300)
    made.show()
    qtbot.waitUntil(lambda: made.model.rowCount() == 2, timeout=5_000)
    return made


def test_matrix_click_and_keys_choose_a_cells_runs(qtbot: Any, app_state: AppState, panel: MatrixPanel) -> None:
    chosen: list[list[Path]] = []
    app_state.runs_selected.connect(chosen.append)
    center = panel.view.visualRect(panel.model.index(1, 0)).center()
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=center)
    assert [folder.name for folder in chosen[-1]] == ["lora-5-0", "lora-5-1"]
    qtbot.keyClick(panel.view, Qt.Key.Key_Right)
    qtbot.keyClick(panel.view, Qt.Key.Key_Return)
    assert [folder.name for folder in chosen[-1]] == ["lora-20-0"]


def test_matrix_cells_say_their_state_and_what_they_cost(panel: MatrixPanel) -> None:
    model = panel.model
    words = [[model.data(model.index(row, column)) for column in range(2)] for row in range(2)]
    assert words == [["0.31", ""], ["0.71 ▲", "running"]]
    tip = model.data(model.index(1, 0), Qt.ItemDataRole.ToolTipRole)
    assert "Trainable parameters: 100" in tip and "Better than" in tip and "Seed 1: finished · 0.72" in tip
    assert "5 of 6" not in panel.summary.text() and "4 of 6 runs are finished" in panel.summary.text()
    assert "Holm over 1, 5%" in panel.note.text()


def test_matrix_says_which_pairs_are_decided(qtbot: Any, app_state: AppState, panel: MatrixPanel) -> None:
    found = Decision(played=40, planned=400, wins=21, losses=3, ahead=1, alpha=0.05)
    runs = {("from_scratch", 5): cells("from_scratch", 5, 0.3), ("lora", 5): cells("lora", 5, 0.7)}
    table = matrix_table(runs, {("lora", 5): ("from_scratch", found)})
    app_state.engine = dataclasses.replace(app_state.engine, matrix_table=lambda *_: table)
    panel.refresh()
    qtbot.waitUntil(lambda: "1 of 1 pairs are decided" in panel.summary.text(), timeout=5_000)
    model = panel.model
    assert model.data(model.index(1, 0)).endswith("✓") and "✓" not in model.data(model.index(0, 0))
    wanted = "after 40 of 400 evaluation episodes (21 won, 3 lost)."
    assert wanted in model.data(model.index(1, 0), Qt.ItemDataRole.ToolTipRole)
    behind = dataclasses.replace(
        table.cells["lora", 5], decision=dataclasses.replace(found, wins=3, losses=21, ahead=-1)
    )
    assert model.decision_words(model.index(1, 0), behind).endswith("episodes (21 won, 3 lost).")
    center = panel.view.visualRect(model.index(1, 0)).center()
    qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=center)
    assert panel.note.text().startswith("Decided: ") and panel.note.text().endswith(wanted)


def test_matrix_is_copied_and_saved(qtbot: Any, panel: MatrixPanel, tmp_path: Path) -> None:
    qtbot.keyClick(panel.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert "0.71 [" in QApplication.clipboard().text()
    for kind, start in (("csv", b"strategy,"), ("md", b"| Strategy"), ("png", b"\x89PNG")):
        panel.save(tmp_path / f"m.{kind}")
        qtbot.waitUntil((tmp_path / f"m.{kind}").exists, timeout=5_000)
        assert (tmp_path / f"m.{kind}").read_bytes().startswith(start)
