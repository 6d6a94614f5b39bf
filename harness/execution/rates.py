"""How many calls, and tokens, a service may be asked for in a minute."""

from __future__ import annotations

_BURST_S = 6.0
"""What was not used of so many last seconds may be used at once."""


class Rate:
    """At most so many units a minute, spread evenly but for short bursts.

    The generic cell rate algorithm (ITU-T I.371): each unit moves the time at which the next one is
    due; a call waits until its own has come. In any minute at most `per_minute` and a tenth of it.
    """

    def __init__(self, per_minute: float) -> None:
        self._unit_s = 60.0 / per_minute
        self._due_s = float("-inf")

    def wait_s(self, n_units: float, now_s: float) -> float:
        """Take units, now or later; how many seconds to wait for them."""
        due_s = max(self._due_s, now_s - _BURST_S)
        self._due_s = due_s + n_units * self._unit_s
        return max(0.0, due_s - now_s)
