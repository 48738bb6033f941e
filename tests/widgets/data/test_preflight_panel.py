"""The Preflight panel: results with their buttons, a fix that is applied and checked again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt

from plugins.panels.preflight import PreflightPanel
from studio.contracts import CheckResult
from studio.experiment import Experiment
from tests.widgets.shell import fakes
from widgets.shell.app_state import AppState


def look(experiment: Experiment, registry: Any) -> list[CheckResult]:
    """The gripper of the dataset closes at +1."""
    if experiment.target.dataset_gripper == "close":
        return [CheckResult("Gripper sign", "ok", "It opens.")]
    return [CheckResult("Gripper sign", "problem", "It closes.", "Set it.", {"target.dataset_gripper": "close"})]


def test_fix_is_applied_and_checked_again(qtbot: Any, tmp_path: Path) -> None:
    engine = dataclasses.replace(fakes.FakeEngine().functions(), preflight=look)
    app_state = AppState(tmp_path, registry=fakes.registry(), engine=engine)
    panel = PreflightPanel(app_state)
    qtbot.addWidget(panel)
    app_state.load_plugins()
    qtbot.waitUntil(panel.start.isEnabled)
    qtbot.mouseClick(panel.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(panel.rows) == 1)
    assert panel.summary.text() == "1 to fix, 0 to look at."
    fix = panel.rows[0].fix
    assert fix is not None and "target.dataset_gripper: close" in fix.toolTip()
    qtbot.mouseClick(fix, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: panel.summary.text() == "Nothing stands in the way of this run.")
    assert app_state.experiment.target.dataset_gripper == "close"
    app_state.close()
