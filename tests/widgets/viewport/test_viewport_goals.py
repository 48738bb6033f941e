"""Goals under the mouse: they stay under it, the policy sees them there at once, and until the next episode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from studio.experiment import Domain
from studio.nn.policy import BasePolicy
from studio.registry import Registry
from studio.sim.domains import resolve
from studio.viewer.player import Player
from tests.widgets.viewport.hands import CTRL, LEFT, RIGHT, Held
from widgets.shell.app_state import AppState
from widgets.viewport.perturb_controller import project
from widgets.viewport.scene_renderer import SceneRenderer

POINT = Domain(embodiment="point", task="point_navigation", control="motor", observation="goal")
PUSH = Domain(embodiment="ur5_6dof", task="push", observation="goal")
REACH = Domain(embodiment="ur5_6dof", observation="goal")


REACHER = Domain(embodiment="reacher", task="reacher", control="motor", observation="state")
PUSHER = Domain(embodiment="pusher", task="pusher", control="motor", observation="state")


class Still(BasePolicy):
    """Takes down what it sees, and does nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.seen = width, np.zeros(0)

    def act(self, observation: Any, memory: Any = None) -> tuple[np.ndarray, Any]:
        self.seen = np.array(observation.get("goal", observation.get("state"))[0])
        return np.zeros((1, self.width)), memory


class Chased(Held):
    """A viewport over a domain of the test's own, played by :class:`Still`."""

    def __init__(self, qtbot: Any, app_state: AppState, domain: Domain) -> None:
        own = {"reacher": "target", "pusher": "goal"}  # of the robot's own bodies
        self.domain, self.mark = domain, own.get(domain.task, "task/goal")
        super().__init__(qtbot, app_state)
        self.policy = Still(self.player.world.single_action_space.shape[0])
        self.panel.thread_.set_policy(self.policy)
        self.until(lambda: self.policy.seen.size)

    def _make(self, domain: Domain) -> Any:
        self.players.append(Player(resolve(self.domain, Registry()), "random", seed=3))
        return self.players[-1]

    @property
    def goal(self) -> np.ndarray:
        return np.array(self.player.data.body(self.mark).xpos)

    def drag_goal(self, dx: int, dy: int, button: Any = LEFT) -> tuple[float, float]:
        """Press on the goal, move in small steps, and hold it there; return the place of the mouse."""
        x, y = self.place_of(self.mark)
        self.press(x, y, button, CTRL)
        self.until(lambda: self.frame.selected == self.mark)
        for i in range(1, 6):
            self.move(x + dx * i / 5, y + dy * i / 5, button, CTRL)
            self.qtbot.wait(15)
        return x + dx, y + dy


@pytest.fixture(params=[POINT, PUSH, REACH], ids=lambda d: d.task)
def chased(qtbot: Any, app_state: AppState, request: Any) -> Iterator[Chased]:
    made = Chased(qtbot, app_state, request.param)
    yield made
    made.panel.shut_down()


def test_a_dragged_goal_is_observed_under_the_mouse(chased: Chased) -> None:
    start = chased.goal
    assert "Ctrl+drag" in chased.view.overlays.hint
    x, y = chased.drag_goal(-60, 30)
    chased.until(lambda: np.hypot(chased.place_of("task/goal")[0] - x, chased.place_of("task/goal")[1] - y) < 3)
    assert chased.frame.playing, "while the policy plays"
    assert chased.goal[2] == pytest.approx(start[2], abs=1e-6), "in its plane"
    wide = chased.player.world.task.goal_width
    place = slice(0, 2) if wide < 6 else slice(3, 5)
    chased.until(lambda: np.allclose(chased.policy.seen[place], chased.goal[:2], atol=1e-5))
    chased.let_go(x, y, LEFT, CTRL)
    there = chased.goal
    step = chased.frame.info["step"]
    chased.until(lambda: chased.frame.info["step"] > step + 2)
    assert np.allclose(chased.goal, there), "it stays where it was let go"
    assert chased.view.overlays.hint == "", "the person knows it now"
    chased.panel.thread_.reset(7)
    chased.until(lambda: not np.allclose(chased.goal, there, atol=1e-3))


def test_a_goal_is_lifted_only_where_it_may_leave_its_plane(chased: Chased) -> None:
    start = chased.goal
    chased.drag_goal(0, -50, RIGHT)
    chased.until(lambda: np.linalg.norm(chased.goal - start) > 0.02)
    lifted = chased.goal[2] - start[2]
    assert lifted > 0.02 if chased.domain.task == "reach" else abs(lifted) < 1e-6


