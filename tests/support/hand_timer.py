"""Time that passes when the test says so."""

from __future__ import annotations

import asyncio


class HandTimer:
    """A `harness.ports.Timer` whose sleeps end at once and move the clock."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self.slept: list[float] = []

    def now_s(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)
