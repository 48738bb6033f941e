"""The panel of the help page about plugins, as it stands there, in the drop-in folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QLabel

from studio import help_pages
from studio.events import MetricsLogged
from studio.registry import Registry
from widgets.shell.app_state import AppState


def test_the_documented_panel_is_found_and_follows_a_run(qtbot: Any, tmp_path: Path, app_state: AppState) -> None:
    (block,) = [b for b in re.findall(r"```python\n(.*?)```", help_pages.page("plugins").text, re.S) if "PANEL" in b]
    (tmp_path / "mine.py").write_text(block, encoding="utf-8")
    registry = Registry(tmp_path)
    panel = registry.all("panels")["latest_loss"].factory(app_state)
    qtbot.addWidget(panel)
    app_state.events.emit([MetricsLogged("adapt", 7, 0.1, {"loss": 0.25}, {})])
    assert registry.broken("panels") == [] and isinstance(panel, QLabel) and panel.text() == "Step 7: loss 0.2500"
