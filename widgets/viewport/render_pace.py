"""How fast pictures come and simulated time passes, over the last second and a half."""

from __future__ import annotations

from collections import deque

MEASURE_SECONDS = 0.2  # between two measurements: more often, nobody can read them
WINDOW_SECONDS = 1.5
MOST = 240  # moments kept: two seconds of the fastest rate, doubled

Points = deque[tuple[float, float]]


class Pace:
    """Notes when pictures were drawn; :attr:`fps` and :attr:`speed` are as of the last :meth:`measure`."""

    def __init__(self) -> None:
        self.fps = 0.0
        self.speed = 0.0  # simulated seconds in a second
        self._frames: Points = deque(maxlen=MOST)  # (when, pictures until then)
        self._times: Points = deque(maxlen=MOST)  # (when, simulated seconds until then)
        self._drawn = 0
        self._simulated = 0.0
        self._measured = 0.0

    def picture(self, now: float) -> None:
        """Note a picture that was drawn."""
        self._drawn += 1
        self._frames.append((now, self._drawn))

    def passed(self, now: float, seconds: float) -> None:
        """Note simulated time that has passed, s."""
        self._simulated += seconds
        self._times.append((now, self._simulated))

    def measure(self, now: float, moving: bool) -> None:
        """Measure, if the last measurement is old; both are 0 where nothing moves."""
        if not moving:
            self.fps = self.speed = self._measured = 0.0
        elif now - self._measured > MEASURE_SECONDS:
            self._measured = now
            self.fps, self.speed = _slope(self._frames), _slope(self._times)


def _slope(points: Points) -> float:
    """Return how fast the second number grows with the first."""
    recent = [point for point in points if point[0] > points[-1][0] - WINDOW_SECONDS]
    if len(recent) < 2:
        return 0.0
    return (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0])
