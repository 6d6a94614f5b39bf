"""How many calls, and tokens, a service may be asked for in a minute."""

from __future__ import annotations

from collections import deque
from math import inf

_WINDOW_S = 61.0
"""A second longer than a minute: calls take unequal times to arrive."""
_BURST_S = 6.0
"""What was not used of so many last seconds may be used at once."""


class Rate:
    """At most so many units in any minute, spread evenly but for short bursts.

    The generic cell rate algorithm (ITU-T I.371) spreads them: each unit moves the time at which
    the next one is due. At first there is nothing to be used at once. What was taken of late is
    kept, so that a burst counts: in no window is there more. A call of more units than a window
    takes has one of its own.
    """

    def __init__(self, per_minute: float) -> None:
        self._most = per_minute
        self._unit_s = _WINDOW_S / per_minute
        self._due_s = self._last_s = -inf
        self._taken: deque[tuple[float, float]] = deque()
        self._n_taken = 0.0

    def due_s(self, n_units: float, now_s: float) -> float:
        """The first moment from now on at which so many units may be taken."""
        at_s, n_taken = max(now_s, self._due_s, self._last_s), self._n_taken
        for taken_s, n in self._taken:
            if n_taken + n_units <= self._most:
                break
            at_s = max(at_s, taken_s + _WINDOW_S)
            n_taken -= n
        return at_s

    def take(self, n_units: float, at_s: float) -> None:
        """Take units at a moment that `due_s` has told, or later."""
        if not n_units:
            return
        unused_s = at_s if self._due_s == -inf else at_s - _BURST_S
        self._due_s = max(self._due_s, unused_s) + n_units * self._unit_s
        self._last_s = at_s
        self._taken.append((at_s, n_units))
        self._n_taken += n_units
        while self._taken[0][0] + _WINDOW_S <= at_s:
            self._n_taken -= self._taken.popleft()[1]
