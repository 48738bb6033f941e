"""Commands to the player, the mouse's hand and the camera. Render thread only."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from studio.contracts import PlayerProtocol
from widgets.viewport.orbit_camera import OrbitCamera
from widgets.viewport.perturb_controller import PerturbController
from widgets.viewport.scene_renderer import SceneRenderer

INDEXED = ("pose", "ctrl", "context")  # a joint's, an actuator's, a component's
PAUSING = ("step", "back", "seek", "keyframe", "pose")  # the simulation is paused after these


class PlayerCommands:
    """Owns the camera and the mouse's hand. A player ignores what it cannot do."""

    def __init__(self, renderer: SceneRenderer, mujoco: ModuleType) -> None:
        self._renderer = renderer
        self.camera = OrbitCamera()
        self.grab = PerturbController(mujoco)

    def carry_out(self, player: PlayerProtocol, command: str, index: int, value: Any, aspect: float) -> None:
        """Carry out one command.

        Args:
            index: of the joint, actuator or component that it is about.
            aspect: of the picture, width by height.
        """
        match command:
            case "step":
                for _ in range(int(value[0])):
                    player.step()
            case "back":
                for _ in range(int(value[0])):
                    player.back()
            case "reset":
                player.reset(*value)
            case "seek":
                player.seek(value)
            case "choose":
                player.choose(value)
            case "keyframe":
                player.keyframe(value)
            case "pose":
                player.pose(index, value)
            case "ctrl":
                player.set_ctrl(index, value)
            case "context":
                player.set_context(index, value)
            case "orbit":
                self.camera.leave_fixed(player.model, player.data)
                self.camera.orbit(*value)
            case "pan":
                self.camera.leave_fixed(player.model, player.data)
                self.camera.pan(*value)
            case "zoom":
                self.camera.leave_fixed(player.model, player.data)
                self.camera.zoom(*value)
            case "center":
                self._center(player, value, aspect)
            case "select":
                self._select(player, value, aspect)
            case "grab":
                self.grab.take(player, self._renderer, *value) if value else self.grab.release(player)
            case "drag":
                self.grab.drag(player, self._renderer, *value)

    def _center(self, player: PlayerProtocol, place: tuple[float, float], aspect: float) -> None:
        self.camera.leave_fixed(player.model, player.data)
        _, point = self._renderer.pick(player.data, *place, aspect)
        self.camera.center(point if point is not None else player.model.stat.center)

    def _select(self, player: PlayerProtocol, place: tuple[float, float] | None, aspect: float) -> None:
        if place is None:
            self.grab.clear(player)
        else:
            self.grab.select(player, self._renderer, *place, aspect=aspect)
        self.camera.track(player.perturb)
