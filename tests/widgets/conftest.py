"""What the tests of widgets share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from widgets.bench import Bench

if TYPE_CHECKING:
    from tests.widgets.viewport_hands import Held


@pytest.fixture
def bench(qtbot: Any, tmp_path: Path) -> Iterator[Bench]:
    """A bench with an empty runs folder, closed at the end."""
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def held(qtbot: Any, bench: Bench) -> Iterator[Held]:
    """A viewport under hands; its thread must end with it."""
    from tests.widgets.viewport_hands import Held  # MuJoCo with it: only the tests of the viewport need that

    made = Held(qtbot, bench)
    yield made
    made.panel.shut_down()
    assert not made.panel.thread_.isRunning()
