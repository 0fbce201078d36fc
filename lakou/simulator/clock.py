"""The clock of the simulated territory: ×1 to ×600, paused or set back, and never ahead of the present.

At ×1 without delay it shows the present itself. What runs faster has to begin in the past; when it has caught up, it
goes on with the present (decision 8).
"""

from __future__ import annotations

from collections.abc import Callable

from lakou.kernel.errors import BadRequest

SLOWEST = 1.0
FASTEST = 600.0


def checked_speed(speed: float) -> float:
    """The speed, or BadRequest when it is not from 1 to 600."""
    if not SLOWEST <= speed <= FASTEST:
        raise BadRequest("The speed must be from 1 to 600", place="speed", hint="1 is real time")
    return speed


class Clock:
    """The instant of the territory (Unix s), from the present `wall()` and where it was set last."""

    def __init__(self, wall: Callable[[], float], *, at_s: float | None = None, speed: float = 1.0) -> None:
        self._wall = wall
        self._set_wall_s = wall()
        self._set_at_s = self._set_wall_s if at_s is None else at_s
        self.speed = checked_speed(speed)
        self.is_paused = False

    @property
    def now_s(self) -> float:
        """The territory's instant."""
        if self.is_paused:
            return self._set_at_s
        wall_s = self._wall()
        return min(self._set_at_s + (wall_s - self._set_wall_s) * self.speed, wall_s)

    @property
    def behind_s(self) -> float:
        """How far the territory is behind the present."""
        return self._wall() - self.now_s

    def set(self, at_s: float) -> None:
        """Go to an instant; BadRequest when it is still to come."""
        if at_s > self._wall() + 1e-3:
            raise BadRequest("The territory cannot be ahead of the present", place="at", hint="take an earlier instant")
        self._set_at_s, self._set_wall_s = at_s, self._wall()

    def run_at(self, speed: float) -> None:
        """Change the speed from now on."""
        checked_speed(speed)
        self.set(self.now_s)
        self.speed = speed

    def pause(self) -> None:
        """Stand still."""
        self.set(self.now_s)
        self.is_paused = True

    def resume(self) -> None:
        """Run on from where it stands."""
        if self.is_paused:
            self.set(self._set_at_s)
            self.is_paused = False
