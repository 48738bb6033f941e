"""Light, dark or the system's scheme: chosen in the View menu, kept, and seen at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject, QSettings

from widgets.shell.appearance import Appearance
from widgets.shell.main_window import MainWindow
from widgets.style import theme
from widgets.style.style_sheet import STYLE


@pytest.fixture(autouse=True)
def system_scheme(qapp: Any) -> Iterator[None]:
    theme.force(None)
    yield
    theme.force(None)


def test_the_scheme_chosen_is_seen_at_once_and_kept(qtbot: Any, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    owner = QObject()
    actions = Appearance(owner, settings).actions
    assert actions["system"].isChecked() and theme.scheme() == "light"
    actions["dark"].trigger()
    assert theme.scheme() == "dark" and not actions["system"].isChecked()
    theme.force(None)
    assert Appearance(owner, settings).actions["dark"].isChecked() and theme.scheme() == "dark"
    actions["system"].trigger()
    assert theme.scheme() == "light"
    theme.force("dark")
    assert Appearance(owner, settings).actions["system"].isChecked() and theme.scheme() == "light"


def test_a_scheme_of_another_version_is_the_systems(qtbot: Any, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)
    settings.setValue("window/scheme", "sepia")
    owner = QObject()
    assert Appearance(owner, settings).actions["system"].isChecked()


def test_the_view_menu_offers_the_schemes(window: MainWindow) -> None:
    texts = {action.text().replace("&", "") for action in window.commands.all()}
    assert {"Follow the system", "Light", "Dark"} <= texts
    window.commands.appearance.actions["dark"].trigger()
    dark = window.grab().toImage().pixelColor(700, 8).lightness()
    window.commands.appearance.actions["light"].trigger()
    assert dark < 60 < 200 < window.grab().toImage().pixelColor(700, 8).lightness()


def test_no_rule_of_the_style_sheet_stands_in_it_twice() -> None:
    rules = [" ".join(rule.split()) for rule in STYLE.split("}") if rule.strip()]
    assert len(rules) == len(set(rules))
