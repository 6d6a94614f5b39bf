"""How late our own event loop is, all along a run, and how many trials it can time honestly."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

EVERY_S = 0.02
WINDOW_S = 0.5
TOLERATED = 0.1
"""The share of a latency that our own lag may add to it."""
FIRST = 16
"""Trials in flight at first, where our own loop reads the clock."""
_CUT = 0.8
_FEWEST = 20
"""Fewer latencies tell nothing."""


@dataclass(slots=True)
class LoopLag:
    """Samples how much later than asked for a timer fires; says how many trials may be in flight.

    Where a client's clock is read by the event loop, as that of a vendor's SDK is, the loop's lag
    is in the latency. With such clients (`doubles`) a run begins with `FIRST` trials in flight, and
    twice as many are let in twice a second, up to those asked for, until the 95th percentile of the
    lag since the last time is over a tenth of the median latency that such clients told: then, and
    whenever that is so again, a fifth fewer are. Whenever it is not, a sixteenth more are, and at
    least one: the lag may have come from elsewhere on the machine. `lowered_to` is the fewest that
    there were.
    """

    asked_for: int
    doubles: bool = False
    allowed: int = field(init=False)
    lowered_to: int | None = None
    _samples_s: array[float] = field(default_factory=lambda: array("f"))
    _told_s: list[float] = field(default_factory=list)
    _n_judged: int = 0
    clock: Callable[[], float] = perf_counter

    def __post_init__(self) -> None:
        self.allowed = min(FIRST, self.asked_for) if self.doubles else self.asked_for

    async def watch(self) -> None:
        """Sample until cancelled."""
        window = self.clock()
        while True:
            began = self.clock()
            await asyncio.sleep(EVERY_S)
            now = self.clock()
            self._samples_s.append(max(0.0, now - began - EVERY_S))
            if now - window >= WINDOW_S:
                window = now
                self.judge()

    def told(self, latency_s: float) -> None:
        """Take a latency that a client told whose clock the loop reads."""
        self._told_s.append(latency_s)

    def judge(self) -> None:
        """Change `allowed` by the lag since it was last held against enough latencies."""
        lag_s, told_s = self._samples_s[self._n_judged :], self._told_s
        enough = lag_s and len(told_s) >= _FEWEST
        if enough:
            self._n_judged, self._told_s = len(self._samples_s), []
        if enough and np.percentile(lag_s, 95) > TOLERATED * np.median(told_s):
            self.doubles = False
            self.allowed = max(1, int(self.allowed * _CUT))
            self.lowered_to = min(self.allowed, self.lowered_to or self.allowed)
        elif self.doubles:
            self.allowed = min(2 * self.allowed, self.asked_for)
        elif enough:
            self.allowed = min(self.allowed + max(1, self.allowed // 16), self.asked_for)

    @property
    def facts(self) -> dict[str, float | int | None]:
        """What the manifest says: the lag's percentiles in seconds, and trials in flight."""
        lag_s = np.asarray(self._samples_s) if self._samples_s else None
        p50, p95, most = (None,) * 3 if lag_s is None else np.percentile(lag_s, (50, 95, 100))
        return {
            "lag_p50_s": None if p50 is None else round(float(p50), 6),
            "lag_p95_s": None if p95 is None else round(float(p95), 6),
            "lag_max_s": None if most is None else round(float(most), 6),
            "in_flight": self.allowed,
            "in_flight_asked_for": self.asked_for,
        }
