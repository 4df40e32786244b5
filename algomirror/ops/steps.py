"""Steps of this host's wall clock, as a process notices them between two looks: what waits by the clock must not be over
because somebody set it. A host that slept shows as one too, and what waits then waits a little longer.
"""

from __future__ import annotations

from datetime import timedelta
from threading import Lock

from algomirror.kernel import clock

# What is less a clock's keeper does all day.
NOTICED_S = 2.0
# Whatever was in doubt when the clock moved is decided within this, or told.
REMEMBERED_S = 60.0
NEVER = timedelta(days=365)


class Steps:
    """Of one clock; another one (in tests and rehearsals) begins anew."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._clock: clock.Clock | None = None
        self._offset = 0.0
        self._began = 0.0  # monotonic
        self._ahead: list[tuple[float, float]] = []  # when on the monotonic clock, and by how many seconds

    def look(self) -> float:
        """Seconds that the wall clock was moved since the last look, minus for back; 0.0 for none."""
        with self._lock:
            at, is_other = clock.monotonic(), self._clock is not clock.current()
            offset = clock.now().timestamp() - at
            step, self._offset = offset - self._offset, offset
            if is_other:
                self._clock, self._ahead, self._began = clock.current(), [], at
            if is_other or abs(step) < NOTICED_S:
                return 0.0
            if step > 0:
                self._ahead = [*self._lately(), (at, step)]
            return step

    def ahead_s(self) -> float:
        """By how much it was moved ahead lately: so much older than they are things look that began before."""
        return sum(step for _, step in self._lately()) if self._clock is clock.current() else 0.0

    def real(self, seconds: float) -> timedelta:
        """How long something must have lasted by the wall clock to have lasted so many seconds. Before this process has looked
        for as long nobody says what was done to the clock (a host may come up with a wrong one), and nothing has."""
        if self._clock is not clock.current() or clock.monotonic() - self._began < seconds:
            return NEVER
        return timedelta(seconds=seconds + self.ahead_s())

    def _lately(self) -> list[tuple[float, float]]:
        since = clock.monotonic() - REMEMBERED_S
        return [(at, step) for at, step in self._ahead if at >= since]


steps = Steps()
