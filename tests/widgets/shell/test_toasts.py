"""Toasts: a few at a time, for some seconds, with a list behind them; what was closed stays closed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QPushButton, QWidget

from widgets.shell.notice_list import NoticeList
from widgets.shell.toasts import AT_MOST, Notice, Toast, Toasts


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def toasts(qtbot: Any, settings: QSettings) -> Toasts:
    return started(qtbot, settings)


def started(qtbot: Any, settings: QSettings) -> Toasts:
    """Toasts as at a start of the program."""
    window = QWidget()
    window.resize(800, 600)
    qtbot.addWidget(window)
    window.show()
    return Toasts(window, settings)


def texts(toasts: Toasts) -> list[str]:
    return [toast.text for toast in toasts.visible()]


def test_toasts_are_few_and_every_notice_is_listed(qtbot: Any, toasts: Toasts) -> None:
    button = NoticeList(toasts)
    qtbot.addWidget(button)
    assert button.isHidden()
    for number in range(AT_MOST + 4):
        toasts.show_toast("error", f"Error {number}.", "Traceback")
    assert texts(toasts) == [f"Error {number}." for number in range(4, AT_MOST + 4)]
    assert not button.isHidden() and button.text() == str(AT_MOST + 4)
    button.list.aboutToShow.emit()
    first = button.list.actions()[AT_MOST + 3]
    assert "Error 0." in first.text()
    first.trigger()
    assert texts(toasts)[-1] == "Error 0." and toasts.visible()[-1].details.toPlainText() == "Traceback"
    button.list.aboutToShow.emit()
    button.list.actions()[-1].trigger()
    assert texts(toasts) == [] and button.isHidden()


def test_toasts_leave_after_their_time_also_errors(toasts: Toasts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Toast, "underMouse", lambda toast: False)
    for level in ("info", "warning", "error"):
        toasts.show_toast(level, f"A {level}.", "Traceback")
    for toast in toasts.visible():
        assert toast.timer.isActive() and toast.timer.interval() <= 30_000
    read = toasts.visible()[0]
    read._show_details(True)
    for toast in toasts.visible():
        toast.timer.timeout.emit()
    assert toasts.visible() == [read]  # somebody reads its details
    assert [notice.level for notice in toasts.notices] == ["info", "warning", "error"]


def test_a_closed_notice_stays_closed_also_at_the_next_start(qtbot: Any, settings: QSettings, toasts: Toasts) -> None:
    resumed: list[str] = []

    def offers() -> list[Notice]:
        return [
            Notice("warning", f"{name} was interrupted.", "", ("Resume", lambda name=name: resumed.append(name)), name)
            for name in ("one", "two", "three")
        ]

    for notice in offers():
        toasts.show_notice(notice)
    one, two, three = toasts.visible()
    one.close_by_hand()
    two.findChildren(QPushButton)[0].click()
    three.leave()  # its time was over: nobody has closed it
    assert resumed == ["two"] and [notice.key for notice in toasts.notices] == ["three"]
    later = started(qtbot, settings)
    for notice in offers():
        later.show_notice(notice)
    assert texts(later) == ["three was interrupted."]
    later.withdraw_offers()
    assert texts(later) == [] and later.notices == []
