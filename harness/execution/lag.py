"""How late our own event loop is, all along a run, and how many trials it can time honestly."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

EVERY_S = 0.05
WINDOW_S = 1.0
TOLERATED = 0.1
"""The share of a latency that our own lag may add to it."""
_CUT = 0.8
_FEWEST = 20
"""A window with fewer trials tells nothing."""


@dataclass(slots=True)
class LoopLag:
    """Samples how much later than asked for a timer fires; lowers `allowed`, trials in flight.

    Where a client's clock is read by the event loop, as that of a vendor's SDK is, the loop's lag
    is in the latency. When the 95th percentile of the lag in a second is over a tenth of the median
    latency that such clients told in it, a fifth fewer trials are let into flight.
    """

    allowed: int
    asked_for: int = field(init=False)
    _samples_s: array[float] = field(default_factory=lambda: array("f"))
    _told_s: list[float] = field(default_factory=list)
    _n_judged: int = 0
    clock: Callable[[], float] = perf_counter

    def __post_init__(self) -> None:
        self.asked_for = self.allowed

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
        """Lower `allowed` if the lag since the last time would distort what was told since."""
        lag_s, self._n_judged = self._samples_s[self._n_judged :], len(self._samples_s)
        told_s, self._told_s = self._told_s, []
        if len(told_s) < _FEWEST or not lag_s:
            return
        if np.percentile(lag_s, 95) > TOLERATED * np.median(told_s):
            self.allowed = max(1, int(self.allowed * _CUT))

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