def test_a_goal_dragged_in_a_standing_picture_is_seen_there_too(qtbot: Any, app_state: AppState) -> None:
    chased = Chased(qtbot, app_state, POINT)
    try:
        chased.pause()
        before, start = chased.player.world.observe([0])["goal"][0], chased.goal
        chased.drag_goal(40, 20)
        chased.until(lambda: np.linalg.norm(chased.goal - start) > 0.05)
        seen = chased.player.world.observe([0])["goal"][0]
        assert np.allclose(seen, chased.goal[:2], atol=1e-5) and not np.allclose(seen, before)
    finally:
        chased.panel.shut_down()


class DirectionHands(Chased):
    """Plays a family of directions; the place of the arrow's tip is asked of the picture."""

    scene: Any

    def tip(self) -> tuple[float, float]:
        aim = self.player.aim
        assert aim is not None
        across, up, _ = project(self.scene, np.array(aim[1]))
        return self.view.width() / 2 + across * self.view.height() / 2, self.view.height() / 2 * (1 - up)

    def drag_tip(self, dx: int, dy: int) -> None:
        self.pause()  # the camera follows the body: the picture does not move
        self.qtbot.wait(300)
        x, y = self.tip()
        self.press(x, y, LEFT, CTRL)
        self.until(lambda: self.frame.selected == "direction")
        for i in range(1, 6):
            self.move(x + dx * i / 5, y + dy * i / 5, LEFT, CTRL)
            self.qtbot.wait(15)
        self.qtbot.wait(100)
        self.let_go(x + dx, y + dy, LEFT, CTRL)
        self.until(lambda: self.frame.selected == "")


@pytest.mark.parametrize("domain", [REACHER, PUSHER], ids=lambda d: d.task)
def test_a_goal_on_slides_goes_where_the_mouse_does(qtbot: Any, app_state: AppState, domain: Domain) -> None:
    chased = Chased(qtbot, app_state, domain)
    try:
        start, player = chased.goal, chased.player
        assert "Ctrl+drag" in chased.view.overlays.hint
        x, y = chased.drag_goal(-25, 10, RIGHT)
        chased.until(lambda: np.hypot(chased.place_of(chased.mark)[0] - x, chased.place_of(chased.mark)[1] - y) < 3)
        chased.let_go(x, y, RIGHT, CTRL)
        there, step = chased.goal, chased.frame.info["step"]
        assert np.linalg.norm(there - start) > 0.02 and there[2] == pytest.approx(start[2], abs=1e-9)
        chased.until(lambda: chased.frame.info["step"] > step + 3)
        assert np.allclose(chased.goal, there, atol=1e-6), "it stays where it was let go"
        chased.pause()
        chased.drag_goal(20, -10)
        chased.until(lambda: np.linalg.norm(chased.goal - there) > 0.02)
        seen = player.world.observe([0])["state"]
        expected = chased.goal[:2] if domain is REACHER else chased.goal
        found = seen[0, 4:6] if domain is REACHER else seen[0, -3:]
        assert np.allclose(found, expected, atol=1e-5), "and the policy sees it there"
    finally:
        chased.panel.shut_down()


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The scenes that renderers draw; the last one is the viewport's."""
    found: list[Any] = []
    use = SceneRenderer.use

    def noted(self: SceneRenderer, model: Any) -> None:
        use(self, model)
        found.append(self)

    monkeypatch.setattr(SceneRenderer, "use", noted)
    return found


@pytest.mark.parametrize(("task", "body"), [("ant_direction", "ant"), ("half_cheetah_direction", "half_cheetah")])
def test_the_mouse_turns_the_arrow_of_a_direction(
    qtbot: Any, app_state: AppState, scenes: list[Any], task: str, body: str
) -> None:
    panel = DirectionHands(qtbot, app_state, Domain(embodiment=body, task=task, control="motor", observation="goal"))
    try:
        panel.scene = scenes[-1].scene
        assert "arrow" in panel.view.overlays.hint
        before = panel.player.context_values()
        foot = panel.player.aim[0]
        across, up, _ = project(panel.scene, np.array(foot))
        x, y = panel.tip()
        to_foot = panel.view.width() / 2 + across * panel.view.height() / 2 - x, panel.view.height() / 2 * (1 - up) - y
        panel.drag_tip(round(2 * to_foot[0]), round(2 * to_foot[1]))  # to the other side of the body
        after = panel.player.context_values()
        assert before @ after < -0.8 and np.linalg.norm(after) == pytest.approx(1, abs=1e-6)
        assert panel.view.overlays.hint == ""
        np.testing.assert_allclose(panel.player.world.observe([0])["goal"][0], after, atol=1e-6)
    finally:
        panel.panel.shut_down()
