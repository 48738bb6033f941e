"""The window: docks, broken panels, commands, layout, closing, toasts, pipeline bar, theme, log, palette."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QSettings, Qt, QThread, QTimer
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QApplication, QLabel, QTabBar

from plugins.panels import log as log_panel
from studio.contracts import Problem
from studio.errors import StudioError
from studio.events import DeviceSample, Evaluated, Failed, Logged, Progress, StageChanged, StateChanged
from studio.registry import Broken
from studio.run.queue_entry import Job
from tests.widgets.shell import fakes
from widgets.help.keys import KEYS
from widgets.shell.app_state import AppState
from widgets.shell.main_window import MainWindow
from widgets.shell.palette import Palette
from widgets.shell.pipeline_state import duration
from widgets.style import theme


def ready(qtbot: Any, window: MainWindow) -> None:
    with qtbot.waitSignals([window.app_state.registry_ready, window.app_state.problems_changed], timeout=3000):
        window.app_state.load_plugins()


def test_every_panel_has_a_dock_in_its_place(qtbot: Any, window: MainWindow) -> None:
    qtbot.wait(50)
    box = {id: dock.geometry() for id, dock in window.docks.items()}
    assert box["data"].right() < box["viewport"].left() < box["viewport"].right() < box["runs"].left()
    assert box["data"].bottom() < box["strategy"].top()
    assert box["viewport"].bottom() < box["curves"].top() < box["log"].top()
    assert box["viewport"].width() > 1.8 * box["data"].width()


def test_a_panel_that_raises_is_told_and_the_others_live(window: MainWindow) -> None:
    broken = window.docks["lens"].broken
    assert broken is not None and broken.file == fakes.__file__ and broken.line > 0
    text = " ".join(label.text() for label in window.docks["lens"].findChildren(QLabel))
    assert "Plugin 'lens'" in text and f"line {broken.line}" in text and "no lens" in text
    assert window.docks["viewport"].broken is None
    assert any("lens" in toast.text for toast in window.toasts.visible())


def test_plugins_that_did_not_load_are_told_in_a_toast_and_the_log(qtbot: Any, window: MainWindow) -> None:
    registry = window.app_state.registry
    assert isinstance(registry, fakes.FakeRegistry)
    registry.failed.append(Broken("strategies", "dann", "/x/dann.py", 12, "ImportError: no lib", "Traceback dann"))
    ready(qtbot, window)
    assert any("dann" in t.text and "line 12" in t.text for t in window.toasts.visible())
    lines = window.docks["log"].panel.model.lines
    assert any("dann" in line.text and line.details == "Traceback dann" for line in lines)


def test_run_is_barred_with_the_reason_until_all_is_well(
    qtbot: Any, window: MainWindow, engine: fakes.FakeEngine
) -> None:
    run = window.commands.run
    assert not run.isEnabled() and "still loading" in run.toolTip()
    ready(qtbot, window)
    assert run.isEnabled()
    engine.problems = lambda _: [Problem("target.dataset", "The dataset does not exist.", "Check the path.")]
    with qtbot.waitSignal(window.app_state.problems_changed, timeout=3000):
        window.app_state.edit(seed=3)
    assert not run.isEnabled() and "target.dataset: The dataset does not exist. Check the path." in run.toolTip()
    qtbot.keyClick(window, Qt.Key.Key_F5)
    assert engine.sessions == []


def test_f5_runs_and_the_buttons_follow(qtbot: Any, window: MainWindow, engine: fakes.FakeEngine) -> None:
    ready(qtbot, window)
    engine.seconds = 30
    with qtbot.waitSignal(window.app_state.progress, timeout=3000):
        qtbot.keyClick(window, Qt.Key.Key_F5)
    commands = window.commands
    assert commands.run.iconText() == "Queue" and commands.stop.isEnabled() and commands.pause.isEnabled()
    with qtbot.waitSignal(window.app_state.state_changed, timeout=3000):
        commands.pause.trigger()
    assert commands.pause.isChecked() and commands.pause.iconText() == "Continue"
    with qtbot.waitSignal(window.app_state.running_changed, timeout=3000):
        commands.stop.trigger()
    assert commands.run.isEnabled() and not commands.stop.isEnabled()


def test_pipeline_bar_follows_the_stages(qtbot: Any, window: MainWindow) -> None:
    ready(qtbot, window)
    app_state, bar = window.app_state, window.pipeline_bar
    pipeline = bar.pipeline
    assert pipeline.headline == "Franka arm → UR5e arm  ·  LoRA  ·  50 episodes"
    app_state.job_changed.emit(1, 8, Job(app_state.experiment))
    app_state.state_changed.emit("running")
    app_state.events.emit([StageChanged("source"), StageChanged("pretrain", cached=True), StageChanged("adapt")])
    app_state.progress.emit(Progress("adapt", 320, 800, 0.4, 0.5, 80.0))
    looks = {name: stage.look for name, stage in pipeline.stages.items()}
    assert looks == {"source": "done", "pretrain": "cached", "adapt": "active", "evaluate": "idle", "export": "idle"}
    assert pipeline.stages["adapt"].fraction == 0.4
    app_state.state_changed.emit("running")
    assert "step 320 / 800" in pipeline.status and pipeline.status.endswith("1 min 20 s left")
    assert "Adapt 40%" in bar.accessibleDescription()
    app_state.progress.emit(Progress("adapt", 400, 800, 0.5, 0.5, math.nan, 90.0))
    assert pipeline.status.endswith("1 min 30 s left in this stage")
    app_state.events.emit([Failed("It broke.", "", "", "")])
    assert pipeline.stages["adapt"].look == "failed"
    app_state.events.emit([Evaluated("evaluate", "target", 800, 200, 0.78, 0.72, 0.84, 0.0, True)])
    app_state.state_changed.emit("finished")
    assert pipeline.status == "experiment  ·  Finished  ·  success on the target 0.78 (0.72–0.84)"
    app_state.state_changed.emit("preparing")
    app_state.job_changed.emit(0, 1, Job(app_state.experiment))
    assert all(stage.look == "idle" for stage in pipeline.stages.values())


@pytest.mark.parametrize(
    ("seconds", "words"), [(7.4, "7 s"), (80, "1 min 20 s"), (1500, "25 min"), (7500, "2 h 5 min")]
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_long_error_shows_its_first_line_and_the_others_among_the_details(qtbot: Any, window: MainWindow) -> None:
    with qtbot.waitSignal(window.app_state.toast) as heard:
        window.app_state.report(StudioError("Nothing was started, for 2 reasons:\n- one\n- another"))
    _, sentence, details = heard.args
    assert sentence == "Nothing was started, for 2 reasons:" and details.startswith("- one\n- another\n")


def test_a_failure_shows_one_toast_with_its_traceback(qtbot: Any, window: MainWindow) -> None:
    window.app_state.events.emit([Failed("The disk is full.", "", "Free some space.", "Traceback: write")])
    (toast,) = [t for t in window.toasts.visible() if "disk" in t.text]
    assert toast.text == "The disk is full. Free some space." and toast.details.toPlainText() == "Traceback: write"
    assert toast.geometry().right() < window.width() and toast.geometry().bottom() < window.height()
    window.app_state.toast.emit("error", toast.text, "")
    assert len([t for t in window.toasts.visible() if "disk" in t.text]) == 1
    toast.close_by_hand()
    qtbot.wait(10)
    assert not any("disk" in t.text for t in window.toasts.visible())


def test_the_layout_is_kept_and_can_be_reset(qtbot: Any, tmp_path: Path, engine: fakes.FakeEngine) -> None:
    settings = QSettings(str(tmp_path / "s.ini"), QSettings.Format.IniFormat)

    def start() -> MainWindow:
        made = MainWindow(
            AppState(tmp_path, registry=fakes.registry(fakes.PANELS), engine=engine.functions()), settings
        )
        qtbot.addWidget(made)
        made.show()
        qtbot.wait(50)
        return made

    first = start()
    first.docks["runs"].close()
    first.close()
    second = start()
    assert second.docks["runs"].isHidden() and second.docks["curves"].isVisible()
    second.commands.reset_layout.trigger()
    assert second.docks["runs"].isVisible()
    second.close()


def test_closing_while_running_asks_stops_and_then_closes(
    qtbot: Any, window: MainWindow, monkeypatch: pytest.MonkeyPatch, engine: fakes.FakeEngine
) -> None:
    engine.seconds = 30
    with qtbot.waitSignal(window.app_state.progress, timeout=3000):
        window.app_state.run()
    monkeypatch.setattr(window, "_ask_to_stop", lambda: False)
    window.close()
    assert window.isVisible() and window.app_state.is_running
    monkeypatch.setattr(window, "_ask_to_stop", lambda: True)
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=3000)
    assert not window.app_state.is_running
    assert not any(timer.isActive() for timer in window.app_state.findChildren(QTimer))
    assert not any(thread.isRunning() for thread in window.app_state.findChildren(QThread))


def test_interrupted_runs_are_offered_at_the_start(
    qtbot: Any, window: MainWindow, tmp_path: Path, engine: fakes.FakeEngine
) -> None:
    class Run:
        def __init__(self, name: str, state: str, created: float) -> None:
            self.name, self.state, self.created, self.folder = name, state, created, tmp_path / name

    runs = [Run("old", "interrupted", 1.0), Run("late", "interrupted", 2.0), Run("done", "finished", 3.0)]
    engine.runs = runs
    fakes.kept_run(tmp_path, "late")
    ready(qtbot, window)
    qtbot.waitUntil(lambda: any("late was interrupted" in t.text for t in window.toasts.visible()), timeout=3000)
    (toast,) = [t for t in window.toasts.visible() if "late" in t.text]
    from PySide6.QtWidgets import QPushButton

    (button,) = toast.findChildren(QPushButton)
    with qtbot.waitSignal(window.app_state.running_changed, timeout=3000):
        button.click()
    qtbot.waitUntil(lambda: bool(engine.sessions), timeout=3000)
    assert engine.sessions[0].resumed and engine.sessions[0].folder == tmp_path / "late"
    qtbot.waitUntil(lambda: not window.app_state.is_running, timeout=3000)


def test_light_and_dark_reach_palette_sheet_icons_and_painters(window: MainWindow) -> None:
    looks = {}
    for scheme in ("light", "dark"):
        theme.force(scheme)
        app = QApplication.instance()
        assert isinstance(app, QApplication) and "@" not in app.styleSheet()
        image = window.grab().toImage()
        icon = window.commands.open.icon().pixmap(16).toImage()
        ink = max(
            (icon.pixelColor(x, y) for x in range(icon.width()) for y in range(icon.height())), key=lambda c: c.alpha()
        )
        looks[scheme] = (
            app.palette().window().color().lightness(),
            image.pixelColor(700, 8).lightness(),
            ink.lightness(),
        )
    assert looks["light"][0] > 200 and looks["light"][1] > 200 and looks["light"][2] < 80
    assert looks["dark"][0] < 60 and looks["dark"][1] < 60 and looks["dark"][2] > 180


def test_ids_are_words_until_their_titles_are_known(qtbot: Any, window: MainWindow) -> None:
    title_of = window.app_state.title_of
    assert title_of("strategies", "full_finetuning") == "full finetuning"
    ready(qtbot, window)
    assert title_of("strategies", "full_finetuning") == "Full fine-tuning"
    assert (
        title_of("embodiments", "ur5_6dof") == "UR5e arm" and title_of("embodiments", "/a/my_arm.xml") == "my_arm.xml"
    )


def contrast(one: Any, other: Any) -> float:
    def luminance(c: Any) -> float:
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in c.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_and_lines_seen_in_both_schemes(qtbot: Any, scheme: Any) -> None:
    theme.force(scheme)
    for ground in ("surface", "raised", "window"):
        for ink in ("text", "muted", "error", "warning", "success", "accent"):
            assert contrast(theme.color(ink), theme.color(ground)) >= 4.0, (ink, ground)
    assert contrast(theme.color("accent_text"), theme.color("accent")) >= 4.5
    for i in range(7):
        assert contrast(theme.series(i), theme.color("plot_background")) >= 3.0, i
    theme.force(None)


def test_the_log_filters_searches_copies_and_forgets_the_oldest(qtbot: Any, window: MainWindow) -> None:
    panel = window.docks["log"].panel
    assert isinstance(panel, log_panel.LogPanel)
    panel.model.clear()
    window.app_state.events.emit(
        [Logged("debug", "fine"), Logged("info", "hello"), Logged("error", "bad"), StateChanged("/r/a", "running")]
    )
    shown = lambda: [panel.filter.index(r, 0).data() for r in range(panel.filter.rowCount())]  # noqa: E731
    assert len(shown()) == 3 and not any("fine" in line for line in shown())
    panel.set_filter(level="debug", words="FINE")
    assert len(shown()) == 1
    panel.set_filter(level="info", words="")
    panel.copy()
    assert "hello" in QGuiApplication.clipboard().text() and "a: running" in QGuiApplication.clipboard().text()
    panel.add([log_panel.Line(0.0, "info", str(i)) for i in range(log_panel.CAPACITY + 7)])
    assert len(panel.model.lines) == log_panel.CAPACITY and panel.model.lines[-1].text == str(log_panel.CAPACITY + 6)
    panel.add([log_panel.Line(0.0, "error", "boom", "Traceback here")])
    panel.view.setCurrentIndex(panel.filter.index(panel.filter.rowCount() - 1, 0))
    assert panel.details.isVisible() and panel.details.toPlainText() == "Traceback here"


def test_the_palette_finds_a_command_by_its_letters_and_triggers_it(qtbot: Any, window: MainWindow) -> None:
    palette = Palette(window, window.commands.all())
    palette.show()
    qtbot.keyClicks(palette.search, "copy yaml")
    assert palette.found.count() == 1
    QGuiApplication.clipboard().clear()
    qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert "version: 2" in QGuiApplication.clipboard().text()


def test_the_palette_puts_names_before_descriptions(window: MainWindow) -> None:
    palette = Palette(window, window.commands.all())
    for typed, first in (("dark", "Dark"), ("run", "Run"), ("stop", "Stop"), ("layout", "Reset layout")):
        palette.search.setText(typed)
        assert palette.found.item(0).text().startswith(f"{first}   –"), typed
    palette.reject()


def test_device_load_is_shown(window: MainWindow) -> None:
    window.app_state.events.emit([DeviceSample(184.0, 812.0, float("nan"), float("nan"))])
    texts = [label.text() for label in window.statusBar().findChildren(QLabel)]
    assert "CPU 184 %  ·  memory 812 MB" in texts
    window.app_state.running_changed.emit(False)  # nothing is measured any longer
    assert not any(label.text() for label in window.statusBar().findChildren(QLabel))


def test_f1_opens_the_page_of_the_active_panel(qtbot: Any, window: MainWindow) -> None:
    window.docks["log"].panel.view.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert window.help_window().isVisible() and window.help_window().page == "getting-started"
    window.tabifyDockWidget(window.docks["curves"], window.docks["runs"])

    def tabs() -> QTabBar | None:
        bars = window.findChildren(QTabBar)
        return next((bar for bar in bars if "Runs" in {bar.tabText(i) for i in range(bar.count())}), None)

    qtbot.waitUntil(lambda: tabs() is not None and tabs().isVisible())
    bar = tabs()
    place = next(i for i in range(bar.count()) if bar.tabText(i) == "Runs")
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(place).center())
    assert window.focusWidget() is window.docks["log"].panel.view  # a click on a tab leaves it alone
    window.commands.help.trigger()
    assert window.help_window().page == KEYS  # the panel has no page of its own
    window.commands.keys.trigger()
    text = window.help_window().view.toPlainText()
    assert text.index("Run this experiment") < text.index("Copy the selected lines")
    window.help_window().close()


def test_a_broken_example_does_not_keep_the_others_from_having_titles(
    qtbot: Any, window: MainWindow, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("title: [", encoding="utf-8")
    window.commands.examples = {broken: QAction("broken", window), **window.commands.examples}
    window.app_state.registry_ready.emit()
    demo = next(action for file, action in window.commands.examples.items() if file.name == "demo.yaml")
    qtbot.waitUntil(lambda: demo.text().startswith("Demo:"))
    assert not any("YAML" in toast.text or "broken" in toast.text for toast in window.toasts.visible())


def test_an_experiment_named_in_the_help_opens(qtbot: Any, window: MainWindow) -> None:
    window.help_window().view.link_clicked.emit("../experiments/push.yaml")
    qtbot.waitUntil(lambda: window.app_state.experiment.name == "push")
    window.help_window().close()


def test_the_window_loads_neither_torch_nor_mujoco_before_its_first_frame() -> None:
    code = (
        "import sys; from pathlib import Path; from widgets.shell import app;"
        "from widgets.shell.app_state import AppState;"
        "from widgets.shell.main_window import MainWindow; from studio.registry import Registry;"
        "a = app.application(); w = MainWindow(AppState(Path('.'), registry=Registry(Path('/nonexistent'))));"
        "w.show(); a.processEvents(); print([m for m in ('torch', 'mujoco', 'h5py') if m in sys.modules]); w.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"
